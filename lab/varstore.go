package lab

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/efivars"
	"github.com/bootseal/bootseal/internal/utf16le"
)

// Layout of OVMF's variable store (edk2, MdeModulePkg/Include/Guid/VariableFormat.h): a firmware
// volume's header, the store's header, then variables that begin at multiples of four.
const (
	volumeLengthAt  = 48 // of the volume's header, in it
	storeHeaderSize = 28
	variableHeader  = 60
	variableStart   = 0x55AA
	variableAdded   = 0x3F // its state when it counts

	nonVolatileBootService = 0x3
)

// PutBootVariable adds a variable that boot programs alone can see (non-volatile, boot
// services), such as shim's MokList, to the machine, which is off: what MokManager does at the
// console. The variable must not be there yet.
func (m *Machine) PutBootVariable(name, vendor string, data []byte) error {
	flash, err := os.ReadFile(m.variableStore())
	if err != nil {
		return err
	}
	if err := appendVariable(flash, name, vendor, data); err != nil {
		return fmt.Errorf("put the variable %s: %w", name, err)
	}
	return os.WriteFile(m.variableStore(), flash, 0o644)
}

// EnrollMOK has shim trust a certificate, in DER, as MokManager does: in its own name. It is the
// first that is enrolled.
func (m *Machine) EnrollMOK(certificate []byte) error {
	owner, err := eventlog.ParseGUID(efivars.Shim)
	if err != nil {
		return err
	}
	return m.PutBootVariable("MokList", efivars.Shim, efivars.CertificateList(owner, certificate))
}

func appendVariable(flash []byte, name, vendor string, data []byte) error {
	guid, err := eventlog.ParseGUID(vendor)
	if err != nil {
		return err
	}
	if len(flash) < 1<<12 {
		return errors.New("this is no variable store")
	}
	start := int(binary.LittleEndian.Uint16(flash[volumeLengthAt:]))
	if start+storeHeaderSize > len(flash) {
		return errors.New("this is no variable store")
	}
	end := start + int(binary.LittleEndian.Uint32(flash[start+16:]))
	if end > len(flash) {
		return errors.New("the variable store is longer than its flash")
	}
	at := start + storeHeaderSize
	for at+variableHeader <= end && binary.LittleEndian.Uint16(flash[at:]) == variableStart {
		at += variableHeader + int(binary.LittleEndian.Uint32(flash[at+36:])) + int(binary.LittleEndian.Uint32(flash[at+40:]))
		at = (at + 3) &^ 3
	}
	text := utf16le.EncodeZ(name)
	record := make([]byte, variableHeader, variableHeader+len(text)+len(data))
	binary.LittleEndian.PutUint16(record, variableStart)
	record[2] = variableAdded
	binary.LittleEndian.PutUint32(record[4:], nonVolatileBootService)
	binary.LittleEndian.PutUint32(record[36:], uint32(len(text)))
	binary.LittleEndian.PutUint32(record[40:], uint32(len(data)))
	copy(record[44:], guid[:])
	record = append(append(record, text...), data...)
	if at+len(record) > end || len(bytes.Trim(flash[at:at+len(record)], "\xff")) > 0 {
		return errors.New("the variable store has no room, or its end is not where it should be")
	}
	copy(flash[at:], record)
	return nil
}
