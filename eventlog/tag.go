package eventlog

import "fmt"

// Tag is a tagged event (PFP, "EV_EVENT_TAG"): a number that says who wrote it
// and what it is, and a description.
type Tag struct {
	ID   uint32 `json:"id"`
	Name string `json:"name,omitempty"` // the description, where it is text
	Size int    `json:"size"`           // bytes of tagged data
}

// Tags of the Linux EFI stub and of systemd.
const (
	tagLoadOptions     = 0x8F3B22ED
	tagInitrd          = 0x8F3B22EC
	tagLoaderConf      = 0xF5BC582A
	tagDeviceTreeAddon = 0x6C46F751
	tagInitrdAddon     = 0x49DFFE0F
	tagUcodeAddon      = 0xDAC08E1A
	tagUKIProfile      = 0x13AED6DB
	tagSMBIOS1         = 0xD5CB7CBC
	tagSMBIOS2         = 0xE0D47BC8
	tagSMBIOS11        = 0xC0B3BD23
)

// Initrd reports whether the Linux EFI stub measured an initial ramdisk.
func (t Tag) Initrd() bool { return t.ID == tagInitrd }

// Kind returns "tag".
func (Tag) Kind() string { return "tag" }

// String explains the tag.
func (t Tag) String() string {
	switch t.ID {
	case tagLoadOptions:
		return "kernel command line, as the kernel received it"
	case tagInitrd:
		return "initial ramdisk, as the kernel loaded it"
	case tagLoaderConf:
		return "systemd-boot's configuration, loader.conf"
	case tagDeviceTreeAddon:
		return "add-on to the unified kernel image: device tree " + quote(t.Name)
	case tagInitrdAddon:
		return "add-on to the unified kernel image: initial ramdisk " + quote(t.Name)
	case tagUcodeAddon:
		return "add-on to the unified kernel image: microcode " + quote(t.Name)
	case tagUKIProfile:
		return "profile chosen in the unified kernel image: " + quote(t.Name)
	case tagSMBIOS1:
		return "system information from the firmware (SMBIOS type 1)"
	case tagSMBIOS2:
		return "board information from the firmware (SMBIOS type 2)"
	case tagSMBIOS11:
		return "vendor strings from the firmware (SMBIOS type 11)"
	}
	if t.Name != "" {
		return fmt.Sprintf("tagged event 0x%08x: %s", t.ID, quote(t.Name))
	}
	return fmt.Sprintf("tagged event 0x%08x (%s)", t.ID, bytesText(uint64(t.Size)))
}

func decodeTag(e *Event) Body {
	c := cursor{buf: e.Data}
	id, size := c.u32(), c.u32()
	data := c.bytes(uint64(size))
	if c.short {
		return malformed(e, "not a tag, a length and data")
	}
	t := Tag{ID: id, Size: len(data)}
	if s, ok := bootText(data); ok {
		t.Name = s
	}
	return t
}
