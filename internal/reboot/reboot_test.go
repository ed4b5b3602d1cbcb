package reboot_test

import (
	"testing"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/internal/reboot"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// After each boot the vTPM has the values that the real machine's TPM had, whatever
// was booted before: but for PCR 10, which the kernel extends and no boot log tells.
func TestVTPM(t *testing.T) {
	tpm := vtpmtest.Open(t)
	for _, name := range boots.Names() {
		b, err := boots.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := reboot.VTPM(tpm.TPM, b.Log); err != nil {
			t.Fatal(err)
		}
		got, err := seal.ReadPCRs(tpm, pcr.BankSelection{Bank: pcr.SHA256, PCRs: pcr.AllPCRs})
		if err != nil {
			t.Fatal(err)
		}
		verdicts, err := eventlog.Verify(b.Log, got)
		if err != nil || !eventlog.Verified(verdicts) {
			t.Errorf("%s: log and vTPM do not agree: %v", name, err)
		}
		for i, want := range b.PCRs[pcr.SHA256] {
			if have, _ := got.Get(pcr.SHA256, i); i != 10 && !have.Equal(want) {
				t.Errorf("%s: PCR %d is %s, was %s", name, i, have, want)
			}
		}
	}
}
