package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/bootseal/bootseal/internal/secretmem"
	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/luks/cryptsetup"
	"github.com/bootseal/bootseal/node/enroll"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/node/expect"
	"github.com/bootseal/bootseal/node/state"
	"github.com/bootseal/bootseal/seal"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/spf13/cobra"
)

// unenrollFlags are those of unenroll.
type unenrollFlags struct {
	volume   volumeFlags
	keyFile  string
	owner    string
	recovery bool
	dryRun   bool
}

// unenrolled is "unenroll -o json".
type unenrolled struct {
	Device   string          `json:"device"`
	UUID     string          `json:"uuid"`
	Keyslots []int           `json:"keyslots"` // that were destroyed
	Tokens   []int           `json:"tokens"`   // that were removed
	OpensBy  *int            `json:"opens_by_keyslot,omitempty"`
	Recovery []int           `json:"recovery_keyslots,omitempty"` // that stay
	Cleaned  *enroll.Cleaned `json:"cleaned,omitempty"`
	Notes    []string        `json:"notes,omitempty"`
}

func (a *app) unenroll() *cobra.Command {
	var flags unenrollFlags
	cmd := &cobra.Command{
		Use:   "unenroll DEVICE",
		Short: "Take what bootseal put on a LUKS2 volume off again",
		Long: `Take what bootseal put on a LUKS2 volume off again: its tokens, the TPM's keyslot, what it keeps
of the volume on this machine. The recovery key stays, unless --recovery-key is given.

First a passphrase must open a keyslot that stays: asked for, or from --key-file.`,
		Example: `  bootseal unenroll /dev/sda3
  bootseal unenroll --key-file pass.txt --recovery-key /dev/vda2`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			secretmem.Protect()
			if err := a.runUnenroll(cmd.Context(), &flags, args[0]); err != nil {
				return withAdvice(fmt.Errorf("unenroll %s: %w", args[0], err))
			}
			return nil
		},
	}
	flags.volume.register(cmd)
	cmd.Flags().StringVar(&flags.keyFile, "key-file", "", "file with a passphrase of a keyslot that stays; - for standard input (default: ask)")
	cmd.Flags().StringVar(&flags.owner, "owner-password-file", "", "file with the password of the TPM's owner hierarchy, to remove a rollback guard")
	cmd.Flags().BoolVar(&flags.recovery, "recovery-key", false, "the recovery key, too")
	cmd.Flags().BoolVar(&flags.dryRun, "dry-run", false, "say what would be removed, and remove nothing")
	return cmd
}

func (a *app) runUnenroll(ctx context.Context, f *unenrollFlags, device string) error {
	tool, err := cryptsetup.Find(ctx)
	if err != nil {
		return err
	}
	v, err := tool.Volume(device)
	if err != nil {
		return err
	}
	h, err := v.Header()
	if err != nil {
		return err
	}
	e := enrollment.Inspect(h)
	old, err := enroll.Own(e, f.recovery)
	if err != nil {
		return err
	}
	r := &unenrolled{Device: v.Path(), UUID: h.UUID, Keyslots: old.Keyslots, Tokens: old.Tokens}
	if !f.recovery {
		r.Recovery = e.Recovery
	}
	if !f.dryRun {
		if err := a.takeOff(ctx, f, v, h, old, r); err != nil {
			return err
		}
	}
	if a.wantsJSON() {
		return a.printJSON(r)
	}
	a.printUnenrolled(r, f)
	return nil
}

// takeOff removes what is old, and then what the machine knows of the volume.
func (a *app) takeOff(ctx context.Context, f *unenrollFlags, v *cryptsetup.Volume, h *luks.Header, old enroll.Old, r *unenrolled) error {
	open, err := a.readPassphrase(ctx, v, f.keyFile, old.Keyslots...)
	if err != nil {
		return err
	}
	defer open.clear()
	r.OpensBy = &open.keyslot
	unlock, err := lockVolume(ctx, f.volume.state, r.UUID)
	if err != nil {
		return err
	}
	defer unlock()
	m := &enroll.Machine{Volume: v, State: f.volume.state}
	if r.Cleaned, err = enroll.Recover(ctx, m, open.passphrase); err != nil {
		return err
	}
	if err := a.during("removing", func() error { return enroll.Remove(ctx, m, h, old, open.passphrase) }); err != nil {
		return err
	}
	a.removeGuards(f, enroll.Guards(enrollment.Inspect(h)), r)
	if err := forgetState(f.volume.state, r.UUID); err != nil {
		return err
	}
	if err := enroll.Forget(f.volume.list, r.UUID); err != nil {
		return err
	}
	folder := f.volume.expect
	if folder == "" {
		folder = expectFolder()
	}
	if err := expect.Remove(folder, r.UUID); err != nil {
		r.Notes = append(r.Notes, fmt.Sprintf("What was expected of boots stays: %v.", err))
	}
	return nil
}

// removeGuards removes the counters of rollback guards from the TPM. The volume does not
// need them any more; that they stay costs the TPM a few bytes.
func (a *app) removeGuards(f *unenrollFlags, guards []seal.Guard, r *unenrolled) {
	if len(guards) == 0 {
		return
	}
	if err := a.withOwner(f.owner, func(tpm transport.TPM, auth []byte) (err error) {
		for _, g := range guards {
			err = errors.Join(err, enroll.RemoveGuard(tpm, g, auth))
		}
		return err
	}); err != nil {
		r.Notes = append(r.Notes, fmt.Sprintf("The rollback guard's counter at %s stays in the TPM: %v.", guards[0].Index, err))
	}
}

// withOwner opens the TPM for what takes the password of its owner hierarchy.
func (a *app) withOwner(file string, do func(tpm transport.TPM, auth []byte) error) error {
	var auth []byte
	if file != "" {
		password, err := a.secretFile(file)
		if err != nil {
			return fmt.Errorf("--owner-password-file: %w", err)
		}
		defer clear(password)
		auth = bytes.TrimRight(password, "\r\n")
	}
	tpm, err := a.openTPM()
	if err != nil {
		return err
	}
	return closeAfter(tpm, do(tpm, auth))
}

// forgetState removes the volume's folder: the kept secret, and header backups, which have
// the keyslots that were destroyed.
func forgetState(root, uuid string) error {
	dir, err := state.Folder(root, uuid)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("forget the volume: %w", err)
	}
	return nil
}

func (a *app) printUnenrolled(r *unenrolled, f *unenrollFlags) {
	verb := "Removed"
	if f.dryRun {
		verb = "Would remove"
	}
	slices.Sort(r.Tokens)
	fmt.Fprintf(a.out, "%s from %s: keyslots %v, tokens %v.\n", verb, r.Device, r.Keyslots, r.Tokens)
	for _, n := range r.Notes {
		fmt.Fprintln(a.out, wrap(n, width(a.out), ""))
	}
	if len(r.Recovery) > 0 {
		fmt.Fprintf(a.out, "The recovery key of keyslot %d stays; --recovery-key removes it, too.\n", r.Recovery[0])
	}
	if r.OpensBy != nil {
		fmt.Fprintf(a.out, "The passphrase that you gave opens it, by keyslot %d.\n"+
			"If the initial ramdisk or /etc/crypttab expect the TPM (tpm2-device=, keyscript=), change that before the reboot.\n", *r.OpensBy)
	}
}
