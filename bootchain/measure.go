package bootchain

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/bootseal/bootseal/bootchain/grub"
	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/pe"
	"github.com/bootseal/bootseal/internal/utf16le"
	"github.com/bootseal/bootseal/pcr"
)

const (
	maxText    = 1 << 20   // bytes of a script that a manifest carries
	maxInPiece = 512 << 20 // bytes of a program in a file system without random access
	maxData    = 64 << 10  // bytes of a section that a manifest carries
	maxFiles   = 100000
	tries      = 3 // of a volume whose files go while it is measured
)

// Measure returns a volume's files: every regular file, and every link to one, in
// the given banks, or in all that TPMs have in practice. Use the file system of
// an [os.Root] for a tree that others can write to, whose links may lead out of
// it. Progress, which may be nil, is called with the path of each file before it
// is read. Where a file goes meanwhile, as a package manager's temporary one does,
// all are measured again.
func Measure(fsys fs.FS, banks []pcr.Bank, progress func(path string)) (Volume, error) {
	if len(banks) == 0 {
		banks = pcr.Banks()
	}
	v, err := measure(fsys, banks, progress)
	for try := 1; try < tries && errors.Is(err, fs.ErrNotExist); try++ {
		v, err = measure(fsys, banks, progress)
	}
	return v, err
}

func measure(fsys fs.FS, banks []pcr.Bank, progress func(path string)) (Volume, error) {
	v := Volume{Files: make(map[string]File)}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := fs.Stat(fsys, name)
		if d.Type()&fs.ModeSymlink != 0 && err != nil {
			return nil // a link to nowhere, which no boot loader can read either
		}
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		if len(v.Files) >= maxFiles {
			return fmt.Errorf("more than %d files: is this a boot partition?", maxFiles)
		}
		if progress != nil {
			progress("/" + name)
		}
		f, err := measureNamed(fsys, name, banks)
		if err != nil {
			return err
		}
		v.Files["/"+name] = f
		return nil
	})
	if err != nil {
		return Volume{}, fmt.Errorf("measure files: %w", err)
	}
	if err := v.join(fsys, banks); err != nil {
		return Volume{}, err
	}
	return v, v.pack(fsys, banks)
}

func measureNamed(fsys fs.FS, name string, banks []pcr.Bank) (File, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	m, err := MeasureFile(name, f, banks)
	if err != nil {
		return File{}, fmt.Errorf("measure %s: %w", name, err)
	}
	return m, nil
}

// MeasureFile returns what a manifest says about one file, which is read from
// its start, in the given banks, or in all. The name tells scripts.
func MeasureFile(name string, r io.Reader, banks []pcr.Bank) (File, error) {
	if len(banks) == 0 {
		banks = pcr.Banks()
	}
	var first [2]byte
	n, err := io.ReadFull(r, first[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return File{}, err
	}
	all := io.MultiReader(bytes.NewReader(first[:n]), r)
	at, ok := r.(io.ReaderAt)
	program := string(first[:n]) == "MZ"
	if program && !ok {
		data, err := io.ReadAll(io.LimitReader(all, maxInPiece+1))
		if err != nil {
			return File{}, err
		}
		if len(data) > maxInPiece {
			return File{}, fmt.Errorf("more than %d MiB, and no random access", maxInPiece>>20)
		}
		b := bytes.NewReader(data)
		all, at = b, b
	}
	sums := newSums(banks)
	f := File{}
	var text bytes.Buffer
	if isText(name) {
		all = io.TeeReader(all, &limited{&text, maxText + 1})
	}
	if f.Size, err = sums.read(all); err != nil {
		return File{}, err
	}
	f.Digests = sums.digests()
	if program {
		f.Program = measureProgram(at, f.Size, banks)
	}
	if text.Len() <= maxText && utf8.Valid(text.Bytes()) {
		f.Text = text.String()
	}
	return f, nil
}

// isText tells the scripts and configuration files of boot loaders.
func isText(name string) bool {
	base := strings.ToLower(path.Base(name))
	return slices.Contains([]string{".cfg", ".conf", ".lst"}, path.Ext(base)) || base == "grubenv"
}

// measureProgram returns nil for a file that only begins like a program.
func measureProgram(r io.ReaderAt, size int64, banks []pcr.Bank) *Program {
	file, err := pe.Open(r, size)
	if errors.Is(err, pe.ErrNotPE) {
		return nil
	}
	if err != nil {
		return &Program{Problem: err.Error()}
	}
	p := authenticode(file, banks)
	if p.Problem == "" {
		signers, err := file.Signers()
		if err != nil {
			p.Problem = err.Error()
		}
		for _, s := range signers {
			p.Signers = append(p.Signers, Signer{Subject: s.Subject, SHA256: s.SHA256[:], Chain: s.Chain})
		}
	}
	p.readSections(file, banks)
	p.Version = p.findVersion(file)
	if p.stage() == eventlog.GRUB {
		binary, err := grub.ReadBinary(r, size)
		if err != nil && !errors.Is(err, grub.ErrNoModules) {
			p.Problem = err.Error()
		}
		p.GRUB = binary
	}
	return p
}

func authenticode(file *pe.File, banks []pcr.Bank) *Program {
	sums := newSums(banks)
	if err := file.Hash(sums); err != nil {
		return &Program{Problem: err.Error()}
	}
	return &Program{Authenticode: sums.digests()}
}

// kept are the sections whose contents decide, and are small.
func kept(name string) bool {
	return slices.Contains([]string{".sbat", ".sbatlevel", ".vendor_cert", ".sdmagic", ".osrel", ".cmdline",
		".uname", ".profile", ".pcrsig"}, name)
}

// measured are the sections that systemd-stub measures (UAPI.5), and those of its
// add-ons.
func measured(name string) bool {
	return slices.Contains([]string{".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname",
		".sbat", ".pcrsig", ".pcrpkey", ".profile", ".dtbauto", ".hwids", ".efifw"}, name)
}

func (p *Program) readSections(file *pe.File, banks []pcr.Bank) {
	unified := slices.ContainsFunc(file.Sections(), func(s pe.Section) bool {
		return slices.Contains([]string{".sdmagic", ".linux", ".cmdline"}, s.Name)
	})
	for _, s := range file.Sections() {
		if !kept(s.Name) && (!unified || !measured(s.Name)) {
			continue
		}
		section, err := p.readSection(file, s, unified && measured(s.Name), banks)
		if err != nil {
			p.Problem = err.Error()
			return
		}
		p.Sections = append(p.Sections, section)
	}
}

func (p *Program) readSection(file *pe.File, s pe.Section, digests bool, banks []pcr.Bank) (Section, error) {
	out := Section{Name: s.Name, Size: s.Size}
	if kept(s.Name) && s.Size <= maxData {
		data, err := file.Contents(s, maxData)
		if err != nil {
			return out, err
		}
		out.Data = data
	}
	if digests {
		r, err := file.Open(s)
		if err != nil {
			return out, err
		}
		sums := newSums(banks)
		if _, err := sums.read(r); err != nil {
			return out, err
		}
		out.Digests = sums.digests()
	}
	if s.Name != ".linux" {
		return out, nil
	}
	inner := file.At(s)
	kernel, err := pe.Open(inner, inner.Size())
	if err == nil {
		out.Program = authenticode(kernel, banks)
		out.Program.Version = linuxVersion(kernel)
	}
	return out, nil
}

func linuxVersion(file *pe.File) string {
	text, ok := file.Linux()
	if !ok {
		return ""
	}
	release, _, _ := strings.Cut(text, " ")
	return strings.TrimSpace("Linux " + release)
}

const (
	maxIdent   = 4 << 20 // bytes of a program that is searched for its version
	shimIdent  = "UEFI SHIM\n$Version: "
	magicIdent = "#### LoaderInfo: "
)

// findVersion looks for what a program says that it is, in the form that shim and
// systemd write for that purpose.
func (p *Program) findVersion(file *pe.File) string {
	if v := linuxVersion(file); v != "" {
		return v
	}
	if s, ok := p.section(".sdmagic"); ok {
		text := strings.TrimPrefix(string(bytes.TrimRight(s.Data, "\x00")), magicIdent)
		return strings.TrimSuffix(text, " ####")
	}
	for _, s := range file.Sections() {
		if s.Name != ".data.ident" && s.Name != ".data" && s.Name != ".rodata" {
			continue
		}
		data, err := file.Contents(s, maxIdent)
		if err != nil {
			continue
		}
		if v := identIn(data, p); v != "" {
			return v
		}
	}
	if _, isShim := p.section(".vendor_cert"); !isShim && has(p.sbat(), "shim") {
		return "shim fallback" // the other of shim's helpers
	}
	if i := slices.IndexFunc(p.sbat(), func(c sbatComponent) bool { return strings.HasPrefix(c.name, "grub") }); i >= 0 {
		components := p.sbat()
		return "GRUB " + components[len(components)-1].version
	}
	return ""
}

// identIn finds the version in a section's data. shim's helpers have none, but
// the texts that they show.
func identIn(data []byte, p *Program) string {
	_, isShim := p.section(".vendor_cert")
	if at := bytes.Index(data, []byte(shimIdent)); at >= 0 && isShim {
		rest := data[at+len(shimIdent):]
		if end := bytes.IndexAny(rest, "$\n\x00"); end >= 0 {
			return "UEFI SHIM " + strings.TrimSpace(string(rest[:end]))
		}
	}
	if isShim || !has(p.sbat(), "shim") {
		return ""
	}
	if bytes.Contains(data, utf16le.Encode("MOK management")) {
		return "MokManager"
	}
	return ""
}

// limited keeps the first n bytes and swallows the rest.
type limited struct {
	to *bytes.Buffer
	n  int
}

func (l *limited) Write(p []byte) (int, error) {
	l.to.Write(p[:min(len(p), l.n-l.to.Len())])
	return len(p), nil
}
