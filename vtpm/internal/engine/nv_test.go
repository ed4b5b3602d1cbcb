package engine_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

const (
	index1 = wire.NVIndexFirst + 1
	index2 = wire.NVIndexFirst + 2
	owner  = wire.NVOwnerRead | wire.NVOwnerWrite
)

var counter = owner.WithType(wire.NTCounter)

// TestStartupAttributes holds every rule of Part 2, "TPMA_NV" about Startup against
// each kind of it: which of WRITTEN, WRITELOCKED and READLOCKED remain.
func TestStartupAttributes(t *testing.T) {
	const all = wire.NVWritten | wire.NVWriteLocked | wire.NVReadLocked
	for _, c := range []struct {
		name string
		kind wire.TPMANV

		reset, restart wire.TPMANV // a Resume keeps all
	}{
		{"ordinary", owner, wire.NVWritten, wire.NVWritten},
		{"lock for good", owner | wire.NVWriteDefine, wire.NVWritten | wire.NVWriteLocked, wire.NVWritten | wire.NVWriteLocked},
		{"lock until startup", owner | wire.NVWriteSTClear, wire.NVWritten, wire.NVWritten},
		{"cleared", owner | wire.NVClearSTClear, 0, 0},
		{"orderly", owner | wire.NVOrderly, 0, wire.NVWritten},
		{"orderly, lock for good", owner | wire.NVOrderly | wire.NVWriteDefine, 0, wire.NVWritten | wire.NVWriteLocked},
		{"orderly, cleared", owner | wire.NVOrderly | wire.NVClearSTClear, 0, 0},
		{"bits", owner.WithType(wire.NTBits) | wire.NVOrderly, 0, wire.NVWritten},
		{"counter", counter, wire.NVWritten, wire.NVWritten},
		{"orderly counter", counter | wire.NVOrderly, wire.NVWritten, wire.NVWritten},
		{"orderly counter, lock for good", counter | wire.NVOrderly | wire.NVWriteDefine, wire.NVWritten | wire.NVWriteLocked, wire.NVWritten | wire.NVWriteLocked},
	} {
		for kind, su := range map[string][2]wire.SU{
			"reset": {wire.SUClear, wire.SUClear}, "restart": {wire.SUState, wire.SUClear}, "resume": {wire.SUState, wire.SUState},
		} {
			t.Run(c.name+"/"+kind, func(t *testing.T) {
				eachCycle(t, func(t *testing.T, m *machine, powerCut func()) {
					x := m.define(index1, c.kind, 8)
					m.set(x, 1)
					m.run(func() error { m.SetNVAttributes(x(), x().Public.Attributes|all); return nil })
					m.shutdown(su[0])
					powerCut()
					m.startup(su[1])
					want := map[string]wire.TPMANV{"reset": c.reset, "restart": c.restart, "resume": all}[kind]
					if got := x().Public.Attributes & all; got != want {
						t.Errorf("attributes %08x remain, want %08x", uint32(got), uint32(want))
					}
				})
			})
		}
	}
}

// TestStartupName: attributes that a Startup clears are cleared in the Name, too.
func TestStartupName(t *testing.T) {
	m := newMachine(t)
	x := m.define(index1, owner|wire.NVClearSTClear, 8)
	unwritten := bytes.Clone(x().Name())
	m.set(x, 1)
	if bytes.Equal(x().Name(), unwritten) {
		t.Fatal("the first write does not change the Name")
	}
	m.Init()
	m.startup(wire.SUClear)
	if !bytes.Equal(x().Name(), unwritten) {
		t.Error("the Name is still that of a written index")
	}
}

// TestOrderlyCounter: a power cut may cost counts, and never gives one back.
func TestOrderlyCounter(t *testing.T) {
	eachCycle(t, func(t *testing.T, m *machine, powerCut func()) {
		x := m.define(index1, counter|wire.NVOrderly, 8)
		increment := func(n int) {
			for range n {
				m.set(x, x().Counter()+1)
			}
		}
		last := uint64(0)
		for _, n := range []int{1, 0, 254, 1, 1, 300, 511} {
			increment(n)
			reported := x().Counter()
			powerCut()
			m.startup(wire.SUClear)
			if got := x().Counter(); got < reported || got-reported > engine.OrderlyCounterMask {
				t.Fatalf("counter %d after a power cut at %d", got, reported)
			}
			// ... and again, without a step in between.
			now := x().Counter()
			powerCut()
			m.startup(wire.SUClear)
			if x().Counter() != now || now < last {
				t.Fatalf("counter %d after another power cut at %d", x().Counter(), now)
			}
			last = now
		}
		increment(3)
		m.shutdown(wire.SUClear)
		powerCut()
		m.startup(wire.SUClear)
		if got := x().Counter(); got != last+3 {
			t.Errorf("counter %d after an orderly shutdown at %d", got, last+3)
		}
	})
}

// TestOrderlyCounterWrites: an orderly counter is written once in 256 steps; that is
// what it is for.
func TestOrderlyCounterWrites(t *testing.T) {
	m := newMachine(t)
	x := m.define(index1, counter|wire.NVOrderly, 8)
	before := m.store.commits
	for range 1024 {
		m.set(x, x().Counter()+1)
	}
	if got := m.store.commits - before; got != 5 { // the first, and at 256, 512, 768, 1024
		t.Errorf("%d writes for 1024 steps, want 5", got)
	}
}

// TestOrderlyAfterShutdown: a write after a Shutdown makes it an unorderly one.
func TestOrderlyAfterShutdown(t *testing.T) {
	eachCycle(t, func(t *testing.T, m *machine, powerCut func()) {
		x := m.define(index1, owner|wire.NVOrderly, 8)
		m.set(x, 1)
		m.shutdown(wire.SUState)
		m.set(x, 2)
		powerCut()
		wantRC(t, m.tryStartup(wire.SUState), wire.RCValue.Param(1))
		m.startup(wire.SUClear)
		if x().Has(wire.NVWritten) {
			t.Error("data that is lost counts as written")
		}
	})
}

// TestLockAfterShutdown: a lock after a Shutdown holds over the Resume.
func TestLockAfterShutdown(t *testing.T) {
	eachCycle(t, func(t *testing.T, m *machine, powerCut func()) {
		x := m.define(index1, owner|wire.NVOrderly|wire.NVWriteSTClear, 8)
		m.set(x, 1)
		m.shutdown(wire.SUState)
		m.run(func() error { m.SetNVAttributes(x(), x().Public.Attributes|wire.NVWriteLocked); return nil })
		powerCut()
		m.startup(wire.SUState)
		if !x().Has(wire.NVWriteLocked|wire.NVWritten) || x().Counter() != 1 {
			t.Errorf("attributes %08x, value %d after the Resume", uint32(x().Public.Attributes), x().Counter())
		}
	})
}

// TestMaxCounter: the largest value of a counter outlives it.
func TestMaxCounter(t *testing.T) {
	eachCycle(t, func(t *testing.T, m *machine, powerCut func()) {
		m.set(m.define(index1, counter, 8), 7)
		m.set(m.define(index2, counter, 8), 3)
		for _, h := range []wire.Handle{index1, index2} {
			m.run(func() error { m.UndefineNV(h); return nil })
		}
		powerCut()
		m.startup(wire.SUClear)
		if m.NV.MaxCounter != 7 {
			t.Errorf("largest counter %d, want 7", m.NV.MaxCounter)
		}
		if len(m.NV.Handles()) != 0 {
			t.Errorf("indices %v are back", m.NV.Handles())
		}
	})
}

// TestUndefineOwnerNV: the platform's indices are not the owner's.
func TestUndefineOwnerNV(t *testing.T) {
	m := newMachine(t)
	m.define(index1, owner, 8)
	m.define(index2, wire.NVPPRead|wire.NVPPWrite|wire.NVPlatformCreate, 8)
	m.run(func() error { m.UndefineOwnerNV(); return nil })
	if got := m.NV.Handles(); !slices.Equal(got, []wire.Handle{index2}) {
		t.Errorf("indices %v remain", got)
	}
}

// TestNVSpace: the profile bounds the number of indices and their bytes, and says
// before how much room there is.
func TestNVSpace(t *testing.T) {
	m := newMachine(t)
	define := func(h wire.Handle, size int) error {
		return m.try(wire.CCNVDefineSpace, func() error {
			return m.DefineNV(&engine.NVIndex{Public: wire.TPMSNVPublic{NVIndex: h, NameAlg: wire.AlgSHA256, Attributes: owner, DataSize: uint16(size)}})
		})
	}
	for _, size := range []int{2048, 0} {
		h := wire.NVIndexFirst + wire.Handle(size)
		for room := m.NVAvailable(size); room > 0; room-- {
			if err := define(h, size); err != nil {
				t.Fatalf("room for %d more of %d bytes: %v", room, size, err)
			}
			h++
		}
		wantRC(t, define(h, size), wire.RCNVSpace)
	}
}
