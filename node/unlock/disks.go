package unlock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/disk"
	"github.com/bootseal/bootseal/node/expect"
	"github.com/bootseal/bootseal/node/volumes"
)

// searchTime is how long disks may take to be searched. One that fails can block a read
// for half a minute, and what is searched for is a hint.
const searchTime = 5 * time.Second

// maxDevices bounds how many block devices are searched.
const maxDevices = 128

// FindExpected reads what was expected of a volume's boots from the machine's boot
// partitions, without mounting them. Where there are several files, as on mirrored disks, it
// returns all of it. It fails with fs.ErrNotExist where there is none. host is where the machine's
// /dev and /sys are, "/" but for tests.
func FindExpected(ctx context.Context, host, uuid string) ([]expect.Boot, error) {
	if !volumes.IsUUID(uuid) { // it becomes a file's name
		return nil, fmt.Errorf("the volume has no proper UUID: %q", uuid)
	}
	devices, err := blockDevices(host)
	if err != nil {
		return nil, err
	}
	return within(ctx, searchTime, func() ([]expect.Boot, error) {
		var all []expect.Boot
		var wrong error
		for _, device := range devices {
			boots, err := expectedOn(device, uuid)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				wrong = fmt.Errorf("%s: %w", device, err)
			}
			all = append(all, boots...)
		}
		if len(all) == 0 && wrong == nil {
			wrong = fmt.Errorf("no %s on any boot partition: %w", expect.Path(uuid), fs.ErrNotExist)
		}
		if len(all) > 0 {
			wrong = nil
		}
		return all, wrong
	})
}

// within calls f for at most the time. f goes on behind its back after that: it has to
// be one that changes nothing. A panic of f is an error: it reads what anybody can have
// written, and the recovery key is still to be asked for.
func within[T any](ctx context.Context, limit time.Duration, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if p := recover(); p != nil {
				r.err = fmt.Errorf("it cannot be understood: %v", p)
			}
			done <- r
		}()
		r.value, r.err = f()
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	var none T
	select {
	case r := <-done:
		return r.value, r.err
	case <-timer.C:
		return none, fmt.Errorf("gave up after %s", limit)
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// blockDevices returns the partitions, and the disks without any.
func blockDevices(host string) ([]string, error) {
	dir := filepath.Join(host, "sys/class/block")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, e := range entries {
		if len(all) == maxDevices {
			break
		}
		if boots(e.Name()) && !hasPartitions(filepath.Join(dir, e.Name())) {
			all = append(all, filepath.Join(host, "dev", e.Name()))
		}
	}
	return all, nil
}

// boots reports whether a machine could have booted from a device of the name: not from
// what only a running system makes, nor from drives that take their time.
func boots(name string) bool {
	for _, prefix := range []string{"dm-", "loop", "ram", "zram", "fd", "sr", "nbd"} {
		if strings.HasPrefix(name, prefix) {
			return false
		}
	}
	return true
}

func hasPartitions(dir string) bool {
	found, err := filepath.Glob(filepath.Join(dir, filepath.Base(dir)+"*", "partition"))
	return err == nil && len(found) > 0
}

// expectedOn looks on one device.
func expectedOn(device, uuid string) ([]expect.Boot, error) {
	f, err := os.Open(device)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	d, err := disk.Open(f, size)
	if err != nil {
		return nil, nil // most devices hold something else
	}
	for _, v := range d.Volumes {
		for _, root := range []string{".", "boot"} {
			boots, err := expectedIn(v.FS, path.Join(root, filepath.ToSlash(expect.Path(uuid))))
			if !errors.Is(err, fs.ErrNotExist) {
				return boots, err
			}
		}
	}
	return nil, fs.ErrNotExist
}

func expectedIn(files fs.FS, name string) ([]expect.Boot, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return expect.Parse(f)
}

// ReadLog reads the running boot's event log.
func ReadLog(path string) (*eventlog.Log, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("the kernel shows none")
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return eventlog.Read(f, eventlog.Limits{})
}
