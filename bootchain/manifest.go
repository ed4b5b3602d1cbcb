package bootchain

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/bootchain/grub"
	"github.com/bootseal/bootseal/pcr"
)

// maxManifest bounds a manifest in JSON, in bytes.
const maxManifest = 64 << 20

// Manifest describes the files that a machine boots from, without the files:
// enough to predict its measurements elsewhere.
type Manifest struct {
	// Volumes are the file systems that boot programs read. The first is the one
	// that the firmware boots from, the EFI system partition.
	Volumes []Volume `json:"volumes"`
}

// Volume is a file system.
type Volume struct {
	// UUID is the file system's, as boot loaders search for it: "CAFE-0001" for
	// FAT. Label is its name. Both are "" if they are not known.
	UUID  string `json:"uuid,omitempty"`
	Label string `json:"label,omitempty"`
	// FS is the kind of file system: "fat" or "ext4", "" if it is not known.
	FS string `json:"fs,omitempty"`
	// Only is the one folder that was measured, "" for all.
	Only string `json:"only,omitempty"`
	// Partition is the GPT partition's UUID in lower case, Number its number from
	// 1; "" and 0 if they are not known.
	Partition string `json:"partition,omitempty"`
	Number    uint32 `json:"number,omitempty"`
	// Files are the files by their path from the volume's root, with slashes:
	// "/EFI/BOOT/BOOTX64.EFI".
	Files map[string]File `json:"files"`
	// Joined are digests of several files one after the other, as a boot loader
	// passes several initial ramdisks on: by their paths with "+" in between, or
	// "|" where each but the last is padded to a multiple of four bytes.
	Joined map[string]map[pcr.Bank]pcr.Digest `json:"joined,omitempty"`
	// Packed is what the unified kernel images hand to their kernels, by the path
	// of the image.
	Packed map[string]Packed `json:"packed,omitempty"`
}

// File is what is known of a file.
type File struct {
	Size    int64                   `json:"size"`    // bytes
	Digests map[pcr.Bank]pcr.Digest `json:"digests"` // of all its bytes
	Program *Program                `json:"program,omitempty"`
	// Text is the contents of a script or a configuration file, "" for other files.
	Text string `json:"text,omitempty"`
}

// Program is what is known of a PE program.
type Program struct {
	// Authenticode are its digests as firmware measures them.
	Authenticode map[pcr.Bank]pcr.Digest `json:"authenticode,omitempty"`
	// Signers are those who signed it, in order; none for an unsigned program.
	Signers []Signer `json:"signers,omitempty"`
	// Version is what the program says it is: "UEFI SHIM 16.1", "systemd-boot 252",
	// "Linux 6.1.0-54-cloud-amd64". "" if it does not tell.
	Version string `json:"version,omitempty"`
	// Sections are those that decide about measurements, in the order of the
	// program: .sbat, and of shim, systemd-boot and unified kernel images more.
	Sections []Section `json:"sections,omitempty"`
	// GRUB is what is built into a GRUB, nil for other programs.
	GRUB *grub.Binary `json:"grub,omitempty"`
	// Problem says what could not be read, "" if all could.
	Problem string `json:"problem,omitempty"`
}

// Section is a section of a program, as it is in memory.
type Section struct {
	Name    string                  `json:"name"`
	Size    int64                   `json:"size"`
	Digests map[pcr.Bank]pcr.Digest `json:"digests,omitempty"`
	// Data is the contents of a small section, nil of others.
	Data []byte `json:"data,omitempty"`
	// Program is the program that the section holds: a kernel.
	Program *Program `json:"program,omitempty"`
}

// Signer names a certificate. Nothing was verified with it.
type Signer struct {
	Subject string     `json:"subject"`
	SHA256  pcr.Digest `json:"sha256"` // of the certificate
	// Chain are the certificates that the signature brought, in DER, the signer's
	// first.
	Chain [][]byte `json:"chain,omitempty"`
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

// Check reports the first thing in the manifest that cannot be true: no volume, a
// relative path, a digest of a wrong size, text that has another digest than its
// file.
func (m Manifest) Check() error {
	if len(m.Volumes) == 0 {
		return fmt.Errorf("manifest: no volumes")
	}
	for _, v := range m.Volumes {
		if err := v.check(); err != nil {
			return fmt.Errorf("manifest: %w", err)
		}
	}
	return nil
}

func (v Volume) check() error {
	for _, path := range slices.Sorted(maps.Keys(v.Files)) {
		if err := v.Files[path].check(); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if !strings.HasPrefix(path, "/") {
			return fmt.Errorf("%s: the path does not begin with a slash", path)
		}
	}
	for _, paths := range slices.Sorted(maps.Keys(v.Joined)) {
		if err := checkSizes(v.Joined[paths]); err != nil {
			return fmt.Errorf("%s: %w", paths, err)
		}
	}
	for _, image := range slices.Sorted(maps.Keys(v.Packed)) {
		all := []map[pcr.Bank]pcr.Digest{v.Packed[image].Initrd}
		for _, a := range v.Packed[image].Archives {
			if a.PCR != 12 && a.PCR != 13 {
				return fmt.Errorf("%s: %q in PCR %d", image, a.Name, a.PCR)
			}
			all = append(all, a.Digests)
		}
		for _, digests := range all {
			if err := checkSizes(digests); err != nil {
				return fmt.Errorf("%s: %w", image, err)
			}
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
		if err := f.Program.check(); err != nil {
			return err
		}
	}
	if f.Text == "" {
		return nil
	}
	return checkData([]byte(f.Text), f.Digests, "text")
}

func (p *Program) check() error {
	if err := checkSizes(p.Authenticode); err != nil {
		return fmt.Errorf("authenticode: %w", err)
	}
	for _, s := range p.Sections {
		if err := checkSizes(s.Digests); err != nil {
			return fmt.Errorf("section %s: %w", s.Name, err)
		}
		if s.Data != nil {
			if err := checkData(s.Data, s.Digests, "data"); err != nil {
				return fmt.Errorf("section %s: %w", s.Name, err)
			}
		}
		if s.Program != nil {
			if len(s.Program.Sections) > 0 {
				return fmt.Errorf("section %s: a program with sections in a section", s.Name)
			}
			if err := s.Program.check(); err != nil {
				return fmt.Errorf("section %s: %w", s.Name, err)
			}
		}
	}
	return nil
}

func checkData(data []byte, digests map[pcr.Bank]pcr.Digest, what string) error {
	for _, b := range slices.Sorted(maps.Keys(digests)) {
		if b.Available() && !slices.Equal(b.Sum(data), digests[b]) {
			return fmt.Errorf("the %s digest is not that of the %s", b, what)
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

// find returns the file at a path, and its path in the volume. Firmware, shim and
// systemd-boot read FAT, which knows no case: fold allows for that if there is
// one such file.
func (v *Volume) find(name string, fold bool) (File, string, bool) {
	name = path.Clean(name)
	if f, ok := v.Files[name]; ok || !fold {
		return f, name, ok
	}
	found := ""
	for p := range v.Files {
		if strings.EqualFold(p, name) {
			if found != "" {
				return File{}, "", false
			}
			found = p
		}
	}
	return v.Files[found], found, found != ""
}

// below returns the files directly in a folder, by base name, sorted.
func (v *Volume) below(dir string) []string {
	var out []string
	for p := range v.Files {
		if strings.EqualFold(path.Dir(p), path.Clean(dir)) {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// section returns the first section with a name.
func (p *Program) section(name string) (Section, bool) {
	if p == nil {
		return Section{}, false
	}
	for _, s := range p.Sections {
		if s.Name == name {
			return s, true
		}
	}
	return Section{}, false
}
