package eventlog

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// GUID is an EFI_GUID as it is stored: its first three groups are little-endian
// (UEFI specification, appendix "GUID and Time Formats").
type GUID [16]byte

// ParseGUID reads "8be4df61-93ca-11d2-aa0d-00e098032b8c".
func ParseGUID(s string) (GUID, error) {
	var g GUID
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != 16 || len(s) != 36 {
		return g, fmt.Errorf("%q is not a GUID", s)
	}
	binary.LittleEndian.PutUint32(g[0:], binary.BigEndian.Uint32(b[0:]))
	binary.LittleEndian.PutUint16(g[4:], binary.BigEndian.Uint16(b[4:]))
	binary.LittleEndian.PutUint16(g[6:], binary.BigEndian.Uint16(b[6:]))
	copy(g[8:], b[8:])
	return g, nil
}

// String prints the GUID in lower case.
func (g GUID) String() string {
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", binary.LittleEndian.Uint32(g[0:]),
		binary.LittleEndian.Uint16(g[4:]), binary.LittleEndian.Uint16(g[6:]), g[8:10], g[10:])
}

// MarshalText writes the GUID as [GUID.String] does.
func (g GUID) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// UnmarshalText reads what [ParseGUID] reads.
func (g *GUID) UnmarshalText(text []byte) error {
	v, err := ParseGUID(string(text))
	if err != nil {
		return err
	}
	*g = v
	return nil
}

func (c *cursor) guid() GUID {
	var g GUID
	copy(g[:], c.bytes(16))
	return g
}

// GUIDs that are compared, as text: the switches below stay readable, and the
// package keeps no tables.
const (
	guidGlobalVariable = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
	guidImageSecurity  = "d719b2cb-3d3a-4596-a3bc-dad00e67656f"
	guidShimLock       = "605dab50-e046-4300-abb6-3dd810dd8b23"
	guidStubPayload    = "55c5d1f8-04cd-46b5-8a20-e56cbb3052d0" // systemd-stub: the kernel in a UKI
	guidCertSHA256     = "c1c41626-504c-4092-aca9-41f936934328"
	guidCertX509       = "a5c059a1-94e4-4aa7-87b5-ab155c2bf072"
)

// mediaUKI is the [DevicePath.Media] of a kernel that systemd-stub starts.
const mediaUKI = "inside the unified kernel image"

// guidName returns what a vendor, owner, application or table GUID stands for,
// or "".
func guidName(g GUID) string {
	switch g.String() {
	case guidGlobalVariable:
		return "EFI global variable"
	case guidImageSecurity:
		return "EFI image security database"
	case guidShimLock:
		return "shim"
	case "77fa9abd-0359-4d32-bd60-28f4e78f784b":
		return "Microsoft"
	case guidStubPayload:
		return mediaUKI
	case "5568e427-68fc-4f3d-ac74-ca555231cc68":
		return "initial ramdisk from the boot loader"
	case "462caa21-7614-4503-836e-8ab6f4662331":
		return "firmware setup menu"
	case "7c04a583-9e3e-4f1c-ad65-e05268d0b4d1":
		return "EFI shell"
	case "eb9d2d31-2d88-11d3-9a16-0090273fc14d":
		return "SMBIOS table"
	case "f2fd1544-9794-4a2c-992e-e5bbcf20e394":
		return "SMBIOS 3 table"
	case "8868e871-e4f1-11d3-bc22-0080c73c8881", "eb9d2d30-2d88-11d3-9a16-0090273fc14d":
		return "ACPI table"
	}
	return ""
}
