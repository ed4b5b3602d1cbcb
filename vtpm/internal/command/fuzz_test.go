package command_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// FuzzExecute does to a TPM what an input says (see fuzzScript): commands of the
// vectors, changed, spliced and reordered. It looks for what must never happen:
//
//   - a panic, or another reason for failure mode than a lack of entropy;
//   - a response that is not one, or a code that the command cannot have;
//   - a command that fails and yet changes the persistent state, but for the
//     counts of authorizations, or which objects and sessions there are;
//   - a state that is not the one in the store: after a power cut the TPM must be
//     the one that the store makes;
//   - a state that is not the one in the blobs: a TPM made of them must be the same;
//   - work or memory out of proportion, counted in bytes: of memory that is
//     allocated and of entropy.
func FuzzExecute(f *testing.F) {
	vectors := allSteps(f)
	for i := range vectors {
		f.Add([]byte{fuzzVector, byte(i >> 8), byte(i)})
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		s := fuzzScript{in: input, vectors: vectors}
		m := newFuzzMachine(t)
		m.bounded = true
		m.counting = len(input)%2 == 0
		for _, step := range s.run() {
			if m.take(step); m.p.Failure() != nil {
				break
			}
		}
		m.checkMoves()
		m.checkDurable()
	})
}

// allSteps returns what each vector does.
func allSteps(t testing.TB) [][]step {
	var all [][]step
	for _, path := range vectorFiles(t) {
		v := newVector(t)
		v.runFile(path)
		all = append(all, v.steps)
	}
	return all
}

// Bounds of what one step may cost.
const (
	maxAllocated = 4 << 20 // bytes
	maxEntropy   = 4 << 10 // bytes
)

// fuzzMachine is a TPM that is watched.
type fuzzMachine struct {
	t       *testing.T
	p       *vtpmtest.TPM
	store   *watchedStore
	entropy *countingReader
	rsa     int  // keys that were made
	tests   int  // self tests that were made
	refused bool // the store failed

	// counting asks for the handles around each command. That is not for every
	// input: a command in between ends exclusive audit sessions.
	counting bool
	bounded  bool // memory and entropy are: nothing else runs in this process
}

// fuzzBase is the state in which a fuzzMachine begins: new, as the vectors' TPMs
// are, but for some objects and indices that the vectors do not know of.
var fuzzBase = sync.OnceValue(func() *fuzzState {
	var s fuzzState
	entropy := vtpmtest.Entropy()
	s.records = make(memoryStore)
	if _, err := vtpm.New(vtpm.Options{Store: s.records, Entropy: entropy}); err != nil {
		panic(err)
	}
	s.entropy = *entropy
	return &s
})

type fuzzState struct {
	records memoryStore
	entropy rand.ChaCha8
}

func newFuzzMachine(t *testing.T) *fuzzMachine {
	base := fuzzBase()
	stream := base.entropy
	m := &fuzzMachine{
		t:       t,
		store:   &watchedStore{memoryStore: base.records.clone()},
		entropy: &countingReader{r: &stream},
	}
	for name, value := range furniture(t) {
		m.store.memoryStore[name] = value
	}
	m.p = vtpmtest.OpenOptions(t, vtpm.Options{Store: m.store, Entropy: m.entropy})
	return m
}

// take takes a step and judges the response.
func (m *fuzzMachine) take(s fuzzStep) {
	m.store.failures += s.storeFailures
	m.refused = m.refused || s.storeFailures != 0
	if s.entropyFailure != 0 {
		m.entropy.failIn = s.entropyFailure
	}
	if s.kind == stepCommand && makesRSA(s.data) {
		// These take long. A few of them are enough.
		if m.rsa++; m.rsa > 1 || len(s.data)%8 != 0 {
			return
		}
	}
	if row := rowOf(s.data); s.kind == stepCommand && row != nil && row.Code == wire.CCSelfTest {
		if m.tests++; m.tests > 10 {
			return
		}
	}
	before := m.handles()
	m.store.changed = nil
	allocated, drawn := allocatedBytes(), m.entropy.n
	response := s.do(m.p)
	if err := m.p.Failure(); err != nil && (!m.entropy.failed || strings.Contains(err.Error(), "panic")) {
		m.t.Fatalf("%x: failure mode: %v", s.data, err)
	}
	if s.kind != stepCommand {
		return
	}
	if err := wellFormed(s.data, response); err != nil {
		m.t.Fatalf("%x: %x: %v", s.data, response, err)
	}
	if responseCode(response) != wire.RCSuccess {
		if changed := m.store.unexpected(); changed != "" {
			m.t.Fatalf("%x: %x: changes record %s", s.data, response, changed)
		}
		if after := m.handles(); after != nil && !bytes.Equal(before, after) {
			m.t.Fatalf("%x: %x: changes the handles from %x to %x", s.data, response, before, after)
		}
	}
	if m.rsa != 0 || !m.bounded {
		return
	}
	if n := allocatedBytes() - allocated; n > maxAllocated {
		m.t.Fatalf("%x: allocates %d bytes", s.data, n)
	}
	if n := m.entropy.n - drawn; n > maxEntropy {
		m.t.Fatalf("%x: draws %d bytes of entropy", s.data, n)
	}
}

// handles returns what the TPM says of the objects and sessions that are loaded or
// saved.
func (m *fuzzMachine) handles() []byte {
	if !m.counting || m.refused || m.entropy.failed {
		return nil
	}
	var all []byte
	for _, first := range []byte{byte(wire.HTTransient), byte(wire.HTHMACSession), byte(wire.HTPolicySession)} {
		all = append(all, m.p.Execute(0, []byte{0x80, 0x01, 0, 0, 0, 22, 0, 0, 0x01, 0x7A, 0, 0, 0, 1, first, 0, 0, 0, 0, 0, 0, 0xFF})...)
	}
	return all
}

// allocatedBytes returns how much memory the process has allocated so far.
func allocatedBytes() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// checkMoves moves the state to another TPM, and compares the two.
func (m *fuzzMachine) checkMoves() {
	if m.p.Failure() != nil {
		return
	}
	m.store.failures, m.entropy.failIn = 0, 0
	to, err := vtpm.New(vtpm.Options{Entropy: vtpmtest.Entropy(), Clock: func() time.Duration { return 0 }})
	if err != nil {
		m.t.Fatal(err)
	}
	for _, kind := range []vtpm.StateKind{vtpm.PermanentState, vtpm.VolatileState} {
		blob, err := m.p.SaveState(kind)
		if err != nil {
			m.t.Fatalf("save the %v state: %v", kind, err)
		}
		if err := to.RestoreState(kind, blob); err != nil {
			m.t.Fatalf("restore the %v state: %v", kind, err)
		}
	}
	p := &vtpmtest.TPM{TPM: to}
	for _, look := range []func(*vtpmtest.TPM) []answer{sketch, portrait} {
		have, want := look(p), look(m.p)
		for i := range want {
			if !bytes.Equal(have[i].response, want[i].response) {
				m.t.Fatalf("after a move, %x: %x, before %x", want[i].command, have[i].response, want[i].response)
			}
		}
	}
}

// checkDurable cuts the power, and compares the TPM with one that is made of its
// store alone.
func (m *fuzzMachine) checkDurable() {
	m.store.failures, m.entropy.failIn = 0, 0
	other := vtpmtest.OpenOptions(m.t, vtpm.Options{Store: m.store.clone(), Entropy: vtpmtest.Entropy()})
	m.p.PowerCycle(m.t)
	m.p.SetPhysicalPresence(false)
	have, want := portrait(m.p), portrait(other)
	for i := range want {
		now, stored := have[i].response, want[i].response
		if m.refused { // a failed authorization that the store refused is not forgotten
			now, stored = have[i].withoutLockout(), want[i].withoutLockout()
		}
		if !bytes.Equal(now, stored) {
			m.t.Fatalf("after a power cut, %x: %x, from the store %x", want[i].command, have[i].response, want[i].response)
		}
	}
}

// memoryStore is a vtpm.Store that can be copied.
type memoryStore map[string][]byte

func (s memoryStore) clone() memoryStore {
	c := make(memoryStore, len(s))
	for name, value := range s {
		c[name] = bytes.Clone(value)
	}
	return c
}

func (s memoryStore) Load() (map[string][]byte, error) { return s.clone(), nil }

func (s memoryStore) Commit(changes map[string][]byte) error {
	for name, value := range changes {
		if value == nil {
			delete(s, name)
		} else {
			s[name] = bytes.Clone(value)
		}
	}
	return nil
}

// watchedStore is a store that knows what changed, and can fail.
type watchedStore struct {
	memoryStore
	failures int
	commits  int               // so far
	changed  map[string][]byte // the former values
}

func (s *watchedStore) Commit(changes map[string][]byte) error {
	s.commits++
	if s.failures > 0 {
		s.failures--
		return fmt.Errorf("no room")
	}
	if s.changed == nil {
		s.changed = make(map[string][]byte)
	}
	for name := range changes {
		if _, ok := s.changed[name]; !ok {
			s.changed[name] = s.memoryStore[name]
		}
	}
	return s.memoryStore.Commit(changes)
}

// unexpected returns the name of a record that a failed command changed, though it
// must not: authorizations are counted, in the lockout's record and in PIN
// indices, time goes on, and the TPM remembers that it is not shut down.
func (s *watchedStore) unexpected() string {
	for name, old := range s.changed {
		now := s.memoryStore[name]
		switch {
		case bytes.Equal(old, now), name == "lockout", name == "counters", name == "shutdown":
		case strings.HasPrefix(name, "nv/") && isPIN(now):
		default:
			return name
		}
	}
	return ""
}

// isPIN reports whether the record is that of a PIN index.
func isPIN(record []byte) bool {
	r := wire.NewReader(record, wire.DefaultLimits())
	r.Bytes(6)
	typ := wire.TPMANV(r.U32()).Type()
	return typ == wire.NTPinFail || typ == wire.NTPinPass
}

// countingReader counts what is read, and can fail once.
type countingReader struct {
	r      io.Reader
	n      int // bytes so far
	reads  int // so far
	failIn int // reads; 0: not
	failed bool
}

func (c *countingReader) Read(p []byte) (int, error) {
	c.reads++
	if c.failIn > 0 {
		if c.failIn--; c.failIn == 0 {
			c.failed = true
			return 0, fmt.Errorf("no entropy")
		}
	}
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}
