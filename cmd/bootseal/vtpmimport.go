package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/bootseal/bootseal/internal/bounded"
	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/store"
	"github.com/bootseal/bootseal/vtpm/swtpmstate"
	"github.com/spf13/cobra"
)

// swtpmFile is the name of swtpm's file of a TPM 2.0's permanent state.
const swtpmFile = "tpm2-00.permall"

// importFlags say what moves in, and where to.
type importFlags struct {
	from, key, migrationKey string
	dir, profile            string
	named                   namedImport
}

func (a *app) vtpmImport() *cobra.Command {
	f := new(importFlags)
	cmd := &cobra.Command{
		Use:   "import [NAME] {--file FILE | --from-swtpm FILE} [--dir DIR]",
		Short: "Move a vTPM in from an export, or a TPM from swtpm",
		Long: `Make one of the daemon's vTPMs, with a NAME, from a file of "bootseal vtpm export" or from the
state of a TPM 2.0 that swtpm had (libtpms 0.7 to 0.11); or, with --dir, a state for
"bootseal vtpm socket" from the latter.

A TPM moves in from swtpm so that its VM keeps its EK and SRK, what it sealed, its NV indices and persistent objects,
authorizations, PCR banks, lockout, clock and counters.

FILE is tpm2-00.permall, the directory that it is in, the file of swtpm's file:// backend, or
a permanent state that was fetched with swtpm_ioctl --save. --key and --migration-key are what
swtpm was given. Nothing is changed there, and nothing is written unless all of it can move.

Shut the VM down first. Afterwards use one of the two only: they are the same TPM. What a VM
has in memory does not move, nor do contexts that were saved outside of the TPM.

The new state is encrypted with --state-key, or with the key of --key, for
"bootseal vtpm socket" with the same --key.`,
		Example: `  bootseal vtpm import vm0 --file vm0.tpm --key-file backup.key --owner libvirt-qemu --group kvm
  bootseal vtpm import vm0 --from-swtpm /var/lib/libvirt/swtpm/UUID/tpm2
  bootseal vtpm import --from-swtpm /var/lib/libvirt/swtpm/UUID/tpm2 --dir /var/lib/vm0/tpm
  bootseal vtpm import --from-swtpm tpm2-00.permall --key file=key,mode=aes-256-cbc --dir vm0 -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(args); err != nil {
				return err
			}
			if f.named.file != "" {
				return a.importExport(cmd.Context(), args[0], &f.named)
			}
			return a.importSwtpm(cmd.Context(), f, args)
		},
	}
	x := cmd.Flags()
	x.StringVar(&f.from, "from-swtpm", "", "`FILE` or directory with swtpm's state")
	x.StringVar(&f.key, "key", "", "swtpm's key of the state: `file=|fd=|pwdfile=|pwdfd=[,mode=aes-256-cbc][,format=hex|binary][,kdf=sha512]`")
	x.StringVar(&f.migrationKey, "migration-key", "", "swtpm's key of a state that was fetched over its control channel: as for --key")
	x.StringVar(&f.dir, "dir", "", "directory of the new state, without one in it")
	x.StringVar(&f.profile, "profile", "pcclient", "what the TPM is to implement: pcclient or libtpms")
	completeWords(cmd, "profile", "pcclient", "libtpms")
	f.named.define(cmd)
	return cmd
}

// check says what is missing, or too much.
func (f *importFlags) check(args []string) error {
	switch {
	case (f.from == "") == (f.named.file == ""):
		return errors.New("what is to move in? Say --file FILE of an export, or --from-swtpm FILE")
	case (len(args) == 0) == (f.dir == ""):
		return errors.New("where is it to be? Say the NAME of a vTPM that the daemon hosts, or --dir DIR of a state")
	case f.named.file != "" && len(args) == 0:
		return errors.New("an export becomes a vTPM that the daemon hosts: say its NAME")
	}
	return nil
}

func (a *app) importSwtpm(ctx context.Context, f *importFlags, args []string) error {
	profile, err := vtpm.ProfileNamed(f.profile)
	if err != nil {
		return err
	}
	file, err := f.file()
	if err != nil {
		return err
	}
	key, err := readGivenKey("key", f.key)
	if err != nil {
		return err
	}
	migrationKey, err := readGivenKey("migration-key", f.migrationKey)
	if err != nil {
		return err
	}
	moved, err := readSwtpm(file, key, migrationKey, profile)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if len(args) > 0 {
		blob, err := moved.Blob()
		if err != nil {
			return err
		}
		for _, left := range moved.Left {
			fmt.Fprintf(a.err, "left behind: %s\n", left)
		}
		return a.importMoved(ctx, args[0], f.profile, blob, &f.named)
	}
	if err := a.fill(f.dir, key, moved); err != nil {
		return err
	}
	return a.printMoved(file, f, moved)
}

// file returns the file that --from-swtpm means, which nobody may be using.
func (f *importFlags) file() (string, error) {
	info, err := os.Stat(f.from)
	if err != nil {
		return "", err
	}
	file := f.from
	if info.IsDir() {
		file = filepath.Join(f.from, swtpmFile)
		if !fileExists(file) {
			if fileExists(filepath.Join(f.from, "tpm-00.permall")) {
				return "", fmt.Errorf("%s: that is the state of a TPM 1.2, and bootseal is a TPM 2.0", f.from)
			}
			return "", fmt.Errorf("%s: there is no %s in it", f.from, swtpmFile)
		}
	}
	locked, err := isLockedByOther(filepath.Join(filepath.Dir(file), ".lock"))
	if err != nil {
		return "", err
	}
	if locked {
		return "", fmt.Errorf("%s: swtpm is using it; shut the VM down first", file)
	}
	return file, nil
}

// readSwtpm returns what is in a file of swtpm's, for a TPM of the profile.
func readSwtpm(file string, key, migrationKey *givenKey, p vtpm.Profile) (*vtpm.Moved, error) {
	data, err := bounded.ReadFile(file, swtpmstate.MaxSize)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	var keys swtpmstate.Keys
	if keys.File, err = key.swtpm(); err != nil {
		return nil, err
	}
	if keys.Migration, err = migrationKey.swtpm(); err != nil {
		return nil, err
	}
	state, err := swtpmstate.Permanent(data, keys)
	switch {
	case errors.Is(err, swtpmstate.ErrEncrypted):
		return nil, fmt.Errorf("%w: give the --key that swtpm had", err)
	case errors.Is(err, swtpmstate.ErrMigrationEncrypted):
		return nil, fmt.Errorf("%w: give the --migration-key that swtpm had", err)
	case err != nil:
		return nil, err
	}
	defer clear(state)
	return vtpm.FromLibtpms(state, p)
}

// fill makes the new state in a directory that has none.
func (a *app) fill(dir string, key *givenKey, moved *vtpm.Moved) (err error) {
	if key != nil && a.stateKey == "" {
		k, err := key.bootseal("key")
		if err != nil {
			return err
		}
		defer clear(k)
		state, err := store.OpenDirectoryOptions(dir, store.Options{Key: k})
		return fillAndClose(dir, state, err, moved)
	}
	state, err := a.openState(dir)
	return fillAndClose(dir, state, err, moved)
}

func fillAndClose(dir string, state *store.Directory, err error, moved *vtpm.Moved) error {
	if err != nil {
		return err
	}
	if err := moved.Fill(state); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", dir, err), state.Close())
	}
	return state.Close()
}

// movedReport is what `vtpm import` prints.
type movedReport struct {
	From              string   `json:"from"`
	Directory         string   `json:"directory"`
	Profile           string   `json:"profile"`
	SourceProfile     string   `json:"source_profile,omitempty"`
	Shutdown          string   `json:"shutdown"`
	PCRBanks          []string `json:"pcr_banks"`
	NVIndices         []string `json:"nv_indices"`
	PersistentObjects []string `json:"persistent_objects"`
	Left              []string `json:"left,omitempty"`
}

func (a *app) printMoved(file string, f *importFlags, m *vtpm.Moved) error {
	r := movedReport{
		From: file, Directory: f.dir, Profile: f.profile, SourceProfile: m.SourceProfile, Shutdown: m.Shutdown,
		PCRBanks: m.PCRBanks, NVIndices: handles(m.NVIndices), PersistentObjects: handles(m.PersistentObjects), Left: m.Left,
	}
	if a.wantsJSON() {
		return a.printJSON(r)
	}
	var sb strings.Builder
	fmt.Fprintf(&sb, "PCR banks:   %s\n", listed(r.PCRBanks))
	fmt.Fprintf(&sb, "NV indices:  %s\n", listed(r.NVIndices))
	fmt.Fprintf(&sb, "objects:     %s\n", listed(r.PersistentObjects))
	if r.Shutdown == "none" {
		fmt.Fprintln(&sb, "shutdown:    the TPM was not shut down in order; that counts as a power cut")
	}
	for _, left := range r.Left {
		fmt.Fprintf(&sb, "left behind: %s\n", left)
	}
	fmt.Fprintf(&sb, "\nThe TPM is in %s. Do not start swtpm on %s any more: it is the same TPM.\n", f.dir, file)
	if filepath.Clean(f.dir) == filepath.Dir(file) {
		fmt.Fprintln(&sb, "Move that file away: bootseal does not use a directory that it is in.")
	}
	_, err := io.WriteString(a.out, sb.String())
	return err
}

func handles(hs []uint32) []string {
	list := []string{}
	for _, h := range hs {
		list = append(list, fmt.Sprintf("0x%08x", h))
	}
	return list
}

func listed(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, " ")
}
