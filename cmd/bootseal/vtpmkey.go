package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/bootseal/bootseal/internal/atomicfile"
	"github.com/bootseal/bootseal/internal/hosttpm"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/vtpm/store"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/spf13/cobra"
)

func (a *app) vtpmKey() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Keys to the states of vTPMs, sealed in the host's TPM",
		Long: `A key to the states of vTPMs, sealed in the TPM of the machine that hosts them: who takes
the disk has neither. With a counter, an older copy of a state is refused as well. docs/state.md
tells the whole of it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.vtpmKeyCreate(), a.vtpmKeyReseal(), a.vtpmKeyShow(), a.vtpmKeyAccept(), a.vtpmKeyRemove())
	return cmd
}

// keyFlags are what a key is made of.
type keyFlags struct {
	pcrs, bank, from, backup string
	counter                  bool
}

func (a *app) vtpmKeyCreate() *cobra.Command {
	f := new(keyFlags)
	cmd := &cobra.Command{
		Use:   "create FILE",
		Short: "Make a key to states and seal it in the host's TPM",
		Long: `Make a random key, have the host's TPM seal it to the present values of PCRs, and write it
to FILE, which is no secret: --state-key tpm:FILE opens states with it.

The TPM gives the key out in this boot and those with the same PCRs. PCR 7 changes when Secure
Boot's keys do, and when they do, or the TPM is cleared or breaks, only a backup opens the
states: --backup writes one, to be put away from this machine. --from seals a key that there is,
a backup for example.

--counter makes a counter in an NV index of the TPM as well, and a ledger in FILE.ledger: states
that are opened with this key are counted then, and older copies of them are refused.`,
		Example: `  bootseal vtpm key create --counter --backup /mnt/usb/states.key /etc/bootseal/states.key
  bootseal vtpm key create --pcrs none states.key
  bootseal vtpm key create --from file:/mnt/usb/states.key --pcrs 7,11 /etc/bootseal/new.key`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.createKey(args[0], f) },
	}
	cmd.Flags().StringVar(&f.pcrs, "pcrs", "7", "PCRs that must have their present values: numbers and ranges, or none")
	cmd.Flags().StringVar(&f.bank, "bank", "sha256", "the PCR bank")
	cmd.Flags().BoolVar(&f.counter, "counter", false, "count states by an NV index of the TPM")
	cmd.Flags().StringVar(&f.backup, "backup", "", "write the key itself to this file: a secret")
	cmd.Flags().StringVar(&f.from, "from", "", "seal the key that `KEY` names, as for --state-key, instead of a new one")
	return cmd
}

func (a *app) createKey(path string, f *keyFlags) (err error) {
	for _, name := range []string{path, path + ledgerSuffix} {
		if fileExists(name) {
			return fmt.Errorf("%s is there already; remove it if no state needs it, or choose another name", name)
		}
	}
	key, err := a.keyToSeal(f.from)
	if err != nil {
		return err
	}
	defer clear(key)
	tpm, err := a.hostTPM()
	if err != nil {
		return err
	}
	defer func() { err = closeAfter(tpm, err) }()
	policy, err := presentPolicy(tpm, f.bank, f.pcrs)
	if err != nil {
		return err
	}
	k := hosttpm.Key{Key: key}
	if f.counter {
		if k.Counter, err = hosttpm.DefineCounter(tpm, key, nil); err != nil {
			return err
		}
		defer func() {
			if err != nil { // nothing is to stay of it
				err = errors.Join(err, hosttpm.RemoveCounter(tpm, k.Counter, nil), os.RemoveAll(path+ledgerSuffix))
			}
		}()
		if err := makeLedger(path, k, tpm); err != nil {
			return err
		}
	}
	data, err := sealKey(tpm, k, policy)
	if err != nil {
		return err
	}
	if f.backup != "" {
		digits := append(hex.AppendEncode(nil, key), '\n')
		defer clear(digits)
		if err := atomicfile.Create(f.backup, digits, 0o600); err != nil {
			return fmt.Errorf("write the backup: %w", err)
		}
	}
	return atomicfile.Create(path, data, 0o600)
}

// sealKey returns the sealed key as a file has it.
func sealKey(tpm transport.TPM, k hosttpm.Key, policy seal.Policy) ([]byte, error) {
	sealed, err := hosttpm.Seal(tpm, k, policy, nil)
	if err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(sealed, "", "  ")
	return append(data, '\n'), err
}

func (a *app) vtpmKeyReseal() *cobra.Command {
	f := new(keyFlags)
	cmd := &cobra.Command{
		Use:   "reseal FILE",
		Short: "Seal a key to the present values of PCRs again",
		Long: `Seal the key in FILE to the present values of PCRs, those that it was sealed to or others. The
counter and the ledger stay. Where this boot does not open FILE any more, --from names the key,
from a backup.`,
		Example: `  bootseal vtpm key reseal --from file:/mnt/usb/states.key /etc/bootseal/states.key
  bootseal vtpm key reseal --pcrs 7,11 /etc/bootseal/states.key`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.resealKey(args[0], f) },
	}
	cmd.Flags().StringVar(&f.pcrs, "pcrs", "", "PCRs, or none (default those that it was sealed to)")
	cmd.Flags().StringVar(&f.from, "from", "", "the key that `KEY` names, as for --state-key")
	return cmd
}

func (a *app) resealKey(path string, f *keyFlags) (err error) {
	old, err := hosttpm.ReadKey(path)
	if err != nil {
		return err
	}
	tpm, err := a.hostTPM()
	if err != nil {
		return err
	}
	defer func() { err = closeAfter(tpm, err) }()
	lend := func() (transport.TPMCloser, error) { return lentTPM{tpm}, nil }
	var k hosttpm.Key
	if f.from == "" {
		if k, err = old.Open(tpm); err != nil {
			return withRemedy(err)
		}
	} else {
		from, err := openStateKey(f.from, lend)
		if err != nil {
			return fmt.Errorf("--from: %w", err)
		}
		k = hosttpm.Key{Key: from.key, Counter: old.Counter}
	}
	defer k.Clear()
	if k.Counter != 0 {
		// Only the key that it was made for reads the counter.
		counter, err := hosttpm.NewCounter(k, lend)
		if err != nil {
			return err
		}
		if _, err := counter.Read(); err != nil {
			return err
		}
	}
	sel := old.Sealed.Policy.Selection()
	if f.pcrs == "" && sel.PCRs == 0 {
		f.pcrs = "none"
	} else if f.pcrs == "" {
		f.pcrs = sel.PCRs.String()
	}
	policy, err := presentPolicy(tpm, sel.Bank.String(), f.pcrs)
	if err != nil {
		return err
	}
	data, err := sealKey(tpm, k, policy)
	if err != nil {
		return err
	}
	return atomicfile.Write(path, data, 0o600)
}

// keyToSeal returns the key that the spec names, or a new one.
func (a *app) keyToSeal(spec string) ([]byte, error) {
	if spec == "" {
		key := make([]byte, store.KeySize)
		rand.Read(key)
		return key, nil
	}
	k, err := openStateKey(spec, a.hostTPM)
	if err != nil {
		return nil, fmt.Errorf("--from: %w", err)
	}
	return k.key, nil
}

// presentPolicy demands the present values of the PCRs.
func presentPolicy(tpm transport.TPM, bank, pcrs string) (seal.Policy, error) {
	b, err := pcr.ParseBank(bank)
	if err != nil {
		return seal.Policy{}, fmt.Errorf("--bank: %w", err)
	}
	sel := pcr.BankSelection{Bank: b}
	values := make(pcr.Values)
	if pcrs != "none" {
		if sel.PCRs, err = pcr.ParseSelection(pcrs); err != nil {
			return seal.Policy{}, fmt.Errorf("--pcrs: %w", err)
		}
		if values, err = seal.ReadPCRs(tpm, sel); err != nil {
			return seal.Policy{}, err
		}
	}
	branch, err := seal.NewBranch("", values, sel)
	return seal.Policy{Bank: b, Branches: []seal.Branch{branch}}, err
}

// lentTPM is an open TPM for somebody who would open and close it.
type lentTPM struct{ transport.TPM }

// Close leaves it open.
func (lentTPM) Close() error { return nil }

func makeLedger(path string, k hosttpm.Key, tpm transport.TPM) error {
	counter, err := hosttpm.NewCounter(k, func() (transport.TPMCloser, error) { return lentTPM{tpm}, nil })
	if err != nil {
		return err
	}
	ledger, err := store.NewLedger(path+ledgerSuffix, k.Key, counter)
	if err != nil {
		return err
	}
	return ledger.Create()
}

// keyReport is what `vtpm key show` prints.
type keyReport struct {
	File    string       `json:"file"`
	Parent  seal.Parent  `json:"parent"`
	Policy  seal.Policy  `json:"policy"`
	Counter *seal.Handle `json:"counter,omitempty"`
	Count   uint64       `json:"count,omitempty"`
	Opens   bool         `json:"opens"`
	Reason  string       `json:"reason,omitempty"`
	sealed  *hosttpm.SealedKey
}

func (a *app) vtpmKeyShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show FILE",
		Short:   "Show a sealed key: its PCRs, its counter, and whether this boot opens it",
		Long:    `Show a sealed key, never the key itself. Exit code 1: the TPM does not give it out in this boot.`,
		Example: "  bootseal vtpm key show /etc/bootseal/states.key\n  bootseal vtpm key show states.key -o json",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			sealed, err := hosttpm.ReadKey(args[0])
			if err != nil {
				return err
			}
			r := keyReport{File: args[0], Parent: sealed.Sealed.Parent, Policy: sealed.Sealed.Policy, sealed: sealed}
			if sealed.Counter != 0 {
				r.Counter = &sealed.Counter
			}
			if err := r.try(a); err != nil {
				r.Reason = err.Error()
			}
			if err := a.printKey(r); err != nil {
				return err
			}
			if !r.Opens {
				return &noError{"the TPM does not give out the key"}
			}
			return nil
		},
	}
}

// try has the TPM give out the key, and reads the counter.
func (r *keyReport) try(a *app) (err error) {
	tpm, err := a.hostTPM()
	if err != nil {
		return err
	}
	defer func() { err = closeAfter(tpm, err) }()
	k, err := r.sealed.Open(tpm)
	if err != nil {
		return err
	}
	defer k.Clear()
	r.Opens = true
	if k.Counter == 0 {
		return nil
	}
	counter, err := hosttpm.NewCounter(k, func() (transport.TPMCloser, error) { return lentTPM{tpm}, nil })
	if err != nil {
		return err
	}
	count, err := counter.Read()
	r.Count = count.Value
	return err
}

func (a *app) printKey(r keyReport) error {
	if a.wantsJSON() {
		return a.printJSON(r)
	}
	var sb strings.Builder
	fmt.Fprintf(&sb, "parent:   %v\n", r.Parent.Handle)
	sel := r.Policy.Selection()
	if sel.PCRs == 0 {
		sb.WriteString("PCRs:     none, any boot of this machine\n")
	} else {
		fmt.Fprintf(&sb, "PCRs:     %v\n", sel)
	}
	switch {
	case r.Counter == nil:
		sb.WriteString("counter:  none: an older copy of a state is not noticed\n")
	case r.Count == 0:
		fmt.Fprintf(&sb, "counter:  NV index %v\n", *r.Counter)
	default:
		fmt.Fprintf(&sb, "counter:  NV index %v, stands at %d\n", *r.Counter, r.Count)
	}
	if r.Opens {
		sb.WriteString("opens:    yes\n")
	} else {
		sb.WriteString("opens:    no\n")
	}
	if r.Reason != "" {
		fmt.Fprintf(&sb, "          %s\n", r.Reason)
	}
	_, err := fmt.Fprint(a.out, sb.String())
	return err
}

func (a *app) vtpmKeyAccept() *cobra.Command {
	return &cobra.Command{
		Use:   "accept FILE",
		Short: "Accept an older copy of a key's ledger, from a backup",
		Long: `Accept the ledger in FILE.ledger although it is an older copy, since you restored a backup of
it on purpose. From then on it counts. States that are newer than it are refused, each of them
until "bootseal vtpm state accept".`,
		Example: "  bootseal vtpm key accept /etc/bootseal/states.key",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			k, err := openStateKey("tpm:"+args[0], a.hostTPM)
			if err != nil {
				return err
			}
			if k.ledger == nil {
				return fmt.Errorf("%s has no counter", args[0])
			}
			return k.ledger.Accept()
		},
	}
}

func (a *app) vtpmKeyRemove() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "rm --yes FILE",
		Short: "Remove a sealed key, its counter and its ledger",
		Long: `Remove a sealed key, the NV index of its counter, and its ledger. States that are encrypted
with it are lost, unless there is a backup of the key.`,
		Example: "  bootseal vtpm key rm --yes /etc/bootseal/old.key",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) (err error) {
			sealed, err := hosttpm.ReadKey(args[0])
			if err != nil {
				return err
			}
			if !yes {
				return errors.New("states that need this key are lost with it: say --yes")
			}
			if sealed.Counter != 0 {
				tpm, err := a.hostTPM()
				if err != nil {
					return err
				}
				if err := closeAfter(tpm, hosttpm.RemoveCounter(tpm, sealed.Counter, nil)); err != nil {
					return err
				}
			}
			return errors.Join(os.Remove(args[0]), os.RemoveAll(args[0]+ledgerSuffix))
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "remove it")
	return cmd
}
