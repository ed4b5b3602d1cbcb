package engine_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

const commitCurve = wire.CurveNISTP256

// commit makes a first step with the Name.
func (m *machine) commit(name []byte) (r []byte, counter uint16) {
	m.t.Helper()
	r, err := m.CommitRandom(commitCurve, name)
	if err != nil {
		m.t.Fatal(err)
	}
	return r, m.CountCommit()
}

// committed checks that the second step gets r, or TPM_RC_VALUE when r is nil.
func (m *machine) committed(why string, counter uint16, name, r []byte) {
	m.t.Helper()
	got, err := m.CommittedRandom(counter, commitCurve, name)
	if r == nil && !errors.Is(err, wire.RCValue) || !bytes.Equal(got, r) {
		m.t.Errorf("%s: commit %d gives %x, %v, want %x", why, counter, got, err, r)
	}
}

// TestCommits: the second step gets the value of the first, once, and only as long as
// the commit is one of the last SplitMax.
func TestCommits(t *testing.T) {
	m := newMachine(t)
	name := []byte("name")
	m.committed("before any", 0, name, nil)
	first, zero := m.commit(name)
	second, one := m.commit(nil)
	if zero != 0 || one != 1 || bytes.Equal(first, second) {
		t.Errorf("counters %d and %d, values %x and %x", zero, one, first, second)
	}
	m.committed("first", zero, name, first)
	m.committed("second", one, nil, second)
	m.committed("not yet", 2, name, nil)
	m.committed("the same bit, another time", engine.SplitMax, name, nil)
	m.EndCommit(zero)
	m.committed("done", zero, name, nil)
	for range engine.SplitMax - 2 {
		m.commit(name)
	}
	m.committed("the oldest", one, nil, second)
	m.commit(name) // has the first's bit
	m.committed("still the oldest", one, nil, second)
	m.commit(name)
	m.committed("replaced", one, nil, nil)
}

// TestCommitCounterWraps: the counter that a client gets has 16 bits; a commit from
// before it went around is not taken for a new one.
func TestCommitCounterWraps(t *testing.T) {
	m := newMachine(t)
	for range 1<<16 - 1 {
		m.CountCommit()
	}
	last, counter := m.commit(nil)
	if counter != 0xFFFF {
		t.Fatalf("counter %#x", counter)
	}
	again, zero := m.commit(nil)
	if zero != 0 {
		t.Fatalf("counter %#x", zero)
	}
	m.committed("the last before", counter, nil, last)
	m.committed("the first after", zero, nil, again)
	m.committed("127 before the end", 0xFF80, nil, nil) // its bit is the new zero's
}

// TestCommitsByStartup: commits survive Restart and Resume, and no Reset; and what a
// Shutdown saved does not come back once a value was used since.
func TestCommitsByStartup(t *testing.T) {
	for _, tt := range []struct {
		why      string
		down, up wire.SU
		kept     bool
	}{
		{"Resume", wire.SUState, wire.SUState, true},
		{"Restart", wire.SUState, wire.SUClear, true},
		{"Reset", wire.SUClear, wire.SUClear, false},
	} {
		m := newMachine(t)
		r, counter := m.commit([]byte("name"))
		if err := m.Shutdown(tt.down); err != nil {
			t.Fatal(err)
		}
		if err := m.Commit(); err != nil {
			t.Fatal(err)
		}
		m.restart()
		m.startup(tt.up)
		if !tt.kept {
			r = nil
		}
		m.committed(tt.why, counter, []byte("name"), r)
	}
	for why, use := range map[string]func(m *machine){
		"another commit":  func(m *machine) { m.commit(nil) },
		"the second step": func(m *machine) { m.EndCommit(0) },
	} {
		m := newMachine(t)
		m.commit(nil)
		if err := m.Shutdown(wire.SUState); err != nil {
			t.Fatal(err)
		}
		use(m)
		if m.Orderly() {
			t.Errorf("%s: a Startup(STATE) would bring the old state back", why)
		}
	}
}
