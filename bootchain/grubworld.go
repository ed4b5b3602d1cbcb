package bootchain

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/bootchain/grub"
	"github.com/bootseal/bootseal/eventlog"
)

// grubWorld is what GRUB sees of the manifest's volumes.
type grubWorld struct {
	volumes []*Volume
	names   []string // of the volumes' devices
}

var grubDevice = regexp.MustCompile(`\((hd[0-9]+),(gpt|msdos)?[0-9]+\)`)

// grubWorld names the volumes' devices. The log shows which disk GRUB was loaded
// from; without it, that is taken for the first.
func (w *walk) grubWorld() *grubWorld {
	disk, only := "hd0", ""
	if w.base != nil {
		disk, only = w.base.grubDisk(disk)
	}
	g := &grubWorld{}
	for i := range w.files.Volumes {
		v := &w.files.Volumes[i]
		name := fmt.Sprintf("%s,gpt%d", disk, w.partitionNumber(v, i))
		if len(w.files.Volumes) == 1 && only != "" && v.Number == 0 {
			name = only
		}
		for slices.Contains(g.names, name) {
			name += "'" // a volume whose partition is not known
		}
		g.volumes, g.names = append(g.volumes, v), append(g.names, name)
	}
	return g
}

// grubDisk returns the disk and the partition that GRUB names first in the log.
func (b *Boot) grubDisk(otherwise string) (disk, partition string) {
	for i := range b.explained {
		if b.explained[i].Stage != eventlog.GRUB {
			continue
		}
		s, ok := b.explained[i].Body.(eventlog.BootString)
		if !ok {
			continue
		}
		if m := grubDevice.FindStringSubmatch(s.Text); m != nil {
			return m[1], strings.Trim(m[0], "()")
		}
	}
	return otherwise, ""
}

// last returns the stage's last program, nil without one.
func (b *Boot) last(s eventlog.Stage) *Component {
	for i := len(b.Components) - 1; i >= 0; i-- {
		if b.Components[i].Stage == s {
			return &b.Components[i]
		}
	}
	return nil
}

// partitionNumber returns the number of a volume's partition: as the manifest
// tells, else as the device path in the log does, else by its place.
func (w *walk) partitionNumber(v *Volume, index int) uint32 {
	if v.Number > 0 {
		return v.Number
	}
	if img, ok := w.image(); ok && index == 0 && img.Path.Partition != nil {
		return img.Path.Partition.Number
	}
	return uint32(index + 1)
}

// name returns a volume's device.
func (g *grubWorld) name(v *Volume) string {
	if i := slices.Index(g.volumes, v); i >= 0 {
		return g.names[i]
	}
	return g.names[0]
}

func (g *grubWorld) volume(device string) (*Volume, bool) {
	if i := slices.Index(g.names, device); i >= 0 {
		return g.volumes[i], true
	}
	return nil, false
}

// file returns a file with its volume and its path there.
func (g *grubWorld) file(f grub.File) (*Volume, File, string, bool) {
	v, ok := g.volume(f.Device)
	if !ok {
		return nil, File{}, "", false
	}
	file, found, ok := v.find(f.Path, v.foldsCase())
	return v, file, found, ok
}

// foldsCase reports whether names on the volume match in any case, as on FAT.
func (v *Volume) foldsCase() bool { return v.FS == "" || v.FS == "fat" }

// Device implements grub.World.
func (g *grubWorld) Device(name string) (grub.Device, error) {
	v, ok := g.volume(name)
	if !ok {
		return grub.Device{}, grub.ErrUnknown
	}
	kind := v.FS
	if kind == "ext4" {
		kind = "ext2"
	}
	return grub.Device{FSUUID: v.UUID, Label: v.Label, FS: kind, PartUUID: v.Partition, PartMap: "gpt", Driver: "efidisk"}, nil
}

// Search implements grub.World. A file system that is in no manifest can still
// be on the machine.
func (g *grubWorld) Search(q grub.Query) (string, error) {
	var open []int
	for i, v := range g.volumes {
		have := ""
		switch q.By {
		case grub.ByFSUUID:
			have = v.UUID
		case grub.ByLabel:
			have = v.Label
		case grub.ByPartUUID:
			have = v.Partition
		case grub.ByFile:
			if _, _, _, ok := g.file(grub.File{Device: g.names[i], Path: q.Key}); ok {
				return g.names[i], nil
			}
			continue
		}
		if have != "" && strings.EqualFold(have, q.Key) {
			return g.names[i], nil
		}
		if have == "" && q.By != grub.ByLabel {
			open = append(open, i)
		}
	}
	if len(open) == 1 {
		return g.names[open[0]], nil // the one whose UUID was not measured
	}
	return "", fmt.Errorf("search for %s: no volume of the manifest is that: %w", q, grub.ErrUnknown)
}

// Stat implements grub.World.
func (g *grubWorld) Stat(f grub.File) (grub.Info, error) {
	v, ok := g.volume(f.Device)
	if !ok {
		return grub.Info{}, grub.ErrUnknown
	}
	if file, found, ok := v.find(f.Path, v.foldsCase()); ok {
		return grub.Info{Name: path.Base(found), Size: file.Size}, nil
	}
	dir := path.Clean("/" + f.Path)
	for name := range v.Files {
		if dir == "/" || len(name) > len(dir) && name[len(dir)] == '/' && v.sameName(name[:len(dir)], dir) {
			return grub.Info{Name: path.Base(dir), Dir: true}, nil
		}
	}
	return grub.Info{}, v.missing(dir)
}

func (v *Volume) sameName(a, b string) bool {
	if v.foldsCase() {
		return strings.EqualFold(a, b)
	}
	return a == b
}

// missing is the error for a path that the volume does not have, or that was not
// measured.
func (v *Volume) missing(name string) error {
	if v.Only != "" && name != v.Only && !strings.HasPrefix(name, v.Only+"/") {
		return fmt.Errorf("%s was not measured: %w", name, grub.ErrUnknown)
	}
	return fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

// ReadDir implements grub.World.
func (g *grubWorld) ReadDir(dir grub.File) ([]grub.Info, bool, error) {
	v, ok := g.volume(dir.Device)
	if !ok {
		return nil, false, grub.ErrUnknown
	}
	at := strings.TrimSuffix(path.Clean("/"+dir.Path), "/") + "/"
	seen := make(map[string]bool)
	var out []grub.Info
	for name := range v.Files {
		if len(name) <= len(at) || !v.sameName(name[:len(at)], at) {
			continue
		}
		first, _, isDir := strings.Cut(name[len(at):], "/")
		if !seen[first] {
			seen[first] = true
			out = append(out, grub.Info{Name: first, Dir: isDir})
		}
	}
	if len(out) == 0 {
		return nil, false, v.missing(path.Clean("/" + dir.Path))
	}
	slices.SortFunc(out, func(a, b grub.Info) int { return strings.Compare(a.Name, b.Name) })
	return out, false, nil
}

// ReadFile implements grub.World.
func (g *grubWorld) ReadFile(f grub.File) ([]byte, error) {
	v, ok := g.volume(f.Device)
	if !ok {
		return nil, grub.ErrUnknown
	}
	file, found, ok := v.find(f.Path, v.foldsCase())
	switch {
	case !ok:
		return nil, v.missing(path.Clean("/" + f.Path))
	case file.Text == "" && file.Size > 0:
		return nil, fmt.Errorf("the contents of %s are not in the manifest: %w", found, grub.ErrUnknown)
	}
	return []byte(file.Text), nil
}
