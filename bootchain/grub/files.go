package grub

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// resolve turns a file name of a script into a device and a path. status is an
// error's.
func (r *run) resolve(name string) (f File, status int) {
	if strings.HasPrefix(name, "(") {
		i := strings.IndexByte(name, ')')
		if i < 0 {
			return f, r.fail(errBadFilename, "missing `)' symbol")
		}
		f = File{name[1:i], name[i+1:]}
	} else {
		f = File{r.get("root"), name}
	}
	if f.Device == "" {
		f.Device = r.get("root")
	}
	if f.Device == "" {
		return f, r.fail(errBadDevice, "variable `root' isn't set")
	}
	return f, ok
}

// isMemdisk and isProc are devices whose files are not measured.
func isMemdisk(f File) bool { return f.Device == "memdisk" }
func isProc(f File) bool    { return f.Device == "proc" }

// clean makes a path that the World can look up: slashes are single, as GRUB skips
// the others.
func clean(p string) string {
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	return p
}

// stat asks the World, or the memdisk. Where the World cannot tell, both answers
// are tried: expected is the one that is taken to be likelier. The Info then has
// no name.
func (r *run) stat(f File, expected bool) (Info, bool, error) {
	f.Path = clean(f.Path)
	var info Info
	var err error
	if isMemdisk(f) {
		info, err = r.statMemdisk(f)
	} else {
		info, err = r.world.Stat(f)
	}
	switch {
	case err == nil:
		return info, true, nil
	case notThere(err):
		return info, false, nil
	case !errors.Is(err, ErrUnknown):
		return info, false, fmt.Errorf("look for %s: %w", f, err)
	}
	is, isNot := alternative{fmt.Sprintf("%s exists", f), costMissing}, alternative{fmt.Sprintf("%s does not exist", f), costMissing}
	if expected {
		return info, r.choices.pick(is, isNot) == 0, nil
	}
	return info, r.choices.pick(isNot, is) == 1, nil
}

func (r *run) statMemdisk(f File) (Info, error) {
	if r.image.MemdiskUnread != "" {
		return Info{}, ErrUnknown
	}
	dir := strings.TrimRight(f.Path, "/") + "/"
	for name, text := range r.image.Memdisk {
		if name == f.Path {
			return Info{Name: path.Base(name), Size: int64(len(text))}, nil
		}
		if strings.HasPrefix(name, dir) {
			return Info{Name: path.Base(f.Path), Dir: true}, nil
		}
	}
	return Info{}, fs.ErrNotExist
}

// opened is a file that open found.
type opened struct {
	file File
	info Info
	name string
}

// open opens a file and measures it, as all of GRUB's opens do. status is that of
// an error, which open prints unless quiet is set.
func (r *run) open(name string, role Role, quiet bool) (o opened, status int, err error) {
	return r.openAs(name, role, quiet, true)
}

// openAs is open; measured is false for files that GRUB opens without verifiers,
// as with --skip-sig.
func (r *run) openAs(name string, role Role, quiet, measured bool) (o opened, status int, err error) {
	f, status := r.resolve(name)
	if status != ok {
		return o, status, nil
	}
	o = opened{file: f, name: name}
	if !strings.HasPrefix(f.Path, "/") {
		return r.openBlocks(o, measured)
	}
	info, there, err := r.stat(f, true)
	switch {
	case err != nil:
		return o, 0, err
	case !there && quiet:
		return o, errFileNotFound, nil
	case !there:
		return o, r.fail(errFileNotFound, "file `%s' not found", f.Path), nil
	case info.Dir:
		return o, r.fail(errBadFileType, "not a regular file"), nil
	}
	o.info = info
	if measured && !r.image.Dialect.TPM202 {
		r.measureFile(o, role)
	}
	refused := role == Module || role == Font || role == DeviceTree
	if refused && r.image.SecureBoot && r.image.Dialect.StrictShim && !isMemdisk(f) {
		return o, r.fail(errAccessDenied, "prohibited by secure boot policy"), nil
	}
	return o, ok, nil
}

// openBlocks opens a list of blocks ("(hd0)+1"), whose contents no World tells.
func (r *run) openBlocks(o opened, measured bool) (opened, int, error) {
	if o.file.Path == "" || strings.Trim(o.file.Path, "0123456789+,") != "" {
		return o, r.fail(errBadFilename, "invalid file name `%s'", o.name), nil
	}
	if measured && r.measures() {
		r.doubt(fmt.Sprintf("the blocks %s are measured", o.name), 9)
	}
	return o, ok, nil
}

// measureFile measures an open file into PCR 9.
func (r *run) measureFile(o opened, role Role) {
	if isMemdisk(o.file) || isProc(o.file) || !r.measures() {
		return
	}
	e := Effect{Kind: Opened, Text: o.name, File: o.file, Role: role, Script: r.script, Line: r.line}
	e.File.Path = clean(e.File.Path)
	e.Contents = bytes.Clone(r.blocks[e.File])
	if r.image.Dialect.TPM202 {
		e.Text = text202(role, o.name, r.verb)
	}
	r.out.Effects = append(r.out.Effects, e)
}

// text202 is how the 2.02 forks log a file.
func text202(role Role, name, verb string) string {
	switch {
	case role == Module:
		return "grub_module " + name
	case role == Initrd && verb == "initrdefi":
		return "grub_linuxefi Initrd"
	case role == Initrd:
		return "grub_initrd Initrd"
	case role == Kernel && verb == "linux16":
		return "grub_linux16 Kernel"
	case role == Kernel && verb == "linuxefi":
		return "grub_linuxefi Kernel"
	case role == Kernel:
		return "grub_linux Kernel"
	}
	return "grub_multiboot " + name
}

// read returns what an open file contains. what is lost if the World cannot tell.
func (r *run) read(o opened) ([]byte, error) {
	f := File{o.file.Device, clean(o.file.Path)}
	if b, changed := r.blocks[f]; changed {
		return b, nil
	}
	var b []byte
	var err error
	if isMemdisk(f) {
		text, there := r.image.Memdisk[f.Path]
		if b = []byte(text); !there {
			err = ErrUnknown
		}
	} else {
		b, err = r.world.ReadFile(f)
	}
	if err == nil {
		err = r.charge(len(b))
	}
	return b, err
}

// text returns the contents of a file that steers GRUB. Where they are not known
// the run is lost.
func (r *run) text(o opened) (string, error) {
	b, err := r.read(o)
	switch {
	case errors.Is(err, errStop):
		return "", err
	case errors.Is(err, ErrUnknown):
		return "", r.lost(fmt.Sprintf("the text of %s is not known", o.file), 4, 8, 9)
	case err != nil:
		return "", fmt.Errorf("read %s: %w", o.file, err)
	case len(b) > maxScript:
		return "", r.lost(fmt.Sprintf("%s has more than %d MiB", o.file, maxScript>>20), 4, 8, 9)
	case bytes.HasPrefix(b, []byte{0x1f, 0x8b}):
		return "", r.lost(fmt.Sprintf("%s is compressed", o.file), 4, 8, 9)
	}
	return string(b), nil
}
