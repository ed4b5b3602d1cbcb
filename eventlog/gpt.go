package eventlog

import (
	"fmt"
	"strings"
)

// GPT is the partition table of the disk that is booted (UEFI_GPT_DATA).
type GPT struct {
	Disk       GUID        `json:"disk"`
	FirstLBA   uint64      `json:"firstLBA"` // of the usable area
	LastLBA    uint64      `json:"lastLBA"`
	Partitions []Partition `json:"partitions"` // the entries in use
}

// Partition is a GPT entry. Blocks are logical blocks, both ends included.
type Partition struct {
	Type       GUID   `json:"type"`
	UUID       GUID   `json:"uuid"`
	FirstLBA   uint64 `json:"firstLBA"`
	LastLBA    uint64 `json:"lastLBA"`
	Attributes uint64 `json:"attributes"`
	Name       string `json:"name"`
}

// Kind returns "gpt".
func (GPT) Kind() string { return "gpt" }

// String lists the partitions.
func (g GPT) String() string {
	names := make([]string, 0, len(g.Partitions))
	for i, p := range g.Partitions {
		if i == 6 {
			names = append(names, fmt.Sprintf("%d more", len(g.Partitions)-i))
			break
		}
		names = append(names, p.String())
	}
	s := "partition table of the boot disk: " + count(len(g.Partitions), "partition", "partitions")
	if len(names) > 0 {
		s += " (" + strings.Join(names, ", ") + ")"
	}
	return s
}

// String names the partition by its label and type.
func (p Partition) String() string {
	name := partitionTypeName(p.Type)
	if p.Name == "" {
		return name
	}
	return fmt.Sprintf("%s, %s", quote(p.Name), name)
}

func partitionTypeName(g GUID) string {
	switch g.String() {
	case "c12a7328-f81f-11d2-ba4b-00a0c93ec93b":
		return "EFI system partition"
	case "bc13c2ff-59e6-4262-a352-b275fd6f7172":
		return "extended boot partition"
	case "0fc63daf-8483-4772-8e79-3d69d8477de4":
		return "Linux file system"
	case "4f68bce3-e8cd-4db1-96e7-fbcaf984b709", "b921b045-1df0-41c3-af44-4c6f280d3fae":
		return "Linux root"
	case "ca7d7ccb-63ed-4c53-861c-1742536059cc":
		return "Linux encrypted volume"
	case "e6d6d379-f507-44c2-a23c-238f2a3df928":
		return "Linux LVM"
	case "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f":
		return "Linux swap"
	case "21686148-6449-6e6f-744e-656564454649":
		return "BIOS boot"
	case "5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6":
		return "Flatcar /usr"
	case "3884dd41-8582-4404-b9a8-e9b84f2df50e":
		return "Flatcar root"
	case "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7":
		return "basic data"
	case "e3c9e316-0b5c-4db8-817d-f92df00215ae":
		return "Microsoft reserved"
	}
	return "type " + g.String()
}

func decodeGPT(e *Event) Body {
	c := cursor{buf: e.Data}
	var g GPT
	if string(c.bytes(8)) != "EFI PART" {
		return malformed(e, "no GPT header")
	}
	c.bytes(4 + 4 + 4 + 4 + 8 + 8) // revision, header size, two checksums, the header's blocks
	g.FirstLBA, g.LastLBA = c.u64(), c.u64()
	g.Disk = c.guid()
	c.bytes(8 + 4) // where the entries are, how many the table has room for
	entrySize := uint64(c.u32())
	c.bytes(4) // checksum of the entries
	n := c.u64()
	if c.short || entrySize < 128 || n > uint64(c.left())/entrySize {
		return malformed(e, "cut short")
	}
	for range n {
		entry := cursor{buf: c.bytes(entrySize)}
		p := Partition{Type: entry.guid(), UUID: entry.guid(), FirstLBA: entry.u64(), LastLBA: entry.u64(),
			Attributes: entry.u64()}
		p.Name = utf16Z(entry.bytes(72))
		g.Partitions = append(g.Partitions, p)
	}
	if c.left() != 0 {
		return malformed(e, fmt.Sprintf("%d bytes after the last partition", c.left()))
	}
	return g
}

// utf16Z decodes UTF-16LE up to its first NUL.
func utf16Z(b []byte) string {
	for i := 0; i+1 < len(b); i += 2 {
		if b[i] == 0 && b[i+1] == 0 {
			b = b[:i]
			break
		}
	}
	s, _ := decodeUTF16(b)
	return s
}
