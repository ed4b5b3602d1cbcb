package pcr

// About says in words what a PCR is for, and what changes its value (TCG PC
// Client Platform Firmware Profile, "PCR Usage"; UAPI.7, "Linux TPM PCR
// Registry"). It has words for every index.
func About(index int) (purpose string, moves []string) {
	switch index {
	case 0:
		return "the firmware's code", []string{"the firmware is updated", "it is started at another locality"}
	case 1:
		return "the firmware's settings", []string{"a setting is changed in the firmware's menu", "a boot entry is added, or the boot order changes",
			"memory or devices are exchanged, on some machines"}
	case 2:
		return "drivers that cards bring along", []string{"a card is added, or its firmware is updated"}
	case 3:
		return "settings of such drivers", []string{"a card's settings change; on most machines never"}
	case 4:
		return "the programs that boot the machine", []string{"shim, GRUB, systemd-boot or a unified kernel image is updated",
			"the kernel is updated, where the firmware or shim loads it", "another boot entry is booted, or one fails before",
			"Secure Boot is turned on or off, where GRUB has shim check the kernel"}
	case 5:
		return "the partition table, and the boot loader's configuration", []string{"a partition is added, resized or marked otherwise (Flatcar's updates do)",
			"loader.conf changes, with systemd-boot 254 or later", "the firmware needs several tries to hand the machine over"}
	case 6:
		return "events of the machine's maker", []string{"the firmware's maker uses it; most do not"}
	case 7:
		return "Secure Boot: its state, its keys, and the certificates that programs were accepted for", []string{"Secure Boot is turned on or off",
			"db, dbx, KEK or PK is updated (dbx a few times a year)", "shim's revocation level (SBAT) rises",
			"a program is signed with another certificate than before"}
	case 8:
		return "GRUB's commands and the kernel's command line", []string{"grub.cfg changes: a new kernel does that",
			"a variable in grubenv changes a condition: recordfail, boot_success, next_entry", "another menu entry is booted"}
	case 9:
		return "files that GRUB reads; the initial ramdisk and the command line that the kernel's EFI stub gets", []string{"the kernel or the initial ramdisk is updated (update-initramfs does that)",
			"grub.cfg, grubenv or a module of GRUB changes", "the command line changes"}
	case 10:
		return "files that the running system uses (IMA)", []string{"the system runs: it cannot be predicted"}
	case 11:
		return "unified kernel images, and the phases of the boot", []string{"the unified kernel image is updated: each of its sections counts",
			"systemd enters the next phase: enter-initrd, leave-initrd, sysinit, ready"}
	case 12:
		return "the kernel's command line, credentials and add-ons", []string{"a boot loader entry's options change", "a credential or an add-on beside the image is added or changed",
			"somebody edits the command line in the boot menu"}
	case 13:
		return "system extensions for the initial ramdisk", []string{"an extension beside the unified kernel image is added or changed"}
	case 14:
		return "shim's own keys and settings", []string{"a machine owner's key (MOK) is enrolled or removed", "a new shim brings another certificate of its vendor"}
	case 15:
		return "the system's identity: volume keys, machine ID", []string{"systemd measures them, where that is turned on"}
	case 16:
		return "nothing: it is for debugging", []string{"any program extends or resets it"}
	case 23:
		return "nothing: it is for applications", []string{"any program extends or resets it"}
	}
	return "a dynamic launch (Intel TXT, AMD SKINIT)", []string{"such a launch happens"}
}
