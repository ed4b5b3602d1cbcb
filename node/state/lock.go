package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrLocked is returned where another process works on the volume.
var ErrLocked = errors.New("another bootseal is at work on this volume")

// Lock makes the volume's folder where it is missing, and keeps others from changing the
// volume until unlock is called or the process ends, whichever way. It waits for
// another one until the context ends, and then fails with [ErrLocked].
func Lock(ctx context.Context, root, uuid string) (unlock func(), err error) {
	dir, err := Make(root, uuid)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	const poll = 50 * time.Millisecond
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", dir, err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("%w: %s is locked", ErrLocked, dir)
		case <-time.After(poll):
		}
	}
}
