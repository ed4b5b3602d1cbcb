package eventlog

import (
	"fmt"
	"strings"
)

// Blob is firmware code at a place in memory (UEFI_PLATFORM_FIRMWARE_BLOB and
// UEFI_PLATFORM_FIRMWARE_BLOB2).
type Blob struct {
	Name   string `json:"name,omitempty"` // the firmware's description
	Base   uint64 `json:"base"`           // physical address
	Length uint64 `json:"length"`         // bytes
}

// Kind returns "firmware".
func (Blob) Kind() string { return "firmware" }

// String tells size and place.
func (b Blob) String() string {
	s := fmt.Sprintf("firmware code, %s at address 0x%x", bytesText(b.Length), b.Base)
	if b.Name != "" {
		s += " (" + quote(b.Name) + ")"
	}
	return s
}

func decodeBlob(e *Event) Body {
	c := cursor{buf: e.Data}
	var b Blob
	switch e.Type {
	case PostCode, PostCode2:
		// Firmware writes a string such as "ACPI DATA", or either form of a blob.
		if s, ok := printable(e.Data); ok && len(e.Data) != 16 {
			return Text{What: "firmware code", Text: s}
		}
		if len(e.Data) != 16 {
			b.Name = trimNUL(c.bytes(uint64(c.u8())))
		}
	case EFIFirmwareBlob2:
		b.Name = trimNUL(c.bytes(uint64(c.u8())))
	}
	b.Base, b.Length = c.u64(), c.u64()
	if c.short || c.left() != 0 {
		if e.Type == PostCode || e.Type == PostCode2 {
			return Opaque{What: "firmware code", Size: len(e.Data)}
		}
		return malformed(e, "not a description, an address and a length")
	}
	return b
}

// Tables are system tables that the firmware hands to the operating system,
// SMBIOS for example (UEFI_HANDOFF_TABLE_POINTERS and its second form).
type Tables struct {
	Name   string  `json:"name,omitempty"`
	Tables []Table `json:"tables"`
}

// Table is a table's GUID and physical address.
type Table struct {
	GUID    GUID   `json:"guid"`
	Address uint64 `json:"address"`
}

// Kind returns "tables".
func (Tables) Kind() string { return "tables" }

// String lists the tables.
func (t Tables) String() string {
	names := make([]string, 0, len(t.Tables))
	for i, tab := range t.Tables {
		if i == 4 {
			names = append(names, fmt.Sprintf("%d more", len(t.Tables)-i))
			break
		}
		if n := guidName(tab.GUID); n != "" {
			names = append(names, n)
		} else {
			names = append(names, tab.GUID.String())
		}
	}
	s := "hardware tables from the firmware: " + strings.Join(names, ", ")
	if t.Name != "" {
		s += " (" + quote(t.Name) + ")"
	}
	return s
}

func decodeTables(e *Event) Body {
	c := cursor{buf: e.Data}
	var t Tables
	if e.Type == EFIHandoffTables2 {
		t.Name = trimNUL(c.bytes(uint64(c.u8())))
	}
	n := c.u64()
	const entry = 24
	if c.short || n != uint64(c.left()/entry) || c.left()%entry != 0 {
		return malformed(e, "not a list of tables")
	}
	for range n {
		t.Tables = append(t.Tables, Table{GUID: c.guid(), Address: c.u64()})
	}
	return t
}
