package vtpm_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// policyStep is a policy command on a session.
type policyStep func(c *client, s *session)

// step sends a policy command whose only handle is the session.
func step(cc wire.CC, values ...any) policyStep {
	return func(c *client, s *session) {
		c.Helper()
		c.ok(request{cc: cc, handles: []entity{{handle: s.handle}}, params: params(values...)})
	}
}

// withSecret is TPM2_PolicySecret with owner authorization.
func withSecret(expiration uint32) policyStep {
	return func(c *client, s *session) {
		c.Helper()
		c.ok(request{wire.CCPolicySecret, []entity{owner, {handle: s.handle}}, []*session{pw("")}, params(s.nonceTPM, "", "", expiration), 0})
	}
}

// policy starts a policy session and makes the assertions.
func (c *client) policy(steps ...policyStep) *session {
	c.Helper()
	s := c.start(wire.SEPolicy, wire.AlgSHA256, noSym)
	for _, a := range steps {
		a(c, s)
	}
	return s
}

// policyDigest returns what a session asserts.
func (c *client) policyDigest(s *session) []byte {
	c.Helper()
	return c.ok(request{cc: wire.CCPolicyGetDigest, handles: []entity{{handle: s.handle}}}).params[2:]
}

// endorsementPolicy makes the assertions, as a trial, the policy of the
// endorsement hierarchy.
func (c *client) endorsementPolicy(steps ...policyStep) {
	c.Helper()
	trial := c.start(wire.SETrial, wire.AlgSHA256, noSym)
	for _, a := range steps {
		a(c, trial)
	}
	c.setPolicy(endorsement, c.policyDigest(trial))
	c.ok(request{cc: wire.CCFlushContext, params: params(trial.handle)})
}

// selection selects PCRs of the SHA-256 bank.
func selection(pcrs ...int) wire.TPMLPCRSelection {
	s := wire.TPMSPCRSelection{Hash: wire.AlgSHA256, PCRSelect: make([]byte, 3)}
	for _, n := range pcrs {
		s.PCRSelect[n/8] |= 1 << (n % 8)
	}
	return wire.TPMLPCRSelection{s}
}

func (c *client) extend(pcr wire.Handle) {
	c.Helper()
	c.ok(request{wire.CCPCRExtend, []entity{{handle: pcr}}, []*session{pw("")}, append(params(uint32(1), wire.AlgSHA256), make([]byte, 32)...), 0})
}

// change is the command that the policies here are about, and it has no effect.
var change = keepAuth(endorsement)

func sum256(parts ...[]byte) []byte { return digest(crypto.SHA256, parts...) }

// TestPolicyChecks: what a policy demanded must hold when it is used.
func TestPolicyChecks(t *testing.T) {
	cpHash := sum256(wire.Marshal(change.cc), wire.Marshal(endorsement.handle), change.params)
	pHash := sum256(wire.Marshal(change.cc), change.params)
	nameHash := sum256(wire.Marshal(endorsement.handle))
	assertLocality := func(l uint8) policyStep { return step(wire.CCPolicyLocality, l) }
	for _, x := range []struct {
		reason   string
		policy   []policyStep
		before   func(c *client) // between the policy and its use
		locality uint8
		want     wire.RC
	}{
		{"nothing but the digest", []policyStep{step(wire.CCPolicyNameHash, nameHash)}, nil, 0, wire.RCSuccess},
		{"PCR values that are still there", []policyStep{step(wire.CCPolicyPCR, "", selection(0, 4))}, nil, 0, wire.RCSuccess},
		{"a PCR has changed since", []policyStep{step(wire.CCPolicyPCR, "", selection(0, 4))}, func(c *client) { c.extend(9) }, 0, wire.RCPCRChanged},
		{"a PCR of an application has changed since", []policyStep{step(wire.CCPolicyPCR, "", selection(0, 4))}, func(c *client) { c.extend(23) }, 0, wire.RCSuccess},
		{"ten seconds are not over", []policyStep{withSecret(10)}, func(c *client) { c.Advance(10 * time.Second) }, 0, wire.RCSuccess},
		{"ten seconds are over", []policyStep{withSecret(10)}, func(c *client) { c.Advance(10*time.Second + time.Millisecond) }, 0, wire.RCExpired.Session(1)},
		{"the shorter of two times counts", []policyStep{withSecret(10), withSecret(20)}, func(c *client) { c.Advance(15 * time.Second) }, 0, wire.RCExpired.Session(1)},
		{"another command", []policyStep{step(wire.CCPolicyCommandCode, wire.CCCreatePrimary)}, nil, 0, wire.RCPolicyCC.Session(1)},
		{"this command", []policyStep{step(wire.CCPolicyCommandCode, change.cc)}, nil, 0, wire.RCSuccess},
		{"the locality", []policyStep{assertLocality(0b01010)}, nil, 3, wire.RCSuccess},
		{"another locality", []policyStep{assertLocality(0b01010)}, nil, 2, wire.RCLocality},
		{"an extended locality", []policyStep{assertLocality(0x8F)}, nil, 0x8F, wire.RCSuccess},
		{"another extended locality", []policyStep{assertLocality(0x8F)}, nil, 0x8E, wire.RCLocality},
		{"an extended locality is none of its bits", []policyStep{assertLocality(0x21)}, nil, 0, wire.RCLocality},
		{"a locality that does not exist", []policyStep{assertLocality(0x1F)}, nil, 5, wire.RCLocality},
		{"nobody is there", []policyStep{step(wire.CCPolicyPhysicalPresence)}, nil, 0, wire.RCPP.Session(1)},
		{"somebody is there", []policyStep{step(wire.CCPolicyPhysicalPresence)}, func(c *client) { c.SetPhysicalPresence(true) }, 0, wire.RCSuccess},
		{"the command with these parameters", []policyStep{step(wire.CCPolicyCpHash, cpHash)}, nil, 0, wire.RCSuccess},
		{"the command with other parameters", []policyStep{step(wire.CCPolicyCpHash, sum256())}, nil, 0, wire.RCPolicyFail.Session(1)},
		{"other entities", []policyStep{step(wire.CCPolicyNameHash, sum256())}, nil, 0, wire.RCPolicyFail.Session(1)},
		{"the parameters", []policyStep{step(wire.CCPolicyParameters, pHash)}, nil, 0, wire.RCSuccess},
		{"other parameters", []policyStep{step(wire.CCPolicyParameters, sum256())}, nil, 0, wire.RCPolicyFail.Session(1)},
		{"a template, and a command that has none", []policyStep{step(wire.CCPolicyTemplate, sum256())}, nil, 0, wire.RCPolicyFail.Session(1)},
		{"an NV index that is written, and this is none", []policyStep{step(wire.CCPolicyNvWritten, uint8(1))}, nil, 0, wire.RCPolicyFail.Session(1)},
		{"the policy has changed", nil, func(c *client) { c.setPolicy(endorsement, sum256()) }, 0, wire.RCPolicyFail.Session(1)},
	} {
		for name, meanwhile := range map[string]func(*client, *session){
			x.reason: func(*client, *session) {},
			x.reason + ", in a session saved and loaded": (*client).saveAndLoad,
		} {
			t.Run(name, func(t *testing.T) {
				c := open(t)
				c.endorsementPolicy(x.policy...)
				s := c.policy(x.policy...)
				meanwhile(c, s)
				if x.before != nil {
					x.before(c)
				}
				r := change
				r.sessions, r.locality = []*session{s}, x.locality
				c.fails(r, x.want)
			})
		}
	}
}

// saveAndLoad takes the session out of the TPM and puts it back.
func (c *client) saveAndLoad(s *session) {
	c.Helper()
	saved := c.ok(request{cc: wire.CCContextSave, handles: []entity{{handle: s.handle}}}).params
	c.fails(random(s.with(wire.SessContinue|wire.SessAudit)), wire.RCReferenceS0)
	s.attrs = wire.SessContinue
	c.ok(request{cc: wire.CCContextLoad, params: saved})
}

// TestPolicyOfAnotherHash: a digest of all zeros is as long as it is.
func TestPolicyOfAnotherHash(t *testing.T) {
	c := open(t)
	c.setPolicy(endorsement, make([]byte, 32))
	r := change
	r.sessions = []*session{c.start(wire.SEPolicy, wire.AlgSHA384, noSym)}
	c.fails(r, wire.RCPolicyFail.Session(1))
}

// TestPolicyForPolicySecret: a policy that does not demand the authValue proves no
// knowledge of it, and TPM2_PolicySecret is about that.
func TestPolicyForPolicySecret(t *testing.T) {
	c := open(t)
	c.endorsementPolicy(step(wire.CCPolicyCommandCode, wire.CCPolicySecret))
	secret := func(s *session) request {
		return request{wire.CCPolicySecret, []entity{endorsement, {handle: c.policy().handle}}, []*session{s}, params("", "", "", uint32(0)), 0}
	}
	c.fails(secret(c.policy(step(wire.CCPolicyCommandCode, wire.CCPolicySecret))), wire.RCMode.Session(1))
	c.endorsementPolicy(step(wire.CCPolicyAuthValue))
	c.ok(secret(c.policy(step(wire.CCPolicyAuthValue))))
	s := c.policy(step(wire.CCPolicyPassword))
	s.password = true
	c.ok(secret(s))
}

// TestPolicyAuthValue: TPM2_PolicyAuthValue and TPM2_PolicyPassword make the same
// digest, and whoever uses the policy chooses how to prove the authValue.
func TestPolicyAuthValue(t *testing.T) {
	c := open(t)
	c.setAuth(endorsement, "secret")
	e := endorsement.with("secret")
	trial := c.start(wire.SETrial, wire.AlgSHA256, noSym)
	step(wire.CCPolicyAuthValue)(c, trial)
	c.setPolicy(e, c.policyDigest(trial))
	use := func(s *session, password bool, auth string) request {
		s.password, s.auth = password, []byte(auth)
		return keepAuth(e, s)
	}
	authValue, password := step(wire.CCPolicyAuthValue), step(wire.CCPolicyPassword)
	c.ok(use(c.policy(authValue), false, "secret"))
	c.fails(use(c.policy(authValue), false, "wrong"), wire.RCBadAuth.Session(1))
	c.fails(use(c.policy(authValue), true, "secret"), wire.RCBadAuth.Session(1))
	c.ok(use(c.policy(password), true, "secret"))
	c.ok(use(c.policy(password), true, "secret\x00"))
	c.fails(use(c.policy(password), true, "wrong"), wire.RCBadAuth.Session(1))
	c.fails(use(c.policy(password), false, "secret"), wire.RCBadAuth.Session(1))
}

// TestPolicyAndLockout: a policy that uses the authValue of a protected entity is
// subject to lockout; one that does not works when nothing else does.
func TestPolicyAndLockout(t *testing.T) {
	c := open(t)
	authValue := step(wire.CCPolicyAuthValue)
	policyDigest := c.policyDigest(c.policy(authValue))
	x := c.defineNV(wire.NVPolicyRead|wire.NVOwnerWrite, "right", policyDigest, 8)
	c.write(x, make([]byte, 8)...)
	use := func(s *session, auth string) request { return readNV(x, s.authorizes(auth)) }
	c.ok(use(c.policy(authValue), "right"))
	for range 3 {
		c.fails(use(c.policy(authValue), "wrong"), wire.RCAuthFail.Session(1))
	}
	c.fails(use(c.policy(authValue), "right"), wire.RCLockout)

	c.ok(request{wire.CCNVUndefineSpace, []entity{owner, x.entity}, []*session{pw("")}, nil, 0})
	x = c.defineNV(wire.NVPolicyRead|wire.NVOwnerWrite, "right", make([]byte, 32), 8)
	c.write(x, make([]byte, 8)...)
	c.ok(readNV(x, c.policy()))
}

// TestPolicyStartsAfresh: a policy session that continues is as new, with a new
// nonce and from a new time; after a failure it is as it was.
func TestPolicyStartsAfresh(t *testing.T) {
	c := open(t)
	locality := step(wire.CCPolicyLocality, uint8(2))
	c.endorsementPolicy(locality)
	s := c.policy(locality)
	r := change
	r.sessions = []*session{s}
	c.fails(r, wire.RCLocality)
	if d := c.policyDigest(s); bytes.Equal(d, make([]byte, 32)) {
		t.Error("the failure reset the policy")
	}
	r.locality = 1
	c.ok(r)
	if d := c.policyDigest(s); !bytes.Equal(d, make([]byte, 32)) {
		t.Errorf("after use the digest is %x", d)
	}
	c.fails(r, wire.RCPolicyFail.Session(1))

	s = c.start(wire.SEPolicy, wire.AlgSHA256, aes128)
	c.Advance(time.Minute)
	c.ok(request{cc: wire.CCGetRandom, sessions: []*session{s.with(wire.SessContinue | wire.SessEncrypt)}, params: params(uint16(8))})
	withSecret(10)(c, s) // from the start of the session it would be too late
}

// TestNvWritten: a policy can tell an index that was written from one that was
// not.
func TestNvWritten(t *testing.T) {
	c := open(t)
	unwritten := step(wire.CCPolicyNvWritten, uint8(0))
	x := c.defineNV(wire.NVPolicyWrite|wire.NVOwnerRead, "", c.policyDigest(c.policy(unwritten)), 8)
	write := func() request {
		return request{wire.CCNVWrite, []entity{x.entity, x.entity}, []*session{c.policy(unwritten)}, params("12345678", uint16(0)), 0}
	}
	c.ok(write())
	x.setAttributes(x.public.Attributes | wire.NVWritten)
	c.fails(write(), wire.RCPolicyFail.Session(1))
}

// TestTemplate: a policy can prescribe what is created.
func TestTemplate(t *testing.T) {
	c := open(t)
	template := tpm2.Marshal(tpm2.ECCSRKTemplate)
	only := step(wire.CCPolicyTemplate, sum256(template))
	c.endorsementPolicy(only)
	create := func(template []byte, more ...byte) request {
		p := params(make([]byte, 4), template, "", uint32(0))
		return request{wire.CCCreatePrimary, []entity{endorsement}, []*session{c.policy(only)}, append(p, more...), 0}
	}
	c.ok(create(template))
	c.fails(create(tpm2.Marshal(tpm2.ECCEKTemplate)), wire.RCPolicyFail.Session(1))
	r := create(template)
	r.params = r.params[:7] // the template is cut short
	c.fails(r, wire.RCPolicyFail.Session(1))
	r.params = r.params[:1]
	c.fails(r, wire.RCPolicyFail.Session(1))
}

// TestExpiryAcrossResume: Time starts afresh with the power, and what was limited
// in time does not become longer by it.
func TestExpiryAcrossResume(t *testing.T) {
	c := open(t)
	c.Advance(time.Hour)
	c.endorsementPolicy(withSecret(10))
	s := c.policy(withSecret(10))
	saved := c.ok(request{cc: wire.CCContextSave, handles: []entity{{handle: s.handle}}}).params
	c.ok(request{cc: wire.CCShutdown, params: params(wire.SUState)})
	c.Init()
	c.ok(request{cc: wire.CCStartup, params: params(wire.SUState)})
	c.ok(request{cc: wire.CCContextLoad, params: saved})
	r := change
	r.sessions = []*session{s}
	c.fails(r, wire.RCExpired.Session(1))
}

// TestPolicyCalculator: go-tpm computes the same digests.
func TestPolicyCalculator(t *testing.T) {
	c := open(t)
	x := c.defineNV(wire.NVOwnerRead|wire.NVOwnerWrite, "", nil, 8)
	c.write(x, 1, 2, 3, 4, 5, 6, 7, 8)
	index := tpm2.NamedHandle{Handle: tpm2.TPMHandle(x.handle), Name: tpm2.TPM2BName{Buffer: x.name}}
	key, _ := createPrimary(t, c.TPM, tpm2.ECCSRKTemplate)
	digest := tpm2.TPM2BDigest{Buffer: sum256([]byte("digest"))}
	ref := tpm2.TPM2BNonce{Buffer: []byte("policyRef")}
	ownerAuth := tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Name: tpm2.HandleName(tpm2.TPMRHOwner), Auth: tpm2.PasswordAuth(nil)}
	name := tpm2.TPM2BName{Buffer: append([]byte{0, 0x0B}, digest.Buffer...)}
	pcrs := tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{Hash: tpm2.TPMAlgSHA256, PCRSelect: tpm2.PCClientCompatible.PCRs(4, 7, 23)}}}

	trial, end, err := tpm2.PolicySession(c.TPM, tpm2.TPMAlgSHA256, 16, tpm2.Trial())
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	calculator, err := tpm2.NewPolicyCalculator(tpm2.TPMAlgSHA256)
	if err != nil {
		t.Fatal(err)
	}
	for i, extend := range []func() error{
		both(c, calculator, tpm2.PolicyAuthValue{PolicySession: trial.Handle()}),
		both(c, calculator, tpm2.PolicySecret{AuthHandle: ownerAuth, PolicySession: trial.Handle(), PolicyRef: ref, NonceTPM: trial.NonceTPM()}),
		both(c, calculator, tpm2.PolicySigned{AuthObject: key, PolicySession: trial.Handle(), PolicyRef: ref, Auth: anySignature()}),
		both(c, calculator, tpm2.PolicyPCR{PolicySession: trial.Handle(), PcrDigest: digest, Pcrs: pcrs}),
		both(c, calculator, tpm2.PolicyOr{PolicySession: trial.Handle(), PHashList: tpm2.TPMLDigest{Digests: []tpm2.TPM2BDigest{digest, {Buffer: sum256()}}}}),
		both(c, calculator, tpm2.PolicyNV{AuthHandle: ownerAuth, NVIndex: index, PolicySession: trial.Handle(), OperandB: tpm2.TPM2BOperand{Buffer: []byte("B")}, Offset: 3, Operation: tpm2.TPMEOUnsignedGE}),
		both(c, calculator, tpm2.PolicyNVWritten{PolicySession: trial.Handle(), WrittenSet: true}),
		both(c, calculator, tpm2.PolicyCPHash{PolicySession: trial.Handle(), CPHashA: digest}),
		both(c, calculator, tpm2.PolicyCommandCode{PolicySession: trial.Handle(), Code: tpm2.TPMCCUnseal}),
		func() error {
			calculator.Reset() // which it leaves to its caller for this command alone
			return both(c, calculator, tpm2.PolicyAuthorize{PolicySession: trial.Handle(), KeySign: name, PolicyRef: tpm2.TPM2BDigest{Buffer: ref.Buffer}, CheckTicket: tpm2.TPMTTKVerified{Tag: tpm2.TPMSTVerified, Hierarchy: tpm2.TPMRHNull}})()
		},
		both(c, calculator, tpm2.PolicyAuthorizeNV{AuthHandle: ownerAuth, NVIndex: index, PolicySession: trial.Handle()}),
	} {
		if err := extend(); err != nil {
			t.Fatal(err)
		}
		have, err := tpm2.PolicyGetDigest{PolicySession: trial.Handle()}.Execute(c.TPM)
		if err != nil {
			t.Fatal(err)
		}
		if want := calculator.Hash().Digest; !bytes.Equal(have.PolicyDigest.Buffer, want) {
			t.Fatalf("assertion %d: digest %x, want %x", i, have.PolicyDigest.Buffer, want)
		}
	}
}

// both returns a function that executes a policy command and lets the calculator
// follow it.
func both[R any](c *client, calculator *tpm2.PolicyCalculator, command interface {
	tpm2.PolicyCommand
	Execute(transport.TPM, ...tpm2.Session) (*R, error)
}) func() error {
	return func() error {
		if _, err := command.Execute(c.TPM); err != nil {
			return err
		}
		return command.Update(calculator)
	}
}

// anySignature is good enough for a trial.
func anySignature() tpm2.TPMTSignature {
	return tpm2.TPMTSignature{
		SigAlg:    tpm2.TPMAlgRSASSA,
		Signature: tpm2.NewTPMUSignature(tpm2.TPMAlgRSASSA, &tpm2.TPMSSignatureRSA{Hash: tpm2.TPMAlgSHA256, Sig: tpm2.TPM2BPublicKeyRSA{Buffer: make([]byte, 256)}}),
	}
}

// TestClientLibraryPolicies: go-tpm's client agrees about policy sessions of every
// kind. (With TPM2_PolicyPassword it does not expect a nonceTPM in the response,
// which a TPM sends all the same.)
func TestClientLibraryPolicies(t *testing.T) {
	c := open(t)
	parent, parentPublic := createPrimary(t, c.TPM, tpm2.ECCSRKTemplate)
	calculator, err := tpm2.NewPolicyCalculator(tpm2.TPMAlgSHA256)
	if err != nil {
		t.Fatal(err)
	}
	if err := (tpm2.PolicyAuthValue{}).Update(calculator); err != nil {
		t.Fatal(err)
	}
	created, err := tpm2.CreateLoaded{
		ParentHandle: tpm2.AuthHandle{Handle: parent.Handle, Name: parent.Name, Auth: tpm2.PasswordAuth(nil)},
		InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
			UserAuth: tpm2.TPM2BAuth{Buffer: []byte("auth")},
			Data:     tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: []byte("a secret")}),
		}},
		InPublic: tpm2.New2BTemplate(&tpm2.TPMTPublic{
			Type: tpm2.TPMAlgKeyedHash, NameAlg: tpm2.TPMAlgSHA256, ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true},
			AuthPolicy: tpm2.TPM2BDigest{Buffer: calculator.Hash().Digest},
			Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgKeyedHash, &tpm2.TPMSKeyedHashParms{Scheme: tpm2.TPMTKeyedHashScheme{Scheme: tpm2.TPMAlgNull}}),
		}),
	}.Execute(c.TPM)
	if err != nil {
		t.Fatal(err)
	}
	authValue := func(p transport.TPM, s tpm2.TPMISHPolicy, _ tpm2.TPM2BNonce) error {
		_, err := tpm2.PolicyAuthValue{PolicySession: s}.Execute(p)
		return err
	}
	salt := tpm2.Salted(parent.Handle, parentPublic)
	bound := tpm2.Bound(created.ObjectHandle, created.Name, []byte("auth"))
	for kind, options := range map[string][]tpm2.AuthOption{
		"neither salted nor bound":  nil,
		"salted":                    {salt},
		"bound":                     {bound},
		"salted and bound":          {salt, bound},
		"AES-128":                   {tpm2.AESEncryption(128, tpm2.EncryptOut)},
		"salted, bound and AES-256": {salt, bound, tpm2.AESEncryption(256, tpm2.EncryptOut)},
	} {
		t.Run(kind, func(t *testing.T) {
			s := tpm2.Policy(tpm2.TPMAlgSHA256, 16, authValue, append(slices.Clip(options), tpm2.Auth([]byte("auth")))...)
			r, err := tpm2.Unseal{ItemHandle: tpm2.AuthHandle{Handle: created.ObjectHandle, Name: created.Name, Auth: s}}.Execute(c.TPM)
			if err != nil {
				t.Fatal(err)
			}
			if string(r.OutData.Buffer) != "a secret" {
				t.Errorf("unsealed %q", r.OutData.Buffer)
			}
		})
	}
}

// TestSignedWithRealKeys: TPM2_PolicySigned verifies the signatures of keys from
// outside, and its ticket works in another session until it expires.
func TestSignedWithRealKeys(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaPublic := tpm2.TPMTPublic{
		Type: tpm2.TPMAlgRSA, NameAlg: tpm2.TPMAlgSHA256, ObjectAttributes: tpm2.TPMAObject{SignEncrypt: true, UserWithAuth: true},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgRSA, &tpm2.TPMSRSAParms{KeyBits: 2048}),
		Unique:     tpm2.NewTPMUPublicID(tpm2.TPMAlgRSA, &tpm2.TPM2BPublicKeyRSA{Buffer: rsaKey.N.Bytes()}),
	}
	ecPublic := tpm2.TPMTPublic{
		Type: tpm2.TPMAlgECC, NameAlg: tpm2.TPMAlgSHA256, ObjectAttributes: tpm2.TPMAObject{SignEncrypt: true, UserWithAuth: true},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{CurveID: tpm2.TPMECCNistP256}),
		Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{
			X: tpm2.TPM2BECCParameter{Buffer: ecKey.X.FillBytes(make([]byte, 32))},
			Y: tpm2.TPM2BECCParameter{Buffer: ecKey.Y.FillBytes(make([]byte, 32))},
		}),
	}
	signRSA := func(h []byte) wire.TPMTSignature {
		sig, err := rsa.SignPKCS1v15(rand.Reader, rsaKey, crypto.SHA256, h)
		if err != nil {
			t.Fatal(err)
		}
		return wire.TPMTSignature{SigAlg: wire.AlgRSASSA, Hash: wire.AlgSHA256, RSA: sig}
	}
	signPSS := func(h []byte) wire.TPMTSignature {
		sig, err := rsa.SignPSS(rand.Reader, rsaKey, crypto.SHA256, h, nil)
		if err != nil {
			t.Fatal(err)
		}
		return wire.TPMTSignature{SigAlg: wire.AlgRSAPSS, Hash: wire.AlgSHA256, RSA: sig}
	}
	signEC := func(h []byte) wire.TPMTSignature {
		r, s, err := ecdsa.Sign(rand.Reader, ecKey, h)
		if err != nil {
			t.Fatal(err)
		}
		pad := func(n *big.Int) []byte { return n.FillBytes(make([]byte, 32)) }
		return wire.TPMTSignature{SigAlg: wire.AlgECDSA, Hash: wire.AlgSHA256, R: pad(r), S: pad(s)}
	}
	for name, x := range map[string]struct {
		public tpm2.TPMTPublic
		sign   func([]byte) wire.TPMTSignature
	}{"RSASSA": {rsaPublic, signRSA}, "RSAPSS": {rsaPublic, signPSS}, "ECDSA": {ecPublic, signEC}} {
		t.Run(name, func(t *testing.T) {
			c := open(t)
			loaded, err := tpm2.LoadExternal{InPublic: tpm2.New2B(x.public), Hierarchy: tpm2.TPMRHOwner}.Execute(c.TPM)
			if err != nil {
				t.Fatal(err)
			}
			key := entity{handle: wire.Handle(loaded.ObjectHandle), name: loaded.Name.Buffer}
			const tenSeconds = ^uint32(10) + 1 // and a ticket, for it is negative
			signed := func(s *session, ref string) request {
				aHash := sum256(s.nonceTPM, binary.BigEndian.AppendUint32(nil, tenSeconds), []byte("policyRef"))
				return request{cc: wire.CCPolicySigned, handles: []entity{key, {handle: s.handle}}, params: params(s.nonceTPM, "", ref, tenSeconds, x.sign(aHash))}
			}
			s := c.policy()
			c.fails(signed(s, "another"), wire.RCSignature.Param(5))
			out := wire.NewReader(c.ok(signed(s, "policyRef")).params, wire.DefaultLimits())
			timeout, ticket := out.Sized(8), out.Rest()
			policyDigest := c.policyDigest(s)

			repeat := func(s *session) request {
				return request{cc: wire.CCPolicyTicket, handles: []entity{{handle: s.handle}}, params: slices.Concat(params(timeout, "", "policyRef", key.name), ticket)}
			}
			other := c.policy()
			c.ok(repeat(other))
			if d := c.policyDigest(other); !bytes.Equal(d, policyDigest) {
				t.Errorf("with the ticket the digest is %x, with the signature %x", d, policyDigest)
			}
			c.setPolicy(endorsement, policyDigest)
			r := change
			r.sessions = []*session{other}
			c.ok(r)
			c.Advance(10*time.Second + time.Millisecond)
			c.fails(repeat(other), wire.RCExpired.Param(1))
			r.sessions = []*session{s}
			c.fails(r, wire.RCExpired.Session(1))
		})
	}
}
