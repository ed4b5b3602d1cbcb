package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal/pcrsig"
	"github.com/spf13/cobra"
)

// shownSignature is a line of "policy show".
type shownSignature struct {
	Bank   pcr.Bank      `json:"bank"`
	PCRs   pcr.Selection `json:"pcrs"`
	Key    string        `json:"key"`
	Policy pcr.Digest    `json:"policy"`
	// Valid is whether it is by the key that was given; nil without one, and for other keys.
	Valid *bool    `json:"valid,omitempty"`
	For   []string `json:"for,omitempty"` // the boots of the command line that it is for
}

// shownPolicies is "policy show -o json".
type shownPolicies struct {
	Signatures []shownSignature `json:"signatures"`
	Unsigned   []bootPolicy     `json:"unsigned,omitempty"`
}

func (a *app) policyShow() *cobra.Command {
	var f bootFlags
	var publicKey string
	cmd := &cobra.Command{
		Use:   "show FILE [UKI ...]",
		Short: "Show signatures, and whether they are for certain boots",
		Long: `Show the signatures in a file of systemd-measure's JSON, or in a unified kernel image that has
them in its section .pcrsig. With a public key each of its signatures is verified.

With kernel images, or PCR values, it says for which boots there are signatures. Exit code 0 says
that all is well; 1 that a signature is wrong, or that one of the boots has none.`,
		Example: `  bootseal policy show /etc/systemd/tpm2-pcr-signature.json
  bootseal policy show linux.efi --public-key public.pem
  bootseal policy show tpm2-pcr-signature.json --public-key public.pem linux.efi`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			file, err := a.readSignatures(args[0])
			if err != nil {
				return err
			}
			var key *pcrsig.Key
			if publicKey != "" {
				if key, err = readPublicKey(publicKey); err != nil {
					return err
				}
			}
			var boots []bootPolicy
			if len(args) > 1 || f.values != "" {
				if boots, err = a.policies(&f, args[1:]); err != nil {
					return err
				}
			}
			return a.printSignatures(showSignatures(file, key, boots))
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&publicKey, "public-key", "", "verify the signatures of this key, PEM, and count no others")
	return cmd
}

// showSignatures joins signatures with the boots that they are for. With a key, only its
// valid ones count for a boot.
func showSignatures(file pcrsig.File, key *pcrsig.Key, boots []bootPolicy) *shownPolicies {
	shown := &shownPolicies{Signatures: []shownSignature{}}
	signed := make([]bool, len(boots))
	for _, bank := range slices.Sorted(maps.Keys(file)) {
		for _, s := range file[bank] {
			line := shownSignature{Bank: bank, PCRs: s.PCRs, Key: s.Key.String(), Policy: s.Policy}
			counts := key == nil
			if key != nil && s.Key == key.Fingerprint() {
				counts = key.Verify(&s) == nil
				line.Valid = &counts
			}
			for n, b := range boots {
				if b.Bank == bank && b.selection() == s.PCRs && b.Policy.Equal(s.Policy) {
					line.For = append(line.For, b.String())
					signed[n] = signed[n] || counts
				}
			}
			shown.Signatures = append(shown.Signatures, line)
		}
	}
	for n, b := range boots {
		if !signed[n] {
			shown.Unsigned = append(shown.Unsigned, b)
		}
	}
	return shown
}

func (a *app) printSignatures(shown *shownPolicies) error {
	if a.wantsJSON() {
		if err := a.printJSON(shown); err != nil {
			return err
		}
		return shown.verdict()
	}
	paint := newPainter(a.out)
	for _, s := range shown.Signatures {
		verdict := ""
		switch {
		case s.Valid == nil:
		case *s.Valid:
			verdict = paint.paint(green, "  valid")
		default:
			verdict = paint.paint(red, "  WRONG")
		}
		fmt.Fprintf(a.out, "%s PCR %s  policy %s%s\n  key %s\n", s.Bank, s.PCRs, s.Policy, verdict, s.Key)
		for _, boot := range s.For {
			fmt.Fprintln(a.out, "  for "+fit(boot, width(a.out)-6))
		}
	}
	for _, b := range shown.Unsigned {
		fmt.Fprintln(a.out, paint.paint(red, "not signed: "+fit(b.String(), width(a.out)-12)))
	}
	return shown.verdict()
}

// verdict is nil if every signature that was verified is right, and every boot has one.
func (s *shownPolicies) verdict() error {
	for _, sig := range s.Signatures {
		if sig.Valid != nil && !*sig.Valid {
			return &noError{fmt.Sprintf("a signature of the key %s is wrong", sig.Key)}
		}
	}
	if len(s.Unsigned) > 0 {
		return &noError{fmt.Sprintf("%d of the boots are not signed: bootseal policy sign", len(s.Unsigned))}
	}
	return nil
}
