package volumes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/internal/atomicfile"
	"github.com/bootseal/bootseal/internal/bounded"
	"github.com/bootseal/bootseal/seal"
)

// ListFile is where the list is kept.
const ListFile = "/etc/bootseal/volumes.json"

// Volume is an enrolled volume.
type Volume struct {
	UUID string // of the LUKS header, in lower case
	// Name is the one that it is opened as, under /dev/mapper. It is part of the identity.
	Name     string
	Identity Identity
	// Parent is the Name of the TPM key that its secret is sealed under. Nil: it is not
	// known, and the one that the volume's tokens name is believed.
	Parent seal.Name
	// Root is whether the machine's root file system was on the volume when it was enrolled.
	Root bool
}

// List is the machine's enrolled volumes, ascending by UUID.
type List struct{ Volumes []Volume }

const (
	listVersion = 1
	// maxSize bounds a list and a note, in bytes.
	maxSize = 1 << 20
	// maxVolumes is far above what machines have.
	maxVolumes = 1024
	// maxName is device-mapper's (Linux, include/uapi/linux/dm-ioctl.h, DM_NAME_LEN),
	// without the zero byte.
	maxName = 127
)

// listJSON is a list's encoding.
type listJSON struct {
	Version int                   `json:"version"`
	Volumes map[string]volumeJSON `json:"volumes"`
}

type volumeJSON struct {
	Name     string    `json:"name"`
	Identity *Identity `json:"identity"`
	Parent   seal.Name `json:"parent,omitempty"`
	Root     bool      `json:"root,omitempty"`
}

// Parse reads a list. It is strict: a field comes once, in its spelling, in its range.
func Parse(text []byte) (*List, error) {
	var in listJSON
	if err := decode(text, &in); err != nil {
		return nil, fmt.Errorf("volume list: %w", err)
	}
	if in.Version != listVersion {
		return nil, fmt.Errorf("volume list: field \"version\": %d: want %d; a newer bootseal wrote it", in.Version, listVersion)
	}
	l := new(List)
	for uuid, v := range in.Volumes {
		if v.Identity == nil {
			return nil, fmt.Errorf("volume list: volume %.80q: field \"identity\": it is missing", uuid)
		}
		if len(v.Parent) == 0 {
			v.Parent = nil // "" says as much as nothing
		}
		l.Volumes = append(l.Volumes, Volume{UUID: uuid, Name: v.Name, Identity: *v.Identity, Parent: v.Parent, Root: v.Root})
	}
	slices.SortFunc(l.Volumes, func(a, b Volume) int { return strings.Compare(a.UUID, b.UUID) })
	return l, l.check()
}

func (l *List) check() error {
	if len(l.Volumes) > maxVolumes {
		return fmt.Errorf("volume list: %d volumes: want at most %d", len(l.Volumes), maxVolumes)
	}
	names := map[string]string{}
	for _, v := range l.Volumes {
		if err := v.check(); err != nil {
			return fmt.Errorf("volume list: volume %.80q: %w", v.UUID, err)
		}
		if other, ok := names[v.Name]; ok {
			return fmt.Errorf("volume list: volumes %s and %s have the same name %q", other, v.UUID, v.Name)
		}
		names[v.Name] = v.UUID
	}
	return nil
}

func (v Volume) check() error {
	switch {
	case !IsUUID(v.UUID):
		return errors.New("that is no UUID in lower case")
	case v.Name == "" || len(v.Name) > maxName || strings.ContainsFunc(v.Name, func(r rune) bool { return r <= ' ' || r == '/' || r >= 0x7F }):
		return fmt.Errorf("field \"name\": %.150q: want 1 to %d letters, digits and signs, and no /", v.Name, maxName)
	case len(v.Parent) > 2+64 || len(v.Parent) == 1:
		return fmt.Errorf("field \"parent\": %d bytes: want a Name, an algorithm's number and a digest", len(v.Parent))
	}
	return nil
}

// IsUUID reports whether a text has the form of a LUKS volume's UUID. Such a text is
// safe as a file name.
func IsUUID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i := range len(text) {
		switch c := text[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f'):
			return false
		}
	}
	return true
}

// Bytes returns the list's encoding.
func (l *List) Bytes() ([]byte, error) {
	out := listJSON{Version: listVersion, Volumes: make(map[string]volumeJSON, len(l.Volumes))}
	if err := l.check(); err != nil {
		return nil, err
	}
	for _, v := range l.Volumes {
		out.Volumes[v.UUID] = volumeJSON{Name: v.Name, Identity: &v.Identity, Parent: v.Parent, Root: v.Root}
	}
	if len(out.Volumes) != len(l.Volumes) {
		return nil, errors.New("volume list: a UUID comes twice")
	}
	return indented(out)
}

// Read reads a list. Where there is no file it is empty, and the error is nil.
func Read(path string) (*List, error) {
	text, err := bounded.ReadFile(path, maxSize)
	if errors.Is(err, fs.ErrNotExist) {
		return new(List), nil
	}
	if err != nil {
		return nil, err
	}
	l, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return l, nil
}

// Write replaces the file by the list, atomically. The folder must be there. Nothing in
// it is secret: the mode is 0644.
func (l *List) Write(path string) error {
	text, err := l.Bytes()
	if err != nil {
		return err
	}
	if err := atomicfile.Write(path, text, 0o644); err != nil {
		return fmt.Errorf("volume list: %w", err)
	}
	return nil
}

// Find returns the volume with the UUID, in any case.
func (l *List) Find(uuid string) (Volume, bool) {
	return l.first(func(v Volume) bool { return v.UUID == strings.ToLower(uuid) })
}

// Named returns the volume that is opened as name.
func (l *List) Named(name string) (Volume, bool) {
	return l.first(func(v Volume) bool { return v.Name == name })
}

func (l *List) first(is func(Volume) bool) (Volume, bool) {
	if i := slices.IndexFunc(l.Volumes, is); i >= 0 {
		return l.Volumes[i], true
	}
	return Volume{}, false
}

// Put adds the volume, or replaces the one with its UUID.
func (l *List) Put(v Volume) {
	l.Remove(v.UUID)
	l.Volumes = append(l.Volumes, v)
	slices.SortFunc(l.Volumes, func(a, b Volume) int { return strings.Compare(a.UUID, b.UUID) })
}

// Remove removes the volume with the UUID, and reports whether it was there.
func (l *List) Remove(uuid string) bool {
	before := len(l.Volumes)
	l.Volumes = slices.DeleteFunc(l.Volumes, func(v Volume) bool { return v.UUID == uuid })
	return len(l.Volumes) < before
}

func indented(v any) ([]byte, error) {
	text, err := json.MarshalIndent(v, "", "  ")
	return append(text, '\n'), err
}
