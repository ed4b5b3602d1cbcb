package vtpm_test

import (
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// startSessions: sessions of each type start, salted or not.
func startSessions(b *bench) {
	for _, typ := range []tpm2.TPMSE{tpm2.TPMSEHMAC, tpm2.TPMSEPolicy, tpm2.TPMSETrial} {
		for _, h := range []tpm2.TPMHandle{tpm2.TPMRHNull, eccParent, rsaParent} {
			cmd := tpm2.StartAuthSession{
				TPMKey: h, Bind: tpm2.TPMRHNull, NonceCaller: tpm2.TPM2BNonce{Buffer: []byte("0123456789abcdefghij")},
				SessionType: typ, Symmetric: tpm2.TPMTSymDef{Algorithm: tpm2.TPMAlgNull}, AuthHash: tpm2.TPMAlgSHA256,
			}
			if h != tpm2.TPMRHNull {
				public := b.public[h]
				_, encrypted, err := tpm2.CreateEncryptedSalt(rand.Reader, must(tpm2.ImportEncapsulationKey(&public))(b))
				if err != nil {
					b.Fatal(err)
				}
				cmd.TPMKey = tpm2.NamedHandle{Handle: h, Name: *must(tpm2.ObjectName(&public))(b)}
				cmd.EncryptedSalt.Buffer = encrypted
			}
			r := exec(b, cmd)
			want := tpm2.TPMHTPolicySession
			if typ == tpm2.TPMSEHMAC {
				want = tpm2.TPMHTHMACSession
			}
			if have := tpm2.TPMHT(r.SessionHandle >> 24); have != want || len(r.NonceTPM.Buffer) != 20 {
				b.Errorf("session %#x with a nonce of %d bytes", r.SessionHandle, len(r.NonceTPM.Buffer))
			}
			exec(b, tpm2.FlushContext{FlushHandle: r.SessionHandle})
		}
	}
}

// TestSessionKeys: HMAC and policy sessions of every hash, salt, binding and cipher
// authorize and encrypt, one that ends with the command and one that goes on.
func TestSessionKeys(t *testing.T) {
	t.Parallel()
	b := openBench(t, ways[0])
	guarded := sealedTemplate(nil)
	guarded.ObjectAttributes.NoDA = false
	o := b.load(guarded, "auth", "the secret data")
	other := b.load(sealedTemplate(nil), "auth of the other", "other data")
	salts := []key{{}, {handle: eccParent, public: b.public[eccParent]}, {handle: rsaParent, public: b.public[rsaParent]}}
	for _, x := range []tpm2.TPMTPublic{
		eccTemplate(storage, tpm2.TPMECCNistP384, tpm2.TPMAlgSHA384, 256, 0),
		eccTemplate(storage, tpm2.TPMECCNistP521, tpm2.TPMAlgSHA512, 256, 0),
		eccTemplate(storage, tpm2.TPMECCNistP256, tpm2.TPMAlgSHA1, 128, 0),
	} {
		salts = append(salts, b.primary(tpm2.TPMRHOwner, x, ""))
	}
	binds := []key{{}, o, other, {handle: tpm2.TPMRHOwner, name: tpm2.HandleName(tpm2.TPMRHOwner)}}
	auths := map[tpm2.TPMHandle]string{o.handle: "auth", other.handle: "auth of the other"}
	for _, hash := range banks {
		policy := b.load(sealedTemplate(policyOf(t, tpm2.TPMAlgSHA256, tpm2.PolicyAuthValue{})), "auth", "the secret data")
		if hash != tpm2.TPMAlgSHA256 {
			template := sealedTemplate(policyOf(t, hash, tpm2.PolicyAuthValue{}))
			template.NameAlg = hash
			policy = b.load(template, "auth", "the secret data")
		}
		for _, salt := range salts {
			for _, bind := range binds {
				for _, bits := range []tpm2.TPMKeyBits{0, 128, 256} {
					t.Run(fmt.Sprintf("%v/salt %x/bind %x/AES %d", hash, uint32(salt.handle), uint32(bind.handle), bits), func(t *testing.T) {
						b.TB = t
						options := []tpm2.AuthOption{tpm2.Auth([]byte("auth"))}
						if salt.handle != 0 {
							options = append(options, tpm2.Salted(salt.handle, salt.public))
						}
						if bind.handle != 0 {
							options = append(options, tpm2.Bound(bind.handle, bind.name, []byte(auths[bind.handle])))
						}
						if bits != 0 {
							options = append(options, tpm2.AESEncryption(bits, tpm2.EncryptOut))
						}
						b.unsealTwice(o, policy, hash, options)
					})
				}
			}
		}
		must(tpm2.FlushContext{FlushHandle: policy.handle}.Execute(b.TPM))(b)
	}
}

// unsealTwice unseals with each kind of session.
func (b *bench) unsealTwice(o, policy key, hash tpm2.TPMAlgID, options []tpm2.AuthOption) {
	b.Helper()
	unseal := func(o key, s tpm2.Session) {
		b.Helper()
		if data := must(tpm2.Unseal{ItemHandle: o.with(s)}.Execute(b.TPM))(b).OutData.Buffer; string(data) != "the secret data" {
			b.Errorf("unsealed %q", data)
		}
	}
	unseal(o, tpm2.HMAC(hash, 16, options...))
	unseal(policy, tpm2.Policy(hash, 16, func(t transport.TPM, h tpm2.TPMISHPolicy, _ tpm2.TPM2BNonce) error {
		_, err := tpm2.PolicyAuthValue{PolicySession: h}.Execute(t)
		return err
	}, options...))
	s, end, err := tpm2.HMACSession(b.TPM, hash, 20, options...)
	if err != nil {
		b.Fatal(err)
	}
	unseal(o, s)
	unseal(o, s)
	if err := end(); err != nil {
		b.Error(err)
	}
}

// TestAuditSession: the audit digest covers the commands of the session in their
// order; the session is exclusive until another command comes between.
func TestAuditSession(t *testing.T) {
	b := openBench(t, ways[0])
	s, end, err := tpm2.HMACSession(b.TPM, tpm2.TPMAlgSHA256, 16, tpm2.AuditExclusive())
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 32)
	for range 3 {
		read := tpm2.PCRRead{PCRSelectionIn: pcrs(tpm2.TPMAlgSHA256, 7)}
		must(read.Execute(b, s))(t)
		want = auditDigest(b, want, read)
		random := tpm2.GetRandom{BytesRequested: 8}
		must(random.Execute(b, s))(t)
		want = auditDigest(b, want, random)
	}
	must(tpm2.GetRandom{BytesRequested: 8}.Execute(b.TPM))(t)
	_, err = tpm2.GetRandom{BytesRequested: 8}.Execute(b, s)
	wantRC(t, err, tpm2.TPMRCExclusive)
	b.checkAudit(s.Handle(), want)
	if err := end(); err != nil {
		t.Error(err)
	}
}

// TestRefusedSessions: a session without a purpose, with one that the command does
// not have, or with a command that has none.
func TestRefusedSessions(t *testing.T) {
	b := openBench(t, ways[1])
	for _, x := range []struct {
		reason  string
		options []tpm2.AuthOption
		want    tpm2.TPMRC
	}{
		{"no purpose", nil, tpm2.TPMRCAttributes},
		{"a parameter to be encrypted that is not a sized buffer", []tpm2.AuthOption{tpm2.AESEncryption(128, tpm2.EncryptOut)}, tpm2.TPMRCAttributes},
	} {
		_, err := tpm2.PCRRead{}.Execute(b, tpm2.HMAC(tpm2.TPMAlgSHA256, 16, x.options...))
		t.Log(x.reason)
		wantRC(t, err, x.want)
	}
	o := b.load(sealedTemplate(nil), "", "the secret data")
	for _, x := range []struct {
		code    tpm2.TPMCC
		handles []tpm2.AuthHandle
		want    tpm2.TPMRC
	}{
		{tpm2.TPMCCStartup, nil, tpm2.TPMRCInitialize},
		{tpm2.TPMCCContextSave, []tpm2.AuthHandle{{Handle: o.handle, Name: o.name}}, tpm2.TPMRCAuthContext},
		{tpm2.TPMCCContextLoad, nil, tpm2.TPMRCAuthContext},
		{tpm2.TPMCCFlushContext, nil, tpm2.TPMRCAuthContext},
	} {
		_, err := bare{code: x.code, handles: x.handles}.Execute(b, tpm2.HMAC(tpm2.TPMAlgSHA256, 16, tpm2.Audit()))
		wantRC(t, err, x.want)
	}
}

// TestMoveBeforeStartup: the state of a TPM that has lost its power moves, whatever
// was loaded before.
func TestMoveBeforeStartup(t *testing.T) {
	b := openBench(t, ways[0])
	b.load(sealedTemplate(nil), "", "data")
	if _, _, err := tpm2.HMACSession(b.TPM, tpm2.TPMAlgSHA256, 16); err != nil {
		t.Fatal(err)
	}
	b.Init()
	to := must(vtpm.New(vtpm.Options{Entropy: vtpmtest.Entropy()}))(t)
	for _, kind := range []vtpm.StateKind{vtpm.PermanentState, vtpm.VolatileState} {
		if err := to.RestoreState(kind, must(b.SaveState(kind))(t)); err != nil {
			t.Errorf("%v state: %v", kind, err)
		}
	}
	must(tpm2.Startup{StartupType: tpm2.TPMSUClear}.Execute(to))(t)
	must(tpm2.ReadPublic{ObjectHandle: eccParent}.Execute(to))(t)
}
