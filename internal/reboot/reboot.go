// Package reboot brings a TPM to the PCR values of a boot, by having it measure what
// the boot's event log says, as the programs that booted did.
package reboot

import (
	"fmt"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/vtpm"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// VTPM reboots a vTPM in this process, in order, and boots it with the log.
func VTPM(t *vtpm.TPM, log *eventlog.Log) error {
	locality, err := log.StartupLocality()
	if err != nil {
		return fmt.Errorf("boot: %w", err)
	}
	Shutdown(t)
	t.Init()
	if err := Startup(atLocality{t, locality}); err != nil {
		return fmt.Errorf("boot: start the TPM at locality %d: %w", locality, err)
	}
	return Measure(t, log)
}

// Shutdown tells a TPM that the machine goes down, as kernels do. Without it the TPM counts
// a try of dictionary attack protection. One that was never started has nothing to do.
func Shutdown(tpm transport.TPM) {
	_, _ = tpm2.Shutdown{ShutdownType: tpm2.TPMSUClear}.Execute(tpm)
}

// Startup starts a TPM that was reset.
func Startup(tpm transport.TPM) error {
	_, err := tpm2.Startup{StartupType: tpm2.TPMSUClear}.Execute(tpm)
	return err
}

// Measure extends the PCRs of a TPM that was just started with every event that is
// measured, in the banks of package pcr.
func Measure(tpm transport.TPM, log *eventlog.Log) error {
	for i := range log.Events {
		e := &log.Events[i]
		if !e.Measured() {
			continue
		}
		if err := extend(tpm, e); err != nil {
			return fmt.Errorf("boot: event %d: extend PCR %d: %w", e.Index, e.PCR, err)
		}
	}
	return nil
}

func extend(tpm transport.TPM, e *eventlog.Event) error {
	var digests []tpm2.TPMTHA
	for _, b := range pcr.Banks() {
		if d, ok := e.Digests[b]; ok {
			digests = append(digests, tpm2.TPMTHA{HashAlg: tpm2.TPMIAlgHash(b), Digest: d})
		}
	}
	_, err := tpm2.PCRExtend{
		PCRHandle: tpm2.AuthHandle{Handle: tpm2.TPMHandle(e.PCR), Auth: tpm2.PasswordAuth(nil)},
		Digests:   tpm2.TPMLDigestValues{Digests: digests},
	}.Execute(tpm)
	return err
}

// atLocality is a vTPM's interface at another locality than 0.
type atLocality struct {
	tpm      *vtpm.TPM
	locality byte
}

// Send implements transport.TPM.
func (a atLocality) Send(command []byte) ([]byte, error) {
	return a.tpm.Execute(a.locality, command), nil
}
