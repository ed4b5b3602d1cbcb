// Package efivars reads UEFI variables: from efivarfs, or from a dump of it in
// JSON, and the signature lists that some of them hold.
//
//	Read, Parse    a folder of efivarfs, a dump
//	Set            the variables
//	Entries        the certificates and hashes of a signature list
//
// Whoever runs the machine writes most variables: sizes are bounded, and nothing
// in them is trusted to be well-formed.
package efivars

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"regexp"
	"strings"
)

const (
	maxVariables = 4096
	maxSize      = 1 << 20 // bytes of a variable; firmware has some 64 KiB in all
	maxDump      = 32 << 20
	attributes   = 4 // bytes before a variable's data in efivarfs
)

// Vendor GUIDs of the variables that boot programs read.
const (
	Global        = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
	ImageSecurity = "d719b2cb-3d3a-4596-a3bc-dad00e67656f" // db, dbx, dbt, dbr
	Shim          = "605dab50-e046-4300-abb6-3dd810dd8b23"
	Loader        = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f" // systemd-boot
)

// Set has variables by their names in efivarfs, "BootOrder-8be4df61-...", without
// their attributes.
type Set map[string][]byte

// Get returns a variable's data.
func (s Set) Get(name, vendor string) ([]byte, bool) {
	v, ok := s[name+"-"+vendor]
	return v, ok
}

// Put sets a variable, nil data removes it.
func (s Set) Put(name, vendor string, data []byte) {
	if data == nil {
		delete(s, name+"-"+vendor)
		return
	}
	s[name+"-"+vendor] = data
}

// Clone returns a copy that shares data with s.
func (s Set) Clone() Set { return maps.Clone(s) }

var variableName = regexp.MustCompile(`^.+-[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)

const guidLength = 36

// canonical returns the name with its GUID in lower case, and whether it is one.
func canonical(name string) (string, bool) {
	if !variableName.MatchString(name) {
		return "", false
	}
	at := len(name) - guidLength
	return name[:at] + strings.ToLower(name[at:]), true
}

// Read reads a folder in the form of efivarfs: a file for each variable, which
// begins with four bytes of attributes. Other files are left out, and so are
// variables that firmware refuses to read (some do, of their own).
func Read(fsys fs.FS) (Set, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("read EFI variables: %w", err)
	}
	s := make(Set)
	for _, e := range entries {
		name, ok := canonical(e.Name())
		if !ok || e.IsDir() {
			continue
		}
		if len(s) >= maxVariables {
			return nil, fmt.Errorf("read EFI variables: more than %d", maxVariables)
		}
		data, err := readOne(fsys, e.Name())
		if errors.Is(err, errTooLarge) {
			return nil, fmt.Errorf("read EFI variable %s: %w", e.Name(), err)
		}
		if err == nil && len(data) >= attributes {
			s[name] = data[attributes:]
		}
	}
	if len(s) == 0 {
		return nil, errors.New("read EFI variables: there are none; is this efivarfs, and was the machine booted by UEFI?")
	}
	return s, nil
}

var errTooLarge = fmt.Errorf("larger than %d KiB", maxSize>>10)

func readOne(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && len(data) > maxSize {
		err = errTooLarge
	}
	return data, err
}

// Parse reads a dump: a JSON object of efivarfs' names, each with the file's
// bytes in hexadecimal, attributes included.
func Parse(r io.Reader) (Set, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxDump+1))
	if err != nil {
		return nil, fmt.Errorf("read EFI variables: %w", err)
	}
	if len(data) > maxDump {
		return nil, fmt.Errorf("read EFI variables: more than %d MiB", maxDump>>20)
	}
	var dump map[string]string
	if err := json.Unmarshal(data, &dump); err != nil {
		return nil, fmt.Errorf("read EFI variables: %w", err)
	}
	if len(dump) > maxVariables {
		return nil, fmt.Errorf("read EFI variables: more than %d", maxVariables)
	}
	s := make(Set)
	for key, text := range dump {
		name, ok := canonical(key)
		if !ok {
			return nil, fmt.Errorf("read EFI variables: %q is not a name and a GUID", key)
		}
		value, err := hex.DecodeString(text)
		switch {
		case err != nil:
			return nil, fmt.Errorf("read EFI variable %s: %w", key, err)
		case len(value) < attributes:
			return nil, fmt.Errorf("read EFI variable %s: %d bytes, fewer than its attributes have", key, len(value))
		case len(value) > maxSize:
			return nil, fmt.Errorf("read EFI variable %s: %w", key, errTooLarge)
		}
		s[name] = value[attributes:]
	}
	return s, nil
}

// Dump writes the variables as [Parse] reads them, with attributes of zero.
func (s Set) Dump(w io.Writer) error {
	dump := make(map[string]string, len(s))
	for name, data := range s {
		dump[name] = hex.EncodeToString(append(make([]byte, attributes), data...))
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetIndent("", " ")
	if err := enc.Encode(dump); err != nil {
		return err
	}
	_, err := w.Write(buf.Bytes())
	return err
}
