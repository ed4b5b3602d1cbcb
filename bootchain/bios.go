package bootchain

import (
	"github.com/bootseal/bootseal/eventlog"
)

// isBIOS reports whether the log at hand is of a boot without UEFI: no event of
// UEFI's types, but boot code in PCR 4 (TCG PC Client Specific Implementation
// Specification for Conventional BIOS, "EV_IPL"; SeaBIOS, tcgbios.c).
func (k *known) isBIOS() bool {
	code := false
	for i := range k.Log.Events {
		e := &k.Log.Events[i]
		if e.Type >= eventlog.EFIEventBase {
			return false
		}
		switch e.Type {
		case eventlog.IPL, eventlog.IPLPartitionData, eventlog.CompactHash, eventlog.ActionType:
			code = code || e.PCR == 4
		}
	}
	return code
}

// biosPath is all that there is to say about a BIOS boot. It measures itself and
// option ROMs (PCRs 0 to 3 and 6), and of the disk the first sector and its
// partition table (4 and 5). What that sector loads is measured by nobody before
// GRUB, and lies outside of any file.
func (k *known) biosPath() Path {
	w := k.walk(&k.Files, k.vars)
	w.enter(eventlog.Firmware, "BIOS, boot sector")
	for i := range k.Log.Events {
		switch e := &k.Log.Events[i]; e.PCR {
		case 4, 5:
			w.copy(i, "the BIOS measures the disk's first sector: it holds as long as nobody installs a boot loader or changes partitions")
		case 8, 9:
			w.copy(i, "GRUB did this at the running boot")
		default:
			w.copy(i, "only the BIOS knows this; it holds as long as it and its settings stay")
		}
	}
	w.doubt("this machine boots by BIOS: boot code lies in sectors outside of files, and what it measures is not predicted", 4, 5, 8, 9)
	return w.done()
}
