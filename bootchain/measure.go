package bootchain

import (
	"bytes"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"unicode/utf8"

	"github.com/bootseal/bootseal/internal/pe"
	"github.com/bootseal/bootseal/pcr"
)

const (
	maxText    = 1 << 20   // bytes of a script that a manifest carries
	maxInPiece = 512 << 20 // bytes of a program in a file system without random access
)

// Measure returns the manifest of a volume: of every regular file, and of every
// link to one. Use the file system of an [os.Root] for a tree that others can
// write to, whose links may lead out of it.
func Measure(fsys fs.FS) (Manifest, error) {
	m := Manifest{Files: make(map[string]File)}
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
		f, err := measureNamed(fsys, name)
		if err != nil {
			return err
		}
		m.Files["/"+name] = f
		return nil
	})
	if err != nil {
		return Manifest{}, fmt.Errorf("measure files: %w", err)
	}
	return m, nil
}

func measureNamed(fsys fs.FS, name string) (File, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	m, err := MeasureFile(name, f)
	if err != nil {
		return File{}, fmt.Errorf("measure %s: %w", name, err)
	}
	return m, nil
}

// MeasureFile returns what a manifest says about one file, which is read from
// its start. The name tells scripts.
func MeasureFile(name string, r io.Reader) (File, error) {
	var text bytes.Buffer
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
	sums := newSums()
	script := path.Ext(name) == ".cfg"
	to := sums.writer()
	if script {
		to = io.MultiWriter(to, &limited{&text, maxText + 1})
	}
	f := File{}
	if f.Size, err = io.Copy(to, all); err != nil {
		return File{}, err
	}
	f.Digests = sums.digests()
	if script && text.Len() <= maxText && utf8.Valid(text.Bytes()) {
		f.Text = text.String()
	}
	if program {
		f.Program = measureProgram(at, f.Size)
	}
	return f, nil
}

// measureProgram returns nil for a file that only begins like a program.
func measureProgram(r io.ReaderAt, size int64) *Program {
	file, err := pe.Open(r, size)
	if errors.Is(err, pe.ErrNotPE) {
		return nil
	}
	sums := newSums()
	if err == nil {
		err = file.Hash(sums.writer())
	}
	if err != nil {
		return &Program{Problem: err.Error()}
	}
	p := &Program{Authenticode: sums.digests()}
	signers, err := file.Signers()
	if err != nil {
		p.Problem = err.Error()
		return p
	}
	for _, s := range signers {
		p.Signers = append(p.Signers, Signer{Subject: s.Subject, SHA256: s.SHA256[:]})
	}
	return p
}

// sums are hashes in the banks that TPMs have in practice.
type sums map[pcr.Bank]hash.Hash

func newSums() sums {
	s := make(sums)
	for _, b := range pcr.Banks() {
		s[b] = b.New()
	}
	return s
}

func (s sums) writer() io.Writer {
	var all []io.Writer
	for _, h := range s {
		all = append(all, h)
	}
	return io.MultiWriter(all...)
}

func (s sums) digests() map[pcr.Bank]pcr.Digest {
	out := make(map[pcr.Bank]pcr.Digest)
	for b, h := range s {
		out[b] = h.Sum(nil)
	}
	return out
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
