package vtpm_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// readNV is a command that the index's own authorization allows.
func readNV(x *nvIndex, s ...*session) request {
	return request{wire.CCNVRead, []entity{x.entity, x.entity}, s, params(uint16(8), uint16(0)), 0}
}

// protected defines and writes an index whose authValue "right" is protected from
// guessing.
func (c *client) protected() *nvIndex {
	c.Helper()
	x := c.defineNV(wire.NVAuthRead|wire.NVOwnerWrite, "right", nil, 8)
	c.write(x, make([]byte, 8)...)
	return x
}

// TestPassword: a password is compared without trailing zeros.
func TestPassword(t *testing.T) {
	c := open(t)
	e := c.setAuth(owner, "pass\x00\x00")
	for password, want := range map[string]wire.RC{
		"pass":                   wire.RCSuccess,
		"pass\x00":               wire.RCSuccess,
		"pass\x00\x00\x00\x00":   wire.RCSuccess,
		"":                       wire.RCBadAuth.Session(1),
		"pas":                    wire.RCBadAuth.Session(1),
		"pass ":                  wire.RCBadAuth.Session(1),
		"\x00pass":               wire.RCBadAuth.Session(1),
		strings.Repeat("p", 64):  wire.RCBadAuth.Session(1),
		strings.Repeat("p", 65):  wire.RCSize.Session(1),
		"pass" + "\x00" + "more": wire.RCBadAuth.Session(1),
	} {
		if x := c.do(keepAuth(e, pw(password))); x.rc != want {
			t.Errorf("%q: %v, want %v", password, x.rc, want)
		}
	}
}

// TestTrailingZerosInHMAC: an authValue enters the HMAC key without its trailing
// zeros.
func TestTrailingZerosInHMAC(t *testing.T) {
	c := open(t)
	e := c.setAuth(owner, "pass\x00\x00")
	c.ok(keepAuth(e, c.hmacSession().authorizes("pass")))
	c.fails(keepAuth(e, c.hmacSession().authorizes("pass\x00\x00x")), wire.RCBadAuth.Session(1))
}

// TestWrongHMAC: the response code says which session's HMAC is wrong.
func TestWrongHMAC(t *testing.T) {
	c := open(t)
	wrong := c.hmacSession().with(wire.SessContinue | wire.SessAudit)
	wrong.tamper = true
	c.fails(keepAuth(owner, wrong), wire.RCBadAuth.Session(1))
	c.fails(keepAuth(owner, pw(""), wrong), wire.RCBadAuth.Session(2))
	c.fails(request{cc: wire.CCGetRandom, sessions: []*session{wrong}, params: params(uint16(8))}, wire.RCBadAuth.Session(1))
}

// TestHMACCoversAttributes: an attribute that was changed on the way is noticed.
func TestHMACCoversAttributes(t *testing.T) {
	c := open(t)
	e := c.setAuth(owner, "owner auth")
	s := c.hmacSession().authorizes("owner auth")
	command := c.encode(keepAuth(e, s))
	at := 10 + 4 + 4 + 4 + 2 + 16 // header, handle, size, session handle, nonce
	if command[at] != byte(wire.SessContinue) {
		t.Fatalf("attributes %#x", command[at])
	}
	command[at] = 0
	if rc := codeOf(c.Execute(0, command)); rc != wire.RCBadAuth.Session(1) {
		t.Error(rc)
	}
}

// TestFailuresCount: wrong passwords of a protected entity are TPM_RC_AUTH_FAIL
// and lead to lockout, in which the right one does not help. What is not
// protected is not concerned. Time heals.
func TestFailuresCount(t *testing.T) {
	c := open(t)
	x := c.protected()
	c.fails(keepAuth(owner, pw("wrong")), wire.RCBadAuth.Session(1))
	for range 3 {
		c.ok(readNV(x, pw("right")))
		c.fails(readNV(x, pw("wrong")), wire.RCAuthFail.Session(1))
	}
	c.fails(readNV(x, pw("right")), wire.RCLockout)
	c.fails(readNV(x, c.hmacSession().authorizes("right")), wire.RCLockout)
	c.ok(keepAuth(owner, pw("")))
	c.Advance(999 * time.Second)
	c.fails(readNV(x, pw("right")), wire.RCLockout)
	c.Advance(time.Second)
	c.ok(readNV(x, pw("right")))
	c.fails(readNV(x, pw("wrong")), wire.RCAuthFail.Session(1))
	c.fails(readNV(x, pw("right")), wire.RCLockout)
	c.ok(request{wire.CCDictionaryAttackLockReset, []entity{lockout}, []*session{pw("")}, nil, 0})
	c.ok(readNV(x, pw("right")))
}

// TestFailuresCountWithHMAC: so do wrong HMACs.
func TestFailuresCountWithHMAC(t *testing.T) {
	c := open(t)
	x := c.protected()
	for range 3 {
		c.fails(readNV(x, c.hmacSession().authorizes("wrong")), wire.RCAuthFail.Session(1))
	}
	c.fails(readNV(x, pw("right")), wire.RCLockout)
}

// TestFailuresSurvivePowerCut: cutting the power does not give guesses back: the
// last one may have been about to be counted, so it costs one more.
func TestFailuresSurvivePowerCut(t *testing.T) {
	c := open(t)
	x := c.protected()
	c.fails(readNV(x, pw("wrong")), wire.RCAuthFail.Session(1))
	c.PowerCycle(t)
	c.ok(readNV(x, pw("right")))
	c.PowerCycle(t)
	c.fails(readNV(x, pw("right")), wire.RCLockout)
}

// TestLockoutAuth: the lockout authorization locks itself at the first failure,
// for the time of lockoutRecovery.
func TestLockoutAuth(t *testing.T) {
	c := open(t)
	e := c.setAuth(lockout, "lockout auth")
	reset := func(s *session) request {
		return request{wire.CCDictionaryAttackLockReset, []entity{e}, []*session{s}, nil, 0}
	}
	c.ok(reset(pw("lockout auth")))
	c.fails(reset(pw("wrong")), wire.RCAuthFail.Session(1))
	c.fails(reset(pw("lockout auth")), wire.RCLockout)
	c.fails(reset(c.hmacSession().authorizes("lockout auth")), wire.RCLockout)
	c.ok(readNV(c.protected(), pw("right")))
	c.Advance(1000 * time.Second)
	c.ok(reset(c.hmacSession().authorizes("lockout auth")))
}

// TestBoundToProtected: a session that is bound to a protected entity counts for
// it whatever it is used for, and is of no use in lockout.
func TestBoundToProtected(t *testing.T) {
	c := open(t)
	x := c.protected()
	audit := c.start(wire.SEHMAC, wire.AlgSHA256, noSym, x.entity).with(wire.SessContinue | wire.SessAudit)
	getRandom := request{cc: wire.CCGetRandom, sessions: []*session{audit}, params: params(uint16(8))}
	c.ok(getRandom)
	audit.tamper = true
	for range 3 {
		c.fails(getRandom, wire.RCAuthFail.Session(1))
	}
	audit.tamper = false
	c.fails(getRandom, wire.RCLockout)
	c.fails(readNV(x, pw("right")), wire.RCLockout)
}

// TestBoundToLockout: a session that is bound to the lockout authorization locks
// that, and not the others.
func TestBoundToLockout(t *testing.T) {
	c := open(t)
	e := c.setAuth(lockout, "lockout auth")
	s := c.start(wire.SEHMAC, wire.AlgSHA256, noSym, e)
	s.tamper = true
	c.fails(keepAuth(owner, s), wire.RCAuthFail.Session(1))
	s.tamper = false
	c.fails(keepAuth(owner, s), wire.RCLockout)
	c.fails(keepAuth(e, pw("lockout auth")), wire.RCLockout)
	c.ok(readNV(c.protected(), pw("right")))
}

// TestPolicyBoundToProtected: a policy session does not authorize with the
// authValue it was bound with, but counts for that entity all the same.
func TestPolicyBoundToProtected(t *testing.T) {
	c := open(t)
	x := c.protected()
	c.setPolicy(owner, make([]byte, 32))
	s := c.start(wire.SEPolicy, wire.AlgSHA256, noSym, x.entity)
	c.ok(keepAuth(owner, s))
	s.tamper = true
	for range 3 {
		c.fails(keepAuth(owner, s), wire.RCAuthFail.Session(1))
	}
	s.tamper = false
	c.fails(keepAuth(owner, s), wire.RCLockout)
}

// setPolicy gives a hierarchy an authPolicy by SHA-256.
func (c *client) setPolicy(e entity, policy []byte) {
	c.Helper()
	c.ok(request{wire.CCSetPrimaryPolicy, []entity{e}, []*session{pw(string(e.auth))}, params(policy, wire.AlgSHA256), 0})
}

// sealed makes an object with these attributes, an empty authValue and a policy
// that a new session satisfies.
func (c *client) sealed(attributes tpm2.TPMAObject) entity {
	c.Helper()
	attributes.FixedTPM, attributes.FixedParent, attributes.NoDA = true, true, true
	x, _ := createPrimary(c, c.TPM, tpm2.TPMTPublic{
		Type: tpm2.TPMAlgKeyedHash, NameAlg: tpm2.TPMAlgSHA256, ObjectAttributes: attributes,
		AuthPolicy: tpm2.TPM2BDigest{Buffer: make([]byte, 32)},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgKeyedHash, &tpm2.TPMSKeyedHashParms{Scheme: tpm2.TPMTKeyedHashScheme{Scheme: tpm2.TPMAlgNull}}),
	}, "sealed")
	return entity{handle: wire.Handle(x.Handle), name: x.Name.Buffer}
}

// publicOnly loads the public area of a storage key.
func (c *client) publicOnly() entity {
	c.Helper()
	_, public := createPrimary(c, c.TPM, tpm2.ECCSRKTemplate)
	x, err := tpm2.LoadExternal{InPublic: tpm2.New2B(public), Hierarchy: tpm2.TPMRHOwner}.Execute(c.TPM)
	if err != nil {
		c.Fatal(err)
	}
	return entity{handle: wire.Handle(x.ObjectHandle), name: x.Name.Buffer}
}

// TestRoles: what cannot authorize, before any value is compared.
func TestRoles(t *testing.T) {
	policyOnly := tpm2.TPMAObject{}
	withAuth := tpm2.TPMAObject{UserWithAuth: true}
	adminWithPolicy := tpm2.TPMAObject{UserWithAuth: true, AdminWithPolicy: true}
	password := func(*client) *session { return pw("") }
	policy := func(c *client) *session { return c.policy() }
	type authorization = func(*client) *session
	unseal := func(attributes tpm2.TPMAObject, by authorization) func(*client) request {
		return func(c *client) request {
			return request{wire.CCUnseal, []entity{c.sealed(attributes)}, []*session{by(c)}, nil, 0}
		}
	}
	change := func(attributes tpm2.TPMAObject, by authorization) func(*client) request {
		return func(c *client) request {
			e := c.sealed(attributes)
			return request{wire.CCObjectChangeAuth, []entity{e, e}, []*session{by(c)}, params(""), 0}
		}
	}
	index := func(cc wire.CC, by authorization, p []byte) func(*client) request {
		return func(c *client) request {
			x := c.defineNV(wire.NVOwnerRead|wire.NVPolicyWrite, "", make([]byte, 32), 8)
			return request{cc, []entity{x.entity, x.entity}, []*session{by(c)}, p, 0}
		}
	}
	read, write := params(uint16(8), uint16(0)), params("1", uint16(0))
	for _, x := range []struct {
		reason string
		r      func(*client) request
		want   wire.RC
	}{
		{"USER role with the authValue, and userWithAuth is set", unseal(withAuth, password), wire.RCSuccess},
		{"USER role with the authValue, and userWithAuth is clear", unseal(policyOnly, password), wire.RCAuthUnavailable},
		{"the same with an HMAC session", unseal(policyOnly, (*client).hmacSession), wire.RCAuthUnavailable},
		{"USER role with a policy", unseal(policyOnly, policy), wire.RCSuccess},
		{"ADMIN role with the authValue, and adminWithPolicy is set", change(adminWithPolicy, password), wire.RCAuthType},
		{"ADMIN role with the authValue, both are clear: it is right, and the parent is wrong", change(policyOnly, password), wire.RCType.Handle(2)},
		{"ADMIN role with a policy that does not name the command", change(adminWithPolicy, policy), wire.RCPolicyFail.Session(1)},
		{"ADMIN role of an NV index with its authValue", func(c *client) request {
			x := c.definePlatformNV(wire.NVPolicyDelete|wire.NVPPRead|wire.NVPPWrite, make([]byte, 32))
			return request{wire.CCNVUndefineSpaceSpecial, []entity{x.entity, platform}, []*session{pw(""), pw("")}, nil, 0}
		}, wire.RCAuthType},
		{"DUP role with the authValue", func(c *client) request {
			return request{wire.CCDuplicate, []entity{c.sealed(withAuth), {handle: wire.HandleNull}}, []*session{pw("")}, params("", wire.AlgNull), 0}
		}, wire.RCAuthType},
		{"a public area only has no authValue", func(c *client) request {
			return request{wire.CCCreate, []entity{c.publicOnly()}, []*session{pw("")}, nil, 0}
		}, wire.RCAuthUnavailable},
		{"nor a policy", func(c *client) request {
			return request{wire.CCCreate, []entity{c.publicOnly()}, []*session{c.policy()}, nil, 0}
		}, wire.RCAuthUnavailable},
		{"a hierarchy without a policy", func(c *client) request { return keepAuth(owner, c.policy()) }, wire.RCAuthUnavailable},
		{"TPM_RH_NULL has none", func(c *client) request {
			return request{wire.CCCreatePrimary, []entity{{handle: wire.HandleNull}}, []*session{c.policy()}, nil, 0}
		}, wire.RCAuthUnavailable},
		{"a PCR has none", func(c *client) request {
			return request{wire.CCPCRExtend, []entity{{handle: 16}}, []*session{c.policy()}, params(uint32(0)), 0}
		}, wire.RCAuthUnavailable},
		{"reading an NV index without AUTHREAD", index(wire.CCNVRead, password, read), wire.RCAuthUnavailable},
		{"writing an NV index without AUTHWRITE", index(wire.CCNVWrite, password, write), wire.RCAuthUnavailable},
		{"reading an NV index without POLICYREAD", index(wire.CCNVRead, policy, read), wire.RCAuthUnavailable},
		{"writing an NV index with POLICYWRITE", index(wire.CCNVWrite, policy, write), wire.RCSuccess},
	} {
		c := open(t)
		if have := c.do(x.r(c)).rc; have != x.want {
			t.Errorf("%s: %v, want %v", x.reason, have, x.want)
		}
	}
}

// TestEmptyPolicyIsNone: an NV index without an authPolicy cannot be used with
// one, not even where the digest of a new session would equal it.
func TestEmptyPolicyIsNone(t *testing.T) {
	c := open(t)
	x := c.defineNV(wire.NVOwnerWrite|wire.NVOwnerRead|wire.NVPolicyRead, "", nil, 8)
	c.fails(readNV(x, c.start(wire.SEPolicy, wire.AlgSHA256, noSym)), wire.RCAuthUnavailable)
}

// TestPhysicalPresence: platform authorization of a command that demands physical
// presence needs it, whatever the password.
func TestPhysicalPresence(t *testing.T) {
	c := open(t)
	demand := request{wire.CCPPCommands, []entity{platform}, []*session{pw("")}, params(uint32(1), wire.CCHierarchyChangeAuth, uint32(0)), 0}
	c.fails(demand, wire.RCPP.Session(1))
	c.SetPhysicalPresence(true)
	c.ok(demand)
	c.SetPhysicalPresence(false)
	c.fails(keepAuth(platform, pw("wrong")), wire.RCPP.Session(1))
	c.ok(keepAuth(owner, pw("")))
	c.SetPhysicalPresence(true)
	c.ok(keepAuth(platform, pw("")))
}

// pinIndex defines a PIN index that allows limit uses, its authValue is "pin".
func (c *client) pinIndex(kind wire.NT, limit byte) *nvIndex {
	c.Helper()
	x := c.defineNV((wire.NVOwnerWrite | wire.NVOwnerRead | wire.NVAuthRead | wire.NVNoDA).WithType(kind), "pin", nil, 8)
	c.fails(readNV(x, pw("pin")), wire.RCAuthUnavailable) // before the limit is written
	c.write(x, 0, 0, 0, 0, 0, 0, 0, limit)
	return x
}

// pinCount returns the number of uses or failures that the index has counted.
func (c *client) pinCount(x *nvIndex) byte {
	c.Helper()
	return c.ok(request{wire.CCNVRead, []entity{owner, x.entity}, []*session{pw("")}, params(uint16(8), uint16(0)), 0}).params[5]
}

// TestPinFail: a PIN FAIL index counts failures, a success forgets them, and at
// the limit the PIN is of no use.
func TestPinFail(t *testing.T) {
	c := open(t)
	x := c.pinIndex(wire.NTPinFail, 2)
	c.fails(readNV(x, pw("wrong")), wire.RCBadAuth.Session(1))
	if n := c.pinCount(x); n != 1 {
		t.Errorf("after a failure pinCount is %d", n)
	}
	c.ok(readNV(x, pw("pin")))
	if n := c.pinCount(x); n != 0 {
		t.Errorf("after a success pinCount is %d", n)
	}
	c.fails(readNV(x, c.hmacSession().authorizes("wrong")), wire.RCBadAuth.Session(1))
	c.fails(readNV(x, pw("wrong")), wire.RCBadAuth.Session(1))
	c.fails(readNV(x, pw("pin")), wire.RCAuthUnavailable)
	if n := c.pinCount(x); n != 2 {
		t.Errorf("at the limit pinCount is %d", n)
	}
}

// TestPinPass: a PIN PASS index counts uses, and failures do not matter.
func TestPinPass(t *testing.T) {
	c := open(t)
	x := c.pinIndex(wire.NTPinPass, 2)
	c.fails(readNV(x, pw("wrong")), wire.RCBadAuth.Session(1))
	c.ok(readNV(x, pw("pin")))
	c.fails(readNV(x, pw("wrong")), wire.RCBadAuth.Session(1))
	if n := c.pinCount(x); n != 1 {
		t.Errorf("after one use pinCount is %d", n)
	}
	c.ok(readNV(x, c.hmacSession().authorizes("pin")))
	c.fails(readNV(x, pw("pin")), wire.RCAuthUnavailable)
	if n := c.pinCount(x); n != 2 {
		t.Errorf("at the limit pinCount is %d", n)
	}
}

// sequence starts a hash sequence.
func (c *client) sequence(auth string) entity {
	c.Helper()
	x := c.ok(request{cc: wire.CCHashSequenceStart, params: params(auth, wire.AlgSHA256)})
	return entity{handle: x.handle, name: []byte{}, auth: []byte(auth)}
}

// TestSequence: a sequence is authorized by its authValue and nothing else, and
// the response of the command that ends it is authenticated with that, too.
func TestSequence(t *testing.T) {
	c := open(t)
	e := c.sequence("sequence auth")
	complete := func(s *session) request {
		return request{wire.CCSequenceComplete, []entity{e}, []*session{s}, params("data", wire.HandleNull), 0}
	}
	c.fails(complete(pw("wrong")), wire.RCBadAuth.Session(1))
	c.fails(complete(c.policy()), wire.RCAuthUnavailable)
	s := c.start(wire.SEHMAC, wire.AlgSHA256, aes128).authorizes("sequence auth")
	c.ok(complete(s.with(wire.SessContinue | wire.SessDecrypt | wire.SessEncrypt)))
	c.fails(complete(s), wire.RCReferenceH0)
}
