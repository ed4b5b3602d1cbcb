package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/bootseal/bootseal/vtpm/store"
)

// swtpmPlace is where swtpm's flags have a state: a directory, or a file among others.
type swtpmPlace struct {
	path string
	file bool
}

// placeOf returns the place that a URI of swtpm's names: dir://DIR or file://FILE.
func placeOf(uri string) (swtpmPlace, error) {
	if dir, ok := strings.CutPrefix(uri, "dir://"); ok && dir != "" {
		return swtpmPlace{path: dir}, nil
	}
	if file, ok := strings.CutPrefix(uri, "file://"); ok && file != "" {
		return swtpmPlace{path: file, file: true}, nil
	}
	return swtpmPlace{}, fmt.Errorf("--tpmstate: %s: it is dir://DIR or file://FILE", uri)
}

func (p swtpmPlace) String() string { return p.path }

// stateFile is the file that is there when there is a TPM.
func (p swtpmPlace) stateFile() string {
	if p.file {
		return p.path
	}
	return filepath.Join(p.path, "state")
}

// there reports whether there is a TPM, without opening it: another process may be using
// it, and its key is not needed. A state's file is there only when it is whole.
func (p swtpmPlace) there() bool { return fileExists(p.stateFile()) }

// open opens the state.
func (p swtpmPlace) open(o store.Options) (*store.Directory, error) {
	if p.file {
		return store.OpenFile(p.path, o)
	}
	return store.OpenDirectoryOptions(p.path, o)
}

// refuseSwtpm returns an error for a state of swtpm: it must not look as if the TPM had
// lost its keys, or was damaged.
func (p swtpmPlace) refuseSwtpm() error {
	name := filepath.Join(p.path, swtpmFile)
	if p.file {
		f, err := os.Open(p.path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer f.Close()
		start := make([]byte, len(stateMagic))
		if _, err := f.Read(start); err != nil || string(start) == stateMagic {
			return nil // the store has a word for what is empty or no file
		}
		name = p.path
	} else if !fileExists(name) {
		return nil
	}
	return fmt.Errorf("%s is the state of swtpm: bootseal vtpm import --from-swtpm moves it; move it away if that is done", name)
}

// stateMagic begins a state of bootseal's.
const stateMagic = "bootseal vTPM state"

func fileExists(name string) bool {
	_, err := os.Stat(name)
	return !errors.Is(err, fs.ErrNotExist)
}
