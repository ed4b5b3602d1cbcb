package state

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/bootseal/bootseal/internal/atomicfile"
	"github.com/bootseal/bootseal/internal/bounded"
)

// maxRecord bounds a record, in bytes. The largest, a journal, has at most 32 tokens.
const maxRecord = 256 << 10

// Read returns a file of a volume's folder, at most 256 KiB. It fails with
// [fs.ErrNotExist] where there is none.
func Read(root, uuid, name string) ([]byte, error) {
	dir, err := Folder(root, uuid)
	if err != nil {
		return nil, err
	}
	return bounded.ReadFile(filepath.Join(dir, name), maxRecord)
}

// Write writes a value as JSON to a file of a volume's folder, whole or not at all, and
// brings it to disk.
func Write(root, uuid, name string, v any) error {
	dir, err := Make(root, uuid)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return atomicfile.Write(filepath.Join(dir, name), append(text, '\n'), 0o600)
}

// Remove removes a file of a volume's folder, if it is there.
func Remove(root, uuid, name string) error {
	dir, err := Folder(root, uuid)
	if err != nil {
		return err
	}
	return atomicfile.Remove(filepath.Join(dir, name))
}
