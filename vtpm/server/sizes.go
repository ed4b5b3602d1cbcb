package server

import (
	"encoding/binary"
	"sync"
)

// mssimRecord is the longest command and response since it was last asked for.
type mssimRecord struct {
	mu                sync.Mutex
	command, response extreme
}

// extreme is the length of a message, and the code in its header.
type extreme struct {
	size int
	code [4]byte
}

func (e *extreme) note(message []byte) {
	if len(message) > e.size {
		e.size = len(message)
		if len(message) >= headerSize {
			e.code = [4]byte(message[codeOffset:])
		}
	}
}

func (r *mssimRecord) note(cmd, response []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.command.note(cmd)
	r.response.note(response)
}

// take returns the record behind its length and starts a new one. The sizes are
// little-endian and the codes as they were sent: the reference sends the memory
// of an x86 machine.
func (r *mssimRecord) take() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := binary.BigEndian.AppendUint32(nil, 16)
	for _, e := range []*extreme{&r.command, &r.response} {
		b = binary.LittleEndian.AppendUint32(b, uint32(e.size))
		b = append(b, e.code[:]...)
		*e = extreme{}
	}
	return b
}
