package vtpm_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// unhex decodes hex digits with spaces.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func codeOf(response []byte) wire.RC {
	r := wire.NewReader(response, wire.DefaultLimits())
	r.Bytes(6)
	return wire.RC(r.U32())
}

// TestHeader: what is wrong before the command is known.
func TestHeader(t *testing.T) {
	for _, x := range []struct{ reason, command, response string }{
		{"nothing at all", "", "8001 0000000A 0000009A"},
		{"half a tag", "80", "8001 0000000A 0000009A"},
		{"a tag of TPM 1.2, to which the answer is one of TPM 1.2", "00C1 0000000A 0000017B", "00C4 0000000A 0000001E"},
		{"no size", "8001 0000", "8001 0000000A 0000009A"},
		{"a size that is too large", "8001 0000000D 0000017B 0008", "8001 0000000A 00000142"},
		{"a size that is too small", "8001 0000000B 0000017B 0008", "8001 0000000A 00000142"},
		{"no command code", "8001 00000008 0000", "8001 0000000A 0000009A"},
		{"a command code that does not exist", "8001 0000000A 0000FFFF", "8001 0000000A 00000143"},
		{"a gap in the command codes", "8001 0000000A 00000123", "8001 0000000A 00000143"},
		{"a command that is not implemented", "8001 0000000A 00000179", "8001 0000000A 00000143"},
		{"a second TPM2_Startup", "8001 0000000C 00000144 0000", "8001 0000000A 00000100"},
	} {
		if have := vtpmtest.Open(t).Execute(0, unhex(x.command)); !bytes.Equal(have, unhex(x.response)) {
			t.Errorf("%s: %x", x.reason, have)
		}
	}
}

// TestLargestCommand: a command may have 4,096 bytes, however they are meant.
func TestLargestCommand(t *testing.T) {
	p := vtpmtest.Open(t)
	if rc := codeOf(p.Execute(0, header(wire.STNoSessions, wire.CCGetRandom, make([]byte, 4096-10)))); rc != wire.RCSize {
		t.Errorf("4,096 bytes, most of them too many: %v", rc)
	}
	if rc := codeOf(p.Execute(0, header(wire.STNoSessions, wire.CCGetRandom, make([]byte, 4097-10)))); rc != wire.RCCommandSize {
		t.Errorf("4,097 bytes: %v", rc)
	}
}

// TestBeforeStartup: after _TPM_Init there is only TPM2_Startup.
func TestBeforeStartup(t *testing.T) {
	p := vtpmtest.Open(t)
	p.Init()
	if rc := codeOf(p.Execute(0, header(wire.STNoSessions, wire.CCGetRandom, params(uint16(8))))); rc != wire.RCInitialize {
		t.Error(rc)
	}
}

// TestHandles: what is wrong with a handle, and with which.
func TestHandles(t *testing.T) {
	start := params("0123456789abcdef", "", wire.SEHMAC, wire.AlgNull, wire.AlgSHA256)
	for _, x := range []struct {
		reason  string
		cc      wire.CC
		handles []byte
		params  []byte
		want    wire.RC
	}{
		{"half a handle", wire.CCReadPublic, unhex("8000"), nil, wire.RCInsufficient.Handle(1)},
		{"no second handle", wire.CCStartAuthSession, params(wire.HandleNull), nil, wire.RCInsufficient.Handle(2)},
		{"a kind of handle that the command does not take", wire.CCReadPublic, params(wire.HandleOwner), nil, wire.RCValue.Handle(1)},
		{"TPM_RH_NULL where it has no meaning", wire.CCReadPublic, params(wire.HandleNull), nil, wire.RCValue.Handle(1)},
		{"a transient object that is not loaded", wire.CCReadPublic, params(wire.TransientFirst), nil, wire.RCReferenceH0},
		{"the second handle's object is not loaded", wire.CCStartAuthSession, params(wire.HandleNull, wire.TransientFirst), start, wire.RCReferenceH1},
		{"a transient handle beyond the slots", wire.CCReadPublic, params(wire.TransientFirst + 0x10000), nil, wire.RCValue.Handle(1)},
		{"a persistent object that does not exist", wire.CCReadPublic, params(wire.PersistentFirst), nil, wire.RCHandle.Handle(1)},
		{"an NV index that is not defined", wire.CCNVReadPublic, params(wire.NVIndexFirst), nil, wire.RCHandle.Handle(1)},
		{"a session that is not loaded", wire.CCPolicyRestart, params(wire.PolicySessionFirst + 1), nil, wire.RCReferenceH0},
		{"the policy handle of what is an HMAC session", wire.CCPolicyRestart, params(wire.PolicySessionFirst), nil, wire.RCHandle.Handle(1)},
	} {
		c := open(t)
		c.hmacSession()
		if rc := codeOf(c.Execute(0, header(wire.STNoSessions, x.cc, append(x.handles, x.params...)))); rc != x.want {
			t.Errorf("%s: %v, want %v", x.reason, rc, x.want)
		}
	}
}

// TestDisabledHierarchy: the handle of a hierarchy that is switched off, and what
// belongs to it, cannot be used.
func TestDisabledHierarchy(t *testing.T) {
	c := open(t)
	x := c.defineNV(wire.NVOwnerRead|wire.NVOwnerWrite|wire.NVAuthRead, "", nil, 8)
	c.ok(request{wire.CCHierarchyControl, []entity{owner}, []*session{pw("")}, params(wire.HandleOwner, uint8(0)), 0})
	c.fails(request{wire.CCHierarchyChangeAuth, []entity{owner}, []*session{pw("")}, params(""), 0}, wire.RCHierarchy.Handle(1))
	c.fails(request{wire.CCNVReadPublic, []entity{x.entity}, nil, nil, 0}, wire.RCHandle.Handle(1))
}

// TestReadOnlyMode: a command that changes what lasts is refused before anything
// is looked at.
func TestReadOnlyMode(t *testing.T) {
	c := open(t)
	c.ok(request{wire.CCReadOnlyControl, []entity{platform}, []*session{pw("")}, params(uint8(1)), 0})
	c.fails(request{wire.CCHierarchyChangeAuth, []entity{owner}, []*session{pw("wrong")}, nil, 0}, wire.RCReadOnly)
	c.ok(request{wire.CCGetRandom, nil, nil, params(uint16(8)), 0})
}

// TestAreas: the sizes of the authorization and the parameter area.
func TestAreas(t *testing.T) {
	area := func(size uint32, rest string) []byte {
		return append(params(wire.HandleOwner, size), unhex(rest)...)
	}
	const empty = "40000009 0000 00 0000" // a password authorization
	for _, x := range []struct {
		reason string
		tag    wire.ST
		rest   []byte
		want   wire.RC
	}{
		{"half an authorizationSize", wire.STSessions, append(params(wire.HandleOwner), 0, 0), wire.RCInsufficient},
		{"no session has less than nine bytes", wire.STSessions, area(8, empty+"0000"), wire.RCSize},
		{"an authorization area that is longer than the command", wire.STSessions, area(12, empty+"0000"), wire.RCSize},
		{"a second session that is cut short by the area", wire.STSessions, area(10, empty+"40"+"0000"), wire.RCInsufficient.Session(2)},
		{"no parameter", wire.STSessions, area(9, empty), wire.RCInsufficient.Param(1)},
		{"a parameter that is cut short", wire.STSessions, area(9, empty+"0002 00"), wire.RCInsufficient.Param(1)},
		{"bytes after the last parameter", wire.STSessions, area(9, empty+"0000 00"), wire.RCSize},
		{"a parameter that is too large", wire.STSessions, area(9, empty+"0041"+strings.Repeat("01", 65)), wire.RCSize.Param(1)},
		{"all is well", wire.STSessions, area(9, empty+"0000"), wire.RCSuccess},
	} {
		if rc := codeOf(vtpmtest.Open(t).Execute(0, header(x.tag, wire.CCHierarchyChangeAuth, x.rest))); rc != x.want {
			t.Errorf("%s: %v, want %v", x.reason, rc, x.want)
		}
	}
}

// failingReader is a source of entropy that can be switched off.
type failingReader struct {
	io.Reader
	off bool
}

func (f *failingReader) Read(p []byte) (int, error) {
	if f.off {
		return 0, errors.New("no entropy")
	}
	return f.Reader.Read(p)
}

// TestFailureMode: a TPM that cannot go on says TPM_RC_FAILURE to all but two
// commands, and those take no session. _TPM_Init ends it.
func TestFailureMode(t *testing.T) {
	source := &failingReader{Reader: vtpmtest.Entropy()}
	c := &client{TB: t, TPM: vtpmtest.OpenOptions(t, vtpm.Options{Entropy: source})}
	getRandom := request{cc: wire.CCGetRandom, params: params(uint16(8))}
	getCapability := request{cc: wire.CCGetCapability, params: params(uint32(wire.CapTPMProperties), uint32(wire.PTManufacturer), uint32(1))}
	if c.Failure() != nil {
		t.Fatal(c.Failure())
	}
	source.off = true
	c.fails(getRandom, wire.RCFailure)
	if err := c.Failure(); err == nil || !strings.Contains(err.Error(), "no entropy") {
		t.Errorf("reason of the failure: %v", err)
	}
	source.off = false
	c.fails(getRandom, wire.RCFailure)
	c.ok(getCapability)
	getCapability.sessions = []*session{pw("")}
	c.fails(getCapability, wire.RCFailure)
	c.ok(request{cc: wire.CCGetTestResult})
	c.fails(request{cc: wire.CCGetTestResult, params: []byte{0}}, wire.RCFailure)
	c.Init()
	c.Startup(t)
	c.ok(getRandom)
}

// TestFailureInResponse: a command whose response cannot be made, for want of a
// nonce, has not happened once the TPM is back.
func TestFailureInResponse(t *testing.T) {
	source := &failingReader{Reader: vtpmtest.Entropy()}
	c := &client{TB: t, TPM: vtpmtest.OpenOptions(t, vtpm.Options{Entropy: source})}
	s := c.hmacSession()
	source.off = true
	c.fails(request{wire.CCHierarchyChangeAuth, []entity{owner}, []*session{s}, params("new"), 0}, wire.RCFailure)
	source.off = false
	c.PowerCycle(t)
	c.ok(keepAuth(owner, pw("")))
}

// failingStore is a store that can be switched off.
type failingStore struct {
	vtpm.Store
	off bool
}

func (f *failingStore) Commit(changes map[string][]byte) error {
	if f.off {
		return errors.New("no disk")
	}
	return f.Store.Commit(changes)
}

// TestStoreFails: what cannot be made durable did not happen.
func TestStoreFails(t *testing.T) {
	store := &failingStore{Store: new(engine.MemoryStore)}
	c := &client{TB: t, TPM: vtpmtest.OpenOptions(t, vtpm.Options{Store: store})}
	change := request{wire.CCHierarchyChangeAuth, []entity{owner}, []*session{pw("")}, params("new"), 0}
	store.off = true
	c.fails(change, wire.RCNVUnavailable)
	store.off = false
	c.ok(change)
}
