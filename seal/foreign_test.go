package seal_test

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// others seals as other programs do, with go-tpm alone: nothing of package seal is used.
type others struct {
	t   testing.TB
	tpm transport.TPM
	alg tpm2.TPMIAlgHash // of the objects' Names
	// legacy is whether the parent is systemd 252's, made each time; else it is the SRK.
	legacy bool
	attrs  tpm2.TPMAObject
}

func systemd(t testing.TB, tpm transport.TPM, legacy bool) *others {
	return &others{t: t, tpm: tpm, alg: tpm2.TPMAlgSHA256, legacy: legacy, attrs: tpm2.TPMAObject{FixedTPM: true, FixedParent: true}}
}

// clevis makes objects as tpm2_create does for it.
func clevis(t testing.TB, tpm transport.TPM, alg tpm2.TPMIAlgHash) *others {
	return &others{t: t, tpm: tpm, alg: alg, legacy: true,
		attrs: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, NoDA: true, AdminWithPolicy: true}}
}

func (o *others) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

// parent returns the storage key, and what flushes it.
func (o *others) parent() (tpm2.NamedHandle, *tpm2.TPMTPublic, func()) {
	o.t.Helper()
	if !o.legacy {
		rsp, err := tpm2.ReadPublic{ObjectHandle: tpm2.TPMHandle(0x81000001)}.Execute(o.tpm)
		o.must(err)
		pub, err := rsp.OutPublic.Contents()
		o.must(err)
		return tpm2.NamedHandle{Handle: 0x81000001, Name: rsp.Name}, pub, func() {}
	}
	rsp, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpm2.TPMTPublic{
		Type: tpm2.TPMAlgECC, NameAlg: o.alg,
		ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, Restricted: true, Decrypt: true},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
			CurveID: tpm2.TPMECCNistP256,
			Symmetric: tpm2.TPMTSymDefObject{Algorithm: tpm2.TPMAlgAES, KeyBits: tpm2.NewTPMUSymKeyBits(tpm2.TPMAlgAES, tpm2.TPMKeyBits(128)),
				Mode: tpm2.NewTPMUSymMode(tpm2.TPMAlgAES, tpm2.TPMAlgCFB)},
		}),
	})}.Execute(o.tpm)
	o.must(err)
	pub, err := rsp.OutPublic.Contents()
	o.must(err)
	return tpm2.NamedHandle{Handle: rsp.ObjectHandle, Name: rsp.Name}, pub, func() {
		_, err := tpm2.FlushContext{FlushHandle: rsp.ObjectHandle}.Execute(o.tpm)
		o.must(err)
	}
}

func (o *others) public(policy []byte) tpm2.TPMTPublic {
	return tpm2.TPMTPublic{
		Type: tpm2.TPMAlgKeyedHash, NameAlg: o.alg, ObjectAttributes: o.attrs, AuthPolicy: tpm2.TPM2BDigest{Buffer: policy},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgKeyedHash, &tpm2.TPMSKeyedHashParms{Scheme: tpm2.TPMTKeyedHashScheme{Scheme: tpm2.TPMAlgNull}}),
	}
}

func (o *others) seal(policy, auth, data []byte) seal.Object {
	o.t.Helper()
	parent, _, done := o.parent()
	defer done()
	rsp, err := tpm2.Create{
		ParentHandle: tpm2.AuthHandle{Handle: parent.Handle, Name: parent.Name, Auth: tpm2.PasswordAuth(nil)},
		InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
			UserAuth: tpm2.TPM2BAuth{Buffer: auth}, Data: tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: data}),
		}},
		InPublic: tpm2.New2B(o.public(policy)),
	}.Execute(o.tpm)
	o.must(err)
	return seal.Object{Public: rsp.OutPublic.Bytes(), Private: rsp.OutPrivate.Buffer}
}

// sealOutside makes an object without the TPM, for its parent's public area only, as
// systemd-cryptenroll --tpm2-device-key= does.
func (o *others) sealOutside(policy, data []byte) seal.Object {
	o.t.Helper()
	_, parent, done := o.parent()
	done()
	seed := make([]byte, 32)
	rand.Read(seed)
	unique := sha256.Sum256(append(bytes.Clone(seed), data...))
	pub := o.public(policy)
	pub.ObjectAttributes = tpm2.TPMAObject{}
	pub.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgKeyedHash, &tpm2.TPM2BDigest{Buffer: unique[:]})
	name, err := tpm2.ObjectName(&pub)
	o.must(err)
	key, err := tpm2.ImportEncapsulationKey(parent)
	o.must(err)
	sensitive := tpm2.Marshal(tpm2.TPMTSensitive{
		SensitiveType: tpm2.TPMAlgKeyedHash, SeedValue: tpm2.TPM2BDigest{Buffer: seed},
		Sensitive: tpm2.NewTPMUSensitiveComposite(tpm2.TPMAlgKeyedHash, &tpm2.TPM2BSensitiveData{Buffer: data}),
	})
	duplicate, secret, err := tpm2.CreateDuplicate(rand.Reader, key, name.Buffer, sensitive)
	o.must(err)
	return seal.Object{Public: tpm2.Marshal(pub), Private: duplicate, Seed: secret}
}

// policy is the digest of a trial session in which the commands were run.
func (o *others) policy(commands ...func(session tpm2.TPMHandle)) []byte {
	o.t.Helper()
	s, done, err := tpm2.PolicySession(o.tpm, o.alg, 16, tpm2.Trial())
	o.must(err)
	defer done()
	for _, c := range commands {
		c(s.Handle())
	}
	rsp, err := tpm2.PolicyGetDigest{PolicySession: s.Handle()}.Execute(o.tpm)
	o.must(err)
	return rsp.PolicyDigest.Buffer
}

func (o *others) pcrs(bank pcr.Bank, pcrs ...int) func(tpm2.TPMHandle) {
	return func(session tpm2.TPMHandle) {
		_, err := tpm2.PolicyPCR{PolicySession: session, Pcrs: tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{
			Hash: tpm2.TPMIAlgHash(bank), PCRSelect: pcr.Select(pcrs...).Octets(),
		}}}}.Execute(o.tpm)
		o.must(err)
	}
}

func (o *others) authValue(session tpm2.TPMHandle) {
	_, err := tpm2.PolicyAuthValue{PolicySession: session}.Execute(o.tpm)
	o.must(err)
}

// key is a public key's part of a policy, with systemd's public area.
func (o *others) key(exponent uint32) func(tpm2.TPMHandle) {
	k, _ := signer(o.t)
	name, err := tpm2.ObjectName(&tpm2.TPMTPublic{
		Type: tpm2.TPMAlgRSA, NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{Decrypt: true, SignEncrypt: true, UserWithAuth: true},
		Parameters:       tpm2.NewTPMUPublicParms(tpm2.TPMAlgRSA, &tpm2.TPMSRSAParms{KeyBits: 2048, Exponent: exponent}),
		Unique:           tpm2.NewTPMUPublicID(tpm2.TPMAlgRSA, &tpm2.TPM2BPublicKeyRSA{Buffer: k.Public.N.Bytes()}),
	})
	o.must(err)
	return func(session tpm2.TPMHandle) {
		_, err := tpm2.PolicyAuthorize{PolicySession: session, KeySign: *name,
			CheckTicket: tpm2.TPMTTKVerified{Tag: tpm2.TPMSTVerified, Hierarchy: tpm2.TPMRHOwner}}.Execute(o.tpm)
		o.must(err)
	}
}

// saltedPIN is the authValue that systemd 255 makes of a PIN.
func saltedPIN(t testing.TB, pin string, salt []byte) []byte {
	t.Helper()
	k, err := pbkdf2.Key(sha256.New, pin, salt, 10000, 32)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(base64.StdEncoding.EncodeToString(k)))
	return bytes.TrimRight(sum[:], "\x00")
}

// opens demands that the object opens, costs no try, and shows nothing.
func (o *others) opens(f seal.Foreign, pin string) {
	o.t.Helper()
	wire := &bus{tpm: o.tpm}
	got, err := seal.OpenForeign(wire, f, []byte(pin), signFor(o.t, "kernel"))
	if err != nil || !bytes.Equal(got, secret) {
		o.t.Errorf("have %q, %v", got, err)
	}
	if bytes.Contains(wire.seen.Bytes(), secret[:8]) {
		o.t.Error("the secret is on the bus")
	}
	if n := failures(o.t, o.tpm); n != 0 {
		o.t.Errorf("%d tries used", n)
	}
	nothingLoaded(o.t, o.tpm)
}

func TestOpenForeignSystemd(t *testing.T) {
	tpm := open(t)
	srk := srkOf(t, tpm)
	boot(t, tpm, "firmware", "kernel")
	legacy := seal.Parent{Template: seal.SystemdECC}
	k, _ := signer(t)
	signed := &seal.Signed{PublicKey: k.PEM, PCRs: pcr.Select(23)}
	salt := bytes.Repeat([]byte{3}, 32)
	unsalted := sha256.Sum256([]byte("1234"))

	old, new := systemd(t, tpm, true), systemd(t, tpm, false)
	literal := old.pcrs(pcr.SHA256, 16, 23)
	f := seal.Foreign{Parent: legacy, Bank: pcr.SHA256, PCRs: pcr.Select(16, 23)}

	f.Objects = []seal.Object{old.seal(old.policy(literal), nil, secret)}
	old.opens(f, "")
	f.PIN = true
	f.Objects = []seal.Object{old.seal(old.policy(literal, old.authValue), unsalted[:], secret)}
	old.opens(f, "1234")

	f.Parent, f.PINSalt = srk, salt
	f.Objects = []seal.Object{new.seal(new.policy(literal, new.authValue), saltedPIN(t, "1234", salt), secret)}
	new.opens(f, "1234")

	// A public key in its two forms, with the literal PCR 16 and a PIN.
	f.PCRs, f.Signed = pcr.Select(16), signed
	for exponent, o := range map[uint32]*others{65537: old, 0: new} {
		f.Parent, f.PINSalt = legacy, nil
		auth := unsalted[:]
		if !o.legacy {
			f.Parent, f.PINSalt, auth = srk, salt, saltedPIN(t, "1234", salt)
		}
		f.Objects = []seal.Object{o.seal(o.policy(o.key(exponent), o.pcrs(pcr.SHA256, 16), o.authValue), auth, secret)}
		o.opens(f, "1234")
	}

	// An object that was made without the TPM is imported.
	f = seal.Foreign{Parent: srk, Bank: pcr.SHA256, PCRs: pcr.Select(16, 23)}
	f.Objects = []seal.Object{new.sealOutside(new.policy(literal), secret)}
	new.opens(f, "")

	// Another bank, and no PCRs at all.
	f.Bank, f.PCRs = pcr.SHA1, pcr.Select(7)
	f.Objects = []seal.Object{new.seal(new.policy(new.pcrs(pcr.SHA1, 7)), nil, secret)}
	new.opens(f, "")
	f.PCRs = 0
	f.Objects = []seal.Object{new.seal(make([]byte, 32), nil, secret)}
	new.opens(f, "")
}

// clevis's objects have any hash, and no policy without PCRs.
func TestOpenForeignClevis(t *testing.T) {
	tpm := open(t)
	boot(t, tpm, "firmware", "kernel")
	for name, alg := range map[string]tpm2.TPMIAlgHash{"sha1": tpm2.TPMAlgSHA1, "sha256": tpm2.TPMAlgSHA256, "sha384": tpm2.TPMAlgSHA384} {
		template, err := seal.ClevisTemplate("ecc", name)
		if err != nil {
			t.Fatal(err)
		}
		o := clevis(t, tpm, alg)
		f := seal.Foreign{Parent: seal.Parent{Template: template}, Bank: pcr.SHA256, PCRs: pcr.Select(16, 23)}
		f.Objects = []seal.Object{o.seal(o.policy(o.pcrs(pcr.SHA256, 16, 23)), nil, secret)}
		o.opens(f, "")
		f.PCRs, o.attrs.UserWithAuth = 0, true
		f.Objects = []seal.Object{o.seal(nil, nil, secret)}
		o.opens(f, "")
	}
}

// superPCR is systemd-pcrlock's policy: one TPM2_PolicyPCR for PCR 8 and 16, which have a
// value each, then alternatives for PCR 22 and for PCR 23.
func (o *others) superPCR(alternatives map[int][]pcr.Digest) []byte {
	commands := []func(tpm2.TPMHandle){o.pcrs(pcr.SHA256, 8, 16)}
	for _, index := range []int{22, 23} {
		commands = append(commands, func(session tpm2.TPMHandle) {
			before, err := tpm2.PolicyGetDigest{PolicySession: session}.Execute(o.tpm)
			o.must(err)
			or := tpm2.PolicyOr{PolicySession: session}
			for _, v := range alternatives[index] {
				composite := sha256.Sum256(v)
				h := sha256.New()
				h.Write(before.PolicyDigest.Buffer)
				h.Write([]byte{0, 0, 1, 0x7f}) // TPM_CC_PolicyPCR
				h.Write(tpm2.Marshal(tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{
					Hash: tpm2.TPMAlgSHA256, PCRSelect: pcr.Select(index).Octets(),
				}}}))
				h.Write(composite[:])
				or.PHashList.Digests = append(or.PHashList.Digests, tpm2.TPM2BDigest{Buffer: h.Sum(nil)})
			}
			_, err = or.Execute(o.tpm)
			o.must(err)
		})
	}
	return o.policy(commands...)
}

// policyIndex writes a policy into an NV index with systemd's attributes, but that the
// policy for writing is another one. It returns the index's public area as it was defined.
func (o *others) policyIndex(index tpm2.TPMHandle, policy []byte) (public []byte) {
	o.t.Helper()
	write := func(session tpm2.TPMHandle) {
		_, err := tpm2.PolicyCommandCode{PolicySession: session, Code: tpm2.TPMCCNVWrite}.Execute(o.tpm)
		o.must(err)
	}
	info := tpm2.New2B(tpm2.TPMSNVPublic{
		NVIndex: index, NameAlg: tpm2.TPMAlgSHA256, DataSize: 2 + 32, AuthPolicy: tpm2.TPM2BDigest{Buffer: o.policy(write)},
		Attributes: tpm2.TPMANV{WriteAll: true, PolicyWrite: true, OwnerRead: true},
	})
	_, err := tpm2.NVDefineSpace{AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)}, PublicInfo: info}.Execute(o.tpm)
	o.must(err)
	session := tpm2.Policy(tpm2.TPMAlgSHA256, 16, func(_ transport.TPM, h tpm2.TPMISHPolicy, _ tpm2.TPM2BNonce) error {
		write(h)
		return nil
	})
	named := tpm2.NamedHandle{Handle: index, Name: nvName(o.t, o.tpm, seal.Handle(index))}
	_, err = tpm2.NVWrite{
		AuthHandle: tpm2.AuthHandle{Handle: index, Name: named.Name, Auth: session}, NVIndex: named,
		Data: tpm2.TPM2BMaxNVBuffer{Buffer: append([]byte{0, 0xb}, policy...)},
	}.Execute(o.tpm)
	o.must(err)
	return tpm2.Marshal(info)
}

// systemd-pcrlock's file and NV index, and the two objects that systemd 257 makes with a
// public key beside it.
func TestOpenForeignPCRLock(t *testing.T) {
	tpm := open(t)
	srk := srkOf(t, tpm)
	boot(t, tpm, "firmware", "kernel")
	o := systemd(t, tpm, false)
	zero := make(pcr.Digest, 32)
	now, other := predicted(t, "", "firmware", "kernel").PCRs, predicted(t, "", "firmware", "another kernel").PCRs
	super := o.superPCR(map[int][]pcr.Digest{22: {bytes.Repeat([]byte{0xff}, 32), zero}, 23: {now[23], other[23]}})
	const index = 0x01800123
	public := o.policyIndex(index, super)
	authorizeNV := func(session tpm2.TPMHandle) {
		_, err := tpm2.PolicyAuthorizeNV{
			AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
			NVIndex:    tpm2.NamedHandle{Handle: index, Name: nvName(t, tpm, index)}, PolicySession: session,
		}.Execute(tpm)
		o.must(err)
	}
	file := fmt.Sprintf(`{"pcrBank":"sha256","pcrValues":[{"pcr":8,"values":["%s"]},{"pcr":16,"values":["%s"]},
		{"pcr":22,"values":["%s","%s"]},{"pcr":23,"values":["%s","%s"]}],
		"nvIndex":%d,"nvHandle":"","nvPublic":"%s","srkHandle":"","pinPublic":"","pinPrivate":""}`,
		zero, now[16], strings.Repeat("ff", 32), zero, now[23], other[23], index, base64.StdEncoding.EncodeToString(public))
	lock, err := seal.ParsePCRLock([]byte(file))
	o.must(err)

	f := seal.Foreign{Parent: srk, Bank: pcr.SHA256, PCRLock: lock}
	f.Objects = []seal.Object{o.seal(o.policy(authorizeNV), nil, secret)}
	o.opens(f, "")

	two := f
	k, _ := signer(t)
	two.Signed, two.PIN, two.PINSalt = &seal.Signed{PublicKey: k.PEM, PCRs: pcr.Select(23)}, true, bytes.Repeat([]byte{3}, 32)
	auth := saltedPIN(t, "1234", two.PINSalt)
	two.Objects = []seal.Object{
		o.seal(o.policy(o.key(0), o.authValue), auth, secret[:16]),
		o.seal(o.policy(authorizeNV, o.authValue), auth, secret[16:]),
	}
	o.opens(two, "1234")
	two.Objects[1] = o.seal(o.policy(authorizeNV), nil, secret[16:])
	o.opens(two, "1234")

	// Another value that is in the policy is as good, and one that is not is named.
	boot(t, tpm, "firmware", "another kernel")
	o.opens(f, "")
	boot(t, tpm, "firmware", "a third kernel")
	var mismatch *seal.MismatchError
	if _, err := seal.OpenForeign(tpm, f, nil); !errors.As(err, &mismatch) || mismatch.Branches[0].Differences[0].PCR != 23 {
		t.Errorf("have %v", err)
	}
	// A file that the NV index is ahead of, or that is of another index.
	boot(t, tpm, "firmware", "kernel")
	older := *lock
	older.Values = map[int][]pcr.Digest{16: {now[16]}}
	f.PCRLock = &older
	if _, err := seal.OpenForeign(tpm, f, nil); err == nil || !strings.Contains(err.Error(), "one of them is older") {
		t.Errorf("have %v", err)
	}
	older.Index++
	if _, err := seal.OpenForeign(tpm, f, nil); err == nil || !strings.Contains(err.Error(), "is gone, or is another one") {
		t.Errorf("have %v", err)
	}
	nothingLoaded(t, tpm)
}

// Another boot costs no try, a wrong PIN one; nothing is left behind by what fails.
func TestOpenForeignRefuses(t *testing.T) {
	tpm := open(t)
	boot(t, tpm, "firmware", "kernel")
	o := systemd(t, tpm, true)
	auth := sha256.Sum256([]byte("1234"))
	k, _ := signer(t)
	f := seal.Foreign{
		Parent: seal.Parent{Template: seal.SystemdECC}, Bank: pcr.SHA256, PCRs: pcr.Select(16), PIN: true,
		Signed:  &seal.Signed{PublicKey: k.PEM, PCRs: pcr.Select(23)},
		Objects: []seal.Object{o.seal(o.policy(o.key(65537), o.pcrs(pcr.SHA256, 16), o.authValue), auth[:], secret)},
	}
	signatures := signFor(t, "kernel")
	if _, err := seal.OpenForeign(tpm, f, nil, signatures); !errors.Is(err, seal.ErrPINRequired) {
		t.Errorf("no PIN: %v", err)
	}
	var missing *seal.SignatureError
	if _, err := seal.OpenForeign(tpm, f, []byte("wrong")); !errors.As(err, &missing) {
		t.Errorf("no signature: %v", err)
	}
	boot(t, tpm, "other firmware", "kernel")
	var unmet *seal.UnmetError
	_, err := seal.OpenForeign(tpm, f, []byte("wrong"), signatures)
	if !errors.As(err, &unmet) {
		t.Errorf("another boot: %v", err)
	}
	checkRemedy(t, err)
	if n := failures(t, tpm); n != 0 {
		t.Errorf("%d tries used", n)
	}
	boot(t, tpm, "firmware", "kernel")
	var wrong *seal.PINError
	if _, err := seal.OpenForeign(tpm, f, []byte("wrong"), signatures); !errors.As(err, &wrong) || wrong.Lockout.Failures != 1 {
		t.Errorf("wrong PIN: %v", err)
	}
	everyFailure(t, tpm, func(tpm transport.TPM) error {
		_, err := seal.OpenForeign(tpm, f, []byte("1234"), signatures)
		return err
	})

	// Of another TPM, whose key the template gives, too: only a pinned Name tells the two
	// apart before the object does.
	other := open(t)
	boot(t, other, "firmware", "kernel")
	var foreign *seal.ForeignError
	if _, err := seal.OpenForeign(other, f, []byte("1234"), signatures); !errors.As(err, &foreign) {
		t.Errorf("another TPM: %v", err)
	}
	pinned, err := seal.MakeParent(tpm, nil, seal.SystemdECC)
	o.must(err)
	f.Parent = pinned
	var parent *seal.ParentError
	if _, err := seal.OpenForeign(other, f, []byte("1234"), signatures); !errors.As(err, &parent) {
		t.Errorf("another TPM, pinned: %v", err)
	}
	f.Objects = nil
	if _, err := seal.OpenForeign(tpm, f, nil); err == nil {
		t.Error("nothing opens")
	}
}

func TestParsePCRLockRefuses(t *testing.T) {
	tpm := open(t)
	public := systemd(t, tpm, false).policyIndex(0x01800123, make([]byte, 32))
	good := `{"pcrBank":"sha256","pcrValues":[{"pcr":8,"values":["` + strings.Repeat("00", 32) + `"]}],"nvIndex":25166115,"nvPublic":"` +
		base64.StdEncoding.EncodeToString(public) + `"}`
	if p, err := seal.ParsePCRLock([]byte(good)); err != nil || p.Index != 0x01800123 || p.Name.String() != fmt.Sprintf("%x", nvName(t, tpm, 0x01800123).Buffer) {
		t.Errorf("%+v, %v", p, err)
	}
	for _, c := range []struct{ from, to, says string }{
		{`sha256`, `md5`, "unknown PCR bank"},
		{`"pcr":8`, `"pcr":24`, "24 is not a PCR"},
		{`"values":["00`, `"values":["`, "want 32 bytes"},
		{`"values":["`, `"values":[],"x":["`, "PCR 8 has 0 values"},
		{`[{`, `[{"pcr":8,"values":["00"]},{`, "PCR 8 comes twice"},
		{`25166115`, `25166116`, `field "nvPublic": it is of index 0x01800123`},
		{`"nvPublic":"`, `"nvPublic":"AAAA`, `field "nvPublic"`},
		{`{`, `[`, "pcrlock policy: "},
	} {
		bad := strings.Replace(good, c.from, c.to, 1)
		if _, err := seal.ParsePCRLock([]byte(bad)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.to, err)
		}
	}
}

func FuzzParsePCRLock(f *testing.F) {
	f.Add([]byte(`{"pcrBank":"sha256","pcrValues":[{"pcr":8,"values":["00"]}],"nvIndex":25166115,"nvPublic":"AAAA"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := seal.ParsePCRLock(text)
		if err == nil && (len(p.Name) != 34 && len(p.Name) != 22 && len(p.Name) != 50 && len(p.Name) != 66) {
			t.Errorf("%+v", p)
		}
	})
}
