package ca

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/bootseal/bootseal/internal/bounded"
)

// The files of a CA's directory.
const (
	rootFile      = "root.pem"
	rootKeyFile   = "root-key.pem"
	issuerFile    = "issuer.pem"
	issuerKeyFile = "issuer-key.pem"
)

// ErrExist is the error of Create for a directory that is not empty.
var ErrExist = errors.New("the directory is there already")

// Create makes a CA in a new directory of mode 0700: whole, or not at all. An empty directory
// is replaced; one that is not empty is ErrExist and stays as it is. Directories above it are
// made as needed, with mode 0700.
func Create(dir string, o Options) (*CA, error) {
	dir = filepath.Clean(dir)
	files, err := create(o, time.Now())
	if err != nil {
		return nil, fmt.Errorf("make a CA: %w", err)
	}
	defer func() {
		for _, content := range files {
			clear(content)
		}
	}()
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, fmt.Errorf("make a CA: %w", err)
	}
	if err := install(parent, dir, files); err != nil {
		return nil, fmt.Errorf("make a CA in %s: %w", dir, err)
	}
	return Open(dir)
}

// install writes the files into a directory beside dir and gives it dir's name. When it is
// cut off, what it leaves behind is that directory, and the next install removes it.
func install(parent, dir string, files made) (err error) {
	unlock, err := lock(parent)
	if err != nil {
		return err
	}
	defer unlock()
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return ErrExist
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	fresh := dir + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	if err := os.Mkdir(fresh, 0o700); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(fresh))
		}
	}()
	for name, content := range files {
		if err := writeFile(filepath.Join(fresh, name), content); err != nil {
			return err
		}
	}
	if err := syncDirectory(fresh); err != nil {
		return err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) { // it is empty
		return err
	}
	if err := os.Rename(fresh, dir); err != nil {
		return err
	}
	return syncDirectory(parent)
}

func writeFile(name string, content []byte) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Open opens the CA in a directory that Create made. The root's key may be gone. A key that
// others than its owner can read is refused.
func Open(dir string) (*CA, error) {
	keyName := filepath.Join(dir, issuerKeyFile)
	info, err := os.Stat(keyName)
	if err != nil {
		return nil, fmt.Errorf("open the CA: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("open the CA: %s has mode %#o: others can read the key. Run chmod 600 on it, "+
			"and make a new CA if they did", keyName, mode)
	}
	key, err := bounded.ReadFile(keyName, maxFile)
	if err != nil {
		return nil, fmt.Errorf("open the CA: %w", err)
	}
	defer clear(key)
	var chain []byte
	for _, name := range []string{issuerFile, rootFile} {
		content, err := bounded.ReadFile(filepath.Join(dir, name), maxFile)
		if err != nil {
			return nil, fmt.Errorf("open the CA: %w", err)
		}
		chain = append(append(chain, content...), '\n')
	}
	c, err := Parse(key, chain)
	if err == nil && len(c.chain) != 2 {
		err = fmt.Errorf("%s and %s should have one certificate each", issuerFile, rootFile)
	}
	if err != nil {
		return nil, fmt.Errorf("open the CA in %s: %w", dir, err)
	}
	return c, nil
}

// OpenOrCreate opens the CA in a directory, and makes one if there is none.
func OpenOrCreate(dir string, o Options) (*CA, error) {
	c, err := Open(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return c, err
	}
	c, createErr := Create(dir, o)
	if errors.Is(createErr, ErrExist) {
		// Somebody else was faster, or the directory is something else: Open says which.
		return Open(dir)
	}
	return c, createErr
}

// Load opens a CA of a key and a chain of certificates in files, as Parse wants them.
func Load(keyFile, chainFile string) (*CA, error) {
	key, err := bounded.ReadFile(keyFile, maxFile)
	if err != nil {
		return nil, fmt.Errorf("the CA's key: %w", err)
	}
	defer clear(key)
	chain, err := bounded.ReadFile(chainFile, maxFile)
	if err != nil {
		return nil, fmt.Errorf("the CA's certificates: %w", err)
	}
	c, err := Parse(key, chain)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", keyFile, chainFile, err)
	}
	return c, nil
}
