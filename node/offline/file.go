package offline

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bootseal/bootseal/internal/atomicfile"
	"github.com/bootseal/bootseal/internal/bounded"
)

const (
	fileName = "boot-files.json"
	version  = 1
	// maxFile bounds the file, in bytes: a boot menu of a hundred kernels takes some 200 KB.
	maxFile = 1 << 20
)

// Read returns the record in a state folder, nil if there is none.
func Read(state string) (*Record, error) {
	path := filepath.Join(state, fileName)
	text, err := bounded.ReadFile(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := new(Record)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// Write brings the record to disk, in a state folder for root alone.
func (r *Record) Write(state string) error {
	if err := os.MkdirAll(state, 0o700); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(state, fileName), append(text, '\n'), 0o600)
}
