package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/internal/secretmem"
	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/adopt"
	"github.com/bootseal/bootseal/node/enroll"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/seal/pcrsig"
	"github.com/spf13/cobra"
)

// adoptFlags are those of adopt.
type adoptFlags struct {
	enrollFlags
	oldPINFile string
	signatures []string
	pcrLock    string
	removeOld  bool
}

// adopted is "adopt -o json".
type adopted struct {
	enrolled
	Old []adoptedToken `json:"old"`
}

// adoptedToken is a token of another program, and what became of it.
type adoptedToken struct {
	adopt.Token
	Opened  bool   `json:"opened"` // the TPM gave out its passphrase
	Reason  string `json:"reason,omitempty"`
	Removed bool   `json:"removed"`
}

// pcrLockFile is where systemd-pcrlock keeps its policy (systemd-pcrlock(8)).
const pcrLockFile = "/var/lib/systemd/pcrlock.json"

func (a *app) adopt() *cobra.Command {
	var flags adoptFlags
	cmd := &cobra.Command{
		Use:   "adopt DEVICE",
		Short: "Take a volume over from clevis or systemd-cryptenroll",
		Long: `Take a LUKS2 volume over from clevis (its tpm2 pin) or systemd-cryptenroll: no data is encrypted
anew, and no passphrase is needed where the TPM gives out the one that they keep, at this boot.

After that it is what "bootseal enroll" does, with its flags. What clevis or systemd put there
stays, and goes on opening the volume for its PCRs, until --remove-old: that removes their tokens
and keyslots, those that the TPM opened, after the new ones have been verified. It can be
given at once, or in a second run, after a boot.

A token of another kind (tang, sss), or one for other PCR values, is named and left. If
there is no other, a passphrase is asked for.
` + machineHelp,
		Example: `  bootseal adopt /dev/sda3
  bootseal adopt --remove-old --recovery-key-file recovery.txt /dev/vda2`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			secretmem.Protect()
			if err := flags.checkInput(flags.oldPINFile); err != nil {
				return err
			}
			tpm, err := a.openTPM()
			if err != nil {
				return err
			}
			ad := &adopting{flags: &flags}
			ad.enrolling.flags = &flags.enrollFlags
			ad.machine.TPM, ad.machine.State = tpm, flags.volume.state
			if err := closeAfter(tpm, a.adoptDevice(cmd.Context(), ad, args[0])); err != nil {
				return withAdvice(fmt.Errorf("adopt %s: %w", args[0], err))
			}
			return nil
		},
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&flags.oldPINFile, "old-pin-file", "", "file with the PIN of the old token, - for standard input (default: ask)")
	cmd.Flags().StringArrayVar(&flags.signatures, "signatures", nil, "policy signatures of systemd-measure for the old token (default: where systemd looks)")
	cmd.Flags().StringVar(&flags.pcrLock, "pcrlock", pcrLockFile, "systemd-pcrlock's policy, for the old token")
	cmd.Flags().BoolVar(&flags.removeOld, "remove-old", false, "remove the old tokens and their keyslots, after the new ones are verified")
	return cmd
}

// adopting is a volume that is being taken over.
type adopting struct {
	enrolling
	flags *adoptFlags
	old   []adoptedToken
}

func (a *app) adoptDevice(ctx context.Context, ad *adopting, device string) error {
	if err := a.examine(ctx, &ad.enrolling, device); err != nil {
		return err
	}
	for _, t := range adopt.Find(ad.now) {
		ad.old = append(ad.old, adoptedToken{Token: t})
	}
	if len(ad.old) == 0 {
		return errors.New("there is no token of clevis or systemd-cryptenroll on it that keeps a passphrase: `bootseal enroll` takes one that you know")
	}
	is := isEnrolled(ad.now)
	if is && !ad.flags.removeOld {
		return errors.New("it is taken over already; what is old is still there: --remove-old removes it")
	}
	if !is {
		if err := a.decide(&ad.enrolling); err != nil {
			return err
		}
	}
	a.printOld(ad)
	if ad.flags.dryRun {
		if !is {
			a.printIntent(&ad.enrolling)
		}
		if a.wantsJSON() {
			return a.printJSON(adopted{ad.report, ad.old})
		}
		return nil
	}
	open, err := a.openOld(ctx, ad)
	if err != nil {
		return err
	}
	if open != nil {
		defer open.clear()
	}
	if is {
		if err := a.removeLater(ctx, ad); err != nil {
			return err
		}
		return a.printAdopted(ad)
	}
	return a.takeOver(ctx, ad, open)
}

// takeOver enrolls with the old passphrase, or one that is asked for.
func (a *app) takeOver(ctx context.Context, ad *adopting, open *opening) (err error) {
	if open == nil {
		if open, err = a.readPassphrase(ctx, ad.machine.Volume, ad.flags.keyFile); err != nil {
			return fmt.Errorf("the TPM gave out no passphrase at this boot: %w", err)
		}
		defer open.clear()
	}
	a.printIntent(&ad.enrolling)
	ad.after = func(added *enroll.Added) error {
		if !ad.flags.removeOld {
			return nil
		}
		if added.Opened < 0 {
			ad.report.note("What is old stays: no new token is for the PCRs as they are at this moment. After the next boot: bootseal adopt --remove-old %s", ad.report.Device)
			return nil
		}
		passphrase := luks.Passphrase(added.Secret())
		defer clear(passphrase)
		return ad.removeOpened(ctx, passphrase)
	}
	if err := a.carryOut(ctx, &ad.enrolling, open); err != nil {
		return err
	}
	return a.printAdopted(ad)
}

// openOld tries each of the old tokens on the TPM, and returns the passphrase of the
// first that opens its keyslot, nil for none.
func (a *app) openOld(ctx context.Context, ad *adopting) (*opening, error) {
	var keys adopt.Keys
	var err error
	if keys.Signatures, err = readSignatures(ad.flags.signatures); err != nil {
		return nil, err
	}
	if keys.PCRLock, err = readPCRLock(ad.flags.pcrLock); err != nil {
		return nil, err
	}
	var first *opening
	for i := range ad.old {
		t := &ad.old[i]
		open, err := a.openOne(ctx, ad, t, keys)
		if err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			t.Reason = strings.TrimPrefix(strings.TrimPrefix(err.Error(), t.Token.String()+": "), "unseal: ")
			continue
		}
		t.Opened = true
		if first == nil {
			first = open
		} else {
			open.clear()
		}
	}
	return first, nil
}

func (a *app) openOne(ctx context.Context, ad *adopting, t *adoptedToken, keys adopt.Keys) (*opening, error) {
	if t.PIN && t.Cannot == "" {
		var err error
		if ad.flags.oldPINFile == "" {
			fmt.Fprintf(a.err, "%s asks for a PIN.\n", t.Token.String())
		}
		if keys.PIN, err = a.readPIN(ctx, ad.flags.oldPINFile, false); err != nil {
			return nil, err
		}
		defer clear(keys.PIN)
	}
	passphrase, err := t.Token.Open(ad.machine.TPM, keys)
	if err != nil {
		return nil, err
	}
	for _, slot := range t.Keyslots {
		if ad.machine.Volume.Test(ctx, passphrase, slot) == nil {
			return &opening{passphrase, slot}, nil
		}
	}
	clear(passphrase)
	return nil, errors.New("the TPM gave out a passphrase, and it does not open the keyslot")
}

// readSignatures reads the files, or those that are where systemd looks.
func readSignatures(paths []string) ([]pcrsig.File, error) {
	named := len(paths) > 0
	if !named {
		for _, path := range pcrsig.Places() {
			paths = append(paths, "/"+path)
		}
	}
	var out []pcrsig.File
	for _, path := range paths {
		text, err := readSmall(path)
		if !named && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		f, err := pcrsig.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		out = append(out, f)
	}
	return out, nil
}

// readPCRLock reads systemd-pcrlock's policy, nil where there is none.
func readPCRLock(path string) (*seal.PCRLock, error) {
	text, err := readSmall(path)
	if errors.Is(err, fs.ErrNotExist) && path == pcrLockFile {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p, err := seal.ParsePCRLock(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// removeLater removes what is old of a volume that was taken over before, if a new token
// opens it now.
func (a *app) removeLater(ctx context.Context, ad *adopting) error {
	unlock, err := lockVolume(ctx, ad.machine.State, ad.header.UUID)
	if err != nil {
		return err
	}
	defer unlock()
	var pin []byte
	passphrase, err := enroll.OpenNow(ctx, &ad.machine, ad.header, nil)
	if errors.Is(err, seal.ErrPINRequired) {
		if pin, err = a.readPIN(ctx, ad.flags.pinFile, false); err != nil {
			return err
		}
		defer clear(pin)
		passphrase, err = enroll.OpenNow(ctx, &ad.machine, ad.header, pin)
	}
	if err != nil {
		return fmt.Errorf("what is old stays, because the new does not open it at this boot: %w", err)
	}
	defer clear(passphrase)
	return ad.removeOpened(ctx, passphrase)
}

// removeOpened removes those of the old tokens that the TPM opened.
func (ad *adopting) removeOpened(ctx context.Context, remaining []byte) error {
	var gone []adopt.Token
	for _, t := range ad.old {
		if t.Opened {
			gone = append(gone, t.Token)
		}
	}
	if len(gone) == 0 {
		ad.report.note("What is old stays: the TPM opened none of it, so that it is not known to be replaced.")
		return nil
	}
	old := adopt.Replace(ad.now, gone)
	if err := enroll.Remove(ctx, &ad.machine, ad.header, old, remaining); err != nil {
		return fmt.Errorf("the volume is taken over; remove what is old: %w", err)
	}
	for i := range ad.old {
		ad.old[i].Removed = slices.Contains(old.Tokens, ad.old[i].ID)
	}
	ad.report.Removed = &old
	return nil
}

// printOld says what was found.
func (a *app) printOld(ad *adopting) {
	if a.wantsJSON() {
		return
	}
	fmt.Fprintln(a.out, "Found:")
	for _, t := range ad.old {
		line := fmt.Sprintf("%s, keyslot %v: %s", t.Token.String(), t.Keyslots, t.How)
		if t.Cannot != "" {
			line += "; not taken over: " + t.Cannot
		}
		fmt.Fprintf(a.out, "  %s\n", wrap(line, width(a.out)-2, "    "))
	}
	fmt.Fprintln(a.out)
}

// printAdopted says what was done, and what is left of the old.
func (a *app) printAdopted(ad *adopting) error {
	if a.wantsJSON() {
		return a.printJSON(adopted{ad.report, ad.old})
	}
	for _, t := range ad.old {
		switch {
		case t.Removed:
		case t.Opened:
			ad.report.note("%s still opens the volume; --remove-old removes it, after a boot by the new ones.", t.Token.String())
		default:
			ad.report.note("%s stays: %s.", t.Token.String(), t.Reason)
		}
	}
	if err := a.printEnrolled(&ad.enrolling); err != nil {
		return err
	}
	for _, t := range ad.old {
		if !t.Removed && !t.Opened {
			fmt.Fprintf(a.out, "To remove %s:\n  cryptsetup token remove --token-id %d %s\n  cryptsetup luksKillSlot %s %d\n",
				t.Token.String(), t.ID, ad.report.Device, ad.report.Device, t.Keyslots[0])
		}
	}
	return nil
}
