package unlock

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2/transport"
)

// device is a TPM that cannot do anything.
type device struct {
	path string
	send func() ([]byte, error)
}

func (d *device) Send([]byte) ([]byte, error) { return d.send() }
func (d *device) Close() error                { return nil }

func open(path string) (transport.TPMCloser, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	return &device{path: path}, nil
}

func put(t *testing.T, dir, path string) {
	t.Helper()
	path = filepath.Join(dir, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWaitTPM(t *testing.T) {
	for _, c := range []struct {
		name   string
		files  []string
		later  string // file that comes after a while
		opens  string
		err    error
		waited bool
	}{
		{"there", []string{"dev/tpmrm0", "dev/tpm0"}, "", "dev/tpmrm0", nil, false},
		{"an old kernel's", []string{"dev/tpm0"}, "", "dev/tpm0", nil, false},
		{"none", nil, "", "", ErrNoTPM, false},
		{"late, promised by ACPI", []string{"sys/firmware/acpi/tables/TPM2"}, "dev/tpmrm0", "dev/tpmrm0", nil, true},
		{"late, promised by a device tree", []string{"sys/firmware/devicetree/base/soc/spi@0/tpm@1/compatible"}, "dev/tpmrm0", "dev/tpmrm0", nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b strings.Builder
			dir := t.TempDir()
			for _, f := range c.files {
				put(t, dir, f)
			}
			if c.later != "" {
				time.AfterFunc(150*time.Millisecond, func() { put(t, dir, c.later) })
			}
			tpm, err := WaitTPM(t.Context(), dir, time.Minute, open, NewConsole(&b))
			if !errors.Is(err, c.err) || err == nil && tpm.(*device).path != filepath.Join(dir, c.opens) {
				t.Errorf("%v, %v", tpm, err)
			}
			if strings.Contains(b.String(), "waiting for the TPM, up to 1m0s") != c.waited {
				t.Errorf("says %q", b.String())
			}
		})
	}
}

// Another program has the TPM, and then it has not.
func TestABusyTPM(t *testing.T) {
	tries := 0
	tpm, err := WaitTPM(t.Context(), t.TempDir(), time.Minute, func(path string) (transport.TPMCloser, error) {
		if tries++; tries < 3 {
			return nil, errors.New("device or resource busy")
		}
		return &device{}, nil
	}, NewConsole(new(strings.Builder)))
	if err != nil || tpm == nil {
		t.Error(err)
	}
	if _, err := WaitTPM(t.Context(), t.TempDir(), 0, func(string) (transport.TPMCloser, error) { return nil, fs.ErrPermission }, NewConsole(new(strings.Builder))); !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := WaitTPM(ctx, t.TempDir(), time.Minute, func(string) (transport.TPMCloser, error) { return nil, fs.ErrPermission }, NewConsole(new(strings.Builder))); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A TPM that hangs is given up, once and for all.
func TestATPMThatHangs(t *testing.T) {
	var sent atomic.Int32
	release := make(chan struct{})
	defer close(release)
	g := &guarded{limit: 20 * time.Millisecond, TPMCloser: &device{send: func() ([]byte, error) {
		sent.Add(1)
		<-release
		return nil, errors.New("too late")
	}}}
	for range 2 {
		if _, err := g.Send(nil); !errors.Is(err, errHangs) {
			t.Error(err)
		}
	}
	if sent.Load() != 1 {
		t.Errorf("%d commands were sent", sent.Load())
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
}
