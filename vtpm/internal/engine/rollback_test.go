package engine_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// failing runs f as a command while the store fails, and demands the code for it.
func (m *machine) failing(f func() error) {
	m.t.Helper()
	m.store.commitErr = errBroken
	wantRC(m.t, m.try(wire.CCNVWrite, f), wire.RCNVUnavailable)
	m.store.commitErr = nil
}

// TestCommitFails: a command that could not be made durable has not happened, in
// memory and in the store, and the TPM goes on.
func TestCommitFails(t *testing.T) {
	for name, change := range map[string]func(m *machine) error{
		"hierarchy": func(m *machine) error {
			m.Hierarchies.Owner.Auth = []byte("new")
			m.MarkHierarchy(wire.HandleOwner)
			return nil
		},
		"seed": func(m *machine) error {
			m.Mark(engine.RecordHierarchies)
			return m.Hierarchies.Owner.Renew(m.RandomBytes)
		},
		"define": func(m *machine) error {
			return m.DefineNV(&engine.NVIndex{Public: wire.TPMSNVPublic{NVIndex: index2, NameAlg: wire.AlgSHA256, Attributes: owner}})
		},
		"undefine": func(m *machine) error { m.UndefineNV(index1); return nil },
		"write":    func(m *machine) error { m.SetCounter(m.NV.At(index1), 2); return nil },
		"lock": func(m *machine) error {
			m.SetNVAttributes(m.NV.At(index1), m.NV.At(index1).Public.Attributes|wire.NVWriteLocked)
			return nil
		},
		"persist":   func(m *machine) error { m.Persist(wire.PersistentFirst+1, sealed()); return nil },
		"unpersist": func(m *machine) error { m.Unpersist(wire.PersistentFirst); return nil },
		"audit":     func(m *machine) error { m.AuditCommand(wire.CCUnseal, true); return nil },
		"audit algorithm": func(m *machine) error {
			m.SetAuditAlg(wire.AlgSHA384)
			return nil
		},
		"presence":  func(m *machine) error { m.DemandPresence(wire.CCClear, true); return nil },
		"algorithm": func(m *machine) error { m.AlgorithmSet = 7; m.Mark(engine.RecordAlgorithmSet); return nil },
		"clock":     func(m *machine) error { m.Clock.Set(1 << 40); return nil },
		"counters":  func(m *machine) error { m.Clock.Clear(); m.Mark(engine.RecordCounters); return nil },
		"lockout": func(m *machine) error {
			m.Lockout.MaxTries = 99
			m.Mark(engine.RecordLockout)
			return nil
		},
		"shutdown": func(m *machine) error { return m.Shutdown(wire.SUState) },
		"used":     func(m *machine) error { return m.CheckLockout(false) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.set(m.define(index1, counter, 8), 1)
			m.run(func() error { m.Persist(wire.PersistentFirst, sealed()); return nil })
			m.now += time.Second
			m.idle()
			before, clock := m.store.records(), m.Clock.Info()
			m.failing(func() error { return change(m) })
			if !maps.EqualFunc(before, m.store.records(), bytes.Equal) {
				t.Fatal("the store has changed")
			}
			if m.Clock.Info() != clock {
				t.Errorf("clock %+v, before %+v", m.Clock.Info(), clock)
			}
			// What is in memory must be what is in the store: write it all.
			m.run(func() error {
				for rec := range before {
					if rec != string(engine.RecordCounters) {
						m.Mark(engine.Record(rec))
					}
				}
				return nil
			})
			for rec, value := range m.store.records() {
				if !bytes.Equal(value, before[rec]) {
					t.Errorf("record %q is %x in memory, %x in the store", rec, value, before[rec])
				}
			}
			if m.Orderly() {
				t.Error("the TPM believes that it was shut down")
			}
		})
	}
}

// TestCommitFailsAtStartup: a Startup that could not be made durable can be sent
// again, and counts once.
func TestCommitFailsAtStartup(t *testing.T) {
	for _, su := range []wire.SU{wire.SUClear, wire.SUState} {
		m := newMachine(t)
		m.run(func() error { m.ClearOrderly(); m.PCR.Extend(wire.AlgSHA256, 7, make([]byte, 32)); return nil })
		pcr := bytes.Clone(m.PCR.Value(wire.AlgSHA256, 7))
		m.shutdown(wire.SUState)
		m.Init()
		m.store.commitErr = errBroken
		for range 2 {
			wantRC(t, m.tryStartup(su), wire.RCNVUnavailable)
			if m.Started() {
				t.Fatal("the TPM is started")
			}
		}
		m.store.commitErr = nil
		m.startup(su)
		want := counters{reset: 1, restart: 1, safe: true}
		if su == wire.SUClear {
			want.clear = 1
		}
		if got := m.counters(); got != want {
			t.Errorf("Startup(%v): counters %+v, want %+v", su, got, want)
		}
		if got := m.PCR.Value(wire.AlgSHA256, 7); su == wire.SUState && !bytes.Equal(got, pcr) {
			t.Errorf("PCR 7 is %x after the Resume, %x before", got, pcr)
		}
	}
}

// TestOrderlyDataOutlivesRollback: that another change could not be made durable
// takes nothing from data that is not durable anyway.
func TestOrderlyDataOutlivesRollback(t *testing.T) {
	m := newMachine(t)
	x := m.define(index1, counter|wire.NVOrderly, 8)
	y := m.define(index2, owner|wire.NVOrderly, 8)
	for n := range uint64(20) {
		m.set(x, n+1)
		m.set(y, n)
	}
	m.failing(func() error { m.AuditCommand(wire.CCUnseal, true); return nil })
	if x().Counter() != 20 || y().Counter() != 19 || !y().Has(wire.NVWritten) {
		t.Errorf("counter %d, want 20; data %d, want 19", x().Counter(), y().Counter())
	}
	m.failing(func() error { m.UndefineNV(index1); m.UndefineNV(index2); return nil })
	if x().Counter() != 20 || y().Counter() != 19 {
		t.Errorf("after undefining: counter %d, want 20; data %d, want 19", x().Counter(), y().Counter())
	}
	m.failing(func() error {
		m.SetCounter(x(), 21)
		m.SetNVAttributes(x(), x().Public.Attributes|wire.NVWriteLocked)
		return nil
	})
	if x().Counter() != 20 || x().Has(wire.NVWriteLocked) {
		t.Errorf("after a failed command: counter %d, attributes %08x", x().Counter(), uint32(x().Public.Attributes))
	}
	m.failing(func() error {
		m.SetNVAttributes(x(), x().Public.Attributes|wire.NVWriteLocked)
		return nil
	})
	if x().Has(wire.NVWriteLocked) {
		t.Error("a lock that failed is there")
	}
	m.set(x, 21) // and once a command succeeded, no later one undoes it
	m.failing(func() error { m.AuditCommand(wire.CCUnseal, true); return nil })
	if x().Counter() != 21 {
		t.Errorf("counter %d, want 21", x().Counter())
	}
}

// TestNoFreeGuesses: a failure counts although the store fails, and nothing can be
// tried until it is durable.
func TestNoFreeGuesses(t *testing.T) {
	m := newMachine(t)
	if err := m.authorize(); err != nil {
		t.Fatal(err)
	}
	m.failing(func() error { m.CountFailure(false); return nil })
	m.wantTries(1)
	m.store.commitErr = errBroken
	for range 3 {
		wantRC(t, m.authorize(), wire.RCNVUnavailable)
		wantRC(t, m.lockoutAuth(true), wire.RCNVUnavailable)
	}
	m.wantTries(1)
	m.store.commitErr = nil
	if err := m.authorize(); err != nil {
		t.Fatal(err)
	}
	m.restart()
	m.startup(wire.SUClear)
	m.wantTries(2) // and one for the power cut
}

// TestFirstTryMustBeDurable: before the first try after a Startup, the TPM records
// that there was one; without that, no try.
func TestFirstTryMustBeDurable(t *testing.T) {
	m := newMachine(t)
	m.store.commitErr = errBroken
	tried := false
	err := m.try(wire.CCUnseal, func() error {
		err := m.CheckLockout(false)
		tried = err == nil
		return err
	})
	wantRC(t, err, wire.RCNVUnavailable)
	if tried {
		t.Error("the authorization was tried")
	}
	m.store.commitErr = nil
	before := m.store.commits
	for range 3 {
		if err := m.authorize(); err != nil {
			t.Fatal(err)
		}
	}
	if got := m.store.commits - before; got != 1 {
		t.Errorf("%d writes for three tries, want 1", got)
	}
}

// TestHealWaitsForStore: a heal that could not be made durable happens later, not
// twice and not never.
func TestHealWaitsForStore(t *testing.T) {
	m := newMachine(t)
	for range 3 {
		m.fail()
	}
	m.now += 1000 * time.Second
	m.failing(func() error { return nil })
	m.wantTries(3)
	m.idle()
	m.wantTries(2)
	m.now += 1000 * time.Second
	m.idle()
	m.wantTries(1)
}

// TestHealIsNotUndone: a heal that became durable in the middle of a command is not
// healed again after the end of it failed.
func TestHealIsNotUndone(t *testing.T) {
	m := newMachine(t)
	for range 3 {
		m.fail()
	}
	m.now += 1000 * time.Second
	err := m.try(wire.CCUnseal, func() error {
		if err := m.Commit(); err != nil {
			return err
		}
		m.store.commitErr = errBroken
		m.AuditCommand(wire.CCUnseal, true)
		return nil
	})
	wantRC(t, err, wire.RCNVUnavailable)
	m.store.commitErr = nil
	m.now += 999 * time.Second
	m.idle()
	m.wantTries(2)
}

// TestRollbackFails: a TPM that cannot know its state does nothing, until the power
// is cut and the state can be read again.
func TestRollbackFails(t *testing.T) {
	m := newMachine(t)
	m.store.commitErr, m.store.loadErr = errBroken, errBroken
	err := m.try(wire.CCClear, func() error { m.AlgorithmSet = 7; m.Mark(engine.RecordAlgorithmSet); return nil })
	wantRC(t, err, wire.RCFailure)
	if !errors.Is(m.Failure(), errBroken) {
		t.Errorf("failure %v", m.Failure())
	}
	m.Init()
	if !errors.Is(m.Failure(), errBroken) {
		t.Errorf("failure %v after _TPM_Init", m.Failure())
	}
	m.store.commitErr, m.store.loadErr = nil, nil
	m.Init()
	if m.Failure() != nil {
		t.Fatal(m.Failure())
	}
	m.startup(wire.SUClear)
	if m.AlgorithmSet != 0 {
		t.Error("the change that failed is there")
	}
}

// TestFailureModeWritesNothing: a command that stopped halfway, because of a panic
// or for want of entropy, leaves nothing behind.
func TestFailureModeWritesNothing(t *testing.T) {
	m := newMachine(t)
	before := m.store.records()
	m.BeginCommand(&engine.Command{Code: wire.CCClear})
	m.AlgorithmSet = 7
	m.Mark(engine.RecordAlgorithmSet)
	m.Fail(io.ErrUnexpectedEOF)
	if err := m.EndCommand(); err != nil {
		t.Error(err)
	}
	if !maps.EqualFunc(before, m.store.records(), bytes.Equal) {
		t.Error("the store has changed")
	}
	m.Init()
	m.startup(wire.SUClear)
	if m.AlgorithmSet != 0 {
		t.Error("the change is there after the restart")
	}
}
