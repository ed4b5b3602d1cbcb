package engine

import (
	"math"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// ACT is an authenticated countdown timer (Part 1, "Authenticated Countdown
// Timer"): it counts down in seconds and signals when it gets to zero, unless
// somebody with authorization sets it again in time.
type ACT struct {
	Handle    wire.Handle
	Policy    []byte // authPolicy, empty when there is none
	PolicyAlg wire.Alg

	remaining uint32 // seconds; 0: stopped, MaxUint32: for ever
	signaled  bool
	preserved bool // signaled before the last _TPM_Init
	updated   bool // set since Startup
}

// ACTs are the timers of the profile. Nothing ticks between commands: what has
// passed is counted when the next command begins.
type ACTs struct {
	timers  []ACT
	counted uint64 // Time in ms up to which the timers have counted
}

// powerOn stops the timers. Which ones signaled is kept as long as the process
// goes on: _TPM_Init may be what the signal has led to.
func (x *ACTs) powerOn(numbers []int) {
	before := x.timers
	x.timers, x.counted = nil, 0
	for i, n := range numbers {
		a := ACT{Handle: wire.HandleACT0 + wire.Handle(n), PolicyAlg: wire.AlgNull}
		if before != nil {
			a.preserved = before[i].preserved || before[i].signaled
		}
		x.timers = append(x.timers, a)
	}
}

// At returns the timer that handle names, or nil.
func (x *ACTs) At(handle wire.Handle) *ACT {
	for i := range x.timers {
		if x.timers[i].Handle == handle {
			return &x.timers[i]
		}
	}
	return nil
}

// Data returns the state of all timers, by ascending handle.
func (x *ACTs) Data() []wire.TPMSACTData {
	var data []wire.TPMSACTData
	for _, a := range x.timers {
		d := wire.TPMSACTData{Handle: a.Handle, Timeout: a.remaining}
		if a.signaled {
			d.Attributes |= wire.ACTSignaled
		}
		if a.preserved {
			d.Attributes |= wire.ACTPreserveSignaled
		}
		data = append(data, d)
	}
	return data
}

// count lets the timers count down to now, a Time in ms.
func (x *ACTs) count(now uint64) {
	seconds := (now - x.counted) / 1000
	x.counted += seconds * 1000
	for i := range x.timers {
		switch a := &x.timers[i]; {
		case a.remaining == 0, a.remaining == math.MaxUint32:
		case uint64(a.remaining) <= seconds:
			a.remaining, a.signaled = 0, true
		default:
			a.remaining -= uint32(seconds)
		}
	}
}

// SetTimeout starts the timer with so many seconds and ends its signal. Zero lets a
// timer that runs expire at once; MaxUint32 ends the signal without starting the
// timer, and is TPM_RC_VALUE when there is no signal.
func (t *TPM) SetTimeout(a *ACT, seconds uint32) error {
	if seconds == math.MaxUint32 && !a.signaled {
		return wire.RCValue.Param(1)
	}
	t.ClearOrderly()
	a.signaled = seconds == 0 && (a.signaled || a.remaining != 0)
	a.remaining, a.updated, a.preserved = seconds, true, false
	return nil
}

// write writes what a Shutdown(STATE) keeps for a Resume. A timer that nobody has
// set since Startup keeps half of its time, so that going to sleep early and often
// does not put it off.
func (x *ACTs) write(w *wire.Writer) {
	for _, a := range x.timers {
		if !a.updated && a.remaining > 1 && a.remaining != math.MaxUint32 {
			a.remaining /= 2
		}
		w.U32(a.remaining)
		writeBool(w, a.signaled)
		w.Sized(a.Policy)
		w.U16(uint16(a.PolicyAlg))
	}
}

func (x *ACTs) read(r *wire.Reader) {
	for i := range x.timers {
		a := &x.timers[i]
		a.remaining = r.U32()
		a.signaled = readBool(r)
		a.Policy, a.PolicyAlg = readPolicy(r)
	}
}
