package command_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"github.com/bootseal/bootseal/vtpm/internal/command"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// fuzzScript reads an input of FuzzExecute: a list of operations, each a byte and
// its arguments. They append steps of vectors, or change the last command as
// somebody would who knows how commands are made. Vectors have numbers, so that an
// input means something else when there are more of them: what an input finds
// becomes a vector.
type fuzzScript struct {
	in      []byte
	vectors [][]step
	steps   []fuzzStep
}

// fuzzStep is a step, how often the store fails from then on, and at which read of
// entropy from then on that fails; 0 for never.
type fuzzStep struct {
	step
	storeFailures  int
	entropyFailure int
}

// The operations.
const (
	fuzzVector   = iota // append all steps of a vector (u16)
	fuzzLast            // append the last step of a vector (u16)
	fuzzSet             // set a byte: offset (u16), value
	fuzzFlip            // flip bits of a byte: offset (u16), mask
	fuzzInsert          // insert bytes: offset (u16), number, bytes
	fuzzDelete          // delete bytes: offset (u16), number
	fuzzU16             // set two bytes to a telling value: offset (u16), which
	fuzzU32             // set four bytes to a telling value: offset (u16), which
	fuzzHandle          // replace a handle: which one, by which
	fuzzResize          // resize a sized buffer: offset (u16), size (u16)
	fuzzSplice          // copy from the last command of a vector (u16): offset (u16), number
	fuzzSessions        // put password sessions in, or take all out: number
	fuzzRaw             // append a command: size (u16), bytes
	fuzzPlatform        // append a signal or let time go by: which, how long (u16)
	fuzzAgain           // append the last command again, at a locality
	fuzzStore           // let the store fail: how often
	fuzzRow             // append a command of the table: row, handles, number, parameters
	fuzzEntropy         // let the source of entropy fail once: after how many reads
	fuzzOperations
)

// maxSteps bounds an input's steps.
const maxSteps = 300

func (s *fuzzScript) u8() byte {
	if len(s.in) == 0 {
		return 0
	}
	b := s.in[0]
	s.in = s.in[1:]
	return b
}

func (s *fuzzScript) u16() int { return int(s.u8())<<8 | int(s.u8()) }

func (s *fuzzScript) bytes(n int) []byte {
	n = min(n, len(s.in))
	b := s.in[:n]
	s.in = s.in[n:]
	return bytes.Clone(b)
}

// run returns the steps.
func (s *fuzzScript) run() []fuzzStep {
	for len(s.in) > 0 && len(s.steps) < maxSteps {
		s.operation()
	}
	return s.steps
}

func (s *fuzzScript) operation() {
	switch op := s.u8() % fuzzOperations; op {
	case fuzzVector:
		for _, step := range s.vector() {
			s.steps = append(s.steps, fuzzStep{step: step})
		}
	case fuzzLast:
		if v := s.vector(); len(v) != 0 {
			s.steps = append(s.steps, fuzzStep{step: v[len(v)-1]})
		}
	case fuzzRaw:
		s.steps = append(s.steps, fuzzStep{step: step{data: s.bytes(s.u16())}})
	case fuzzRow:
		s.steps = append(s.steps, fuzzStep{step: step{data: s.rowCommand()}})
	case fuzzPlatform:
		kind := stepInit + stepKind(s.u8())%(stepKinds-stepInit)
		s.steps = append(s.steps, fuzzStep{step: step{kind: kind, data: []byte("data"), time: time.Duration(s.u16()) * time.Second}})
	default:
		if i := s.lastCommand(); i >= 0 {
			s.change(i, op)
		}
	}
}

func (s *fuzzScript) vector() []step { return s.vectors[s.u16()%len(s.vectors)] }

// rowCommand makes a command of the table with as many handles and passwords as it
// has, and with any parameters.
func (s *fuzzScript) rowCommand() []byte {
	row := command.Rows()[int(s.u8())%len(command.Rows())]
	var w wire.Writer
	wire.STNoSessions.Write(&w)
	w.U32(0)
	row.Code.Write(&w)
	roles := 0
	for i := range row.Handles() {
		w.U32(tellingU32[int(s.u8())%len(tellingU32)])
		if row.Role(i) != command.RoleNone {
			roles++
		}
	}
	w.Bytes(s.bytes(int(s.u8())))
	return fixSize(withPasswords(w.Data(), roles), false)
}

// lastCommand returns the index of the last step that is a command, or -1.
func (s *fuzzScript) lastCommand() int {
	for i := len(s.steps) - 1; i >= 0; i-- {
		if s.steps[i].kind == stepCommand {
			return i
		}
	}
	return -1
}

// change changes the i-th step, a command, or repeats it.
func (s *fuzzScript) change(i int, op byte) {
	switch op {
	case fuzzAgain:
		again := s.steps[i]
		again.locality = s.u8() % 6
		s.steps = append(s.steps, again)
		return
	case fuzzStore:
		s.steps[i].storeFailures = int(s.u8() % 4)
		return
	case fuzzEntropy:
		s.steps[i].entropyFailure = int(s.u8() % 16)
		return
	}
	cmd := bytes.Clone(s.steps[i].data)
	switch op {
	case fuzzHandle:
		overwrite(cmd, 10+4*int(s.u8()%3), tellingU32[int(s.u8())%len(tellingU32)], 4)
	case fuzzSessions:
		cmd = withPasswords(cmd, int(s.u8()%4))
	case fuzzSplice:
		if v := s.vector(); len(v) != 0 {
			from := v[len(v)-1].data
			at, n := s.u16(), int(s.u8())
			if at < len(from) && at < len(cmd) {
				copy(cmd[at:], from[at:min(at+n, len(from))])
			}
		}
	default:
		cmd = s.edit(cmd, op)
	}
	s.steps[i].data = fixSize(cmd, op == fuzzSet || op == fuzzFlip)
}

// edit changes a command at an offset.
func (s *fuzzScript) edit(cmd []byte, op byte) []byte {
	at := s.u16()
	if len(cmd) == 0 {
		return cmd
	}
	at %= len(cmd)
	switch op {
	case fuzzSet:
		cmd[at] = s.u8()
	case fuzzFlip:
		cmd[at] ^= s.u8()
	case fuzzInsert:
		return slices.Insert(cmd, at, s.bytes(int(s.u8()%32))...)
	case fuzzDelete:
		return slices.Delete(cmd, at, min(at+int(s.u8()), len(cmd)))
	case fuzzU16:
		overwrite(cmd, at, uint32(tellingU16[int(s.u8())%len(tellingU16)]), 2)
	case fuzzU32:
		overwrite(cmd, at, tellingU32[int(s.u8())%len(tellingU32)], 4)
	case fuzzResize:
		return resizeBuffer(cmd, at, s.u16()%2048)
	}
	return cmd
}

// overwrite writes the low n bytes of v at an offset, if they fit.
func overwrite(b []byte, at int, v uint32, n int) {
	if at+n <= len(b) {
		var w [4]byte
		binary.BigEndian.PutUint32(w[:], v)
		copy(b[at:], w[4-n:])
	}
}

// resizeBuffer gives a sized buffer at an offset n bytes, if there is one.
func resizeBuffer(cmd []byte, at, n int) []byte {
	if at+2 > len(cmd) {
		return cmd
	}
	old := int(binary.BigEndian.Uint16(cmd[at:]))
	if at+2+old > len(cmd) {
		return cmd
	}
	out := binary.BigEndian.AppendUint16(slices.Clone(cmd[:at]), uint16(n))
	content := append(bytes.Clone(cmd[at+2:at+2+old]), make([]byte, max(0, n-old))...)
	out = append(out, content[:n]...)
	return append(out, cmd[at+2+old:]...)
}

// withPasswords gives a command n sessions with an empty password instead of those
// that it has.
func withPasswords(cmd []byte, n int) []byte {
	if len(cmd) < 10 {
		return cmd
	}
	row := rowOf(cmd)
	if row == nil || len(cmd) < 10+4*row.Handles() {
		return cmd
	}
	start := 10 + 4*row.Handles()
	head, rest := slices.Clone(cmd[:start]), cmd[start:]
	if wire.ST(binary.BigEndian.Uint16(cmd)) == wire.STSessions && len(rest) >= 4 {
		size := min(uint64(binary.BigEndian.Uint32(rest)), uint64(len(rest)-4))
		rest = rest[4+size:]
	}
	tag := wire.STNoSessions
	if n > 0 {
		tag = wire.STSessions
		head = binary.BigEndian.AppendUint32(head, uint32(9*n))
		for range n {
			head = binary.BigEndian.AppendUint32(head, uint32(wire.HandlePassword))
			head = append(head, 0, 0, 1, 0, 0)
		}
	}
	binary.BigEndian.PutUint16(head, uint16(tag))
	return append(head, rest...)
}

// fixSize corrects the size in a command's header, unless it is to stay as it is.
func fixSize(cmd []byte, stay bool) []byte {
	if !stay && len(cmd) >= 6 {
		binary.BigEndian.PutUint32(cmd[2:], uint32(len(cmd)))
	}
	return cmd
}

// tellingU16 are sizes and algorithms at the edges.
var tellingU16 = []uint16{
	0, 1, 2, 0x14, 0x20, 0x30, 0x40, 0x41, 0x80, 0xFF, 0x100, 0x180, 0x400, 0x401, 0x800, 0x1000, 0x7FFF, 0x8000, 0xFFFF,
	uint16(wire.AlgRSA), uint16(wire.AlgSHA1), uint16(wire.AlgHMAC), uint16(wire.AlgAES), uint16(wire.AlgKeyedHash), uint16(wire.AlgXOR),
	uint16(wire.AlgSHA256), uint16(wire.AlgSHA384), uint16(wire.AlgSHA512), uint16(wire.AlgNull), uint16(wire.AlgRSASSA),
	uint16(wire.AlgRSAES), uint16(wire.AlgRSAPSS), uint16(wire.AlgOAEP), uint16(wire.AlgECDSA), uint16(wire.AlgECDH), uint16(wire.AlgECC),
	uint16(wire.AlgSymCipher), uint16(wire.AlgCFB), uint16(wire.CurveNISTP256), uint16(wire.CurveNISTP384), uint16(wire.CurveNISTP521),
	uint16(wire.STNoSessions), uint16(wire.STSessions), 0x8021, 0x8022, 0x8023, 0x8024, 0x8025,
}

// tellingU32 are handles, attributes and sizes at the edges.
var tellingU32 = []uint32{
	0, 1, 8, 9, 16, 23, 24, 0x7FFFFFFF, 0x80000000, 0x80000001, 0x80000002, 0x80000003, 0x8000003F, 0x80000040, 0x80FFFFFF, 0xFFFFFFFF,
	uint32(wire.HandleOwner), uint32(wire.HandleEndorsement), uint32(wire.HandlePlatform), uint32(wire.HandleNull), uint32(wire.HandleLockout),
	uint32(wire.HandlePassword), uint32(wire.HandlePlatformNV), uint32(wire.HandleUnassigned), 0x40000110,
	0x02000000, 0x02000001, 0x020000FF, 0x02000100, 0x03000000, 0x03000001, 0x03000002, 0x03FFFFFF,
	0x81000000, 0x81000001, 0x81000002, 0x81800000, 0x81FFFFFF, 0x01000000, 0x01800000, 0x01C00000, 0x01FFFFFF,
	furnitureObjects, furnitureObjects + 1, furnitureObjects + 2, furnitureObjects + 3, furnitureObjects + 4, furnitureObjects + 5,
	furnitureObjects + 6, furniturePlatform,
	furnitureNV, furnitureNV + 1, furnitureNV + 2, furnitureNV + 3, furnitureNV + 4, furnitureNV + 5, furnitureNV + 6, furnitureNV + 7,
	0x00000010, 0x00000040, 0x00010000, 0x00020000, 0x00040000, 0x00060072, 0x00030472, 0x10001, 0x0FFFFFFF,
}
