package engine_test

import (
	"errors"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// store is a Store that a test can make fail, with a look at what it holds.
type store struct {
	engine.MemoryStore
	loadErr, commitErr error
	commits            int
}

func (s *store) Load() (map[string][]byte, error) {
	if s.loadErr != nil {
		return nil, s.loadErr
	}
	return s.MemoryStore.Load()
}

func (s *store) Commit(changes map[string][]byte) error {
	if s.commitErr != nil {
		return s.commitErr
	}
	s.commits++
	return s.MemoryStore.Commit(changes)
}

// records returns a copy of what the store holds.
func (s *store) records() map[string][]byte {
	saved, err := s.MemoryStore.Load()
	if err != nil {
		panic(err)
	}
	return maps.Clone(saved)
}

var errBroken = errors.New("the disk is full")

// machine is a TPM with its store and the clock of the world around it.
type machine struct {
	*engine.TPM
	t     testing.TB
	store *store
	now   time.Duration
}

// newMachine returns a new TPM that went through Startup(CLEAR).
func newMachine(t testing.TB) *machine {
	t.Helper()
	m := &machine{t: t, store: &store{}}
	m.restart()
	m.startup(wire.SUClear)
	return m
}

// options are those of the machine's TPM. The engine only hands the command set on
// to commands, and there are none here.
func (m *machine) options() engine.Options {
	return engine.Options{
		Store:   m.store,
		Entropy: rand.NewChaCha8([32]byte{byte(m.store.commits)}),
		Clock:   func() time.Duration { return m.now },
	}
}

// restart ends the process and starts another one on what the store holds.
func (m *machine) restart() {
	m.t.Helper()
	var err error
	if m.TPM, err = engine.New(m.options()); err != nil {
		m.t.Fatal(err)
	}
}

// try runs f as a command.
func (m *machine) try(cc wire.CC, f func() error) error {
	m.BeginCommand(&engine.Command{Code: cc})
	err := f()
	if endErr := m.EndCommand(); endErr != nil {
		err = endErr
	}
	return err
}

// run runs f as a command that must succeed.
func (m *machine) run(f func() error) {
	m.t.Helper()
	if err := m.try(wire.CCGetRandom, f); err != nil {
		m.t.Fatal(err)
	}
}

// idle is a command that does nothing, for what any command does.
func (m *machine) idle() {
	m.t.Helper()
	m.run(func() error { return nil })
}

func (m *machine) tryStartup(su wire.SU) error {
	return m.try(wire.CCStartup, func() error { return m.Startup(su, 0) })
}

func (m *machine) startup(su wire.SU) {
	m.t.Helper()
	if err := m.tryStartup(su); err != nil {
		m.t.Fatalf("Startup(%v): %v", su, err)
	}
}

func (m *machine) shutdown(su wire.SU) {
	m.t.Helper()
	m.run(func() error { return m.Shutdown(su) })
}

// cycles are the two ways of losing power: the signal to a TPM that goes on in the
// same process, and the end of the process. They must come to the same.
var cycles = map[string]func(*machine){
	"init":    func(m *machine) { m.Init() },
	"restart": func(m *machine) { m.t.Helper(); m.restart() },
}

// eachCycle runs test once for each way of losing power.
func eachCycle(t *testing.T, test func(t *testing.T, m *machine, powerCut func())) {
	for name, cycle := range cycles {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			test(t, m, func() { t.Helper(); cycle(m) })
		})
	}
}

// define defines an NV index and returns how to reach it after any restart.
func (m *machine) define(h wire.Handle, a wire.TPMANV, size int) func() *engine.NVIndex {
	m.t.Helper()
	m.run(func() error {
		return m.DefineNV(&engine.NVIndex{Public: wire.TPMSNVPublic{
			NVIndex: h, NameAlg: wire.AlgSHA256, Attributes: a, DataSize: uint16(size),
		}})
	})
	return func() *engine.NVIndex { return m.NV.At(h) }
}

// set stores a value in an index of 8 bytes.
func (m *machine) set(index func() *engine.NVIndex, value uint64) {
	m.t.Helper()
	m.run(func() error { m.SetCounter(index(), value); return nil })
}

// wantRC fails the test unless err is the response code.
func wantRC(t testing.TB, err error, want wire.RC) {
	t.Helper()
	if rc, ok := err.(wire.RC); !ok || rc != want {
		t.Fatalf("answer %v, want %v", err, want)
	}
}
