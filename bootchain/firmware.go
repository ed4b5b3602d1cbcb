package bootchain

import (
	"github.com/bootseal/bootseal/eventlog"
)

// firmware: its own code and settings (PCRs 0 to 3, 5 to 7) stay as they are
// unless somebody changes them, which the files do not show. What it loads is
// measured into PCR 4 by its Authenticode digest (TCG PC Client Platform
// Firmware Profile, "Event Types", EV_EFI_BOOT_SERVICES_APPLICATION).
func (f *follower) firmware(c Component) {
	for _, i := range c.Events {
		switch b := f.body(i).(type) {
		case eventlog.Image:
			f.image(i, b.Path.File)
		case eventlog.Variable:
			f.copied(i, variableReason(b))
		case eventlog.GPT:
			f.copied(i, "the partition table is taken to stay as it is")
		case eventlog.Separator, eventlog.Action:
			f.copied(i, "the firmware does the same at every boot")
		case eventlog.SpecHeader, eventlog.StartupLocality, eventlog.NoActionData:
			f.copied(i, "information, not measured")
		default:
			f.copied(i, "the firmware and its settings are taken to stay as they are")
		}
	}
}

func variableReason(v eventlog.Variable) string {
	if v.Authority {
		return "the certificate that the next program is accepted for is taken to stay the same"
	}
	return "the firmware's variables are taken to stay as they are"
}
