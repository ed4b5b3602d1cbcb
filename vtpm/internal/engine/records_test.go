package engine_test

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

const object1 = wire.PersistentFirst + 1

// furnished returns a TPM with something in every record, shut down with
// Shutdown(STATE).
func furnished(t testing.TB) *machine {
	t.Helper()
	m := newMachine(t)
	m.set(m.define(index1, counter|wire.NVOrderly, 8), 5)
	m.define(index2, owner.WithType(wire.NTExtend), 32)
	m.run(func() error {
		m.NV.At(index2).Auth = []byte("index")
		m.UndefineNV(index2)
		m.NV.MaxCounter = 9
		m.Mark(engine.RecordCounters)
		return nil
	})
	m.define(index2, owner, 100)
	m.run(func() error {
		m.Persist(object1, sealed())
		h := &m.Hierarchies
		h.Owner.Auth, h.Lockout.Auth, h.Platform.Auth = []byte("owner"), []byte("lockout"), []byte("platform")
		h.Endorsement.Policy, h.Endorsement.PolicyAlg = bytes.Repeat([]byte{7}, 32), wire.AlgSHA256
		h.DisableClear = true
		m.Mark(engine.RecordHierarchies)
		m.AuditCommand(wire.CCUnseal, true)
		m.ExtendAudit([]byte("command"), []byte("response"))
		m.DemandPresence(wire.CCClear, true)
		m.AlgorithmSet = 3
		m.Mark(engine.RecordAlgorithmSet)
		s := &engine.Session{Type: wire.SEHMAC, AuthHash: wire.AlgSHA256, NonceTPM: make([]byte, 32)}
		if err := m.AddSession(s); err != nil {
			return err
		}
		_, err := m.SaveSession(s.Handle)
		return err
	})
	m.fail()
	m.now += 10 * time.Second
	m.shutdown(wire.SUState)
	return m
}

// sealed returns an object as TPM2_EvictControl makes it persistent.
func sealed() *engine.Object {
	public := wire.TPMTPublic{Type: wire.AlgKeyedHash, NameAlg: wire.AlgSHA256}
	public.Parameters.KeyedHash.Scheme.Scheme = wire.AlgNull
	name := crypt.ObjectName(&public)
	return &engine.Object{
		Public: public, Name: name, Qualified: name, Hierarchy: wire.HandleOwner,
		Sensitive: wire.TPMTSensitive{SensitiveType: wire.AlgKeyedHash, AuthValue: []byte("auth"), Sensitive: []byte("data")},
	}
}

// TestRestore: every record comes back as it was, and is written again as it was.
func TestRestore(t *testing.T) {
	m := furnished(t)
	before := m.store.records()
	m.restart()
	if got := m.store.records(); !maps.EqualFunc(got, before, bytes.Equal) {
		t.Error("reading the state has changed it")
	}
	m.run(func() error {
		for rec := range before {
			m.Mark(engine.Record(rec))
		}
		return nil
	})
	for rec, value := range m.store.records() {
		if !bytes.Equal(value, before[rec]) {
			t.Errorf("record %q: %x, was %x", rec, value, before[rec])
		}
	}
	m.startup(wire.SUState)
	h := &m.Hierarchies
	for what, ok := range map[string]bool{
		"ownerAuth":           string(h.Owner.Auth) == "owner",
		"lockoutAuth":         string(h.Lockout.Auth) == "lockout",
		"platformAuth":        string(h.Platform.Auth) == "platform",
		"endorsementPolicy":   len(h.Endorsement.Policy) == 32 && h.Endorsement.PolicyAlg == wire.AlgSHA256,
		"disableClear":        h.DisableClear,
		"NV counter":          m.NV.At(index1).Counter() == 5,
		"largest NV counter":  m.NV.MaxCounter == 9,
		"NV index":            m.NV.At(index2) != nil && len(m.NV.At(index2).Data) == 100,
		"persistent object":   string(m.Objects.At(object1).Sensitive.Sensitive) == "data",
		"audited command":     m.Audit.Audited(wire.CCUnseal),
		"audit digest":        len(m.Audit.Digest) == crypt.Size(m.Audit.Alg),
		"presence":            m.PresenceDemanded(wire.CCClear),
		"algorithm set":       m.AlgorithmSet == 3,
		"failed tries":        m.Lockout.FailedTries == 1,
		"saved session":       slices.Equal(m.Sessions.Handles(false), []wire.Handle{wire.HMACSessionFirst}),
		"Clock":               m.Clock.Clock == 10_000,
		"the session's count": m.IsCurrentContext(wire.HMACSessionFirst, 1),
	} {
		if !ok {
			t.Errorf("%s has not come back", what)
		}
	}
}

// open makes a TPM of records.
func open(t testing.TB, records map[string][]byte) error {
	m := &machine{t: t, store: &store{}}
	if err := m.store.MemoryStore.Commit(records); err != nil {
		t.Fatal(err)
	}
	var err error
	if m.TPM, err = engine.New(m.options()); err != nil {
		return err
	}
	// What was accepted must work: a Startup of each kind, and reading everything.
	if m.tryStartup(wire.SUState) != nil {
		m.startup(wire.SUClear)
	}
	m.use()
	return nil
}

// use touches every entity in the ways that commands do.
func (m *machine) use() {
	m.t.Helper()
	for _, h := range m.NV.Handles() {
		x := m.NV.At(h)
		m.Name(h)
		m.AuthValue(h)
		m.BindValue(h)
		m.run(func() error {
			if x.Type() != wire.NTOrdinary && x.Type() != wire.NTExtend {
				m.SetCounter(x, x.Counter()+1)
			} else {
				m.WriteNV(x, 0, make([]byte, len(x.Data)))
			}
			m.UndefineNV(h)
			return nil
		})
	}
	for _, h := range m.Objects.Persistent() {
		m.Name(h)
		m.AuthValue(h)
		m.Proof(m.HierarchyOf(h))
		m.Objects.At(h).Private()
		m.run(func() error { m.Unpersist(h); return nil })
	}
	m.run(func() error {
		m.ExtendAudit([]byte("command"), []byte("response"))
		if !m.Lockout.InLockout() { // as with no tries at all
			m.fail()
		}
		return m.Shutdown(wire.SUState)
	})
	m.restart()
	m.startup(wire.SUState)
}

// TestRestoreRefuses: records that are missing, unknown, cut, too long or senseless
// are an error that names the record. Nothing is guessed.
func TestRestoreRefuses(t *testing.T) {
	good := furnished(t).store.records()
	if err := open(t, good); err != nil {
		t.Fatal(err)
	}
	refused := func(what, record string, change func(map[string][]byte)) {
		t.Helper()
		bad := maps.Clone(good)
		change(bad)
		if err := open(t, bad); err == nil {
			t.Errorf("%s: accepted", what)
		} else if !strings.Contains(err.Error(), `"`+record+`"`) {
			t.Errorf("%s: the error %q does not name the record", what, err)
		}
	}
	entity := func(name string) bool { return strings.Contains(name, "/") }
	for name, value := range good {
		if !entity(name) {
			refused(name+" missing", name, func(r map[string][]byte) { delete(r, name) })
		}
		refused(name+" empty", name, func(r map[string][]byte) { r[name] = []byte{} })
		refused(name+" with a byte too many", name, func(r map[string][]byte) { r[name] = append(slices.Clone(value), 0) })
		for n := range value {
			refused(name+" cut", name, func(r map[string][]byte) { r[name] = value[:n] })
		}
	}
	for _, name := range []string{"", "nv", "nv/", "nv/1500001", "nv/015000010", "nv/0150000G", "object/81", "other/81000001", "extra"} {
		refused("a record of the name "+name, name, func(r map[string][]byte) { r[name] = []byte{} })
	}
	nv1, object := "nv/01000001", "object/81000001"
	refused("an index under another's handle", "nv/01000009", func(r map[string][]byte) { r["nv/01000009"] = r[nv1] })
	refused("a record of two spellings", "nv/1000001", func(r map[string][]byte) { r["nv/1000001"] = r[nv1] })
	refused("an object under an NV handle", "object/01000001", func(r map[string][]byte) { r["object/01000001"] = r[object] })
	for what, c := range map[string]struct {
		record    string
		offset    int
		from, new byte
	}{
		"another format":               {"format", 3, 1, 2},
		"a counter of an unknown type": {nv1, 9, 0x12, 0x32},
		"a counter as Extend index":    {nv1, 9, 0x12, 0x42},
		"an unknown nameAlg":           {nv1, 5, 0x0B, 0x01},
		"an object of no hierarchy":    {object, len(good[object]) - 2, 1, 8},
		"an object with unknown flags": {object, len(good[object]) - 1, 0, 0x80},
		"an unknown audit algorithm":   {"audit", 1, 0x0D, 0x01},
		"a shutdown of unknown kind":   {"shutdown", 0, 2, 3},
		"a Shutdown(CLEAR) with state": {"shutdown", 0, 2, 1},
		"a flag that is neither":       {"lockout", 16, 1, 2},
		"an unknown bank":              {"pcr", 5, 4, 1},
	} {
		refused(what, c.record, func(r map[string][]byte) {
			b := slices.Clone(r[c.record])
			if b[c.offset] != c.from {
				t.Fatalf("%s: byte %d of %q is %02x", what, c.offset, c.record, b[c.offset])
			}
			b[c.offset] = c.new
			r[c.record] = b
		})
	}
}

// TestRestoreFromEmptyStore is manufacture, and nothing else is.
func TestRestoreFromEmptyStore(t *testing.T) {
	first, second := newMachine(t), newMachine(t)
	if !bytes.Equal(first.Hierarchies.Owner.Seed, second.Hierarchies.Owner.Seed) {
		t.Error("the same entropy makes different seeds")
	}
	seed := bytes.Clone(first.Hierarchies.Owner.Seed)
	first.restart()
	if !bytes.Equal(first.Hierarchies.Owner.Seed, seed) {
		t.Error("the seed has not come back")
	}
	m := &machine{t: t, store: &store{commitErr: errBroken}}
	if _, err := engine.New(m.options()); err == nil {
		t.Error("a TPM that could not be made durable exists")
	}
	m.store.loadErr = errBroken
	if _, err := engine.New(m.options()); err == nil {
		t.Error("a TPM was manufactured over a state that could not be read")
	}
}

// TestRestoreKeepsNoMemory: the store may use its memory again.
func TestRestoreKeepsNoMemory(t *testing.T) {
	m := furnished(t)
	m.restart()
	before := m.store.records()
	for name, b := range m.store.records() {
		copied := slices.Clone(b)
		clear(b)
		before[name] = copied
	}
	m.run(func() error {
		for rec := range before {
			m.Mark(engine.Record(rec))
		}
		return nil
	})
	for rec, value := range m.store.records() {
		if !bytes.Equal(value, before[rec]) {
			t.Errorf("record %q was still in use", rec)
		}
	}
}

// FuzzRestore: whatever a record holds, it is refused, or the TPM works.
func FuzzRestore(f *testing.F) {
	good := furnished(f).store.records()
	for name, value := range good {
		f.Add(name, value)
	}
	f.Fuzz(func(t *testing.T, name string, value []byte) {
		records := maps.Clone(good)
		records[name] = value
		open(t, records)
	})
}
