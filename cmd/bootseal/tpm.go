package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/bootseal/bootseal/cmd/internal/tpmlink"
	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/store"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// defaultDevice is Linux's TPM device with a resource manager.
const defaultDevice = "/dev/tpmrm0"

const tpmUsage = `the TPM: device:PATH, swtpm:SOCKET or swtpm:HOST:PORT, embedded:DIR, or embedded:
(in memory); device:` + defaultDevice + ` where it exists`

const tpmChoices = `
  --tpm device:PATH       a TPM device, such as /dev/tpmrm0 (needs group tss, or root)
  --tpm swtpm:SOCKET      the data channel of swtpm or of bootseal's vTPM, a unix socket
  --tpm swtpm:HOST:PORT   the same over TCP
  --tpm embedded:DIR      a vTPM of bootseal's own with its state in DIR
  --tpm embedded:         the same in memory, gone at the end`

// openTPM opens the TPM that --tpm names, or shares it where the verb has it open
// already: swtpm serves one connection and lets another wait, and /dev/tpm0 refuses it.
func (a *app) openTPM() (transport.TPMCloser, error) {
	if a.shared == nil {
		tpm, err := a.newTPM()
		if err != nil {
			return nil, err
		}
		a.shared = &sharedTPM{TPMCloser: tpm, app: a}
	}
	a.shared.users++
	return a.shared, nil
}

// sharedTPM is closed when the last of its users has closed it.
type sharedTPM struct {
	transport.TPMCloser
	app   *app
	users int
}

// Close ends one use.
func (s *sharedTPM) Close() error {
	if s.users--; s.users > 0 {
		return nil
	}
	s.app.shared = nil
	return s.TPMCloser.Close()
}

func (a *app) newTPM() (transport.TPMCloser, error) {
	if a.tpm == "" {
		if _, err := os.Stat(defaultDevice); err != nil {
			return nil, fmt.Errorf("no TPM: %s does not exist; say which one to use:%s", defaultDevice, tpmChoices)
		}
		return openDevice(defaultDevice)
	}
	kind, where, ok := strings.Cut(a.tpm, ":")
	switch {
	case ok && kind == "device" && where != "":
		return openDevice(where)
	case ok && kind == "swtpm" && where != "":
		return tpmlink.Socket(where)
	case ok && kind == "embedded":
		return a.openEmbedded(where)
	}
	return nil, fmt.Errorf("--tpm %s names no TPM; use one of:%s", a.tpm, tpmChoices)
}

func openDevice(path string) (transport.TPMCloser, error) {
	tpm, err := tpmlink.Device(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; otherwise use one of:%s", err, tpmChoices)
	}
	return tpm, err
}

// openEmbedded starts a vTPM in this process: a boot of its own, whose PCRs hold
// nothing yet.
func (a *app) openEmbedded(dir string) (transport.TPMCloser, error) {
	e := new(embedded)
	var options vtpm.Options
	if dir != "" {
		state, err := a.openEmbeddedState(dir)
		if err != nil {
			return nil, err
		}
		options.Store, e.state = state, state
	}
	var err error
	if e.TPM, err = vtpm.New(options); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", dir, err), e.closeState())
	}
	if _, err := (tpm2.Startup{StartupType: tpm2.TPMSUClear}).Execute(e.TPM); err != nil {
		return nil, errors.Join(fmt.Errorf("start the vTPM: %w", err), e.closeState())
	}
	return e, nil
}

// embedded is a vTPM with its state's directory, nil when it is in memory.
type embedded struct {
	*vtpm.TPM
	state *store.Directory
}

// Close shuts the vTPM down in order.
func (e *embedded) Close() error {
	_, err := (tpm2.Shutdown{ShutdownType: tpm2.TPMSUClear}).Execute(e.TPM)
	return errors.Join(err, e.closeState())
}

func (e *embedded) closeState() error {
	if e.state == nil {
		return nil
	}
	return e.state.Close()
}
