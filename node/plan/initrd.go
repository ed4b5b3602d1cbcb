package plan

import (
	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
)

// initrdPCRs returns the PCRs of which each alone covers the initial ramdisk of a boot,
// none where nobody measures it: a kernel's EFI stub that reads initrd= itself does not
// (Linux, drivers/firmware/efi/libstub), nor does GRUB without its tpm module.
func initrdPCRs(log *eventlog.Log) pcr.Selection {
	var s pcr.Selection
	for _, x := range eventlog.Explain(log) {
		tag, isTag := x.Body.(eventlog.Tag)
		switch {
		case x.Stage == eventlog.GRUB && x.PCR == 9:
			s = s.With(9) // it measures whatever it reads
		case x.Stage == eventlog.SystemdStub && x.PCR == 11:
			s = s.With(11).With(4) // the image as a whole is one program
		case x.Stage == eventlog.Kernel && x.PCR == 9 && isTag && tag.Initrd():
			s = s.With(9)
		}
	}
	return s
}

// covers reports whether the PCRs have one of those that would do.
func covers(pcrs, anyOf pcr.Selection) bool { return pcrs&anyOf != 0 }
