package vtpm

import "encoding/binary"

// Identity is what a TPM says it is, for what describes it outside: certificates,
// management tools.
type Identity struct {
	Profile         string   // by its name
	Level, Revision uint32   // of the TPM 2.0 Library Specification
	Manufacturer    uint32   // TPM_PT_MANUFACTURER, four ASCII characters
	Model           string   // TPM_PT_VENDOR_STRING_1 to _4
	FirmwareVersion uint64   // TPM_PT_FIRMWARE_VERSION_1 and _2
	RSAKeySizes     []uint16 // bits
	Commands        []uint32 // codes of the implemented commands, ascending
}

// Identity returns what the TPM is. It does not have to be started.
func (t *TPM) Identity() Identity {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := &t.e.Profile
	id := Identity{
		Profile:         p.Name,
		Level:           p.Library.Level,
		Revision:        p.Library.Version,
		Manufacturer:    binary.BigEndian.Uint32([]byte(p.Manufacturer)),
		Model:           p.VendorString,
		FirmwareVersion: p.FirmwareVersion,
		RSAKeySizes:     append([]uint16(nil), p.RSABits...),
	}
	for _, a := range t.e.Commands.Attributes() {
		id.Commands = append(id.Commands, uint32(a&0xFFFF))
	}
	return id
}

// BufferSize returns how long a command and a response can be, in bytes.
func (t *TPM) BufferSize() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.e.Profile.MaxCommand
}

// SetBufferSize makes that the TPM's TPM_PT_MAX_COMMAND_SIZE and
// TPM_PT_MAX_RESPONSE_SIZE, for an interface with a smaller buffer than the TPM's.
func (t *TPM) SetBufferSize(bytes int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.e.Profile.MaxCommand, t.e.Profile.MaxResponse = bytes, bytes
}
