package store

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// KeyFromFile reads a key for Options: 32 bytes, or 64 hexadecimal digits and
// perhaps a newline. A file that everybody can read is an error.
func KeyFromFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the key to the TPM's state: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read the key to the TPM's state: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 {
		return nil, fmt.Errorf("%s: everybody on this machine has access to the key (mode %04o); chmod o= it", path, mode)
	}
	data, err := io.ReadAll(io.LimitReader(f, 2*KeySize+3))
	defer clear(data)
	if err != nil {
		return nil, fmt.Errorf("read the key to the TPM's state: %w", err)
	}
	key, err := parseKey(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// credentialsVariable names the directory with a service's credentials
// (systemd.exec(5), "Credentials").
const credentialsVariable = "CREDENTIALS_DIRECTORY"

// KeyFromCredential reads a key for Options from the systemd credential with the
// name, as KeyFromFile does: a unit has it from LoadCredentialEncrypted=.
func KeyFromCredential(name string) ([]byte, error) {
	dir := os.Getenv(credentialsVariable)
	if dir == "" {
		return nil, fmt.Errorf("credential %q: $%s is not set: the process was not started by systemd with credentials", name, credentialsVariable)
	}
	if name == "" || name == "." || name == ".." || filepath.Base(name) != name {
		return nil, fmt.Errorf("%q is no name of a credential", name)
	}
	return KeyFromFile(filepath.Join(dir, name))
}

func parseKey(data []byte) ([]byte, error) {
	if len(data) == KeySize {
		return bytes.Clone(data), nil
	}
	digits := bytes.TrimRight(data, "\r\n")
	key := make([]byte, KeySize)
	if len(digits) == 2*KeySize {
		if _, err := hex.Decode(key, digits); err == nil {
			return key, nil
		}
	}
	return nil, errors.New("a key is 32 bytes, or 64 hexadecimal digits")
}
