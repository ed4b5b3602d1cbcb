package engine

import "github.com/bootseal/bootseal/vtpm/internal/wire"

// shutdownKind says how the TPM was last shut down.
type shutdownKind uint8

const (
	shutdownNone  shutdownKind = iota // not in order: power was cut
	shutdownClear                     // Shutdown(CLEAR)
	shutdownState                     // Shutdown(STATE)
)

// shutdownRecord is what a Shutdown leaves for the next Startup.
type shutdownRecord struct {
	kind     shutdownKind
	hcrtm    bool   // an H-CRTM event came before the Startup that was shut down
	locality uint8  // the locality of that Startup
	reset    []byte // state for Restart and Resume
	clear    []byte // state for Resume
}

// Shutdown prepares for a loss of power (Part 3, "TPM2_Shutdown"): it makes
// durable what an orderly shutdown keeps, until ClearOrderly.
func (t *TPM) Shutdown(su wire.SU) error {
	switch {
	case su == wire.SUClear:
		t.shutdown = shutdownRecord{kind: shutdownClear}
	case su == wire.SUState && t.PCR.Pending:
		return wire.RCType.Param(1)
	case su == wire.SUState:
		t.shutdown = shutdownRecord{
			kind: shutdownState, hcrtm: t.hcrtm, locality: t.locality,
			reset: t.resetState(), clear: t.clearState(),
		}
	default:
		return wire.RCValue.Param(1)
	}
	t.Lockout.shutdown(t.Clock.Time)
	t.Mark(RecordLockout)
	t.Mark(RecordShutdown)
	t.Mark(RecordCounters)
	t.markOrderlyNV()
	return nil
}

// Orderly reports whether a Shutdown was the last that changed the state.
func (t *TPM) Orderly() bool { return t.shutdown.kind != shutdownNone }

// ClearOrderly records that the state moved on after a Shutdown, so that a power
// cut from here on is an unorderly one. Call it before changing what a Shutdown
// keeps: PCRs, sessions' contexts, orderly NV, the state of the hierarchies.
func (t *TPM) ClearOrderly() {
	if t.Orderly() && t.started {
		t.shutdown = shutdownRecord{}
		t.Mark(RecordShutdown)
	}
}

// resetState is the state that only a TPM Reset forgets.
func (t *TPM) resetState() []byte {
	var w wire.Writer
	t.Hierarchies.writeReset(&w)
	t.Sessions.writeReset(&w)
	w.Sized(t.Audit.Digest)
	t.Commits.write(&w)
	w.U32(t.Clock.RestartCount)
	w.U32(t.PCR.UpdateCounter)
	w.U64(t.Objects.ContextID)
	w.U32(t.Objects.ClearCount)
	return w.Data()
}

// clearState is the state that any Startup(CLEAR) forgets.
func (t *TPM) clearState() []byte {
	var w wire.Writer
	t.Hierarchies.writeClear(&w)
	t.PCR.writeClear(&w)
	t.ACTs.write(&w)
	return w.Data()
}

// restoreVolatile brings back what the kind of Startup keeps of a Shutdown(STATE).
func (t *TPM) restoreVolatile(kind startupKind) error {
	if kind == startupReset {
		return nil
	}
	r := wire.NewReader(t.shutdown.reset, t.Limits())
	t.Hierarchies.readReset(r)
	t.Sessions.readReset(r)
	t.Audit.Digest = readBytes(r)
	t.Commits.read(r)
	t.Clock.RestartCount = r.U32()
	t.PCR.UpdateCounter = r.U32()
	t.Objects.ContextID = r.U64()
	t.Objects.ClearCount = r.U32()
	if err := readAll(r); err != nil || kind == startupRestart {
		return err
	}
	r = wire.NewReader(t.shutdown.clear, t.Limits())
	t.Hierarchies.readClear(r)
	t.PCR.readClear(r)
	t.ACTs.read(r)
	return readAll(r)
}

// readAll returns the reader's error, or one when there is something left to read.
func readAll(r *wire.Reader) error {
	if r.OK() && r.Len() != 0 {
		r.Fail(wire.RCSize)
	}
	return r.Err()
}

// checkShutdown returns an error when the next Startup could not restore what the
// last Shutdown left. It is known when the state is loaded, not in the middle of
// the Startup.
func (t *TPM) checkShutdown() error {
	s := &t.shutdown
	switch {
	case s.kind == shutdownState:
		trial := &TPM{Profile: t.Profile, shutdown: *s}
		trial.PCR.Allocated = t.PCR.Allocated
		trial.PCR.powerOn()
		trial.ACTs.powerOn(t.Profile.ACTs)
		return trial.restoreVolatile(startupResume)
	case s.kind > shutdownState:
		return wire.RCValue
	case len(s.reset) != 0 || len(s.clear) != 0:
		return wire.RCSize
	}
	return nil
}

func (s *shutdownRecord) write(w *wire.Writer) {
	w.U8(uint8(s.kind))
	writeBool(w, s.hcrtm)
	w.U8(s.locality)
	for _, b := range [][]byte{s.reset, s.clear} {
		w.U32(uint32(len(b)))
		w.Bytes(b)
	}
}

func (s *shutdownRecord) read(r *wire.Reader) {
	r.Detach()
	s.kind = shutdownKind(r.U8())
	s.hcrtm = readBool(r)
	s.locality = r.U8()
	s.reset = r.Bytes(int(r.U32()))
	s.clear = r.Bytes(int(r.U32()))
}
