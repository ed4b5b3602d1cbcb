package demo

import (
	"fmt"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/vtpm"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// machine is a machine with a vTPM, which boots by measuring what a log says.
type machine struct {
	tpm *vtpm.TPM
}

func newMachine() (*machine, error) {
	t, err := vtpm.New(vtpm.Options{})
	if err != nil {
		return nil, fmt.Errorf("make a vTPM: %w", err)
	}
	return &machine{tpm: t}, nil
}

// atLocality is a TPM's interface at another locality than 0.
type atLocality struct {
	tpm      *vtpm.TPM
	locality byte
}

// Send implements transport.TPM.
func (a atLocality) Send(command []byte) ([]byte, error) {
	return a.tpm.Execute(a.locality, command), nil
}

// boot resets the TPM and measures every event of the log into it, as the
// programs that booted did.
func (m *machine) boot(log *eventlog.Log) error {
	m.tpm.Init()
	locality, err := log.StartupLocality()
	if err != nil {
		return fmt.Errorf("boot: %w", err)
	}
	_, err = tpm2.Startup{StartupType: tpm2.TPMSUClear}.Execute(atLocality{m.tpm, locality})
	if err != nil {
		return fmt.Errorf("boot: start the TPM at locality %d: %w", locality, err)
	}
	for i := range log.Events {
		e := &log.Events[i]
		if !e.Measured() {
			continue
		}
		if err := extend(m.tpm, e); err != nil {
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

// pcrs reads all PCRs of all banks.
func (m *machine) pcrs() (pcr.Values, error) {
	values := make(pcr.Values)
	all, err := pcr.ParseSelection("0-23")
	if err != nil {
		return nil, err
	}
	for _, b := range pcr.Banks() {
		read, err := seal.ReadPCRs(m.tpm, pcr.BankSelection{Bank: b, PCRs: all})
		if err != nil {
			return nil, err
		}
		values[b] = read[b]
	}
	return values, nil
}
