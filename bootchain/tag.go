package bootchain

import "encoding/binary"

// tagEvent returns a TCG_PCClientTaggedEvent.
func tagEvent(id uint32, text string) []byte {
	out := binary.LittleEndian.AppendUint32(nil, id)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(text)))
	return append(out, text...)
}
