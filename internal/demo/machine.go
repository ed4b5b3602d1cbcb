package demo

import (
	"fmt"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/reboot"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/vtpm"
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

// boot resets the TPM and measures every event of the log into it, as the
// programs that booted did.
func (m *machine) boot(log *eventlog.Log) error { return reboot.VTPM(m.tpm, log) }

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
