package engine

import (
	"encoding"
	"slices"
	"time"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// The volatile state but for objects and sessions.

func (c *Clock) writeVolatile(w *wire.Writer) {
	w.U64(c.Time)
	w.U64(c.Clock)
	writeBool(w, c.Safe)
	w.U32(c.ResetCount)
	w.U32(c.RestartCount)
	w.U32(c.Epoch)
	w.U32(uint32(c.Rate))
	w.U64(c.TotalResetCount)
	w.U64(uint64(c.remainder))
}

// readVolatile leaves the outside clock's time as _TPM_Init took it: Time goes on
// from there.
func (c *Clock) readVolatile(r *wire.Reader) {
	c.Time = readWaited(r)
	c.Clock = r.U64()
	c.Safe = readBool(r)
	c.ResetCount = r.U32()
	c.RestartCount = r.U32()
	c.Epoch = r.U32()
	c.Rate = int32(r.U32())
	c.TotalResetCount = r.U64()
	c.remainder = int64(r.U64())
	if c.Rate < -rateLimit || c.Rate > rateLimit || c.remainder < 0 || c.remainder >= int64(time.Millisecond) {
		r.Fail(wire.RCValue)
	}
}

func (l *Lockout) writeVolatile(w *wire.Writer) {
	w.U64(uint64(l.healedAt))
	w.U64(uint64(l.lockedAt))
}

// readVolatile reads the two points in time, which are not after now.
func (l *Lockout) readVolatile(r *wire.Reader, now uint64) {
	l.healedAt, l.lockedAt = int64(r.U64()), int64(r.U64())
	if max(l.healedAt, l.lockedAt) > int64(now) {
		r.Fail(wire.RCValue)
	}
}

// writeVolatile writes what no record has. Before Startup there is nothing: Startup
// sets it.
func (h *Hierarchies) writeVolatile(w *wire.Writer, started bool) {
	if started {
		h.writeClear(w)
		h.writeReset(w)
		writeBool(w, h.Platform.Enabled)
		writeBool(w, h.Null.Enabled)
	}
}

func (h *Hierarchies) readVolatile(r *wire.Reader, started bool) {
	if started {
		h.readClear(r)
		h.readReset(r)
		h.Platform.Enabled = readBool(r)
		h.Null.Enabled = readBool(r)
	}
}

func (p *PCRs) writeVolatile(w *wire.Writer) {
	w.U32(p.UpdateCounter)
	writeBool(w, p.Pending)
	w.Sized(p.group.auth)
	w.U8(uint8(len(p.banks)))
	for _, b := range p.banks {
		w.U16(uint16(b.alg))
		for _, v := range b.values {
			w.Sized(v)
		}
	}
}

// readVolatile reads the banks of the last _TPM_Init, which TPM2_PCR_Allocate may have
// made others than the next one's.
func (p *PCRs) readVolatile(r *wire.Reader) {
	p.UpdateCounter = r.U32()
	p.Pending = readBool(r)
	if p.group.auth = readBytes(r); len(p.group.auth) > wire.MaxDigest {
		r.Fail(wire.RCSize)
	}
	p.banks = nil
	for range r.U8() {
		bank := pcrBank{alg: readHash(r)}
		if !slices.Contains(r.Limits.Hashes, bank.alg) || p.bank(bank.alg) != nil {
			r.Fail(wire.RCHash)
		}
		for i := range bank.values {
			bank.values[i] = readBytes(r)
			if n := len(bank.values[i]); n != 0 && n != crypt.Size(bank.alg) {
				r.Fail(wire.RCSize)
			}
		}
		if !r.OK() {
			return
		}
		p.banks = append(p.banks, bank)
	}
}

// writeVolatile writes the orderly indices' data, and the attributes that change with
// it.
func (n *NV) writeVolatile(w *wire.Writer) {
	for _, h := range n.Handles() {
		if x := n.indices[h]; x.Has(wire.NVOrderly) {
			w.U32(uint32(h))
			w.U32(uint32(x.Public.Attributes))
			w.Sized(x.Data)
		}
	}
}

func (n *NV) readVolatile(r *wire.Reader) {
	for _, h := range n.Handles() {
		x := n.indices[h]
		if !x.Has(wire.NVOrderly) {
			continue
		}
		handle, attributes := wire.Handle(r.U32()), wire.TPMANV(r.U32())
		data := readExactly(r, len(x.Data))
		if handle != h || (attributes^x.Public.Attributes)&^wire.NVWritten != 0 {
			r.Fail(wire.RCAttributes)
		}
		if !r.OK() {
			return
		}
		x.SetAttributes(attributes)
		copy(x.Data, data)
	}
}

func (a *Audit) writeVolatile(w *wire.Writer) {
	w.Sized(a.Digest)
	writeBool(w, a.Skip)
	w.U32(uint32(a.Exclusive))
}

func (a *Audit) readVolatile(r *wire.Reader) {
	a.Digest = readBytes(r)
	a.Skip = readBool(r)
	a.Exclusive = wire.Handle(r.U32())
	if n := len(a.Digest); n != 0 && n != crypt.Size(a.Alg) {
		r.Fail(wire.RCSize)
	}
}

func (x *ACTs) writeVolatile(w *wire.Writer) {
	w.U64(x.counted)
	w.U8(uint8(len(x.timers)))
	for _, a := range x.timers {
		w.U32(uint32(a.Handle))
		w.Sized(a.Policy)
		w.U16(uint16(a.PolicyAlg))
		w.U32(a.remaining)
		writeBool(w, a.signaled)
		writeBool(w, a.preserved)
		writeBool(w, a.updated)
	}
}

// readVolatile reads the profile's timers, which have not counted beyond now.
func (x *ACTs) readVolatile(r *wire.Reader, now uint64) {
	x.counted = r.U64()
	if x.counted > now || int(r.U8()) != len(x.timers) {
		r.Fail(wire.RCValue)
	}
	for i := range x.timers {
		a := &x.timers[i]
		if wire.Handle(r.U32()) != a.Handle {
			r.Fail(wire.RCHandle)
		}
		a.Policy, a.PolicyAlg = readPolicy(r)
		a.remaining = r.U32()
		a.signaled = readBool(r)
		a.preserved = readBool(r)
		a.updated = readBool(r)
	}
}

// writeVolatile writes the sequence between _TPM_Hash_Start and _TPM_Hash_End, or that
// there is none.
func (s *hashSequence) writeVolatile(w *wire.Writer) error {
	writeBool(w, s != nil)
	if s == nil {
		return nil
	}
	w.U8(uint8(len(s.algs)))
	for i, alg := range s.algs {
		state, err := s.hashes[i].(encoding.BinaryMarshaler).MarshalBinary()
		if err != nil {
			return err
		}
		w.U16(uint16(alg))
		w.Sized(state)
	}
	return nil
}

func readHashSequence(r *wire.Reader) *hashSequence {
	if !readBool(r) {
		return nil
	}
	s := new(hashSequence)
	for range r.U8() {
		alg := readHash(r)
		state := readBytes(r)
		if !r.OK() {
			return nil
		}
		h := crypt.New(alg)
		if h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state) != nil {
			r.Fail(wire.RCValue)
		}
		s.algs, s.hashes = append(s.algs, alg), append(s.hashes, h)
	}
	return s
}
