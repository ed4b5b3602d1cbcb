package unlock

import (
	"context"
	"errors"

	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/go-tpm/tpm2/transport"
)

// ErrNoTPM is returned for a machine without a TPM.
var ErrNoTPM = errors.New("this machine has no TPM")

// WaitTPM opens the machine's TPM. Its driver may be a module that udev is loading at
// this moment: where the firmware says that there is a TPM, it waits for the device,
// and says so. Without a TPM it fails with [ErrNoTPM] at once. host is where the
// machine's /dev and /sys are, "/" but for tests.
func WaitTPM(ctx context.Context, host string, wait time.Duration, open func(path string) (transport.TPMCloser, error), c *Console) (transport.TPMCloser, error) {
	const step = 100 * time.Millisecond
	told := false
	for deadline := time.Now().Add(wait); ; {
		tpm, err := openFirst(host, open)
		if err == nil {
			return tpm, nil
		}
		missing := errors.Is(err, fs.ErrNotExist)
		if missing && !promised(host) {
			return nil, ErrNoTPM
		}
		if time.Now().After(deadline) {
			if missing {
				err = errors.New("no /dev/tpmrm0: is its driver here?")
			}
			return nil, err
		}
		if !told {
			c.Say("waiting for the TPM, up to %s", wait)
			told = true
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(step):
		}
	}
}

// openFirst opens the device with the kernel's resource manager, or the one without.
func openFirst(host string, open func(path string) (transport.TPMCloser, error)) (transport.TPMCloser, error) {
	tpm, err := open(filepath.Join(host, "dev/tpmrm0"))
	if !errors.Is(err, fs.ErrNotExist) {
		return tpm, err
	}
	// Kernels before 4.12 have no other; it has one user at a time.
	return open(filepath.Join(host, "dev/tpm0"))
}

// promised reports whether firmware or kernel know of a TPM: by the ACPI table, by the
// device tree, or by the driver.
func promised(host string) bool {
	for _, sign := range []string{"sys/firmware/acpi/tables/TPM2", "sys/class/tpm/tpm0", "sys/kernel/security/tpm0"} {
		if _, err := os.Stat(filepath.Join(host, sign)); err == nil {
			return true
		}
	}
	for _, pattern := range []string{"sys/firmware/devicetree/base/tpm*", "sys/firmware/devicetree/base/*/tpm*", "sys/firmware/devicetree/base/*/*/tpm*"} {
		if found, err := filepath.Glob(filepath.Join(host, pattern)); err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}

// patience is how long a command may take. The kernel's own limit for the slowest, a key
// generation, is five minutes; what is asked for here takes a second.
const patience = 30 * time.Second

// guarded is a TPM that is given up when it does not answer: a disk that opens by the
// recovery key is not to wait for a TPM that hangs.
type guarded struct {
	transport.TPMCloser
	limit time.Duration
	once  sync.Once
	dead  bool
}

var errHangs = errors.New("the TPM does not answer")

// Send implements transport.TPM.
func (g *guarded) Send(command []byte) ([]byte, error) {
	if g.dead {
		return nil, errHangs
	}
	type result struct {
		response []byte
		err      error
	}
	done := make(chan result, 1)
	go func() {
		response, err := g.TPMCloser.Send(command)
		done <- result{response, err}
	}()
	select {
	case r := <-done:
		return r.response, r.err
	case <-time.After(g.limit):
		g.dead = true
		return nil, errHangs
	}
}

// Close closes the TPM once, and does not wait for one that hangs.
func (g *guarded) Close() (err error) {
	g.once.Do(func() {
		if g.dead {
			go g.TPMCloser.Close()
			return
		}
		err = g.TPMCloser.Close()
	})
	return err
}
