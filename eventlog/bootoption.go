package eventlog

// BootOption is the contents of a Boot#### variable (UEFI specification,
// EFI_LOAD_OPTION).
type BootOption struct {
	Attributes  uint32     `json:"attributes"` // bit 0: active
	Description string     `json:"description"`
	Path        DevicePath `json:"path"`
	Options     int        `json:"options"` // size of the optional data, bytes
}

// String is the description and the place.
func (o BootOption) String() string {
	s := `"` + quote(o.Description) + `"`
	switch p := o.Path; {
	case p.File != "":
		s += ", " + quote(p.File)
	case p.Media != "":
		s += ", " + p.Media
	case p.Text != "":
		s += ", " + quote(p.Text)
	}
	return s
}

// parseBootOption returns nil for data of another form.
func parseBootOption(data []byte) *BootOption {
	c := cursor{buf: data}
	o := BootOption{Attributes: c.u32()}
	pathSize := c.u16()
	start := c.off
	for c.u16() != 0 && !c.short {
		// The description ends with a NUL.
	}
	if c.short {
		return nil
	}
	o.Description = utf16Z(data[start:c.off])
	path, err := parseDevicePath(c.bytes(uint64(pathSize)))
	if c.short || err != nil {
		return nil
	}
	o.Path, o.Options = path, c.left()
	return &o
}
