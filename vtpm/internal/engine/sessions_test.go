package engine_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm/internal/command"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// smallTPM has room for two loaded sessions and three active ones, and contextIDs
// may be four apart.
func smallTPM(t *testing.T) *engine.TPM {
	t.Helper()
	p := engine.PCClient()
	p.LoadedSessions, p.ActiveSessions, p.ContextGap = 2, 3, 4
	x, err := engine.New(engine.Options{
		Profile: &p, Commands: command.Set{}, Store: &engine.MemoryStore{},
		Entropy: rand.NewChaCha8([32]byte{}), Clock: func() time.Duration { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Startup(wire.SUClear, 0); err != nil {
		t.Fatal(err)
	}
	return x
}

func add(t *testing.T, x *engine.TPM) *engine.Session {
	t.Helper()
	s := &engine.Session{Type: wire.SEHMAC, AuthHash: wire.AlgSHA256}
	if err := x.AddSession(s); err != nil {
		t.Fatal(err)
	}
	return s
}

func save(t *testing.T, x *engine.TPM, s *engine.Session) {
	t.Helper()
	if _, err := x.SaveSession(s.Handle); err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, reason string, have error, want wire.RC) {
	t.Helper()
	if have != error(want) {
		t.Errorf("%s: %v, want %v", reason, have, want)
	}
}

// TestSessionSlots: what is full says what: the slots for loaded sessions, or the
// handles.
func TestSessionSlots(t *testing.T) {
	x := smallTPM(t)
	a := add(t, x)
	add(t, x)
	wantError(t, "a third loaded session", x.AddSession(&engine.Session{}), wire.RCSessionMemory)
	save(t, x, a)
	b := add(t, x)
	wantError(t, "loading where there is no slot", x.RestoreSession(a), wire.RCSessionMemory)
	save(t, x, b)
	wantError(t, "a fourth active session", x.AddSession(&engine.Session{}), wire.RCSessionHandles)
	x.FlushSession(a.Handle)
	if c := add(t, x); c.Handle != a.Handle {
		t.Errorf("the free handle is %v, and the new session has %v", a.Handle, c.Handle)
	}
}

// TestContextGap: when the oldest saved session is too old, nothing can be saved,
// and the last slot is for nothing but loading it.
func TestContextGap(t *testing.T) {
	x := smallTPM(t)
	oldest, other := add(t, x), add(t, x)
	save(t, x, oldest)
	for range 4 {
		save(t, x, other)
		if err := x.RestoreSession(other); err != nil {
			t.Fatal(err)
		}
	}
	_, err := x.SaveSession(other.Handle)
	wantError(t, "a context five after the oldest", err, wire.RCContextGap)
	wantError(t, "a session in the last slot", x.AddSession(&engine.Session{}), wire.RCContextGap)
	if err := x.RestoreSession(oldest); err != nil {
		t.Error("load the oldest session:", err)
	}
	save(t, x, other)
}

// TestLastSlotIsForTheOldest: no other saved session may take the last slot once
// the gap is reached.
func TestLastSlotIsForTheOldest(t *testing.T) {
	x := smallTPM(t)
	oldest, saved := add(t, x), add(t, x)
	save(t, x, oldest)
	save(t, x, saved)
	other := add(t, x)
	for range 3 {
		save(t, x, other)
		if err := x.RestoreSession(other); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, "a session that is not the oldest", x.RestoreSession(saved), wire.RCContextGap)
	if err := x.RestoreSession(oldest); err != nil {
		t.Error("load the oldest session:", err)
	}
}
