package engine_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// fillFields gives every field below v another value than the zero value.
func fillFields(t *testing.T, v reflect.Value, n *uint64) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fillFields(t, v.Field(i), n)
		}
	case reflect.Slice:
		v.SetBytes([]byte{byte(*n), byte(*n >> 8)})
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(*n % 200)
	default:
		t.Fatalf("a session has a %s", v.Type())
	}
}

// TestSessionEncoding: a field that is added to a session must be saved with it.
func TestSessionEncoding(t *testing.T) {
	m := newMachine(t)
	var s engine.Session
	var n uint64
	fillFields(t, reflect.ValueOf(&s).Elem(), &n)
	s.Type, s.AuthHash = wire.SEPolicy, wire.AlgSHA256
	s.Policy.Digest, s.Policy.Restriction = bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	s.Policy.RestrictionKind = engine.RestrictTemplate
	s.Symmetric = wire.TPMTSymDef{Algorithm: wire.AlgAES, KeyBits: 128, Mode: wire.AlgCFB}
	var back engine.Session
	if err := m.Unmarshal(wire.Marshal(&s), &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(s, back) {
		t.Errorf("have %+v, want %+v", back, s)
	}

	unbound := engine.Session{Type: wire.SEHMAC, AuthHash: wire.AlgSHA256, Symmetric: wire.TPMTSymDef{Algorithm: wire.AlgNull}}
	bound := unbound
	bound.Bind = []byte{}
	for _, s := range []engine.Session{unbound, bound} {
		var back engine.Session
		if err := m.Unmarshal(wire.Marshal(&s), &back); err != nil {
			t.Fatal(err)
		}
		if (back.Bind == nil) != (s.Bind == nil) {
			t.Errorf("bound: have %v, want %v", back.Bind != nil, s.Bind != nil)
		}
	}
}

func protect(t *testing.T, m *machine, c wire.TPMSContext, data string) wire.TPMSContext {
	t.Helper()
	if err := m.ProtectContext(&c, []byte(data)); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestContextChanged: whatever bit of a context is changed, it is noticed before
// anything of its contents is looked at.
func TestContextChanged(t *testing.T) {
	m := newMachine(t)
	saved := protect(t, m, wire.TPMSContext{Sequence: 7, SavedHandle: wire.SavedObject, Hierarchy: wire.HandleOwner}, "contents")
	data, err := m.UnprotectContext(&saved)
	if err != nil || string(data) != "contents" {
		t.Fatalf("have %q, %v", data, err)
	}
	fields := wire.Marshal(saved)
	for i := range 8 * len(fields) {
		changed := bytes.Clone(fields)
		changed[i/8] ^= 1 << (i % 8)
		var c wire.TPMSContext
		if m.Unmarshal(changed, &c) != nil {
			continue // no context at all
		}
		_, err := m.UnprotectContext(&c)
		// The size of the HMAC is what a blob starts with.
		if inSize := i/8 >= 18 && i/8 < 20; inSize && err == nil || !inSize && !errors.Is(err, wire.RCIntegrity) {
			t.Errorf("bit %d: %v", i, err)
		}
	}
	for n := range len(saved.ContextBlob) {
		c := saved
		c.ContextBlob = saved.ContextBlob[:n]
		if _, err := m.UnprotectContext(&c); err == nil {
			t.Errorf("a blob of %d bytes is accepted", n)
		}
	}
}

// TestContextFresh: a TPM that is restored to an earlier state saves under the same
// sequence number again; what it encrypts must not be with the same key stream.
func TestContextFresh(t *testing.T) {
	m := newMachine(t)
	c := wire.TPMSContext{Sequence: 1, SavedHandle: wire.SavedObject, Hierarchy: wire.HandleOwner}
	first, second := protect(t, m, c, "contents"), protect(t, m, c, "contents")
	n := len("contents")
	if bytes.Equal(first.ContextBlob[len(first.ContextBlob)-n:], second.ContextBlob[len(second.ContextBlob)-n:]) {
		t.Error("the same key stream twice")
	}
}

// TestContextProof: every hierarchy has contexts of its own.
func TestContextProof(t *testing.T) {
	m := newMachine(t)
	hierarchies := []wire.Handle{wire.HandleOwner, wire.HandleEndorsement, wire.HandlePlatform, wire.HandleNull}
	for _, from := range hierarchies {
		saved := protect(t, m, wire.TPMSContext{Sequence: 1, SavedHandle: wire.SavedObject, Hierarchy: from}, "contents")
		for _, to := range hierarchies {
			c := saved
			c.Hierarchy = to
			if _, err := m.UnprotectContext(&c); (err == nil) != (from == to) {
				t.Errorf("saved in %v, loaded in %v: %v", from, to, err)
			}
		}
	}
}

// TestPersistentSpace: there is room for so many persistent objects and no more.
func TestPersistentSpace(t *testing.T) {
	m := newMachine(t)
	m.Profile.PersistentObjects = 1
	m.run(func() error { return m.Persist(0x81000000, sealed()) })
	if err := m.try(wire.CCEvictControl, func() error { return m.Persist(0x81000001, sealed()) }); !errors.Is(err, wire.RCNVSpace) {
		t.Fatalf("have %v, want TPM_RC_NV_SPACE", err)
	}
	m.run(func() error { m.Unpersist(0x81000000); return nil })
	m.run(func() error { return m.Persist(0x81000001, sealed()) })
}
