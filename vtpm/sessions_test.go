package vtpm_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// keepAuth is a command that owner authorization allows and that changes
// nothing.
func keepAuth(e entity, s ...*session) request {
	return request{wire.CCHierarchyChangeAuth, []entity{e}, s, params(e.auth), 0}
}

// createPrimary makes a primary object with go-tpm, around data where some is
// given.
func createPrimary(t testing.TB, p *vtpmtest.TPM, template tpm2.TPMTPublic, data ...string) (tpm2.NamedHandle, tpm2.TPMTPublic) {
	t.Helper()
	create := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(template)}
	if len(data) != 0 {
		create.InSensitive.Sensitive = &tpm2.TPMSSensitiveCreate{
			Data: tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: []byte(data[0])}),
		}
	}
	x, err := create.Execute(p)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x.OutPublic.Contents()
	if err != nil {
		t.Fatal(err)
	}
	return tpm2.NamedHandle{Handle: x.ObjectHandle, Name: x.Name}, *public
}

func eccStorage(curve tpm2.TPMECCCurve, hash tpm2.TPMIAlgHash) tpm2.TPMTPublic {
	template := tpm2.ECCSRKTemplate
	template.NameAlg = hash
	template.Parameters = tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
		Symmetric: tpm2.TPMTSymDefObject{
			Algorithm: tpm2.TPMAlgAES,
			KeyBits:   tpm2.NewTPMUSymKeyBits(tpm2.TPMAlgAES, tpm2.TPMKeyBits(128)),
			Mode:      tpm2.NewTPMUSymMode(tpm2.TPMAlgAES, tpm2.TPMAlgCFB),
		},
		CurveID: curve,
	})
	return template
}

// TestClientLibrarySessions: go-tpm's client agrees about every kind of session:
// how its key is made, and how it authorizes and encrypts while its nonces roll.
func TestClientLibrarySessions(t *testing.T) {
	c := open(t)
	x := c.defineNV(wire.NVAuthRead|wire.NVAuthWrite|wire.NVOwnerWrite, "index auth", nil, 32)
	c.write(x, make([]byte, 32)...)
	index := tpm2.NamedHandle{Handle: tpm2.TPMHandle(x.handle), Name: tpm2.TPM2BName{Buffer: x.name}}
	ownerName := tpm2.TPM2BName{Buffer: wire.Marshal(wire.HandleOwner)}
	rsa, rsaPublic := createPrimary(t, c.TPM, tpm2.RSASRKTemplate)
	p256, p256Public := createPrimary(t, c.TPM, tpm2.ECCSRKTemplate)
	p384, p384Public := createPrimary(t, c.TPM, eccStorage(tpm2.TPMECCNistP384, tpm2.TPMAlgSHA384))
	p521, p521Public := createPrimary(t, c.TPM, eccStorage(tpm2.TPMECCNistP521, tpm2.TPMAlgSHA512))
	salt := func(h tpm2.NamedHandle, public tpm2.TPMTPublic) tpm2.AuthOption {
		return tpm2.Salted(h.Handle, public)
	}
	bound := tpm2.Bound(index.Handle, index.Name, x.auth)
	for name, options := range map[string][]tpm2.AuthOption{
		"neither salted nor bound":    nil,
		"bound":                       {bound},
		"bound to another entity":     {tpm2.Bound(tpm2.TPMRHOwner, ownerName, nil)},
		"salted with RSA":             {salt(rsa, rsaPublic)},
		"salted with P-256":           {salt(p256, p256Public)},
		"salted with P-384":           {salt(p384, p384Public)},
		"salted with P-521":           {salt(p521, p521Public)},
		"salted with RSA and bound":   {salt(rsa, rsaPublic), bound},
		"salted with P-256 and bound": {salt(p256, p256Public), bound},
	} {
		for _, hash := range []tpm2.TPMIAlgHash{tpm2.TPMAlgSHA1, tpm2.TPMAlgSHA256, tpm2.TPMAlgSHA384, tpm2.TPMAlgSHA512} {
			for _, bits := range []tpm2.TPMKeyBits{0, 128, 256} {
				t.Run(fmt.Sprintf("%s, hash %#x, AES-%d", name, hash, bits), func(t *testing.T) {
					o := append([]tpm2.AuthOption{tpm2.Auth(x.auth)}, options...)
					w, r := o, o
					if bits != 0 {
						w = append(slices.Clip(o), tpm2.AESEncryption(bits, tpm2.EncryptIn))
						r = append(slices.Clip(o), tpm2.AESEncryption(bits, tpm2.EncryptOut))
					}
					writeAndRead(t, c.TPM, index, hash, w, r)
				})
			}
		}
	}
}

// writeAndRead writes an NV index in one session and reads it in another, several
// times.
func writeAndRead(t *testing.T, p *vtpmtest.TPM, index tpm2.NamedHandle, hash tpm2.TPMIAlgHash, w, r []tpm2.AuthOption) {
	writer, end, err := tpm2.HMACSession(p, hash, 16, w...)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	reader, end, err := tpm2.HMACSession(p, hash, 16, r...)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	for i := range 3 {
		data := bytes.Repeat([]byte{byte(i + 1)}, 32)
		write := tpm2.NVWrite{NVIndex: index, Data: tpm2.TPM2BMaxNVBuffer{Buffer: data}}
		write.AuthHandle = tpm2.AuthHandle{Handle: index.Handle, Name: index.Name, Auth: writer}
		if _, err := write.Execute(p); err != nil {
			t.Fatal(err)
		}
		read := tpm2.NVRead{NVIndex: index, Size: 32}
		read.AuthHandle = tpm2.AuthHandle{Handle: index.Handle, Name: index.Name, Auth: reader}
		x, err := read.Execute(p)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(x.Data.Buffer, data) {
			t.Fatalf("read %x, wrote %x", x.Data.Buffer, data)
		}
	}
}

// TestContinueSession: a session without continueSession ends with the command
// that succeeds with it, and lives on after one that fails.
func TestContinueSession(t *testing.T) {
	c := open(t)
	s := c.hmacSession().with(0)
	c.fails(request{wire.CCHierarchyChangeAuth, []entity{owner}, []*session{s}, nil, 0}, wire.RCInsufficient.Param(1))
	c.ok(keepAuth(owner, s))
	c.fails(keepAuth(owner, s), wire.RCReferenceS0)
}

// TestReplay: the nonceTPM has rolled, so a command cannot be sent again.
func TestReplay(t *testing.T) {
	c := open(t)
	auth := c.setAuth(owner, "owner auth")
	s := c.hmacSession().authorizes("owner auth")
	r := keepAuth(auth, s)
	command := c.encode(r)
	if x := c.receive(r, c.Execute(0, command)); x.rc != wire.RCSuccess {
		t.Fatal(x.rc)
	}
	if rc := codeOf(c.Execute(0, command)); rc != wire.RCBadAuth.Session(1) {
		t.Error(rc)
	}
}

// TestFailureKeepsNonce: a command that fails does not roll the nonces.
func TestFailureKeepsNonce(t *testing.T) {
	c := open(t)
	s := c.hmacSession()
	s.tamper = true
	c.fails(keepAuth(owner, s), wire.RCBadAuth.Session(1))
	s.tamper = false
	c.ok(keepAuth(owner, s))
}

// TestEmptyHMAC: with an empty key the HMAC may be left out, and so it is in the
// response; an HMAC that is there must be right.
func TestEmptyHMAC(t *testing.T) {
	c := open(t)
	s := c.hmacSession()
	c.ok(keepAuth(owner, s))
	s.bare, s.nonceCaller = true, nil
	c.ok(keepAuth(owner, s))
	auth := c.setAuth(owner, "owner auth")
	c.fails(keepAuth(auth, s), wire.RCBadAuth.Session(1))
}

// TestBinding: a bound session leaves out the authValue of its entity, and only
// as long as that is the authValue it was bound with.
func TestBinding(t *testing.T) {
	c := open(t)
	e := c.setAuth(endorsement, "endorsement auth")
	o := c.setAuth(owner, "owner auth")
	s := c.start(wire.SEHMAC, wire.AlgSHA256, noSym, o)
	c.ok(keepAuth(o, s))
	c.fails(keepAuth(e, s), wire.RCBadAuth.Session(1))
	c.ok(keepAuth(e, s.authorizes("endorsement auth")))
	// The response of the command that changes the authValue is computed with what
	// the binding was when the command came.
	s.auth = nil
	c.ok(request{wire.CCHierarchyChangeAuth, []entity{o}, []*session{s}, params("other"), 0})
	o.auth = []byte("other")
	c.fails(keepAuth(o, s), wire.RCBadAuth.Session(1))
	c.ok(keepAuth(o, s.authorizes("other")))
}

// TestBindingToWrittenIndex: the first write changes an index's Name, and so ends
// the binding.
func TestBindingToWrittenIndex(t *testing.T) {
	c := open(t)
	x := c.defineNV(wire.NVAuthRead|wire.NVAuthWrite, "index auth", nil, 8)
	s := c.start(wire.SEHMAC, wire.AlgSHA256, noSym, x.entity)
	write := func() request {
		return request{wire.CCNVWrite, []entity{x.entity, x.entity}, []*session{s}, params("12345678", uint16(0)), 0}
	}
	c.ok(write())
	x.setAttributes(x.public.Attributes | wire.NVWritten)
	c.fails(write(), wire.RCAuthFail.Session(1))
	s.authorizes("index auth")
	c.ok(write())
}

// TestChangedAuthInResponse: the HMAC of the response is computed with the new
// authValue of the entity.
func TestChangedAuthInResponse(t *testing.T) {
	c := open(t)
	s := c.hmacSession()
	r := request{wire.CCHierarchyChangeAuth, []entity{owner}, []*session{s}, params("new"), 0}
	command := c.encode(r)
	s.auth = []byte("new") // from here on
	if x := c.receive(r, c.Execute(0, command)); x.rc != wire.RCSuccess {
		t.Error(x.rc)
	}
}

// TestSavedSession: a session that was saved and loaded has its key, its nonces
// and its binding.
func TestSavedSession(t *testing.T) {
	c := open(t)
	o := c.setAuth(owner, "owner auth")
	for _, s := range []*session{
		c.hmacSession().authorizes("owner auth"),
		c.start(wire.SEHMAC, wire.AlgSHA512, noSym, o),
		c.start(wire.SEHMAC, wire.AlgSHA1, noSym, endorsement).authorizes("owner auth"),
	} {
		c.ok(keepAuth(o, s))
		c.saveAndLoad(s)
		c.ok(keepAuth(o, s))
	}
}

// TestFirstPCR: PCR 0, whose handle is zero, is authorized like any entity.
func TestFirstPCR(t *testing.T) {
	c := open(t)
	extend := func(s *session) request {
		return request{wire.CCPCRExtend, []entity{{handle: 0}}, []*session{s}, append(params(uint32(1), wire.AlgSHA1), make([]byte, 20)...), 0}
	}
	c.ok(extend(pw("")))
	c.ok(extend(c.hmacSession()))
}

// raw encodes a session as it is given.
func raw(h wire.Handle, nonce int, a wire.TPMASession, auth string) []byte {
	return params(h, make([]byte, nonce), uint8(a), auth)
}

// TestSessionAreas: what is wrong with the authorization area, before anything is
// authorized. Each TPM has an HMAC session with index 0 and AES, one with index 1
// and without a cipher, a policy session with index 2, a trial session with
// index 3, and another HMAC session with AES, index 4.
func TestSessionAreas(t *testing.T) {
	const (
		h0, h1, p2, t3 = wire.HMACSessionFirst, wire.HMACSessionFirst + 1, wire.PolicySessionFirst + 2, wire.PolicySessionFirst + 3
		h4             = wire.HMACSessionFirst + 4
		password       = wire.HandlePassword
		decrypt        = wire.SessDecrypt
		encrypt        = wire.SessEncrypt
		audit          = wire.SessAudit
	)
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	ownerAuth := raw(password, 0, 0, "")
	for _, x := range []struct {
		reason string
		cc     wire.CC
		area   []byte
		want   wire.RC
	}{
		{"a command that takes no session", wire.CCContextSave, ownerAuth, wire.RCAuthContext},
		{"no authorization", wire.CCHierarchyChangeAuth, nil, wire.RCAuthMissing},
		{"a fourth session", wire.CCHierarchyChangeAuth, join(ownerAuth, raw(h0, 0, audit, ""), raw(h1, 0, 0, ""), raw(h4, 0, 0, "")), wire.RCSize.Session(4)},
		{"a handle that is no session's", wire.CCHierarchyChangeAuth, raw(wire.HandleOwner, 0, 0, ""), wire.RCValue.Session(1)},
		{"a nonce that is longer than any digest", wire.CCHierarchyChangeAuth, raw(h0, 65, 0, ""), wire.RCSize.Session(1)},
		{"an HMAC that is longer than any digest", wire.CCHierarchyChangeAuth, raw(h0, 0, 0, string(make([]byte, 65))), wire.RCSize.Session(1)},
		{"a reserved attribute", wire.CCHierarchyChangeAuth, raw(h0, 0, 0x08, ""), wire.RCReservedBits.Session(1)},
		{"a password that audits", wire.CCHierarchyChangeAuth, raw(password, 0, audit, ""), wire.RCAttributes.Session(1)},
		{"a password that resets an audit", wire.CCHierarchyChangeAuth, raw(password, 0, wire.SessAuditReset, ""), wire.RCAttributes.Session(1)},
		{"a password that is exclusive", wire.CCHierarchyChangeAuth, raw(password, 0, wire.SessAuditExclusive, ""), wire.RCAttributes.Session(1)},
		{"a password that decrypts", wire.CCHierarchyChangeAuth, raw(password, 0, decrypt, ""), wire.RCAttributes.Session(1)},
		{"a password that encrypts", wire.CCHierarchyChangeAuth, raw(password, 0, encrypt, ""), wire.RCAttributes.Session(1)},
		{"a password with a nonce", wire.CCHierarchyChangeAuth, raw(password, 16, 0, ""), wire.RCNonce.Session(1)},
		{"a session that is not loaded", wire.CCHierarchyChangeAuth, raw(h0+9, 0, 0, ""), wire.RCReferenceS0},
		{"a second session that is not loaded", wire.CCHierarchyChangeAuth, join(ownerAuth, raw(h0+9, 0, audit, "")), wire.RCReferenceS1},
		{"the policy handle of an HMAC session", wire.CCHierarchyChangeAuth, raw(wire.PolicySessionFirst, 0, 0, ""), wire.RCHandle.Session(1)},
		{"the HMAC handle of a policy session", wire.CCHierarchyChangeAuth, raw(wire.HMACSessionFirst+2, 0, 0, ""), wire.RCHandle.Session(1)},
		{"a session twice", wire.CCHierarchyChangeAuth, join(raw(h0, 0, 0, ""), raw(h0, 0, audit, "")), wire.RCHandle.Session(2)},
		{"a command without a parameter to decrypt", wire.CCGetRandom, raw(h0, 0, decrypt, ""), wire.RCAttributes.Session(1)},
		{"a command without a parameter to encrypt", wire.CCHierarchyChangeAuth, raw(h0, 0, encrypt, ""), wire.RCAttributes.Session(1)},
		{"two sessions that decrypt", wire.CCHierarchyChangeAuth, join(raw(h0, 0, decrypt, ""), raw(h4, 0, decrypt, "")), wire.RCAttributes.Session(2)},
		{"two sessions that encrypt", wire.CCGetRandom, join(raw(h0, 0, encrypt, ""), raw(h4, 0, encrypt, "")), wire.RCAttributes.Session(2)},
		{"a session without a cipher that decrypts", wire.CCHierarchyChangeAuth, raw(h1, 0, decrypt, ""), wire.RCSymmetric.Session(1)},
		{"a session without a cipher that encrypts", wire.CCGetRandom, raw(h1, 0, encrypt, ""), wire.RCSymmetric.Session(1)},
		{"two sessions that audit", wire.CCGetRandom, join(raw(h0, 0, audit, ""), raw(h1, 0, audit, "")), wire.RCAttributes.Session(2)},
		{"a policy session that audits", wire.CCGetRandom, raw(p2, 0, audit, ""), wire.RCAttributes.Session(1)},
		{"a password for nothing", wire.CCGetRandom, ownerAuth, wire.RCHandle.Session(1)},
		{"a second password for nothing", wire.CCHierarchyChangeAuth, join(ownerAuth, ownerAuth), wire.RCHandle.Session(2)},
		{"a trial session", wire.CCHierarchyChangeAuth, raw(t3, 0, 0, ""), wire.RCAttributes.Session(1)},
		{"a session for nothing", wire.CCGetRandom, raw(h0, 0, 0, ""), wire.RCAttributes.Session(1)},
		{"a second session for nothing", wire.CCHierarchyChangeAuth, join(ownerAuth, raw(h0, 0, 0, "")), wire.RCAttributes.Session(2)},
		{"all is well", wire.CCHierarchyChangeAuth, join(ownerAuth, raw(h0, 0, audit, "")), wire.RCSuccess},
	} {
		c := open(t)
		c.start(wire.SEHMAC, wire.AlgSHA256, aes128)
		c.start(wire.SEHMAC, wire.AlgSHA256, noSym)
		c.start(wire.SEPolicy, wire.AlgSHA256, noSym)
		c.start(wire.SETrial, wire.AlgSHA256, noSym)
		c.start(wire.SEHMAC, wire.AlgSHA256, aes128)
		tag, body := wire.STSessions, params(uint32(len(x.area)))
		if x.area == nil {
			tag, body = wire.STNoSessions, nil
		}
		body = append(body, x.area...)
		switch x.cc {
		case wire.CCHierarchyChangeAuth:
			body = append(params(wire.HandleOwner), append(body, 0, 0)...)
		case wire.CCContextSave:
			body = append(params(wire.Handle(h0)), body...)
		case wire.CCGetRandom:
			body = append(body, 0, 8)
		}
		if rc := codeOf(c.Execute(0, header(tag, x.cc, body))); rc != x.want {
			t.Errorf("%s: %v, want %v", x.reason, rc, x.want)
		}
	}
}

// TestSecondAuthorizationMissing: a command with two authorizations needs two
// sessions.
func TestSecondAuthorizationMissing(t *testing.T) {
	c := open(t)
	x := c.definePlatformNV(wire.NVPolicyDelete|wire.NVPPRead|wire.NVPPWrite, make([]byte, 32))
	p := c.start(wire.SEPolicy, wire.AlgSHA256, noSym)
	c.fails(request{wire.CCNVUndefineSpaceSpecial, []entity{x.entity, platform}, []*session{p}, nil, 0}, wire.RCAuthMissing)
}

// TestSessionSlots: a session that does not fit is not started.
func TestSessionSlots(t *testing.T) {
	c := open(t)
	for range 64 {
		c.hmacSession()
	}
	c.fails(request{
		cc: wire.CCStartAuthSession, handles: []entity{{handle: wire.HandleNull}, {handle: wire.HandleNull}},
		params: params(make([]byte, 16), "", wire.SEHMAC, wire.AlgNull, wire.AlgSHA256),
	}, wire.RCSessionMemory)
}
