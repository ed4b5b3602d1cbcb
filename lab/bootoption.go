package lab

import (
	"encoding/binary"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/utf16le"
)

// Attributes of a variable that the operating system writes for the firmware's boot manager:
// non-volatile, boot services, runtime (UEFI specification, section "GetVariable()").
const bootVariable = 0x7

// BootOption returns the contents of a file of efivarfs: attributes, then a load option
// (UEFI specification, section "Load Options") that starts a program on an [Image]'s EFI system
// partition. The path has backslashes: "\EFI\debian\shimx64.efi".
func BootOption(description, path string) ([]byte, error) {
	id, err := eventlog.ParseGUID(ESPPartition)
	if err != nil {
		return nil, err
	}
	const ( // of device path nodes, section "Media Device Path"
		media, hardDrive, filePath = 4, 1, 4
		end, endAll                = 0x7f, 0xff
	)
	partition := binary.LittleEndian.AppendUint32(nil, 1)
	partition = binary.LittleEndian.AppendUint64(partition, espStart/sectorSize)
	partition = binary.LittleEndian.AppendUint64(partition, espSize/sectorSize)
	partition = append(append(partition, id[:]...), 2, 2) // a GPT, a GUID
	nodes := node(media, hardDrive, partition)
	nodes = append(nodes, node(media, filePath, utf16le.EncodeZ(path))...)
	nodes = append(nodes, node(end, endAll, nil)...)

	const active = 1
	out := binary.LittleEndian.AppendUint32(nil, bootVariable)
	out = binary.LittleEndian.AppendUint32(out, active)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(nodes)))
	return append(append(out, utf16le.EncodeZ(description)...), nodes...), nil
}

func node(kind, sub byte, data []byte) []byte {
	return append(binary.LittleEndian.AppendUint16([]byte{kind, sub}, uint16(4+len(data))), data...)
}
