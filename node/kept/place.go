package kept

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrElsewhere is returned for a folder that does not lie on the volume's own file
// system: a secret there could be read without opening the volume.
var ErrElsewhere = errors.New("is not on this volume's own encrypted file system")

// Allowed reports whether the secret of the volume with the UUID may be kept in the
// folder, or in the first one above it that is there: nil, or an error with
// [ErrElsewhere] that says what lies there instead. host is where the machine's /sys
// and /proc are, "/" but for tests.
func Allowed(host, folder, uuid string) error {
	st, err := statExisting(folder)
	if err != nil {
		return err
	}
	return onVolume(host, folder, unix.Major(st.Dev), unix.Minor(st.Dev), uuid)
}

func statExisting(path string) (st unix.Stat_t, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return st, err
	}
	for {
		err = unix.Stat(path, &st)
		if err == nil || !errors.Is(err, unix.ENOENT) || path == "/" {
			break
		}
		path = filepath.Dir(path)
	}
	if err != nil {
		return st, fmt.Errorf("stat %s: %w", path, err)
	}
	return st, nil
}

// onVolume decides by the number of the device that the folder's file system is on.
func onVolume(host, folder string, major, minor uint32, uuid string) error {
	where := func(what string) error { return fmt.Errorf("%s %w: it is on %s", folder, ErrElsewhere, what) }
	id := fmt.Sprintf("%d:%d", major, minor)
	devices := []string{filepath.Join(host, "sys/dev/block", id)}
	if major == 0 { // no block device of its own: btrfs, and what is in memory or on the network
		kind, found, err := poolDevices(host, id)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return where("a file system of type " + kind)
		}
		devices = found
	}
	for _, d := range devices {
		leaf, err := outside(d, strings.ReplaceAll(uuid, "-", ""), maxDepth)
		if err != nil {
			return fmt.Errorf("find out what %s is on: %w", folder, err)
		}
		if leaf != "" {
			return where(leaf)
		}
	}
	return nil
}

// maxDepth bounds how many devices lie below one another.
const maxDepth = 16

// outside walks from a device down to those that it is made of, and returns the first
// that is reached by a way which does not lead through the volume, "" if there is none.
func outside(device, uuid string, depth int) (string, error) {
	dir, err := filepath.EvalSymlinks(device)
	if err != nil {
		return "", err
	}
	if depth == 0 {
		return "", fmt.Errorf("%s: more than %d devices below one another", dir, maxDepth)
	}
	// The kernel's name for a mapping has what made it in front (cryptsetup,
	// lib/utils_devpath.c, dm_prepare_uuid: CRYPT-LUKS2-UUID-NAME).
	if text, err := os.ReadFile(filepath.Join(dir, "dm/uuid")); err == nil {
		if strings.HasPrefix(string(text), "CRYPT-LUKS2-"+uuid+"-") {
			return "", nil
		}
	}
	below, err := filepath.Glob(filepath.Join(escape(dir), "slaves/*"))
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(dir, "partition")); err == nil {
		below = append(below, filepath.Dir(dir))
	}
	if len(below) == 0 {
		return filepath.Base(dir), nil
	}
	for _, b := range below {
		if leaf, err := outside(b, uuid, depth-1); err != nil || leaf != "" {
			return leaf, err
		}
	}
	return "", nil
}

// escape keeps Glob from taking a path's own characters for a pattern.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// poolDevices returns the devices of the file system that the kernel numbers with an
// id of no device, as btrfs: all of the pool, for any of them has some of the data.
func poolDevices(host, id string) (kind string, devices []string, err error) {
	kind, source, err := mountOf(host, id)
	if err != nil || kind != "btrfs" {
		return kind, nil, err
	}
	name, err := filepath.EvalSymlinks(source)
	if err != nil {
		return kind, nil, fmt.Errorf("find the devices of %s: %w", source, err)
	}
	pools, err := filepath.Glob(filepath.Join(escape(host), "sys/fs/btrfs/*/devices", escape(filepath.Base(name))))
	if err != nil || len(pools) != 1 {
		return kind, nil, err
	}
	devices, err = filepath.Glob(filepath.Join(escape(filepath.Dir(pools[0])), "*"))
	return kind, devices, err
}

// mountOf finds a mounted file system by its number (proc_pid_mountinfo(5)): its type
// and what was mounted.
func mountOf(host, id string) (kind, source string, err error) {
	f, err := os.Open(filepath.Join(host, "proc/self/mountinfo"))
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		front, back, ok := strings.Cut(lines.Text(), " - ")
		a, b := strings.Fields(front), strings.Fields(back)
		if ok && len(a) > 2 && len(b) > 1 && a[2] == id {
			return b[0], b[1], nil
		}
	}
	if err := lines.Err(); err != nil {
		return "", "", fmt.Errorf("read the mount table: %w", err)
	}
	return "", "", fmt.Errorf("the mount table has no file system %s", id)
}
