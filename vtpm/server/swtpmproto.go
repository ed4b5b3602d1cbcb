package server

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The messages of swtpm's control channel, as swtpm's tpm_ioctl.h defines them: a code,
// then the fields of the command, big-endian. Every answer begins with a result.

// controlCode is what a message begins with.
type controlCode uint32

const (
	controlGetCapability    controlCode = 0x01
	controlInit             controlCode = 0x02
	controlShutdown         controlCode = 0x03
	controlGetEstablished   controlCode = 0x04
	controlSetLocality      controlCode = 0x05
	controlHashStart        controlCode = 0x06
	controlHashData         controlCode = 0x07
	controlHashEnd          controlCode = 0x08
	controlCancel           controlCode = 0x09
	controlStoreVolatile    controlCode = 0x0A
	controlResetEstablished controlCode = 0x0B
	controlGetStateBlob     controlCode = 0x0C
	controlSetStateBlob     controlCode = 0x0D
	controlStop             controlCode = 0x0E
	controlGetConfig        controlCode = 0x0F
	controlSetDataFD        controlCode = 0x10
	controlSetBufferSize    controlCode = 0x11
	controlGetInfo          controlCode = 0x12
	controlLockStorage      controlCode = 0x13
)

// capabilities are the bits of all commands above, a bit each in the order of the
// codes but for HASH_START, _DATA and _END, which share one; and bit 15: commands on
// the data channel may have the simulator's header.
const capabilities = 1<<17 - 1

// result is the first field of an answer. The values are TPM 1.2's.
type result uint32

const (
	resultOK           result = 0
	resultBadParameter result = 0x03
	resultFail         result = 0x09
	resultBadOrdinal   result = 0x0A // unknown, or not while the TPM is running, or stopped
	resultKeyNotFound  result = 0x0D
	resultIOError      result = 0x1F
	resultBadLocality  result = 0x3D
)

// Flags of messages.
const (
	initDeleteVolatile = 1 << 0 // INIT

	blobEncrypted = 1 << 1 // GET_STATEBLOB, SET_STATEBLOB

	configFileKey      = 1 << 0 // GET_CONFIG
	configMigrationKey = 1 << 1
)

// Types of state blobs.
const (
	blobPermanent = 1
	blobVolatile  = 2
	blobSaveState = 3 // TPM 1.2's saved state: empty for a TPM 2.0
)

const (
	controlMaxHash = 1 << 20
	controlMaxBlob = 16 << 20
)

// errControlSize is for a message that announces more than there can be.
var errControlSize = errors.New("a message of the control channel is too long")

// controlBody returns how many bytes the fields of a message take at least. QEMU pads
// a locality to four bytes, others do not.
func controlBody(code controlCode) int {
	switch code {
	case controlSetLocality, controlResetEstablished:
		return 1
	case controlInit, controlHashData, controlSetBufferSize, controlLockStorage:
		return 4
	case controlGetInfo:
		return 16
	case controlGetStateBlob, controlSetStateBlob:
		return 12
	}
	return 0
}

// controlSize returns the size of the message that b begins with, or a larger one than
// len(b) when more of it is needed to tell.
func controlSize(b []byte) (int, error) {
	if len(b) < 4 {
		return 4, nil
	}
	code := controlCode(binary.BigEndian.Uint32(b))
	size := 4 + controlBody(code)
	if len(b) < size {
		return size, nil
	}
	var data, most uint32
	switch code {
	case controlHashData:
		data, most = binary.BigEndian.Uint32(b[4:]), controlMaxHash
	case controlSetStateBlob:
		data, most = binary.BigEndian.Uint32(b[12:]), controlMaxBlob
	}
	if data > most {
		return 0, fmt.Errorf("%w: %d bytes of data", errControlSize, data)
	}
	return size + int(data), nil
}

// message is a message with its fields.
type message struct {
	code   controlCode
	fields []byte
}

// u32 returns the i-th field of messages whose fields are numbers.
func (m message) u32(i int) uint32 { return binary.BigEndian.Uint32(m.fields[4*i:]) }

// parseControl returns the message in b, which is as long as controlSize says or
// longer: what pads it is left out.
func parseControl(b []byte) (message, error) {
	size, err := controlSize(b)
	if err != nil {
		return message{}, err
	}
	if len(b) < size {
		return message{}, fmt.Errorf("a message of the control channel has %d bytes of %d", len(b), size)
	}
	return message{controlCode(binary.BigEndian.Uint32(b)), b[4:size]}, nil
}

// answer returns an answer: the result and numbers after it.
func answer(r result, fields ...uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(r))
	for _, f := range fields {
		b = binary.BigEndian.AppendUint32(b, f)
	}
	return b
}
