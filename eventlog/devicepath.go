package eventlog

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// DevicePath says where a program is: the way from the machine's root to a file
// (UEFI specification, "Device Path Protocol").
type DevicePath struct {
	// Text is the whole path in the specification's text form.
	Text string `json:"text"`
	// File is the file's path on its volume with slashes ("/EFI/BOOT/BOOTX64.EFI"),
	// "" where the path does not end in a file.
	File string `json:"file,omitempty"`
	// Partition is the disk partition on the way, if there is one.
	Partition *PathPartition `json:"partition,omitempty"`
	// Media is what a well-known GUID in the path stands for: a program inside the
	// firmware, the kernel in a unified kernel image.
	Media string `json:"media,omitempty"`
}

// PathPartition is the hard drive node of a device path.
type PathPartition struct {
	Number   uint32 `json:"number"`
	UUID     *GUID  `json:"uuid,omitempty"` // of a GPT partition
	FirstLBA uint64 `json:"firstLBA"`
	Blocks   uint64 `json:"blocks"`
}

// Node types of a device path.
const (
	nodeHardware  = 0x01
	nodeACPI      = 0x02
	nodeMessaging = 0x03
	nodeMedia     = 0x04
	nodeBIOS      = 0x05
	nodeEnd       = 0x7F
)

// parseDevicePath reads a device path, of one or several instances. An empty one
// is the zero DevicePath: images loaded from memory have none.
func parseDevicePath(b []byte) (DevicePath, error) {
	var p DevicePath
	var nodes []string
	c := cursor{buf: b}
	for c.left() > 0 {
		typ, sub, size := c.u8(), c.u8(), c.u16()
		if size < 4 {
			return p, fmt.Errorf("device path node of %d bytes", size)
		}
		data := c.bytes(uint64(size) - 4)
		if c.short {
			return p, errors.New("device path is cut short")
		}
		if typ == nodeEnd {
			if sub != 0x01 { // 0x01 ends an instance, 0xFF the path
				break
			}
			nodes = append(nodes, ",")
			continue
		}
		nodes = append(nodes, p.node(typ, sub, data))
	}
	p.Text = strings.ReplaceAll(strings.Join(nodes, "/"), "/,/", ",")
	return p, nil
}

// node returns the text of one node and notes what it says about the path.
func (p *DevicePath) node(typ, sub byte, data []byte) string {
	c := cursor{buf: data}
	var s string
	switch typ {
	case nodeHardware:
		s = p.hardwareNode(sub, &c)
	case nodeACPI:
		s = acpiNode(sub, &c)
	case nodeMessaging:
		s = messagingNode(sub, &c)
	case nodeMedia:
		s = p.mediaNode(sub, &c)
	case nodeBIOS:
		if sub == 1 {
			c.bytes(4) // device type, status
			s = "BBS(" + quote(trimNUL(c.rest())) + ")"
		}
	}
	if s == "" || c.short {
		return genericNode(typ, sub, data)
	}
	return s
}

func genericNode(typ, sub byte, data []byte) string {
	if len(data) > 32 {
		return fmt.Sprintf("Path(%d,%d,%x...)", typ, sub, data[:32])
	}
	return fmt.Sprintf("Path(%d,%d,%x)", typ, sub, data)
}

func (p *DevicePath) hardwareNode(sub byte, c *cursor) string {
	switch sub {
	case 1:
		function, device := c.u8(), c.u8()
		return fmt.Sprintf("Pci(0x%x,0x%x)", device, function)
	case 3:
		return fmt.Sprintf("MemoryMapped(0x%x,0x%x,0x%x)", c.u32(), c.u64(), c.u64())
	case 4:
		return "VenHw(" + p.vendor(c) + ")"
	case 5:
		return fmt.Sprintf("Ctrl(0x%x)", c.u32())
	}
	return ""
}

// vendor reads a GUID and remembers what it stands for.
func (p *DevicePath) vendor(c *cursor) string {
	g := c.guid()
	if n := guidName(g); n != "" && !c.short {
		p.Media = n
	}
	return g.String()
}

func acpiNode(sub byte, c *cursor) string {
	if sub != 1 {
		return ""
	}
	hid, uid := c.u32(), c.u32()
	switch hid {
	case 0x0A0341D0:
		return fmt.Sprintf("PciRoot(0x%x)", uid)
	case 0x0A0841D0:
		return fmt.Sprintf("PcieRoot(0x%x)", uid)
	}
	return fmt.Sprintf("Acpi(0x%08x,0x%x)", hid, uid)
}

func messagingNode(sub byte, c *cursor) string {
	switch sub {
	case 1:
		return fmt.Sprintf("Ata(%d,%d,0x%x)", c.u8(), c.u8(), c.u16())
	case 2:
		return fmt.Sprintf("Scsi(0x%x,0x%x)", c.u16(), c.u16())
	case 5:
		return fmt.Sprintf("USB(0x%x,0x%x)", c.u8(), c.u8())
	case 10:
		return "VenMsg(" + c.guid().String() + ")"
	case 11:
		mac := c.bytes(32)
		if c.short {
			return ""
		}
		return fmt.Sprintf("MAC(%x,0x%x)", mac[:6], c.u8())
	case 12:
		return fmt.Sprintf("IPv4(%s)", address(c, 4))
	case 13:
		return fmt.Sprintf("IPv6(%s)", address(c, 16))
	case 17:
		return fmt.Sprintf("Unit(0x%x)", c.u8())
	case 18:
		return fmt.Sprintf("Sata(0x%x,0x%x,0x%x)", c.u16(), c.u16(), c.u16())
	case 23:
		return fmt.Sprintf("NVMe(0x%x,%x)", c.u32(), c.bytes(8))
	case 24:
		return "Uri(" + quote(trimNUL(c.rest())) + ")"
	case 25:
		return fmt.Sprintf("UFS(0x%x,0x%x)", c.u8(), c.u8())
	case 26:
		return fmt.Sprintf("SD(0x%x)", c.u8())
	case 29:
		return fmt.Sprintf("eMMC(0x%x)", c.u8())
	}
	return ""
}

// address reads the local address of an IP node and prints the remote one, which
// follows it.
func address(c *cursor, size uint64) string {
	c.bytes(size)
	a, ok := netip.AddrFromSlice(c.bytes(size))
	if !ok {
		return ""
	}
	return a.String()
}

func (p *DevicePath) mediaNode(sub byte, c *cursor) string {
	switch sub {
	case 1:
		return p.hardDrive(c)
	case 2:
		return fmt.Sprintf("CDROM(0x%x)", c.u32())
	case 3:
		return "VenMedia(" + p.vendor(c) + ")"
	case 4:
		name := utf16Z(c.rest())
		if !isText(name) || name == "" {
			return ""
		}
		p.File = joinFile(p.File, name)
		return name
	case 6:
		return "FvFile(" + p.vendor(c) + ")"
	case 7:
		return "Fv(" + c.guid().String() + ")"
	case 8:
		c.bytes(4)
		return fmt.Sprintf("Offset(0x%x,0x%x)", c.u64(), c.u64())
	case 9:
		return fmt.Sprintf("RamDisk(0x%x,0x%x)", c.u64(), c.u64())
	}
	return ""
}

func (p *DevicePath) hardDrive(c *cursor) string {
	part := PathPartition{Number: c.u32(), FirstLBA: c.u64(), Blocks: c.u64()}
	sig := c.guid()
	_, sigType := c.u8(), c.u8()
	if c.short {
		return ""
	}
	p.Partition = &part
	switch sigType {
	case 1:
		return fmt.Sprintf("HD(%d,MBR,0x%02x%02x%02x%02x)", part.Number, sig[3], sig[2], sig[1], sig[0])
	case 2:
		part.UUID = &sig
		return fmt.Sprintf("HD(%d,GPT,%s)", part.Number, sig)
	}
	return fmt.Sprintf("HD(%d,%d)", part.Number, sigType)
}

// joinFile appends a file path node, which may bring a separator or not.
func joinFile(dir, name string) string {
	name = strings.ReplaceAll(name, `\`, "/")
	if dir != "" || !strings.HasPrefix(name, "/") {
		name = "/" + strings.TrimPrefix(name, "/")
	}
	return strings.TrimSuffix(dir, "/") + name
}
