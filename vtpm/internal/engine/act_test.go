package engine_test

import (
	"math"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// timeout sets the first timer.
func (m *machine) timeout(seconds uint32) error {
	return m.try(wire.CCACTSetTimeout, func() error { return m.SetTimeout(m.ACTs.At(wire.HandleACT0), seconds) })
}

func (m *machine) wantACT(remaining uint32, attributes wire.TPMAACT) {
	m.t.Helper()
	m.idle()
	want := wire.TPMSACTData{Handle: wire.HandleACT0, Timeout: remaining, Attributes: attributes}
	if got := m.ACTs.Data(); len(got) != 1 || got[0] != want {
		m.t.Errorf("timers %+v, want %+v", got, want)
	}
}

// TestACT: a timer counts whole seconds, signals at zero, and starts again.
func TestACT(t *testing.T) {
	m := newMachine(t)
	m.wantACT(0, 0)
	m.timeout(10)
	m.now += 1500 * time.Millisecond
	m.wantACT(9, 0)
	m.now += 500 * time.Millisecond
	m.wantACT(8, 0)
	m.now += 7 * time.Second
	m.wantACT(1, 0)
	m.now += time.Hour
	m.wantACT(0, wire.ACTSignaled)
	m.timeout(5)
	m.wantACT(5, 0)
}

// TestACTAtOnce: zero lets a timer that runs expire, and starts none.
func TestACTAtOnce(t *testing.T) {
	m := newMachine(t)
	m.timeout(0)
	m.wantACT(0, 0)
	m.timeout(10)
	m.timeout(0)
	m.wantACT(0, wire.ACTSignaled)
	m.timeout(0)
	m.wantACT(0, wire.ACTSignaled)
}

// TestACTDisable ends a signal, and is refused when there is none.
func TestACTDisable(t *testing.T) {
	m := newMachine(t)
	wantRC(t, m.timeout(math.MaxUint32), wire.RCValue.Param(1))
	m.timeout(1)
	m.now += time.Second
	m.wantACT(0, wire.ACTSignaled)
	if err := m.timeout(math.MaxUint32); err != nil {
		t.Fatal(err)
	}
	m.now += time.Hour
	m.wantACT(math.MaxUint32, 0)
}

// TestACTStartup: a Startup(CLEAR) stops the timer; a Resume goes on, with half of the
// time when nobody has set it since the last Startup.
func TestACTStartup(t *testing.T) {
	eachCycle(t, func(t *testing.T, m *machine, powerCut func()) {
		resume := func() { t.Helper(); m.shutdown(wire.SUState); powerCut(); m.startup(wire.SUState) }
		m.timeout(100)
		m.now += 10 * time.Second
		resume()
		m.wantACT(90, 0)
		m.now += 10 * time.Second
		resume()
		m.wantACT(40, 0)
		m.timeout(1)
		m.now += time.Second
		m.idle()
		m.shutdown(wire.SUState)
		powerCut()
		m.startup(wire.SUState)
		if d := m.ACTs.Data()[0]; !d.Attributes.Has(wire.ACTSignaled) {
			t.Errorf("the signal is gone after a Resume: %+v", d)
		}
		m.timeout(100)
		m.shutdown(wire.SUState)
		powerCut()
		m.startup(wire.SUClear)
		m.wantACT(0, 0)
	})
}

// TestACTPreserved: what the signal led to, a reset, does not hide that there was one.
func TestACTPreserved(t *testing.T) {
	m := newMachine(t)
	m.timeout(1)
	m.now += time.Second
	m.idle()
	m.Init()
	m.startup(wire.SUClear)
	m.wantACT(0, wire.ACTPreserveSignaled)
	m.timeout(5)
	m.wantACT(5, 0)
	m.restart()
	m.startup(wire.SUClear)
	m.wantACT(0, 0)
}
