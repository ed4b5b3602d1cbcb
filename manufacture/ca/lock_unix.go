//go:build unix

package ca

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lockPatience is how long to wait for others: making a CA takes milliseconds, with RSA seconds.
// Where everybody can open the directory, somebody might hold its lock for good.
const lockPatience = 20 * time.Second

// lock waits until no other process makes a CA under the directory. It leaves no file.
func lock(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for waited := time.Duration(0); ; waited += lockPoll {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EINTR) && (!errors.Is(err, unix.EWOULDBLOCK) || waited > lockPatience) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), f.Close())
		}
		time.Sleep(lockPoll)
	}
}

const lockPoll = 10 * time.Millisecond
