package command_test

import "time"

// device is a TPM that steps can be taken on: one of ours, or another to compare.
type device interface {
	Execute(locality uint8, cmd []byte) []byte
	Init()
	SetPhysicalPresence(bool)
	Advance(time.Duration)
	HashStart()
	HashData([]byte)
	HashEnd()
	Failure() error
}

// step is one thing that is done to a TPM: a command, or a signal of the platform.
type step struct {
	kind     stepKind
	locality uint8         // of a command
	data     []byte        // of a command, and of _TPM_Hash_Data
	time     time.Duration // that goes by
}

type stepKind uint8

const (
	stepCommand stepKind = iota
	stepInit
	stepPresent
	stepAbsent
	stepAdvance
	stepHashStart
	stepHashData
	stepHashEnd
	stepKinds
)

// do takes the step, and returns the response to a command.
func (s step) do(p device) []byte {
	switch s.kind {
	case stepCommand:
		return p.Execute(s.locality, s.data)
	case stepInit:
		p.Init()
	case stepPresent, stepAbsent:
		p.SetPhysicalPresence(s.kind == stepPresent)
	case stepAdvance:
		p.Advance(s.time)
	case stepHashStart:
		p.HashStart()
	case stepHashData:
		p.HashData(s.data)
	case stepHashEnd:
		p.HashEnd()
	}
	return nil
}
