package eventlog

import "fmt"

// Image is a PE program that was loaded: a boot loader, a kernel, a driver
// (UEFI_IMAGE_LOAD_EVENT). The digest is the program's Authenticode hash; the
// fields are not measured.
type Image struct {
	Address  uint64     `json:"address"`  // in memory
	Length   uint64     `json:"length"`   // in memory, bytes
	LinkTime uint64     `json:"linkTime"` // link-time address, usually 0
	Path     DevicePath `json:"path"`
	Driver   bool       `json:"driver"`
}

// Kind returns "image".
func (Image) Kind() string { return "image" }

// String names the program by its file.
func (i Image) String() string {
	what := "program"
	if i.Driver {
		what = "driver"
	}
	return what + " " + i.where()
}

// where says in words where the image came from.
func (i Image) where() string {
	p := i.Path
	switch {
	case p.File != "" && p.Partition != nil:
		return fmt.Sprintf("%s on partition %d", quote(p.File), p.Partition.Number)
	case p.File != "":
		return quote(p.File)
	case p.Media != "":
		return p.Media
	case p.Text != "":
		return "from " + quote(p.Text)
	}
	return fmt.Sprintf("from memory, %s", bytesText(i.Length))
}

func decodeImage(e *Event) Body {
	c := cursor{buf: e.Data}
	img := Image{Address: c.u64(), Length: c.u64(), LinkTime: c.u64(), Driver: e.Type != EFIBootApplication}
	path := c.bytes(c.u64())
	if c.short {
		return malformed(e, "not an address, a length and a device path")
	}
	p, err := parseDevicePath(path)
	if err != nil {
		return malformed(e, err.Error())
	}
	img.Path = p
	return img
}
