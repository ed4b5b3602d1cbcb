package seal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/seal/pcrsig"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

func signer(t testing.TB) (*pcrsig.Key, pcrsig.Signer) {
	t.Helper()
	text, err := os.ReadFile("pcrsig/testdata/key.pem")
	if err != nil {
		t.Fatal(err)
	}
	k, sign, err := pcrsig.ParsePrivateKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return k, sign
}

// signed is a policy for what the key of the tests signs of PCR 23, and the firmware.
func signed(t testing.TB) seal.Policy {
	t.Helper()
	k, _ := signer(t)
	b := predicted(t, "", "firmware", "")
	delete(b.PCRs, 23)
	p := policy(b)
	p.Signed = &seal.Signed{PublicKey: k.PEM, PCRs: pcr.Select(23)}
	return p
}

// signFor signs PCR 23 after these kernels.
func signFor(t testing.TB, kernels ...string) pcrsig.File {
	t.Helper()
	k, sign := signer(t)
	f := make(pcrsig.File)
	for _, kernel := range kernels {
		b := predicted(t, "", "", kernel)
		policy, err := seal.PCRPolicy(pcr.Values{pcr.SHA256: b.PCRs}, pcr.BankSelection{Bank: pcr.SHA256, PCRs: pcr.Select(23)})
		if err != nil {
			t.Fatal(err)
		}
		s, err := pcrsig.Sign(k, sign, pcr.Select(23), policy)
		if err != nil {
			t.Fatal(err)
		}
		f.Add(pcr.SHA256, s)
	}
	return f
}

// What systemd-cryptenroll 252 made of a public key (for PCR 11), and PCR 7, which was zero.
func TestSignedDigestIsSystemds(t *testing.T) {
	const (
		key    = "LS0tLS1CRUdJTiBQVUJMSUMgS0VZLS0tLS0KTUlJQklqQU5CZ2txaGtpRzl3MEJBUUVGQUFPQ0FROEFNSUlCQ2dLQ0FRRUFydmxzdmsvTXE3VkwrVEtSS2ZyOQozSmN2QS93N0FoeGowYzhRWnV3U3dSaklCVWpIK3ZORURrQVM4NlpQcGNleEdKY3JEK1NtdXZEOXhNTkNBNXJaCnJRMkZkVy9ibUQ5Yk00cnhKWExITG5jQWFJcFZxWjd4M3hScnh5OHlvN3NjZy9aY2N1V2lNNWM2NXhJb1FVaC8KN09XRHJlVmw2dkdZbnQwckh6OFlyVDlUS2J0Tm40bnBFczRwWHFZamNKaFI4NUtOZlIvWmltaFUzWHpEa0RlRQpxNEttQktQQUQ5NGRnRGNTOEFNWmdCRWVCRzd3N01wNkd0VmMxejdaZDJLUlV5Y0IyYXo3NG5kdmMrUTFVWk83CkU1alduZnR4ZjZWeGlPZSs0clIwZ0lFU0RES0F2UUhnOERJSXFlZDdPaXNXTmJxcjhHUlZxbmtpRWFoWUJ3MloKV1FJREFRQUIKLS0tLS1FTkQgUFVCTElDIEtFWS0tLS0tCg=="
		digest = "7b0e68e4819263f6afd5b84b36488baa76d782bda7863c3c9b6207144401108a"
	)
	text, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	p := policy(seal.Branch{PCRs: map[int]pcr.Digest{7: make(pcr.Digest, 32)}})
	p.Signed = &seal.Signed{PublicKey: string(text), PCRs: pcr.Select(11)}
	got, err := seal.Digest(p)
	if err != nil || hex.EncodeToString(got) != digest {
		t.Errorf("have %x, %v", got, err)
	}
	p.Signed.ZeroExponent = true
	if fit, ok := p.Fit(got); !ok || fit.Signed.ZeroExponent {
		t.Errorf("%+v, %v", fit.Signed, ok)
	}
	other, err := seal.Digest(p)
	if fit, ok := p.Fit(other); err != nil || !ok || !fit.Signed.ZeroExponent {
		t.Errorf("%+v, %v, %v", fit.Signed, ok, err)
	}
	if _, ok := p.Fit(make([]byte, 32)); ok {
		t.Error("another object's policy fits")
	}
}

// The policies that systemd-measure 252 signed, of the values that it says are signed.
func TestPCRPolicyIsSystemds(t *testing.T) {
	text, err := os.ReadFile("pcrsig/testdata/systemd252.json")
	if err != nil {
		t.Fatal(err)
	}
	f, err := pcrsig.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	for n, value := range []string{
		"677385fa95a276aa60a5b82ced669ca53508a2fb5037d6de71812a8954f1cbe0",
		"56df4f327fbb4710947f8447bf6a47c28a1ae5f7725584cf53f059bfa4d2b1e5",
		"5b8c0981af72bd8535eec8ff106d65f26905c2881b9ccf732cedcf651a8c9ef9",
		"876c234df7fe96a98609a96b225dd3211831509bbc6dfae86a7fabb080599bfe",
	} {
		d, err := hex.DecodeString(value)
		if err != nil {
			t.Fatal(err)
		}
		got, err := seal.PCRPolicy(pcr.Values{pcr.SHA256: {11: d}}, pcr.BankSelection{Bank: pcr.SHA256, PCRs: pcr.Select(11)})
		if err != nil || !got.Equal(f[pcr.SHA256][n].Policy) {
			t.Errorf("phase %d: have %s, %v, want %s", n, got, err, f[pcr.SHA256][n].Policy)
		}
	}
}

// What systemd-measure 252 signed opens what was sealed here, in a boot that measures what it
// was told: the sections of pcrsig/testdata/README.md, then that the initial ramdisk begins.
func TestSystemdMeasuresSignatureOpens(t *testing.T) {
	tpm := open(t)
	text, err := os.ReadFile("pcrsig/testdata/systemd252.json")
	if err != nil {
		t.Fatal(err)
	}
	file, err := pcrsig.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	k, _ := signer(t)
	p := policy(seal.Branch{})
	p.Signed = &seal.Signed{PublicKey: k.PEM, PCRs: pcr.Select(11)}
	s := mustSeal(t, tpm, seal.Options{Policy: p})
	for _, data := range []string{".linux\x00", "a kernel", ".osrel\x00", "ID=debian\n", ".cmdline\x00", "root=/dev/mapper/root",
		".initrd\x00", "an initial ramdisk", ".pcrpkey\x00", k.PEM} {
		extend(t, tpm, 11, data)
	}
	var missing *seal.SignatureError
	if _, err := seal.Unseal(tpm, s, nil, file); !errors.As(err, &missing) || missing.Others != 4 {
		t.Errorf("before the initial ramdisk: %v", err)
	}
	for n, word := range []string{"enter-initrd", "leave-initrd", "sysinit", "ready", "shutdown"} {
		extend(t, tpm, 11, word)
		got, err := seal.Unseal(tpm, s, nil, file)
		if signed := n < 4; signed != (err == nil && bytes.Equal(got, secret)) {
			t.Errorf("at %s: %q, %v", word, got, err)
		}
	}
}

// Sealed once, and opened for a kernel that came later, by a signature; with and without a
// PIN, for both forms of the key, under both kinds of parents.
func TestSignedAcrossBoots(t *testing.T) {
	for _, zero := range []bool{false, true} {
		for _, parent := range []seal.Parent{{}, {Template: seal.SystemdECC}} {
			tpm := open(t)
			boot(t, tpm, "firmware", "kernel 1")
			p := signed(t)
			p.PIN = true
			p.Signed.ZeroExponent = zero
			pin := []byte("1234")
			s := mustSeal(t, tpm, seal.Options{Policy: p, PIN: pin, Parent: parent})
			text, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(text, s); err != nil {
				t.Fatal(err)
			}
			wire := &bus{tpm: tpm}
			for _, kernel := range []string{"kernel 1", "kernel 2"} {
				boot(t, tpm, "firmware", kernel)
				got, err := seal.Unseal(wire, s, pin, signFor(t, "kernel 0"), signFor(t, "kernel 1", "kernel 2"))
				if err != nil || !bytes.Equal(got, secret) {
					t.Fatalf("%s: %q, %v", kernel, got, err)
				}
			}
			if bytes.Contains(wire.seen.Bytes(), secret[:8]) {
				t.Error("the secret is on the bus")
			}
			boot(t, tpm, "firmware", "kernel 3")
			_, err = seal.Unseal(tpm, s, pin, signFor(t, "kernel 1", "kernel 2"))
			var missing *seal.SignatureError
			if !errors.As(err, &missing) || missing.Others != 2 || missing.Err != nil {
				t.Errorf("no signature for it: %v", err)
			}
			checkRemedy(t, err)
			nothingLoaded(t, tpm)

			// The literal PCRs count beside the signature.
			boot(t, tpm, "evil firmware", "kernel 1")
			var mismatch *seal.MismatchError
			if _, err = seal.Unseal(tpm, s, pin, signFor(t, "kernel 1")); !errors.As(err, &mismatch) {
				t.Errorf("another firmware: %v", err)
			}
			if n := failures(t, tpm); n != 0 {
				t.Errorf("%d tries used", n)
			}
		}
	}
}

// What is no signature of the key over the policy is not believed, and not sent to the
// TPM; the next one may be good.
func TestSignedRefuses(t *testing.T) {
	tpm := open(t)
	boot(t, tpm, "firmware", "kernel")
	s := mustSeal(t, tpm, seal.Options{Policy: signed(t)})
	good := signFor(t, "kernel")
	change := func(f func(*pcrsig.Signature)) pcrsig.File {
		bad := good[pcr.SHA256][0]
		bad.Sig = bytes.Clone(bad.Sig)
		f(&bad)
		return pcrsig.File{pcr.SHA256: {bad}}
	}
	damaged := change(func(s *pcrsig.Signature) { s.Sig[9] ^= 1 })
	for why, f := range map[string]pcrsig.File{
		"damaged":                    damaged,
		"of another length":          change(func(s *pcrsig.Signature) { s.Sig = s.Sig[:200] }),
		"of another kernel":          change(func(s *pcrsig.Signature) { s.Sig = signFor(t, "kernel 2")[pcr.SHA256][0].Sig }),
		"said to be by another key":  change(func(s *pcrsig.Signature) { s.Key[0] ^= 1 }),
		"said to be for other PCRs":  change(func(s *pcrsig.Signature) { s.PCRs = pcr.Select(16, 23) }),
		"in another bank":            {pcr.SHA384: good[pcr.SHA256]},
		"missing":                    {},
		"for one that is not booted": signFor(t, "kernel 2"),
	} {
		wire := &bus{tpm: tpm}
		_, err := seal.Unseal(wire, s, nil, f)
		var missing *seal.SignatureError
		if !errors.As(err, &missing) {
			t.Errorf("%s: %v", why, err)
		}
		if n := wire.count[tpm2.TPMCCVerifySignature] + wire.count[tpm2.TPMCCLoad]; n != 0 {
			t.Errorf("%s: the TPM was asked", why)
		}
	}
	if got, err := seal.Unseal(tpm, s, nil, damaged, good); err != nil || !bytes.Equal(got, secret) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := seal.Reseal(tpm, s, nil, policy(seal.Branch{}), good); err != nil {
		t.Errorf("reseal: %v", err)
	}
}

// PCRs that change between our look and the TPM's are looked at again.
func TestSignedPCRsChange(t *testing.T) {
	tpm := open(t)
	boot(t, tpm, "firmware", "kernel 1")
	s := mustSeal(t, tpm, seal.Options{Policy: signed(t)})
	changed := false
	wire := &bus{tpm: tpm, answer: func(cc tpm2.TPMCC, _, response []byte) []byte {
		if cc == tpm2.TPMCCVerifySignature && !changed {
			changed = true
			boot(t, tpm, "firmware", "kernel 2")
		}
		return response
	}}
	if got, err := seal.Unseal(wire, s, nil, signFor(t, "kernel 1", "kernel 2")); err != nil || !bytes.Equal(got, secret) {
		t.Errorf("%q, %v", got, err)
	}
}

// Who sits on the bus cannot make a ticket, nor have another key's taken.
func TestSignedOnHostileBus(t *testing.T) {
	tpm := open(t)
	boot(t, tpm, "firmware", "kernel")
	s := mustSeal(t, tpm, seal.Options{Policy: signed(t)})
	for _, cc := range []tpm2.TPMCC{tpm2.TPMCCVerifySignature, tpm2.TPMCCLoadExternal} {
		wire := &bus{tpm: tpm, answer: func(have tpm2.TPMCC, _, response []byte) []byte {
			if have == cc {
				response[len(response)-1] ^= 1
			}
			return response
		}}
		if _, err := seal.Unseal(wire, s, nil, signFor(t, "kernel")); err == nil {
			t.Errorf("command 0x%x: accepted", cc)
		}
		nothingLoaded(t, tpm)
	}
	everyFailure(t, tpm, func(tpm transport.TPM) error {
		_, err := seal.Unseal(tpm, s, nil, signFor(t, "kernel"))
		return err
	})
}

func TestSignedCheck(t *testing.T) {
	k, _ := signer(t)
	for want, s := range map[string]*seal.Signed{
		"without PCRs": {PublicKey: k.PEM},
		"not PEM":      {PublicKey: "key", PCRs: pcr.Select(11)},
	} {
		p := policy(seal.Branch{})
		p.Signed = s
		if _, err := seal.Digest(p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, have %v", want, err)
		}
	}
}
