package engine

import (
	"encoding/binary"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// orderlyCounterStep is how many increments of an orderly counter may be lost at
// an unorderly shutdown: the counter is made durable whenever its low bits
// roll over, and starts from all ones in these bits after a loss (Part 1,
// "Hybrid counter"; TPM_PT_ORDERLY_COUNT reports step-1).
const orderlyCounterStep = 256

// OrderlyCounterMask is TPM_PT_ORDERLY_COUNT.
const OrderlyCounterMask = orderlyCounterStep - 1

// NVIndex is one defined NV index.
type NVIndex struct {
	Public wire.TPMSNVPublic
	Auth   []byte
	Data   []byte // always Public.DataSize bytes; what it holds counts once written

	name []byte
}

// Has reports whether all the attributes are set.
func (x *NVIndex) Has(a wire.TPMANV) bool { return x.Public.Attributes.Has(a) }

// Type returns the index's TPM_NT.
func (x *NVIndex) Type() wire.NT { return x.Public.Attributes.Type() }

// Name returns the index's Name.
func (x *NVIndex) Name() []byte {
	if x.name == nil {
		x.name = crypt.NVName(&x.Public)
	}
	return x.name
}

// SetAttributes replaces the attributes, which changes the Name.
func (x *NVIndex) SetAttributes(a wire.TPMANV) {
	if a != x.Public.Attributes {
		x.Public.Attributes = a
		x.name = nil
	}
}

// Counter returns the value of a counter, bit field or PIN index.
func (x *NVIndex) Counter() uint64 { return binary.BigEndian.Uint64(x.Data) }

// NV is the TPM's user-defined non-volatile memory.
type NV struct {
	// MaxCounter is the largest value that a counter index has had, deleted ones
	// included: a new counter starts above it (Part 3, "TPM2_NV_Increment").
	MaxCounter uint64

	indices map[wire.Handle]*NVIndex
	undo    map[wire.Handle]orderlyState // by the command in flight: see rollback
}

func (n *NV) manufacture() { *n = NV{indices: make(map[wire.Handle]*NVIndex)} }

// At returns the index at handle, or nil.
func (n *NV) At(handle wire.Handle) *NVIndex { return n.indices[handle] }

// Handles returns the handles of all indices in ascending order.
func (n *NV) Handles() []wire.Handle { return sortedKeys(n.indices) }

// used returns the bytes that all indices take.
func (n *NV) used() int {
	total := 0
	for _, x := range n.indices {
		total += nvOverhead + len(x.Data)
	}
	return total
}

// orderlyUsed returns the bytes that the orderly indices take in memory.
func (n *NV) orderlyUsed() int {
	total := 0
	for _, x := range n.indices {
		if x.Has(wire.NVOrderly) {
			total += orderlyOverhead + len(x.Data)
		}
	}
	return total
}

// What an index takes besides its data, in bytes, for the limits.
const (
	nvOverhead      = 168
	orderlyOverhead = 12
)

// DefineNV adds an index, or returns TPM_RC_NV_SPACE.
func (t *TPM) DefineNV(x *NVIndex) error {
	n := &t.NV
	if len(n.indices) >= t.Profile.NVIndices || n.used()+nvOverhead+int(x.Public.DataSize) > t.Profile.NVMemory {
		return wire.RCNVSpace
	}
	if x.Has(wire.NVOrderly) && n.orderlyUsed()+orderlyOverhead+int(x.Public.DataSize) > t.Profile.OrderlyMemory {
		return wire.RCNVSpace
	}
	x.Data = make([]byte, x.Public.DataSize)
	n.indices[x.Public.NVIndex] = x
	t.MarkNV(x.Public.NVIndex)
	return nil
}

// NVAvailable returns how many more indices of size bytes can be defined, orderly or
// not, as far as memory goes.
func (t *TPM) NVAvailable(size int) int {
	p, n := &t.Profile, &t.NV
	return min(p.NVIndices-len(n.indices), (p.NVMemory-n.used())/(nvOverhead+size),
		(p.OrderlyMemory-n.orderlyUsed())/(orderlyOverhead+size))
}

// UndefineNV removes an index. A counter's value is remembered in MaxCounter.
func (t *TPM) UndefineNV(handle wire.Handle) {
	x := t.NV.At(handle)
	if x.Type() == wire.NTCounter && x.Has(wire.NVWritten) {
		t.RaiseMaxCounter(x.Counter())
	}
	t.NV.keep(x)
	clear(x.Auth)
	clear(x.Data)
	delete(t.NV.indices, handle)
	t.MarkNV(handle)
	if t.Command != nil {
		t.Command.forget(handle)
	}
}

// UndefineOwnerNV removes every index that the owner defined (TPM2_Clear).
func (t *TPM) UndefineOwnerNV() {
	for _, h := range t.NV.Handles() {
		if !t.NV.At(h).Has(wire.NVPlatformCreate) {
			t.UndefineNV(h)
		}
	}
}

// RaiseMaxCounter keeps MaxCounter at least at value.
func (t *TPM) RaiseMaxCounter(value uint64) {
	if value > t.NV.MaxCounter {
		t.NV.MaxCounter = value
		t.Mark(RecordCounters)
	}
}

// WriteNV stores data at offset, sets WRITTEN, and makes it durable unless the
// index is orderly. What the first write leaves out is as in the reference
// implementation, where software expects it: 0xFF, or zero in an orderly index.
func (t *TPM) WriteNV(x *NVIndex, offset int, data []byte) {
	t.NV.keep(x)
	first := !x.Has(wire.NVWritten)
	if first {
		fill(x.Data, x.Type() == wire.NTOrdinary && !x.Has(wire.NVOrderly))
		x.SetAttributes(x.Public.Attributes | wire.NVWritten)
	}
	copy(x.Data[offset:], data)
	if !x.Has(wire.NVOrderly) {
		t.MarkNV(x.Public.NVIndex)
		return
	}
	t.ClearOrderly()
	if x.Type() == wire.NTCounter && (first || x.Counter()%orderlyCounterStep == 0) {
		t.MarkNV(x.Public.NVIndex)
	}
}

// SetNVAttributes changes the attributes (locks, WRITTEN) and makes that durable,
// for an orderly index too: a lock that a power cut opens is none.
func (t *TPM) SetNVAttributes(x *NVIndex, a wire.TPMANV) {
	if a != x.Public.Attributes {
		t.NV.keep(x)
		x.SetAttributes(a)
		t.MarkNV(x.Public.NVIndex)
	}
}

// SetCounter stores an 8-byte value (counter, bit field, PIN data) in the index.
func (t *TPM) SetCounter(x *NVIndex, value uint64) {
	t.WriteNV(x, 0, binary.BigEndian.AppendUint64(nil, value))
}

// startupNV applies TPM2_Startup to the indices (Part 2, "TPMA_NV"; Part 1, "NV
// Index initialization"). A Resume leaves them as they are.
func (t *TPM) startupNV(kind startupKind, orderly bool) {
	if kind == startupResume {
		return
	}
	for _, x := range t.NV.indices {
		t.SetNVAttributes(x, startupAttributes(x, kind))
		// What an orderly counter lost in a power cut is at most what its low
		// bits can count.
		if !orderly && x.Has(wire.NVOrderly|wire.NVWritten) && x.Type() == wire.NTCounter {
			binary.BigEndian.PutUint64(x.Data, x.Counter()|OrderlyCounterMask)
		}
	}
}

// startupAttributes returns the index's attributes after a TPM Reset or Restart.
func startupAttributes(x *NVIndex, kind startupKind) wire.TPMANV {
	a := x.Public.Attributes &^ wire.NVReadLocked
	// A counter never loses its value. An orderly index loses it at any TPM
	// Reset, after an orderly shutdown too.
	if x.Type() != wire.NTCounter && (a.Has(wire.NVClearSTClear) || a.Has(wire.NVOrderly) && kind == startupReset) {
		a &^= wire.NVWritten
	}
	if !a.Has(wire.NVWritten) || !a.Has(wire.NVWriteDefine) {
		a &^= wire.NVWriteLocked
	}
	return a
}

func (x *NVIndex) write(w *wire.Writer) {
	x.Public.Write(w)
	w.Sized(x.Auth)
	w.Sized(x.Data)
}

func (x *NVIndex) read(r *wire.Reader) {
	x.Public.Read(r)
	x.Auth = readBytes(r)
	x.Data = readExactly(r, int(x.Public.DataSize))
	if r.OK() {
		x.check(r)
	}
}

// check fails the reader when the index is none that could have been defined, as
// far as the rest of the engine relies on it.
func (x *NVIndex) check(r *wire.Reader) {
	digest := crypt.Size(x.Public.NameAlg)
	size := 8
	switch x.Type() {
	case wire.NTOrdinary:
		size = len(x.Data)
	case wire.NTExtend:
		size = digest
	case wire.NTCounter, wire.NTBits, wire.NTPinFail, wire.NTPinPass:
	default:
		r.Fail(wire.RCAttributes)
	}
	if policy := len(x.Public.AuthPolicy); len(x.Data) != size || policy != 0 && policy != digest || len(x.Auth) > digest {
		r.Fail(wire.RCSize)
	}
}
