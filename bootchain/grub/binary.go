package grub

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/internal/pe"
)

// A GRUB program for EFI has its modules in the section "mods": a header, then
// objects of a type and a size (GRUB's include/grub/kernel.h).
const (
	modsMagic   = 0x676d696d // "mimg"
	objectELF   = 0
	objectDisk  = 1
	objectConf  = 2
	objectPath  = 3
	maxMods     = 128 << 20 // bytes
	maxModules  = 2000
	maxBuiltIn  = 1 << 20 // bytes of a text that is built in
	headerBytes = 24
)

// ErrNoModules is returned for a program without GRUB's modules.
var ErrNoModules = errors.New("the program has no section with GRUB's modules")

// ReadBinary reads a GRUB program for EFI: what is built in, and from its .sbat
// section and its messages the dialect. The error wraps [ErrNoModules] if it is
// none of GRUB's.
func ReadBinary(r io.ReaderAt, size int64) (*Binary, error) {
	f, err := pe.Open(r, size)
	if err != nil {
		return nil, fmt.Errorf("read the GRUB program: %w", err)
	}
	// Messages are in the modules, and in the core's text and data.
	found := map[string][]byte{"mods": nil, ".sbat": nil, ".text": nil, ".data": nil, ".rodata": nil}
	var messages [][]byte
	for _, s := range f.Sections() {
		if have, wanted := found[s.Name]; !wanted || have != nil || s.Size > maxMods {
			continue
		}
		b, err := io.ReadAll(f.At(s))
		if err != nil {
			return nil, fmt.Errorf("read the GRUB program: section %s: %w", s.Name, err)
		}
		found[s.Name] = b
		messages = append(messages, b)
	}
	mods := found["mods"]
	if mods == nil {
		return nil, ErrNoModules
	}
	sbat := string(bytes.TrimRight(found[".sbat"], "\x00"))
	out := &Binary{Modules: []string{}}
	if err := out.readObjects(mods); err != nil {
		return nil, fmt.Errorf("read the GRUB program: %w", err)
	}
	out.Dialect = DialectOf(sbat, "")
	out.refine(messages)
	return out, nil
}

// readObjects reads what the section "mods" holds.
func (b *Binary) readObjects(mods []byte) error {
	le := binary.LittleEndian
	if len(mods) < headerBytes || le.Uint32(mods) != modsMagic {
		return ErrNoModules
	}
	at, end := le.Uint64(mods[8:]), le.Uint64(mods[16:])
	if end > uint64(len(mods)) || at > end {
		return fmt.Errorf("the modules are from %d to %d in a section of %d bytes", at, end, len(mods))
	}
	for at < end {
		if end-at < 8 {
			return fmt.Errorf("the object at %d is cut off", at)
		}
		kind, size := le.Uint32(mods[at:]), uint64(le.Uint32(mods[at+4:]))
		if size < 8 || size > end-at {
			return fmt.Errorf("the object at %d has %d bytes", at, size)
		}
		if err := b.readObject(kind, mods[at+8:at+size]); err != nil {
			return fmt.Errorf("the object at %d: %w", at, err)
		}
		at += size
	}
	return nil
}

func (b *Binary) readObject(kind uint32, data []byte) error {
	switch kind {
	case objectELF:
		if len(b.Modules) == maxModules {
			return fmt.Errorf("there are more than %d modules", maxModules)
		}
		name, err := moduleName(data)
		if err != nil {
			return err
		}
		b.Modules = append(b.Modules, name)
	case objectConf:
		b.Config = cString(data[:min(len(data), maxBuiltIn)])
	case objectPath:
		b.Prefix = cString(data[:min(len(data), maxBuiltIn)])
	case objectDisk:
		files, err := readMemdisk(data)
		if err != nil {
			b.MemdiskUnread = err.Error()
		}
		b.Memdisk = files
	}
	return nil
}

func moduleName(data []byte) (string, error) {
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return "", fmt.Errorf("read the module: %w", err)
	}
	s := f.Section(".modname")
	if s == nil || s.Size > 256 {
		return "", errors.New("the module has no name")
	}
	name, err := s.Data()
	if err != nil {
		return "", fmt.Errorf("read the module: %w", err)
	}
	return cString(name), nil
}

// refine corrects a dialect by the messages that a program holds: those tell
// which changes it has, whoever made it.
func (b *Binary) refine(sections [][]byte) {
	d := &b.Dialect
	has := func(text string) bool {
		return slices.ContainsFunc(sections, func(s []byte) bool { return bytes.Contains(s, []byte(text)) })
	}
	if d.TPM202 = has("grub_kernel_cmdline"); d.TPM202 {
		d.Name = strings.Replace(d.Name, Upstream214.Name, CoreOS.Name, 1)
		d.MemdiskFonts, d.SkipLoopback, d.KeepsStatus, d.Features = false, false, false, features206
	}
	d.MaxDepth = 0
	if has("maximum recursion depth exceeded\x00") {
		d.MaxDepth = 64
	}
	d.OpensTwice = has("\x00fw_path\x00")
	if slices.Contains(b.Modules, "blscfg") {
		d.RedHat, d.HexEscapes = true, true
		d.KeepsStatus = !d.TPM202
	}
	d.StrictShim = has("prohibited by secure boot policy")
	d.NoModules = d.RedHat || d.TPM202 || has("Secure Boot forbids loading module")
}
