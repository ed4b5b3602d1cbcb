package cryptsetup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bootseal/bootseal/luks"
)

// BackupHeader writes the header and all keyslots to a new file, readable by its
// owner alone: with a passphrase of that time it opens the volume, whatever becomes
// of the keyslots. The file is there whole and on disk, or not at all.
func (v *Volume) BackupHeader(ctx context.Context, path string) error {
	doing := fmt.Sprintf("back up the header of %s to %s", v.path, path)
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", doing, errors.Join(err, fs.ErrExist))
	}
	// In a directory that only we can enter, since cryptsetup sets the file's mode late.
	dir, err := os.MkdirTemp(filepath.Dir(path), ".bootseal-header-")
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	defer os.RemoveAll(dir)
	file, err := filepath.Abs(filepath.Join(dir, "header"))
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	args := []string{"luksHeaderBackup", "--header-backup-file", file}
	if _, err := v.run(ctx, "back up the header of", call{args: args}); err != nil {
		return err
	}
	if err := v.sameHeader(file); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if err := publish(file, path); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// sameHeader reads a backup and compares it with the volume.
func (v *Volume) sameHeader(file string) error {
	have, err := v.Header()
	if err != nil {
		return err
	}
	saved, err := (&Volume{path: file}).Header()
	if err != nil {
		return err
	}
	if saved.UUID != have.UUID || saved.SeqID != have.SeqID {
		return fmt.Errorf("%s has header %d of %s: want %d of %s", file, saved.SeqID, saved.UUID, have.SeqID, have.UUID)
	}
	return nil
}

// publish moves a file to its place, for good.
func publish(file, path string) error {
	if err := os.Chmod(file, 0o600); err != nil {
		return err
	}
	if err := syncFile(file); err != nil {
		return err
	}
	if err := os.Rename(file, path); err != nil {
		return err
	}
	return syncFile(filepath.Dir(path))
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// RestoreHeader puts the header and the keyslots of a backup back. It refuses a
// backup of another volume: its keys would be lost. A header that is damaged beyond
// telling which volume it is of is replaced.
func (v *Volume) RestoreHeader(ctx context.Context, path string) error {
	doing := fmt.Sprintf("restore the header of %s from %s", v.path, path)
	abs, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	saved, err := (&Volume{path: abs}).Header()
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	have, err := v.Header()
	switch {
	case err == nil && have.UUID != saved.UUID:
		return fmt.Errorf("%s: the backup is of volume %s, and this is %s", doing, saved.UUID, have.UUID)
	case err == nil, errors.Is(err, luks.ErrDamaged), errors.Is(err, luks.ErrNotLUKS):
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
	args := []string{"luksHeaderRestore", "--header-backup-file", abs}
	if _, err := v.run(ctx, "restore the header of", call{args: args}); err != nil {
		return err
	}
	have, err = v.Header()
	if err == nil && (have.UUID != saved.UUID || have.Metadata.Length != saved.Metadata.Length) {
		err = errors.New("what is there now is another header")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
