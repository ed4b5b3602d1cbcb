package status

import (
	"io/fs"
	"strings"

	"github.com/bootseal/bootseal/internal/efivars"
)

// Firmware is how the machine was booted.
type Firmware struct {
	UEFI bool
	// Variables says that efivarfs is there with variables in it.
	Variables bool
	// The variables SecureBoot and SetupMode (UEFI specification, "Globally Defined
	// Variables"), nil where there is none or it cannot be read.
	SecureBoot, SetupMode *bool
	// ShimLax says that shim was told not to check signatures (its variable
	// MokSBState, which it shows as MokSBStateRT).
	ShimLax bool
}

const efivarfs = "sys/firmware/efi/efivars"

func readFirmware(root fs.FS) Firmware {
	var f Firmware
	if _, err := fs.Stat(root, "sys/firmware/efi"); err != nil {
		return f
	}
	f.UEFI = true
	entries, err := fs.ReadDir(root, efivarfs)
	f.Variables = err == nil && len(entries) > 0
	f.SecureBoot = readFlag(root, "SecureBoot", efivars.Global)
	f.SetupMode = readFlag(root, "SetupMode", efivars.Global)
	lax := readFlag(root, "MokSBStateRT", efivars.Shim)
	f.ShimLax = lax != nil && *lax
	return f
}

// readFlag reads a variable of one byte: efivarfs has four bytes of attributes
// before it.
func readFlag(root fs.FS, name, vendor string) *bool {
	data, err := fs.ReadFile(root, efivarfs+"/"+name+"-"+vendor)
	if err != nil || len(data) != 5 {
		return nil
	}
	on := data[4] == 1
	return &on
}

func judgeFirmware(f *Facts) []Line {
	w := &f.Firmware
	switch {
	case !w.UEFI:
		return []Line{{What: "firmware", Verdict: Warn, Says: "by a BIOS: what it measures does not follow from files, so that no boot can be predicted",
			Remedy: "boot this machine by UEFI; on a hypervisor that is a setting of the VM (OVMF, generation 2)"}}
	case !w.Variables:
		return []Line{{What: "firmware", Verdict: Unknown, Says: "by UEFI, whose variables cannot be seen: efivarfs is not mounted",
			Remedy: "mount -t efivarfs efivarfs /sys/firmware/efi/efivars"}}
	}
	return []Line{{What: "firmware", Verdict: OK, Says: "by UEFI, variables readable"}, judgeSecureBoot(w)}
}

func judgeSecureBoot(w *Firmware) Line {
	l := Line{What: "Secure Boot", Verdict: Warn}
	switch {
	case w.SecureBoot == nil:
		l.Says, l.Remedy = "the firmware has no such variable", "update the firmware, if the machine should have Secure Boot"
	case w.SetupMode != nil && *w.SetupMode:
		l.Says, l.Remedy = "setup mode: whoever is root can enroll keys", "enroll a platform key in the firmware's setup"
	case !*w.SecureBoot:
		l.Says = "off: any program boots, and PCR 7 says little"
		l.Remedy = "turn it on in the firmware's setup, and reseal: bootseal reseal. Sealing to 4 as well makes up for it"
	case w.ShimLax:
		l.Says, l.Remedy = "on, but shim was told not to check signatures", "mokutil --enable-validation, then reboot"
	default:
		l.Verdict, l.Says = OK, "on"
	}
	return l
}

// mounted reports whether a file system of a kind is mounted at a place.
func mounted(root fs.FS, kind, point string) bool {
	for line := range strings.Lines(readWord(root, "proc/self/mountinfo")) {
		before, after, ok := strings.Cut(line, " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if ok && len(left) >= 5 && len(right) >= 1 && left[4] == point && right[0] == kind {
			return true
		}
	}
	return false
}
