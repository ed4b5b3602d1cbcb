package bootchain

import "github.com/bootseal/bootseal/eventlog"

// kernel: its EFI stub takes over the machine (PCR 5), which is the same for any
// kernel. The command line and the initial ramdisk that a stub measures (PCR 9)
// depend on how it was loaded.
func (f *follower) kernel(c Component) {
	for _, i := range c.Events {
		_, isAction := f.body(i).(eventlog.Action)
		switch {
		case isAction:
			f.copied(i, "every kernel takes over the machine in the same way")
		case len(f.changes) == 0:
			f.copied(i, "no file changes")
		default:
			f.unknown(i, changesInWords(f.changes)+", and what the kernel's stub measures then cannot be told yet")
		}
	}
}
