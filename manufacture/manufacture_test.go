package manufacture_test

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/bootseal/bootseal/manufacture"
	"github.com/bootseal/bootseal/manufacture/ca"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

func newCA(t testing.TB) *ca.CA {
	t.Helper()
	c, err := ca.Create(t.TempDir()+"/ca", ca.Options{Name: "a CA for tests"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func manufactured(t *testing.T, tpm transport.TPM, o manufacture.Options) manufacture.Result {
	t.Helper()
	r, err := manufacture.Manufacture(tpm, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What swtpm_setup --create-ek-cert --create-platform-cert leaves is where it leaves it.
func TestSwtpmLayout(t *testing.T) {
	tpm := vtpmtest.Open(t)
	r := manufactured(t, tpm, manufacture.Options{
		EKCertificates: true, PlatformCertificate: true, Issuer: newCA(t), Name: "vm7:4711", SRK: manufacture.P256,
	})
	wantHandles(t, tpm, 0x81000001, 0x81010001, 0x81010016)
	wantIndices(t, tpm, 0x01C00002, 0x01C00016, 0x01C08000)
	for _, c := range r.Certificates {
		if c.Subject != "CN=vm7:4711" {
			t.Errorf("certificate in %v: subject %q", c.Index, c.Subject)
		}
		if have := readIndex(t, tpm, c.Index); !bytes.Equal(have, c.DER) {
			t.Errorf("NV index %v holds %x, want the certificate %x", c.Index, have, c.DER)
		}
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
}

// The places of all endorsement keys (EK Credential Profile; swtpm_setup's handles).
func TestEndorsementKeyPlaces(t *testing.T) {
	for _, c := range []struct {
		name              string
		handle, cert, nvT uint32
	}{
		{"rsa2048", 0x81010001, 0x01C00002, 0x01C00004},
		{"ecc_nist_p256", 0x8101000A, 0x01C0000A, 0x01C0000C},
		{"rsa2048-high", 0x81010012, 0x01C00012, 0x01C00013},
		{"secp256r1-high", 0x81010014, 0x01C00014, 0x01C00015},
		{"secp384r1", 0x81010016, 0x01C00016, 0x01C00017},
		{"secp521r1", 0x81010018, 0x01C00018, 0x01C00019},
		{"RSA3072", 0x8101001C, 0x01C0001C, 0x01C0001D},
		{"rsa4096", 0x8101001E, 0x01C0001E, 0x01C0001F},
	} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && (c.name == "rsa4096" || c.name == "RSA3072") {
				t.Skip("long RSA keys take seconds: not with -short")
			}
			k, err := manufacture.ParseEK(c.name)
			if err != nil {
				t.Fatal(err)
			}
			tpm := vtpmtest.Open(t)
			// A signing key is one whose template nobody knows, so that it is stored.
			manufactured(t, tpm, manufacture.Options{
				EKs: []manufacture.EK{k}, Use: manufacture.Use{Sign: true}, EKCertificates: true, Issuer: newCA(t),
			})
			wantHandles(t, tpm, c.handle)
			wantIndices(t, tpm, c.cert, c.nvT)
			template := readIndex(t, tpm, manufacture.Handle(c.nvT))
			if again := primaryName(t, tpm, template); !bytes.Equal(again, handleName(t, tpm, c.handle)) {
				t.Errorf("the template in %#x makes a key of Name %x", c.nvT, again)
			}
		})
	}
}

// The default endorsement keys are those of the templates that everybody has: who creates
// them again gets the certified keys.
func TestDefaultTemplates(t *testing.T) {
	tpm := vtpmtest.Open(t)
	manufactured(t, tpm, manufacture.Options{EKs: []manufacture.EK{{Algorithm: manufacture.RSA2048}, {Algorithm: manufacture.P256}}})
	for handle, template := range map[uint32]tpm2.TPMTPublic{0x81010001: tpm2.RSAEKTemplate, 0x8101000A: tpm2.ECCEKTemplate} {
		if have, want := handleName(t, tpm, handle), primaryName(t, tpm, tpm2.Marshal(template)); !bytes.Equal(have, want) {
			t.Errorf("%#x: Name %x, want that of go-tpm's template %x", handle, have, want)
		}
	}
}

// Policy digests as the EK Credential Profile prints them.
func TestPolicies(t *testing.T) {
	for hash, want := range map[tpm2.TPMAlgID]string{
		tpm2.TPMAlgSHA256: "ca3d0a99a2b93906f7a3342414efcfb3a385d44cd1fd459089d19b5071c0b7a0",
		tpm2.TPMAlgSHA384: "b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e12",
		tpm2.TPMAlgSHA512: "b8221ca69e8550a4914de3faa6a18c072cc01208073a928d5d66d59ef79e49a429c41a6b269571d57edb25fbdb1838425608b413cd616a5f6db5b6071af99bea",
	} {
		have, err := manufacture.PolicyB(hash)
		if err != nil || hex(have) != want {
			t.Errorf("policy B of hash %#x: %x, %v, want %s", uint16(hash), have, err, want)
		}
	}
	have, err := manufacture.PolicyA(tpm2.TPMAlgSHA256)
	if want := "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa"; err != nil || hex(have) != want {
		t.Errorf("policy A: %x, %v, want %s", have, err, want)
	}
}

// A key of the high range is used with policy A, through PolicyOR.
func TestHighRangeKeyActivatesCredential(t *testing.T) {
	tpm := vtpmtest.Open(t)
	r := manufactured(t, tpm, manufacture.Options{EKs: []manufacture.EK{{Algorithm: manufacture.P384}}, SRK: manufacture.P256})
	srk, ek := r.Keys[0], r.Keys[1]
	made, err := tpm2.MakeCredential{
		Handle:     tpm2.TPMHandle(ek.Handle),
		Credential: tpm2.TPM2BDigest{Buffer: []byte("credential")},
		ObjectName: tpm2.TPM2BName{Buffer: srk.Name},
	}.Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
	branches, err := manufacture.PolicyBranches(tpm2.TPMAlgSHA384)
	if err != nil {
		t.Fatal(err)
	}
	session := tpm2.Policy(tpm2.TPMAlgSHA384, 16, tpm2.PolicyCallback(func(tpm transport.TPM, s tpm2.TPMISHPolicy, nonce tpm2.TPM2BNonce) error {
		_, err := tpm2.PolicySecret{
			AuthHandle:    tpm2.AuthHandle{Handle: tpm2.TPMRHEndorsement, Auth: tpm2.PasswordAuth(nil)},
			PolicySession: s, NonceTPM: nonce,
		}.Execute(tpm)
		if err == nil {
			_, err = tpm2.PolicyOr{PolicySession: s, PHashList: branches}.Execute(tpm)
		}
		return err
	}))
	rsp, err := tpm2.ActivateCredential{
		ActivateHandle: tpm2.AuthHandle{Handle: tpm2.TPMHandle(srk.Handle), Name: tpm2.TPM2BName{Buffer: srk.Name}, Auth: tpm2.PasswordAuth(nil)},
		KeyHandle:      tpm2.AuthHandle{Handle: tpm2.TPMHandle(ek.Handle), Name: tpm2.TPM2BName{Buffer: ek.Name}, Auth: session},
		CredentialBlob: made.CredentialBlob,
		Secret:         made.Secret,
	}.Execute(tpm)
	if err != nil || string(rsp.CertInfo.Buffer) != "credential" {
		t.Fatalf("activate a credential: %v, %v", rsp, err)
	}
}

// On Azure a guest finds its attestation key at 0x81000003 and its certificate in NV index
// 0x01C101D0, which is larger than that, and which the guest cannot write.
func TestAzureLayout(t *testing.T) {
	tpm := vtpmtest.Open(t)
	c := newCA(t)
	r := manufactured(t, tpm, manufacture.Options{Layout: manufacture.Azure, Issuer: c, Name: "6fb1", LockNV: true})
	wantHandles(t, tpm, 0x81000001, 0x81000003, 0x81010001)
	wantIndices(t, tpm, 0x01C101D0)
	data := readIndex(t, tpm, 0x01C101D0)
	var outer asn1.RawValue
	rest, err := asn1.Unmarshal(data, &outer)
	if err != nil || len(bytes.Trim(rest, "\x00")) > 0 || len(rest) == 0 {
		t.Fatalf("a certificate and zeros should be there: %x, %v", data, err)
	}
	x := verified(t, c, outer.FullBytes)
	if x.Subject.CommonName != "6fb1.TrustedVM.Azure.windows.net" || !slices.Contains(x.Subject.OrganizationalUnit, "not issued by Microsoft Azure") {
		t.Errorf("subject %q", x.Subject)
	}
	ak := public(t, tpm, 0x81000003)
	if a := ak.ObjectAttributes; !a.Restricted || !a.SignEncrypt || a.Decrypt || !a.FixedTPM || !a.NoDA || !a.UserWithAuth {
		t.Errorf("the AK's attributes: %+v", a)
	}
	quote(t, tpm, 0x81000003, x)
	if _, err := (tpm2.NVWrite{
		AuthHandle: tpm2.AuthHandle{Handle: 0x01C101D0, Name: nvName(t, tpm, 0x01C101D0), Auth: tpm2.PasswordAuth(nil)},
		NVIndex:    tpm2.NamedHandle{Handle: 0x01C101D0, Name: nvName(t, tpm, 0x01C101D0)},
		Data:       tpm2.TPM2BMaxNVBuffer{Buffer: []byte("forged")},
	}).Execute(tpm); !errors.Is(err, tpm2.TPMRCBadAuth) && !errors.Is(err, tpm2.TPMRCAuthFail) {
		t.Errorf("the guest writes its certificate: %v", err)
	}
	if r.Certificates[0].Role != manufacture.RoleAK {
		t.Errorf("certificates: %+v", r.Certificates)
	}
}

// On GCP a guest creates its attestation keys from templates in NV.
func TestGCPLayout(t *testing.T) {
	tpm := vtpmtest.Open(t)
	c := newCA(t)
	r := manufactured(t, tpm, manufacture.Options{Layout: manufacture.GCP, Issuer: c, Name: "node-1"})
	wantIndices(t, tpm, 0x01C00002, 0x01C0000A, 0x01C10000, 0x01C10001, 0x01C10002, 0x01C10003)
	for _, index := range []manufacture.Handle{0x01C10000, 0x01C10002} {
		x := verified(t, c, readIndex(t, tpm, index))
		template, err := tpm2.Unmarshal[tpm2.TPMTPublic](readIndex(t, tpm, index+1))
		if err != nil {
			t.Fatal(err)
		}
		ak, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHEndorsement, InPublic: tpm2.New2B(*template)}.Execute(tpm)
		if err != nil {
			t.Fatal(err)
		}
		quote(t, tpm, uint32(ak.ObjectHandle), x)
		g := googleInstance(t, x)
		if g.Name != "node-1" || g.Project != "bootseal" || !g.Security.Production {
			t.Errorf("the instance in the certificate of %v: %+v", index, g)
		}
	}
	if len(r.Certificates) != 4 || len(r.Templates) != 2 {
		t.Errorf("made %+v", r)
	}
}

// Manufacturing again changes nothing.
func TestManufactureTwice(t *testing.T) {
	tpm := vtpmtest.Open(t)
	o := manufacture.Options{EKCertificates: true, PlatformCertificate: true, Issuer: newCA(t), LockNV: true}
	first := manufactured(t, tpm, o)
	second := manufactured(t, tpm, o)
	for i, c := range second.Certificates {
		if !c.Kept || c.SHA256 != first.Certificates[i].SHA256 {
			t.Errorf("the certificate in %v was made again", c.Index)
		}
	}
}

// Wherever the TPM goes away, manufacturing again finishes it: nothing torn stays.
func TestManufactureContinues(t *testing.T) {
	c := newCA(t)
	o := manufacture.Options{
		EKs: []manufacture.EK{{Algorithm: manufacture.P256}}, EKCertificates: true, PlatformCertificate: true,
		SRK: manufacture.P256, Issuer: c, LockNV: true, PCRBanks: []pcr.Bank{pcr.SHA256},
	}
	for after := 0; ; after++ {
		tpm := vtpmtest.Open(t)
		cut := &cutOff{tpm: tpm, left: after}
		if _, err := manufacture.Manufacture(cut, o); err == nil {
			if after < 20 {
				t.Fatalf("only %d commands", after)
			}
			return
		} else if !errors.Is(err, errGone) {
			t.Fatalf("after %d commands: %v", after, err)
		}
		tpm.PowerCycle(t)
		r := manufactured(t, tpm, o)
		wantHandles(t, tpm, 0x81000001, 0x8101000A)
		wantIndices(t, tpm, 0x01C0000A, 0x01C08000)
		for _, x := range r.Certificates {
			verified(t, c, readIndex(t, tpm, x.Index))
		}
	}
}

// Locked is locked, for the platform too.
func TestLockNV(t *testing.T) {
	tpm := vtpmtest.Open(t)
	manufactured(t, tpm, manufacture.Options{
		EKs: []manufacture.EK{{Algorithm: manufacture.P256}}, EKCertificates: true, Issuer: newCA(t), LockNV: true,
	})
	tpm.PowerCycle(t)
	_, err := tpm2.NVWrite{
		AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHPlatform, Auth: tpm2.PasswordAuth(nil)},
		NVIndex:    tpm2.NamedHandle{Handle: 0x01C0000A, Name: nvName(t, tpm, 0x01C0000A)},
		Data:       tpm2.TPM2BMaxNVBuffer{Buffer: []byte("forged")},
	}.Execute(tpm)
	if !errors.Is(err, tpm2.TPMRCNVLocked) {
		t.Errorf("writing a locked index: %v", err)
	}
}

func TestPCRBanks(t *testing.T) {
	tpm := vtpmtest.Open(t)
	r := manufactured(t, tpm, manufacture.Options{EKs: []manufacture.EK{}, PCRBanks: []pcr.Bank{pcr.SHA384, pcr.SM3, pcr.SHA256}})
	if !slices.Equal(r.PCRBanks, []pcr.Bank{pcr.SHA256, pcr.SHA384}) {
		t.Errorf("activated %v", r.PCRBanks)
	}
	tpm.PowerCycle(t)
	if have := activeBanks(t, tpm); !slices.Equal(have, []pcr.Bank{pcr.SHA256, pcr.SHA384}) {
		t.Errorf("after power on %v are active", have)
	}
	if _, err := manufacture.AllocatePCRs(tpm, []pcr.Bank{pcr.SM3}); err == nil {
		t.Error("a bank that the TPM does not have was activated")
	}
}

// What cannot be done is said before anything is made.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		why string
		o   manufacture.Options
	}{
		{"no issuer", manufacture.Options{EKCertificates: true}},
		{"no issuer for a cloud's AK", manufacture.Options{Layout: manufacture.Azure}},
		{"a layout that is not there", manufacture.Options{Layout: "aws"}},
		{"a key twice", manufacture.Options{EKs: []manufacture.EK{{Algorithm: manufacture.P384}, {Algorithm: manufacture.P384, HighRange: true}}}},
		{"an algorithm that is not there", manufacture.Options{EKs: []manufacture.EK{{Algorithm: "dsa"}}}},
		{"a certificate without a key", manufacture.Options{EKs: []manufacture.EK{}, EKCertificates: true, Issuer: newCA(t)}},
		{"a name with a line break", manufacture.Options{Name: "a\nb"}},
		{"half a platform", manufacture.Options{Platform: manufacture.Platform{Model: "x"}}},
	} {
		tpm := vtpmtest.Open(t)
		if r, err := manufacture.Manufacture(tpm, c.o); err == nil {
			t.Errorf("%s: made %+v", c.why, r)
		}
		wantHandles(t, tpm)
	}
}

// A key that somebody else put where ours goes is not replaced.
func TestOtherKeyInPlace(t *testing.T) {
	tpm := vtpmtest.Open(t)
	manufactured(t, tpm, manufacture.Options{EKs: []manufacture.EK{}, SRK: manufacture.P384})
	if _, err := manufacture.Manufacture(tpm, manufacture.Options{EKs: []manufacture.EK{}, SRK: manufacture.P256}); err == nil {
		t.Error("the storage root key was replaced")
	}
}

// An issuer that returns another key's certificate, or rubbish, is found out.
func TestIssuerIsChecked(t *testing.T) {
	for _, bad := range []issuerFunc{
		func(manufacture.Request) ([]byte, error) { return []byte("no certificate"), nil },
		func(manufacture.Request) ([]byte, error) { return nil, nil },
		func(manufacture.Request) ([]byte, error) { return newCA(t).Chain()[0].Raw, nil },
	} {
		tpm := vtpmtest.Open(t)
		o := manufacture.Options{EKs: []manufacture.EK{{Algorithm: manufacture.P256}}, EKCertificates: true, Issuer: bad}
		if _, err := manufacture.Manufacture(tpm, o); err == nil {
			t.Error("accepted")
		}
		wantIndices(t, tpm)
	}
}

type issuerFunc func(manufacture.Request) ([]byte, error)

func (f issuerFunc) Issue(r manufacture.Request) ([]byte, error) { return f(r) }

// cutOff is a TPM that goes away after some commands: the last one is carried out, and its
// response is lost.
type cutOff struct {
	tpm  transport.TPM
	left int
}

var errGone = errors.New("the TPM is gone")

func (c *cutOff) Send(cmd []byte) ([]byte, error) {
	c.left--
	if c.left < -1 {
		return nil, errGone
	}
	rsp, err := c.tpm.Send(cmd)
	if c.left < 0 {
		return nil, errGone
	}
	return rsp, err
}

// verified parses a certificate and verifies it as go-tpm-tools does: a name that Go does
// not know is no reason to refuse, and any extended key usage is right.
func verified(t *testing.T, c *ca.CA, der []byte) *x509.Certificate {
	t.Helper()
	x, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	chain := c.Chain()
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(chain[len(chain)-1])
	for _, i := range chain[:len(chain)-1] {
		between.AddCert(i)
	}
	x.UnhandledCriticalExtensions = slices.DeleteFunc(x.UnhandledCriticalExtensions, func(id asn1.ObjectIdentifier) bool {
		return id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17})
	})
	if _, err := x.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}); err != nil {
		t.Fatal(err)
	}
	return x
}
