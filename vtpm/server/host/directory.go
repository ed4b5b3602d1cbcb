package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// What the directory holds beside its instances: names that no instance can have.
const (
	lockName = ".lock"
	bindName = ".bind" // sockets on their way to their place
)

// What an instance's directory holds.
const (
	configName  = "instance.json"
	configNew   = "instance.json.new"
	stateName   = "state"
	dataName    = "sock"
	controlName = "sock.ctrl"
)

const (
	// dirMode lets others reach a socket whose name they know, and see nothing.
	dirMode = 0o711
	// maxConfig bounds instance.json, which has certificates in it, in bytes.
	maxConfig = 1 << 20
)

// directory is the directory of a host. All of its files are reached through a root that
// no symbolic link leads out of, and nobody else may write there.
type directory struct {
	path string
	root *os.Root
	lock io.Closer
}

// openDirectory opens the directory, which is made if it is not there, and locks it.
func openDirectory(path string) (d *directory, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := makeDirectory(path); err != nil {
		return nil, fmt.Errorf("make the directory of the instances: %w", err)
	}
	d = &directory{path: path}
	if d.root, err = os.OpenRoot(path); err != nil {
		return nil, fmt.Errorf("open the directory of the instances: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	info, err := d.root.Stat(".")
	if err != nil {
		return d, err
	}
	if err := private(info); err != nil {
		return d, fmt.Errorf("%s: %w", path, err)
	}
	if d.lock, err = lockDirectory(d.root, lockName); err != nil {
		return d, fmt.Errorf("%s: %w", path, err)
	}
	if err := d.root.RemoveAll(bindName); err != nil {
		return d, err
	}
	return d, d.root.Mkdir(bindName, 0o700)
}

// makeDirectory makes the directory if it is not there. The umask has no say in what others
// need to reach a socket.
func makeDirectory(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(path, dirMode); err != nil {
		return err
	}
	return os.Chmod(path, dirMode)
}

func (d *directory) Close() error {
	err := d.root.Close()
	if d.lock != nil {
		err = errors.Join(err, d.lock.Close())
	}
	return err
}

// names returns what may be an instance: directories with the name of one, and links,
// which somebody could take for one.
func (d *directory) names() ([]string, error) {
	f, err := d.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if CheckName(e.Name()) == nil && (e.IsDir() || e.Type() == fs.ModeSymlink) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// removeEmpty removes an instance's directory if it is one and has nothing in it.
func (d *directory) removeEmpty(name string) bool {
	info, err := d.root.Lstat(name)
	return err == nil && info.IsDir() && d.root.Remove(name) == nil
}

// check returns an error when an instance's directory or the state in it is not a
// directory of our own: what a link or another user put there is not used.
func (d *directory) check(name string) error {
	for _, dir := range []string{name, filepath.Join(name, stateName)} {
		info, err := d.root.Lstat(dir)
		if errors.Is(err, fs.ErrNotExist) && dir != name {
			return nil
		}
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return fmt.Errorf("%s is no directory: %v", filepath.Join(d.path, dir), info.Mode().Type())
		}
		if err := private(info); err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(d.path, dir), err)
		}
	}
	return nil
}

// readConfig reads an instance's configuration.
func (d *directory) readConfig(name string) (c Config, err error) {
	if err := d.check(name); err != nil {
		return c, err
	}
	file := filepath.Join(name, configName)
	info, err := d.root.Lstat(file)
	if err != nil {
		return c, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxConfig {
		return c, fmt.Errorf("%s is no file of at most %d bytes", filepath.Join(d.path, file), maxConfig)
	}
	data, err := d.root.ReadFile(file)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return c, fmt.Errorf("%s: %w", filepath.Join(d.path, file), err)
	}
	if err := c.check(); err != nil {
		return c, fmt.Errorf("%s: %w", filepath.Join(d.path, file), err)
	}
	return c, nil
}

// writeConfig replaces an instance's configuration, durably and at once.
func (d *directory) writeConfig(name string, c Config) error {
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	// What a process left behind when it ended in the middle may be anything.
	if err := d.root.Remove(filepath.Join(name, configNew)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := d.root.OpenFile(filepath.Join(name, configNew), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := d.root.Rename(filepath.Join(name, configNew), filepath.Join(name, configName)); err != nil {
		return err
	}
	return d.sync(name)
}

// sync makes durable what the names in a directory stand for.
func (d *directory) sync(dir string) error {
	f, err := d.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// remove removes an instance's directory, its configuration last: until then it says that
// the rest is to go.
func (d *directory) remove(name string) error {
	f, err := d.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	entries, err := f.Readdirnames(-1)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	for _, entry := range entries {
		if entry == configName {
			continue
		}
		if err := d.root.RemoveAll(filepath.Join(name, entry)); err != nil {
			return err
		}
	}
	if err := d.root.RemoveAll(name); err != nil {
		return err
	}
	return d.sync(".")
}
