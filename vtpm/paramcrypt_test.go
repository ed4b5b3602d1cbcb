package vtpm_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// TestParameterEncryption: the first parameter of command and response, in every
// cipher. The key has the sessionKey and the authValue of what the session
// authorizes, also of an entity that the session is bound to.
func TestParameterEncryption(t *testing.T) {
	c := open(t)
	x := c.defineNV(wire.NVAuthRead|wire.NVAuthWrite|wire.NVOwnerWrite|wire.NVNoDA, "index auth", nil, 32)
	c.write(x, make([]byte, 32)...)
	bound := func(sym wire.TPMTSymDef, e entity, auth string) *session {
		s := c.start(wire.SEHMAC, wire.AlgSHA256, sym, e)
		s.auth, s.paramAuth = []byte(auth), []byte("index auth")
		return s
	}
	for name, sym := range map[string]wire.TPMTSymDef{"AES-128": aes128, "AES-256": aes256, "XOR": xor} {
		for kind, s := range map[string]*session{
			"unbound":                 c.start(wire.SEHMAC, wire.AlgSHA256, sym).authorizes("index auth"),
			"unbound, SHA-384":        c.start(wire.SEHMAC, wire.AlgSHA384, sym).authorizes("index auth"),
			"bound":                   bound(sym, x.entity, ""),
			"bound to another entity": bound(sym, endorsement, "index auth"),
		} {
			for i := range byte(3) {
				data := bytes.Repeat([]byte{i + 1}, 30)
				c.ok(request{wire.CCNVWrite, []entity{x.entity, x.entity}, []*session{s.with(wire.SessContinue | wire.SessDecrypt)}, params(data, uint16(0)), 0})
				c.plainly(x, data)
				r := readNV(x, s.with(wire.SessContinue|wire.SessEncrypt))
				if have := c.ok(r).params[2:10]; !bytes.Equal(have, data[:8]) {
					t.Errorf("%s, %s: read %x", name, kind, have)
				}
			}
		}
	}
}

// plainly checks what is in the index without any session.
func (c *client) plainly(x *nvIndex, want []byte) {
	c.Helper()
	r := request{wire.CCNVRead, []entity{x.entity, x.entity}, []*session{pw("index auth")}, params(uint16(len(want)), uint16(0)), 0}
	if have := c.ok(r).params[2:]; !bytes.Equal(have, want) {
		c.Errorf("index holds %x, want %x", have, want)
	}
}

// TestEncryptedOnTheWire: a session that encrypts keeps what it should from who
// listens.
func TestEncryptedOnTheWire(t *testing.T) {
	c := open(t)
	x := c.defineNV(wire.NVAuthRead|wire.NVAuthWrite, "index auth", nil, 8)
	for _, sym := range []wire.TPMTSymDef{aes128, aes256, xor} {
		s := c.start(wire.SEHMAC, wire.AlgSHA256, sym).authorizes("index auth").with(wire.SessContinue | wire.SessDecrypt)
		write := request{wire.CCNVWrite, []entity{x.entity, x.entity}, []*session{s}, params("a secret", uint16(0)), 0}
		command := c.encode(write)
		c.receive(write, c.Execute(0, command))
		x.setAttributes(x.public.Attributes | wire.NVWritten)
		read := readNV(x, s.with(wire.SessContinue|wire.SessEncrypt))
		response := c.Execute(0, c.encode(read))
		if have := c.receive(read, response); have.rc != wire.RCSuccess || string(have.params[2:]) != "a secret" {
			t.Fatalf("read %v %q", have.rc, have.params)
		}
		if bytes.Contains(command, []byte("a secret")) || bytes.Contains(response, []byte("a secret")) {
			t.Errorf("algorithm %v: the secret is in the clear", sym.Algorithm)
		}
	}
}

// TestExtraNonces: the first session, where it authorizes, vouches for the
// sessions that decrypt and encrypt, by their nonces in its HMAC. A client that
// does not agree is told that the first session is wrong.
func TestExtraNonces(t *testing.T) {
	const in, out = wire.SessContinue | wire.SessDecrypt, wire.SessContinue | wire.SessEncrypt
	c := open(t)
	e := c.setAuth(endorsement, "endorsement auth")
	policySession := c.start(wire.SEPolicy, wire.AlgSHA256, noSym)
	target := entity{handle: policySession.handle}
	secret := func(s ...*session) request {
		return request{wire.CCPolicySecret, []entity{e, target}, s, params("", "", "ref", uint32(0)), 0}
	}
	start := func(a wire.TPMASession) *session {
		return c.start(wire.SEHMAC, wire.AlgSHA256, aes128).with(a)
	}
	auth := func(a wire.TPMASession) *session { return start(a).authorizes("endorsement auth") }
	for reason, x := range map[string]struct {
		sessions []*session
		extra    bool // nonces are due
	}{
		"one session for all":                {[]*session{auth(in | out)}, false},
		"another session decrypts":           {[]*session{auth(wire.SessContinue), start(in)}, true},
		"another session encrypts":           {[]*session{auth(wire.SessContinue), start(out)}, true},
		"another session does both":          {[]*session{auth(wire.SessContinue), start(in | out)}, true},
		"two sessions, decrypt first":        {[]*session{auth(wire.SessContinue), start(in), start(out)}, true},
		"two sessions, encrypt first":        {[]*session{auth(wire.SessContinue), start(out), start(in)}, true},
		"the first decrypts itself":          {[]*session{auth(in), start(out)}, true},
		"the first encrypts itself":          {[]*session{auth(out), start(in)}, true},
		"a password vouches for nothing":     {[]*session{pw("endorsement auth"), start(in), start(out)}, false},
		"an audit session is not the first":  {[]*session{pw("endorsement auth"), start(wire.SessContinue | wire.SessAudit), start(in | out)}, false},
		"a session that audits and encrypts": {[]*session{auth(wire.SessContinue), start(in | out | wire.SessAudit)}, true},
	} {
		t.Run(reason, func(t *testing.T) {
			c := &client{TB: t, TPM: c.TPM, nonces: c.nonces}
			if x.extra {
				x.sessions[0].alone = true
				c.fails(secret(x.sessions...), wire.RCBadAuth.Session(1))
				x.sessions[0].alone = false
			}
			c.ok(secret(x.sessions...))
			c.ok(secret(x.sessions...))
			for _, s := range x.sessions {
				if s.handle != wire.HandlePassword {
					c.ok(request{cc: wire.CCFlushContext, params: params(s.handle)})
				}
			}
		})
	}
	first := start(wire.SessContinue | wire.SessAudit)
	second := start(out)
	c.ok(request{cc: wire.CCGetRandom, sessions: []*session{first, second}, params: params(uint16(8))}) // nothing is authorized: no nonces
}

// TestPolicySessionEncrypts: a policy session encrypts with the authValue of the
// entity too, whether or not the policy demands it.
func TestPolicySessionEncrypts(t *testing.T) {
	c := open(t)
	e := c.setAuth(owner, "owner auth")
	c.setPolicy(e, make([]byte, 32))
	s := c.start(wire.SEPolicy, wire.AlgSHA256, aes256).with(wire.SessContinue | wire.SessDecrypt)
	s.paramAuth = []byte("owner auth")
	c.ok(request{wire.CCHierarchyChangeAuth, []entity{e}, []*session{s}, params("new owner auth"), 0})
	c.ok(keepAuth(owner.with("new owner auth"), pw("new owner auth")))
}

// TestEmptyParameter: there is nothing to encrypt, and nothing fails.
func TestEmptyParameter(t *testing.T) {
	c := open(t)
	for _, sym := range []wire.TPMTSymDef{aes128, xor} {
		s := c.start(wire.SEHMAC, wire.AlgSHA256, sym).with(wire.SessContinue | wire.SessDecrypt)
		c.ok(keepAuth(owner, s))
	}
	s := c.start(wire.SEHMAC, wire.AlgSHA256, aes128).with(wire.SessContinue | wire.SessEncrypt)
	if x := c.ok(request{cc: wire.CCGetRandom, sessions: []*session{s}, params: params(uint16(0))}); !bytes.Equal(x.params, []byte{0, 0}) {
		t.Errorf("no random bytes: %x", x.params)
	}
}

// TestEncryptedAndAudited: hashes are of what is on the wire.
func TestEncryptedAndAudited(t *testing.T) {
	c := open(t)
	s := c.start(wire.SEHMAC, wire.AlgSHA256, aes128, endorsement)
	s.attrs = wire.SessContinue | wire.SessEncrypt | wire.SessAudit
	c.ok(request{cc: wire.CCGetRandom, sessions: []*session{s}, params: params(uint16(8))})
}

// TestDecryptionErrors: a first parameter that cannot be decrypted is the fault of
// the session that should.
func TestDecryptionErrors(t *testing.T) {
	for _, x := range []struct {
		params string
		want   wire.RC
	}{
		{"", wire.RCInsufficient},
		{"00", wire.RCInsufficient},
		{"0001", wire.RCSize},
		{"0003 0102", wire.RCSize},
		{"FFFF 01", wire.RCSize},
	} {
		for n := 1; n <= 2; n++ {
			t.Run(fmt.Sprintf("%q, session %d", x.params, n), func(t *testing.T) {
				c := &client{TB: t, TPM: vtpmtest.Open(t)}
				s := c.start(wire.SEHMAC, wire.AlgSHA256, aes128)
				area := raw(s.handle, 16, wire.SessDecrypt, "")
				if n == 2 {
					area = append(raw(wire.HandlePassword, 0, 0, ""), area...)
				}
				body := append(params(wire.HandleOwner, uint32(len(area))), area...)
				body = append(body, unhex(x.params)...)
				if rc := codeOf(c.Execute(0, header(wire.STSessions, wire.CCHierarchyChangeAuth, body))); rc != x.want.Session(n) {
					t.Errorf("%v, want %v", rc, x.want.Session(n))
				}
			})
		}
	}
}
