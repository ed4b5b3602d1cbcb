package eventlog_test

import (
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/eventlog"
)

// node encodes a device path node.
func node(typ, sub byte, data ...byte) []byte {
	b := []byte{typ, sub}
	b = binary.LittleEndian.AppendUint16(b, uint16(4+len(data)))
	return append(b, data...)
}

func nodes(list ...[]byte) []byte {
	var b []byte
	for _, n := range list {
		b = append(b, n...)
	}
	return append(b, node(0x7f, 0xff)...)
}

// image encodes a UEFI_IMAGE_LOAD_EVENT.
func image(path []byte) []byte {
	b := make([]byte, 24)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(path)))
	return append(b, path...)
}

func TestDevicePathText(t *testing.T) {
	file := func(s string) []byte { return node(4, 4, utf16le(s+"\x00")...) }
	for _, c := range []struct {
		want, file string
		path       []byte
	}{
		{"PciRoot(0x0)/Pci(0x1f,0x2)/Sata(0x2,0xffff,0x0)", "", nodes(
			node(2, 1, 0xd0, 0x41, 0x03, 0x0a, 0, 0, 0, 0), node(1, 1, 2, 0x1f), node(3, 18, 2, 0, 0xff, 0xff, 0, 0))},
		{"PcieRoot(0x1)/NVMe(0x1,0011223344556677)", "", nodes(
			node(2, 1, 0xd0, 0x41, 0x08, 0x0a, 1, 0, 0, 0), node(3, 23, 1, 0, 0, 0, 0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77))},
		{"Scsi(0x1,0x2)/CDROM(0x3)", "", nodes(node(3, 2, 1, 0, 2, 0), node(4, 2, append([]byte{3}, make([]byte, 19)...)...))},
		{"USB(0x1,0x0)", "", nodes(node(3, 5, 1, 0))},
		{"Uri(http://a/b.efi)", "", nodes(node(3, 24, []byte("http://a/b.efi")...))},
		{"IPv4(192.0.2.1)", "", nodes(node(3, 12, append([]byte{10, 0, 0, 1, 192, 0, 2, 1}, make([]byte, 15)...)...))},
		{`\EFI\BOOT/x.efi`, "/EFI/BOOT/x.efi", nodes(file(`\EFI\BOOT`), file("x.efi"))},
		{"Ctrl(0x0),Ctrl(0x1)", "", nodes(node(1, 5, 0, 0, 0, 0), node(0x7f, 1), node(1, 5, 1, 0, 0, 0))},
		{"BBS(disk)", "", nodes(node(5, 1, append([]byte{2, 0, 0, 0}, "disk\x00"...)...))},
		{"Path(3,99,0102)", "", nodes(node(3, 99, 1, 2))}, // an unknown node
		{"Path(4,1,01)", "", nodes(node(4, 1, 1))},        // a known one, cut short
		{"HD(1,MBR,0x04030201)", "", nodes(node(4, 1, append(append(append([]byte{1, 0, 0, 0}, make([]byte, 16)...),
			1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), 1, 1)...))},
		{"", "", nil}, // an image from memory
	} {
		img, ok := eventlog.Decode(measured(4, eventlog.EFIBootApplication, image(c.path), nil)).(eventlog.Image)
		if !ok || img.Path.Text != c.want || img.Path.File != c.file {
			t.Errorf("have %q, file %q; want %q, %q", img.Path.Text, img.Path.File, c.want, c.file)
		}
	}
}

// Data without its type's form is said to be so, and loses nothing else.
func TestMalformed(t *testing.T) {
	huge := variable(globalVariable, "db", nil)
	binary.LittleEndian.PutUint64(huge[16:], 1<<63) // twice this overflows
	for _, c := range []struct {
		typ  eventlog.Type
		data []byte
		want string
	}{
		{eventlog.EFIVariableConfig, nil, "not a GUID"},
		{eventlog.EFIVariableConfig, huge, "name is longer than the event"},
		{eventlog.EFIVariableConfig, append(variable(globalVariable, "x", nil), 1), "1 bytes after the data"},
		{eventlog.EFIBootApplication, make([]byte, 31), "not an address, a length and a device path"},
		{eventlog.EFIBootApplication, image(node(1, 1, 0)[:4]), "cut short"},
		{eventlog.EFIBootApplication, image([]byte{1, 1, 3, 0}), "device path node of 3 bytes"},
		{eventlog.EFIGPTEvent, []byte("EFI PARx"), "no GPT header"},
		{eventlog.EFIGPTEvent, append([]byte("EFI PART"), make([]byte, 92)...), "cut short"},
		{eventlog.EFIFirmwareBlob, make([]byte, 17), "not a description"},
		{eventlog.EFIHandoffTables, []byte{255, 255, 255, 255, 255, 255, 255, 255}, "not a list of tables"},
		{eventlog.EventTag, []byte{1, 2, 3, 4, 255, 255, 255, 255}, "not a tag"},
		{eventlog.EFISPDMFirmwareBlob, []byte("SPDM Device Sec\x00"), "cut short"},
		{eventlog.SeparatorType, []byte{0, 1}, "2 bytes instead of 4"},
	} {
		got := eventlog.Decode(measured(0, c.typ, c.data, nil))
		if _, ok := got.(eventlog.Malformed); !ok || !strings.Contains(got.String(), c.want) {
			t.Errorf("%s: have %T %s, want %s", c.typ, got, got, c.want)
		}
	}
}

// One event of each kind that the recorded boots do not have.
func TestDecodeWords(t *testing.T) {
	table := append([]byte{1, 0, 0, 0, 0, 0, 0, 0}, 0x31, 0x2d, 0x9d, 0xeb, 0x88, 0x2d, 0xd3, 0x11, 0x9a, 0x16, 0, 0x90, 0x27, 0x3f, 0xc1, 0x4d)
	table = append(table, make([]byte, 8)...)
	tag := func(id uint32, data []byte) []byte {
		b := binary.LittleEndian.AppendUint32(nil, id)
		return append(binary.LittleEndian.AppendUint32(b, uint32(len(data))), data...)
	}
	for _, c := range []struct {
		pcr  int
		typ  eventlog.Type
		data []byte
		want string
	}{
		{0, eventlog.PostCode, []byte("ACPI DATA"), "firmware code: ACPI DATA"},
		{0, eventlog.PostCode, make([]byte, 16), "firmware code, 0 bytes at address 0x0"},
		{0, eventlog.EFIFirmwareBlob2, append([]byte("\x03DXE"), make([]byte, 16)...), "firmware code, 0 bytes at address 0x0 (DXE)"},
		{0, eventlog.SCRTMVersion, utf16le("1.2\x00"), "version of the first firmware code: 1.2"},
		{0, eventlog.EFIHCRTMEvent, []byte("HCRTM"), "first firmware code, measured by the hardware: HCRTM"},
		{0, eventlog.NoAction, append([]byte("SP800-155 Event3"), 1), "pointer to the manufacturer's reference values (SP800-155 Event3)"},
		{0, eventlog.SeparatorType, []byte{1, 0, 0, 0}, "separator with error 0x1: the firmware could not measure everything"},
		{1, eventlog.EFIHandoffTables, table, "hardware tables from the firmware: SMBIOS table"},
		{1, eventlog.CPUMicrocode, []byte{1, 2}, "processor microcode: 0102"},
		{4, eventlog.EFIAction, []byte("Booting to Boot0003 Option"), "the firmware starts boot entry Boot0003"},
		{4, eventlog.ActionType, []byte("Calling INT 19h"), "the BIOS tries to start a boot device"},
		{5, eventlog.EventTag, tag(0xf5bc582a, utf16le("loader.conf\x00")), "systemd-boot's configuration, loader.conf"},
		{12, eventlog.EventTag, tag(0x49dffe0f, utf16le("a.initrd\x00")), "add-on to the unified kernel image: initial ramdisk a.initrd"},
		{12, eventlog.EventTag, tag(7, []byte{1, 2, 3}), "tagged event 0x00000007 (3 bytes)"},
		{13, eventlog.IPL, utf16le("System extension initrd\x00"), "files added to the initial ramdisk: System extension initrd"},
		{4, eventlog.IPL, []byte{0xff, 0xfe, 0, 1}, "data from a boot loader (4 bytes of data)"},
		{2, eventlog.EFISPDMFirmwareBlob, append([]byte("SPDM Device Sec\x00\x01\x00"), 0, 0, 0, 0, 0, 0, 1, 0, 0, 0), "firmware of a PCI device"},
		{7, eventlog.EFIVariableConfig, variable(globalVariable, "AuditMode", []byte{0}), "AuditMode is off"},
		{1, eventlog.Type(0x1234), nil, "event of type 0x00001234"},
	} {
		if got := eventlog.Decode(measured(c.pcr, c.typ, c.data, nil)).String(); got != c.want {
			t.Errorf("%s: have %q, want %q", c.typ, got, c.want)
		}
	}
}

func TestTypeNamesRoundTrip(t *testing.T) {
	for _, typ := range []eventlog.Type{eventlog.PrebootCert, eventlog.IPL, eventlog.PostCode2, eventlog.EFIVariableConfig,
		eventlog.EFISPDMDeviceAuth, 0x1234, 0xffffffff} {
		var back eventlog.Type
		if err := back.UnmarshalText([]byte(typ.String())); err != nil || back != typ {
			t.Errorf("%s: have %s, %v", typ, back, err)
		}
	}
	var typ eventlog.Type
	for _, bad := range []string{"", "EV_X", "0x", "0x123456789"} {
		if err := typ.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

// Explanations are an output format: they must encode.
func TestExplanationJSON(t *testing.T) {
	xs := eventlog.Explain(loadBoot(t, secondBoots[0]).log)
	got, err := json.Marshal(xs[4])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"pcr":7`, `"type":"EV_EFI_VARIABLE_DRIVER_CONFIG"`, `"stage":"firmware"`,
		`"text":"Secure Boot is on"`, `"status":"explained"`, `"sha256":"ccfc4bb32888a345bc8aeadaba552b627d99348c767681ab3141f5b01e40a40e"`,
		`"kind":"variable"`, `"name":"SecureBoot"`, `"on":true`} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%s lacks %s", got, want)
		}
	}
	if _, err := json.Marshal(xs); err != nil {
		t.Error(err)
	}
}
