package bootchain

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/pcr"
)

// maxManifest bounds a manifest in JSON, in bytes.
const maxManifest = 64 << 20

// Manifest describes the files that a machine boots from, without the files:
// enough to predict its measurements elsewhere.
type Manifest struct {
	// Files are the files by their path on the volume that the boot loaders read,
	// with slashes: "/EFI/BOOT/BOOTX64.EFI", "/boot/vmlinuz-6.1.0-54-amd64".
	Files map[string]File `json:"files"`
}

// File is what is known of a file.
type File struct {
	Size    int64                   `json:"size"`    // bytes
	Digests map[pcr.Bank]pcr.Digest `json:"digests"` // of all its bytes
	Program *Program                `json:"program,omitempty"`
	// Text is the contents of a script (".cfg"), "" for other files.
	Text string `json:"text,omitempty"`
}

// Program is what is known of a PE program.
type Program struct {
	// Authenticode are its digests as firmware measures them.
	Authenticode map[pcr.Bank]pcr.Digest `json:"authenticode,omitempty"`
	// Signers are those who signed it, in order; none for an unsigned program.
	Signers []Signer `json:"signers,omitempty"`
	// Problem says what could not be read, "" if all could.
	Problem string `json:"problem,omitempty"`
}

// Signer names a certificate. Nothing was verified with it.
type Signer struct {
	Subject string     `json:"subject"`
	SHA256  pcr.Digest `json:"sha256"` // of the certificate
}

// ReadManifest reads the JSON encoding of a manifest and checks it.
func ReadManifest(r io.Reader) (Manifest, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err != nil {
		return Manifest{}, fmt.Errorf("read manifest: %w", err)
	}
	if len(data) > maxManifest {
		return Manifest{}, fmt.Errorf("read manifest: more than %d MiB", maxManifest>>20)
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return Manifest{}, fmt.Errorf("read manifest: %w", err)
	}
	return m, m.Check()
}

// Check reports the first thing in the manifest that cannot be true: a relative
// path, a digest of a wrong size, text that has another digest than its file.
func (m Manifest) Check() error {
	for _, path := range slices.Sorted(maps.Keys(m.Files)) {
		if err := m.Files[path].check(); err != nil {
			return fmt.Errorf("manifest: %s: %w", path, err)
		}
		if !strings.HasPrefix(path, "/") {
			return fmt.Errorf("manifest: %s: the path does not begin with a slash", path)
		}
	}
	return nil
}

func (f File) check() error {
	if len(f.Digests) == 0 {
		return fmt.Errorf("no digests")
	}
	if err := checkSizes(f.Digests); err != nil {
		return err
	}
	if f.Program != nil {
		if err := checkSizes(f.Program.Authenticode); err != nil {
			return fmt.Errorf("authenticode: %w", err)
		}
	}
	if f.Text == "" {
		return nil
	}
	for _, b := range slices.Sorted(maps.Keys(f.Digests)) {
		if b.Available() && !slices.Equal(b.Sum([]byte(f.Text)), f.Digests[b]) {
			return fmt.Errorf("the %s digest is not that of the text", b)
		}
	}
	return nil
}

func checkSizes(digests map[pcr.Bank]pcr.Digest) error {
	for _, b := range slices.Sorted(maps.Keys(digests)) {
		if len(digests[b]) != b.Size() {
			return fmt.Errorf("%s digest of %d bytes: want %d", b, len(digests[b]), b.Size())
		}
	}
	return nil
}

// find returns the file at a path, and its path in the manifest. Firmware and
// shim read FAT, which knows no case: fold allows for that if there is one such
// file.
func (m Manifest) find(path string, fold bool) (File, string, bool) {
	if f, ok := m.Files[path]; ok || !fold {
		return f, path, ok
	}
	found := ""
	for p := range m.Files {
		if strings.EqualFold(p, path) {
			if found != "" {
				return File{}, "", false
			}
			found = p
		}
	}
	return m.Files[found], found, found != ""
}

// sameSigners reports whether two programs were signed by the same certificates,
// so that firmware and shim accept both for the same reason.
func sameSigners(a, b File) bool {
	if a.Program == nil || b.Program == nil || a.Program.Problem != "" || b.Program.Problem != "" {
		return false
	}
	return slices.EqualFunc(a.Program.Signers, b.Program.Signers, func(x, y Signer) bool {
		return slices.Equal(x.SHA256, y.SHA256)
	})
}
