package grub

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

var envOptions = []option{{long: "file", short: 'f', value: true}, {long: "skip-sig", short: 's'}}

// openEnvironment opens an environment block: that of --file, or the prefix's.
// With --skip-sig GRUB leaves out its verifiers, and with them the measurement.
func (r *run) openEnvironment(c *call, measured bool) (o opened, status int, err error) {
	name := c.value("file")
	if !c.has("file") {
		prefix, set := r.lookup("prefix")
		if !set {
			return o, r.fail(errFileNotFound, "variable `prefix' isn't set"), nil
		}
		name = prefix + "/grubenv"
	}
	return r.openAs(name, Environment, false, measured && !c.has("skip-sig"))
}

// environment returns what an environment block holds.
func (r *run) environment(o opened) ([]byte, error) {
	b, err := r.read(o)
	if errors.Is(err, ErrUnknown) {
		return nil, r.lost(fmt.Sprintf("what %s holds is not known", o.file), 4, 8, 9)
	}
	if err != nil && !errors.Is(err, errStop) {
		err = fmt.Errorf("read %s: %w", o.file, err)
	}
	return b, err
}

// cmdLoadEnv is load_env, and list_env, which sets nothing.
func cmdLoadEnv(r *run, c *call) (int, error) {
	o, status, err := r.openEnvironment(c, true)
	if err != nil || status != ok {
		return status, err
	}
	b, err := r.environment(o)
	if err != nil {
		return 0, err
	}
	vars, valid := ParseEnvironment(b)
	if !valid {
		return r.fail(errBadFileType, "invalid environment block"), nil
	}
	if f := (File{o.file.Device, clean(o.file.Path)}); r.loadedBlocks[f] == nil {
		r.loadedBlocks[f] = b
	}
	if c.name == "list_env" {
		return ok, nil
	}
	for _, v := range vars {
		if len(c.args) > 0 && !slices.Contains(c.args, v.Name) {
			continue
		}
		if err := r.set(v.Name, v.Value); err != nil {
			return 0, err
		}
	}
	return ok, nil
}

// cmdSaveEnv writes variables into an environment block. GRUB opens it without
// verifiers, so that nothing is measured.
func cmdSaveEnv(r *run, c *call) (int, error) {
	if len(c.args) == 0 {
		return r.fail(errBadArgument, "no variable is specified"), nil
	}
	o, status, err := r.openEnvironment(c, false)
	if err != nil || status != ok {
		return status, err
	}
	b, err := r.environment(o)
	if err != nil {
		return 0, err
	}
	if _, valid := ParseEnvironment(b); !valid {
		return r.fail(errBadFileType, "invalid environment block"), nil
	}
	if writable, err := r.writable(o.file); err != nil || !writable {
		return errNotYet, err
	}
	before := b
	for _, name := range c.args {
		value, set := r.lookup(name)
		if !set {
			b = UnsetEnvironment(b, name)
			continue
		}
		var fits bool
		if b, fits = SetEnvironment(b, name, value); !fits {
			return r.fail(errBadArgument, "environment block too small"), nil
		}
	}
	if !bytes.Equal(b, before) {
		f := File{o.file.Device, clean(o.file.Path)}
		r.blocks[f], r.out.Environment[f] = b, b
	}
	return ok, nil
}

// writable reports whether GRUB can write to a file: not where the file system or
// the layers below do not let it know the blocks.
func (r *run) writable(f File) (bool, error) {
	if isMemdisk(f) || isProc(f) {
		return false, nil
	}
	d, err := r.world.Device(f.Device)
	switch {
	case errors.Is(err, ErrUnknown), notThere(err):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("look at %s: %w", f.Device, err)
	}
	return !slices.Contains([]string{"btrfs", "zfs", "iso9660", "squash4", "ntfs", "procfs"}, d.FS) &&
		!slices.Contains([]string{"lvm", "diskfilter", "mdraid", "cryptodisk", "luks"}, d.Driver), nil
}
