package bootchain

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/pe"
	"github.com/bootseal/bootseal/pcr"
)

// Packed is what systemd-stub packs for the kernel of one unified kernel image.
type Packed struct {
	// Archives are what lies beside the image, in the order in which it is measured.
	Archives []Archive `json:"archives,omitempty"`
	// Initrd are the digests of all that the kernel gets as its initial ramdisk: the
	// image's own with the archives behind it. nil if it gets none.
	Initrd map[pcr.Bank]pcr.Digest `json:"initrd,omitempty"`
}

// Archive is a cpio archive.
type Archive struct {
	Name    string                  `json:"name"` // as in the log: "Credentials initrd"
	PCR     int                     `json:"pcr"`
	Files   []string                `json:"files"` // that are packed
	Digests map[pcr.Bank]pcr.Digest `json:"digests"`
}

// archiveKind is a kind of files beside an image (systemd-stub(7)).
type archiveKind struct {
	name, dir, target string // dir is "" for the image's own folder
	suffix, without   string // of the files' names
	folder, file      uint32 // modes
	pcr               int
	since             int // version of systemd
}

func archiveKinds() []archiveKind {
	return []archiveKind{
		{"Credentials initrd", "", ".extra/credentials", ".cred", "", 0o500, 0o400, 12, 250},
		{"Global credentials initrd", "/loader/credentials", ".extra/global_credentials", ".cred", "", 0o500, 0o400, 12, 252},
		{"System extension initrd", "", ".extra/sysext", ".raw", ".confext.raw", 0o555, 0o444, 13, 250},
		{"Configuration extension initrd", "", ".extra/confext", ".confext.raw", "", 0o555, 0o444, 12, 255},
	}
}

// embedded are sections that the stub hands to the kernel as files.
type embedded struct {
	section, name string
	since         int
}

func embeddedFiles() []embedded {
	return []embedded{
		{".pcrsig", "tpm2-pcr-signature.json", 252}, {".pcrpkey", "tpm2-pcr-public-key.pem", 252},
		{".osrel", "os-release", 257}, {".profile", "profile", 257},
	}
}

// pack computes what each unified kernel image of the volume hands to its kernel.
func (v *Volume) pack(fsys fs.FS, banks []pcr.Bank) error {
	for name, f := range v.Files {
		if f.Program.stage() != eventlog.SystemdStub {
			continue
		}
		p := &packer{volume: v, fsys: fsys, banks: banks, image: name, version: stubVersion(f.Program)}
		packed, err := p.pack()
		if err != nil {
			return fmt.Errorf("measure what lies beside %s: %w", name, err)
		}
		if v.Packed == nil {
			v.Packed = make(map[string]Packed)
		}
		v.Packed[name] = packed
	}
	return nil
}

type packer struct {
	volume  *Volume
	fsys    fs.FS
	banks   []pcr.Bank
	image   string
	version version
}

// files lists the files of a kind, in the order in which they are packed.
func (p *packer) files(k archiveKind) []string {
	dir := k.dir
	if dir == "" {
		dir = p.image + ".extra.d"
	}
	if !p.version.atLeast(k.since) {
		return nil
	}
	var out []string
	for _, name := range p.volume.below(dir) {
		base := path.Base(name)
		lower := strings.ToLower(base)
		if strings.HasPrefix(base, ".") || !strings.HasSuffix(lower, k.suffix) || len(base) > 255 ||
			k.without != "" && strings.HasSuffix(lower, k.without) && p.version.atLeast(255) || !isASCII(base) {
			continue
		}
		out = append(out, name)
	}
	slices.SortFunc(out, func(a, b string) int { return strings.Compare(path.Base(a), path.Base(b)) })
	return out
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > 0x7f })
}

func (p *packer) pack() (Packed, error) {
	var out Packed
	for _, k := range archiveKinds() {
		files := p.files(k)
		if len(files) == 0 {
			continue
		}
		sums := newSums(p.banks)
		if err := p.archive(sums, k, files); err != nil {
			return out, err
		}
		out.Archives = append(out.Archives, Archive{Name: k.name, PCR: k.pcr, Files: files, Digests: sums.digests()})
	}
	sums := newSums(p.banks)
	parts, err := p.initrd(sums)
	if err == nil && parts > 0 {
		out.Initrd = sums.digests()
	}
	return out, err
}

func (p *packer) archive(to io.Writer, k archiveKind, files []string) error {
	c := newCPIO(to)
	c.folder(k.target, k.folder)
	for _, name := range files {
		f, err := p.fsys.Open(strings.TrimPrefix(name, "/"))
		if err != nil {
			return err
		}
		c.file(k.target+"/"+path.Base(name), k.file, f, p.volume.Files[name].Size)
		if err := f.Close(); err != nil {
			return err
		}
	}
	return c.close()
}

// initrd writes all parts, each but a single one padded, and counts them.
func (p *packer) initrd(to io.Writer) (int, error) {
	file, closer, err := p.open()
	if err != nil {
		return 0, err
	}
	defer closer.Close()
	var kinds []archiveKind
	for _, k := range archiveKinds() {
		if len(p.files(k)) > 0 {
			kinds = append(kinds, k)
		}
	}
	if p.version.atLeast(255) && !p.version.atLeast(257) && len(kinds) > 1 {
		// These versions swap extensions and configuration.
		slices.SortStableFunc(kinds, func(a, b archiveKind) int { return btoi(a.pcr == 13) - btoi(b.pcr == 13) })
	}
	sections := defaultSections(file)
	var own []pe.Section
	for _, name := range []string{".ucode", ".initrd"} {
		if s, ok := sections[name]; ok && s.Size > 0 && (name != ".ucode" || p.version.atLeast(256)) {
			own = append(own, s)
		}
	}
	var files []embedded
	for _, e := range embeddedFiles() {
		if s, ok := sections[e.section]; ok && s.Size > 0 && p.version.atLeast(e.since) {
			files = append(files, e)
		}
	}
	parts := len(own) + len(kinds) + len(files)
	for _, s := range own {
		if err := copySection(to, file, s, parts > 1); err != nil {
			return parts, err
		}
	}
	for _, k := range kinds {
		if err := p.archive(to, k, p.files(k)); err != nil {
			return parts, err
		}
	}
	for _, e := range files {
		s := sections[e.section]
		r, err := file.Open(s)
		if err != nil {
			return parts, err
		}
		c := newCPIO(to)
		c.folder(".extra", 0o555)
		c.file(".extra/"+e.name, 0o444, r, s.Size)
		if err := c.close(); err != nil {
			return parts, err
		}
	}
	return parts, nil
}

func copySection(to io.Writer, file *pe.File, s pe.Section, pad bool) error {
	r, err := file.Open(s)
	if err != nil {
		return err
	}
	if _, err := io.Copy(to, r); err != nil {
		return err
	}
	if pad {
		_, err = to.Write(make([]byte, padding(s.Size)))
	}
	return err
}

// open opens the image.
func (p *packer) open() (*pe.File, io.Closer, error) {
	f, err := p.fsys.Open(strings.TrimPrefix(p.image, "/"))
	if err != nil {
		return nil, nil, err
	}
	at, ok := f.(io.ReaderAt)
	if !ok {
		data, err := io.ReadAll(io.LimitReader(f, maxInPiece))
		if err != nil {
			return nil, nil, err
		}
		at = strings.NewReader(string(data))
	}
	file, err := pe.Open(at, p.volume.Files[p.image].Size)
	return file, f, err
}

// defaultSections are those of an image's default profile: up to the first
// section .profile, and what follows that up to the second, which takes the
// place of the former (UAPI.5, "Multi-Profile UKIs").
func defaultSections(file *pe.File) map[string]pe.Section {
	out := make(map[string]pe.Section)
	profiles := 0
	for _, s := range file.Sections() {
		if s.Name == ".profile" {
			profiles++
		}
		if profiles > 1 {
			break
		}
		if _, ok := out[s.Name]; !ok || profiles == 1 {
			out[s.Name] = s
		}
	}
	return out
}
