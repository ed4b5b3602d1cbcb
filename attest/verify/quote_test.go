package verify_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"testing"

	"github.com/bootseal/bootseal/attest"
	"github.com/bootseal/bootseal/attest/verify"
	"github.com/bootseal/bootseal/pcr"
	"github.com/google/go-tpm/tpm2"
)

// forger holds an attestation key in software, and so can have anything signed
// that an attacker may wish for. What a real TPM signs is tested in attest.
type forger struct {
	key       *ecdsa.PrivateKey
	public    tpm2.TPMTPublic
	statement tpm2.TPMSAttest
	info      tpm2.TPMSQuoteInfo
	values    pcr.Values
	expect    verify.Expect
}

const bank = pcr.SHA256

// newForger starts from evidence that is in order.
func newForger(t testing.TB) *forger {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := &forger{key: key, values: make(pcr.Values)}
	f.public = tpm2.TPMTPublic{
		Type:    tpm2.TPMAlgECC,
		NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{
			FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true,
			UserWithAuth: true, Restricted: true, SignEncrypt: true,
		},
		Parameters: eccParms(tpm2.TPMAlgSHA256),
		Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{
			X: tpm2.TPM2BECCParameter{Buffer: key.X.FillBytes(make([]byte, 32))},
			Y: tpm2.TPM2BECCParameter{Buffer: key.Y.FillBytes(make([]byte, 32))},
		}),
	}
	for i, what := range map[int]string{0: "firmware", 4: "bootloader", 7: "Secure Boot"} {
		f.values.Set(bank, i, bank.Sum([]byte(what)))
	}
	f.expect.PCRs = pcr.BankSelection{Bank: bank, PCRs: pcr.Select(0, 4, 7)}
	f.expect.Nonce = []byte("drawn by the verifier, used once")
	f.statement = tpm2.TPMSAttest{
		Magic:     tpm2.TPMGeneratedValue,
		Type:      tpm2.TPMSTAttestQuote,
		ExtraData: tpm2.TPM2BData{Buffer: f.expect.Nonce},
		ClockInfo: tpm2.TPMSClockInfo{Clock: 5000, ResetCount: 3, RestartCount: 1, Safe: true},
	}
	f.quote(entry(bank, 0, 4, 7))
	return f
}

func eccParms(hash tpm2.TPMIAlgHash) tpm2.TPMUPublicParms {
	return tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
		Scheme: tpm2.TPMTECCScheme{
			Scheme:  tpm2.TPMAlgECDSA,
			Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: hash}),
		},
		CurveID: tpm2.TPMECCNistP256,
	})
}

func entry(b pcr.Bank, indexes ...int) tpm2.TPMSPCRSelection {
	return tpm2.TPMSPCRSelection{Hash: tpm2.TPMIAlgHash(b), PCRSelect: pcr.Select(indexes...).Octets()}
}

// quote sets the selection, and the digest over all the values in their order.
func (f *forger) quote(entries ...tpm2.TPMSPCRSelection) {
	digest, err := pcr.Composite(pcr.SHA256, f.values, pcr.BankSelection{Bank: bank, PCRs: f.values.Selection(bank)})
	if err != nil {
		panic(err)
	}
	f.info = tpm2.TPMSQuoteInfo{
		PCRSelect: tpm2.TPMLPCRSelection{PCRSelections: entries},
		PCRDigest: tpm2.TPM2BDigest{Buffer: digest},
	}
}

// evidence signs. The verifier is made to expect the key as it is now, unless it
// expects another one already.
func (f *forger) evidence(t testing.TB) *attest.Evidence {
	t.Helper()
	if f.statement.Type == tpm2.TPMSTAttestQuote {
		f.statement.Attested = tpm2.NewTPMUAttest(tpm2.TPMSTAttestQuote, &f.info)
	}
	e := &attest.Evidence{
		Quoted:    tpm2.Marshal(f.statement),
		AKPublic:  tpm2.Marshal(f.public),
		PCRValues: f.values,
	}
	e.Signature = f.sign(t, e.Quoted)
	if f.expect.AKName == nil {
		name, err := tpm2.ObjectName(&f.public)
		if err != nil {
			t.Fatal(err)
		}
		f.expect.AKName = name.Buffer
	}
	return e
}

func (f *forger) sign(t testing.TB, data []byte) []byte {
	t.Helper()
	r, s, err := ecdsa.Sign(rand.Reader, f.key, pcr.SHA256.Sum(data))
	if err != nil {
		t.Fatal(err)
	}
	return tpm2.Marshal(tpm2.TPMTSignature{
		SigAlg: tpm2.TPMAlgECDSA,
		Signature: tpm2.NewTPMUSignature(tpm2.TPMAlgECDSA, &tpm2.TPMSSignatureECC{
			Hash:       tpm2.TPMAlgSHA256,
			SignatureR: tpm2.TPM2BECCParameter{Buffer: r.FillBytes(make([]byte, 32))},
			SignatureS: tpm2.TPM2BECCParameter{Buffer: s.FillBytes(make([]byte, 32))},
		}),
	})
}

func TestGoodQuote(t *testing.T) {
	f := newForger(t)
	got, err := verify.Quote(f.evidence(t), f.expect)
	if err != nil {
		t.Fatal(err)
	}
	if !got.PCRs.Equal(f.values) || got.ResetCount != 3 || got.RestartCount != 1 || got.ClockMillis != 5000 || !got.ClockSafe {
		t.Errorf("have %+v", got)
	}
}

// What somebody may change before it is signed.
func TestSignedAttacks(t *testing.T) {
	for _, tt := range []struct {
		why    string
		change func(*forger)
		want   error
	}{
		{"replay: the answer to another nonce", func(f *forger) {
			f.statement.ExtraData.Buffer = []byte("drawn by the verifier, long ago!")
		}, verify.ErrNonce},
		{"replay: a nonce cut short", func(f *forger) {
			f.statement.ExtraData.Buffer = f.expect.Nonce[:31]
		}, verify.ErrNonce},
		{"no nonce", func(f *forger) {
			f.statement.ExtraData.Buffer = nil
		}, verify.ErrNonce},
		{"substituted selection: PCR 16 in place of PCR 7", func(f *forger) {
			f.quote(entry(bank, 0, 4, 16))
		}, verify.ErrSelection},
		{"fewer PCRs", func(f *forger) {
			f.quote(entry(bank, 0, 4))
		}, verify.ErrSelection},
		{"more PCRs", func(f *forger) {
			f.quote(entry(bank, 0, 4, 7, 8))
		}, verify.ErrSelection},
		{"two selections of one bank that together look right", func(f *forger) {
			f.quote(entry(bank, 0, 4), entry(bank, 7))
		}, verify.ErrSelection},
		{"the right selection, and an empty one", func(f *forger) {
			f.quote(entry(bank, 0, 4, 7), entry(bank))
		}, verify.ErrSelection},
		{"the right selection, and one of another bank", func(f *forger) {
			f.quote(entry(bank, 0, 4, 7), entry(pcr.SHA1, 0))
		}, verify.ErrSelection},
		{"no selection", func(f *forger) {
			f.quote()
		}, verify.ErrSelection},
		{"bank confusion: a bank of the same digest size", func(f *forger) {
			f.quote(entry(pcr.SHA3256, 0, 4, 7))
		}, verify.ErrSelection},
		{"a PCR beyond 23 in a longer bitmap", func(f *forger) {
			e := entry(bank, 0, 4, 7)
			e.PCRSelect = append(e.PCRSelect, 1)
			f.quote(e)
		}, verify.ErrSelection},
		{"signed data that looks like a quote, but no TPM made", func(f *forger) {
			f.statement.Magic = 0x54434711
		}, verify.ErrMagic},
		{"another attestation: the time", func(f *forger) {
			f.statement.Type = tpm2.TPMSTAttestTime
			f.statement.Attested = tpm2.NewTPMUAttest(tpm2.TPMSTAttestTime, &tpm2.TPMSTimeAttestInfo{})
		}, verify.ErrType},
		{"an AK that signs anything", func(f *forger) {
			f.public.ObjectAttributes.Restricted = false
		}, verify.ErrAKAttributes},
		{"an AK that is no signing key", func(f *forger) {
			f.public.ObjectAttributes.SignEncrypt = false
		}, verify.ErrAKAttributes},
		{"an AK that also decrypts", func(f *forger) {
			f.public.ObjectAttributes.Decrypt = true
		}, verify.ErrAKAttributes},
		{"an AK that can be moved to another TPM", func(f *forger) {
			f.public.ObjectAttributes.FixedTPM = false
		}, verify.ErrAKAttributes},
		{"an AK under a parent that can be moved", func(f *forger) {
			f.public.ObjectAttributes.FixedParent = false
		}, verify.ErrAKAttributes},
		{"an AK that was made outside and imported", func(f *forger) {
			f.public.ObjectAttributes.SensitiveDataOrigin = false
		}, verify.ErrAKAttributes},
		{"an AK that signs SHA-1", func(f *forger) {
			f.public.Parameters = eccParms(tpm2.TPMAlgSHA1)
		}, verify.ErrAKScheme},
		{"a signature with another hash than the AK's", func(f *forger) {
			f.public.Parameters = eccParms(tpm2.TPMAlgSHA384)
		}, verify.ErrAKScheme},
		{"an AK without a scheme", func(f *forger) {
			f.public.Parameters = tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{CurveID: tpm2.TPMECCNistP256})
		}, verify.ErrAKScheme},
		{"an AK that is no point of its curve", func(f *forger) {
			f.public.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{
				X: tpm2.TPM2BECCParameter{Buffer: []byte{1}}, Y: tpm2.TPM2BECCParameter{Buffer: []byte{1}},
			})
		}, verify.ErrMalformed},
		{"a symmetric key as AK", func(f *forger) {
			f.public.Type = tpm2.TPMAlgKeyedHash
			f.public.Parameters = tpm2.NewTPMUPublicParms(tpm2.TPMAlgKeyedHash, &tpm2.TPMSKeyedHashParms{
				Scheme: tpm2.TPMTKeyedHashScheme{Scheme: tpm2.TPMAlgNull},
			})
			f.public.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgKeyedHash, &tpm2.TPM2BDigest{})
		}, verify.ErrAKScheme},
		{"another key", func(f *forger) {
			f.expect.AKName = newForger(t).mustName(t)
		}, verify.ErrAKUnknown},
	} {
		f := newForger(t)
		tt.change(f)
		e := f.evidence(t)
		if _, err := verify.Quote(e, f.expect); !errors.Is(err, tt.want) {
			t.Errorf("%s: want %v, have %v", tt.why, tt.want, err)
		}
	}
}

func (f *forger) mustName(t testing.TB) []byte {
	t.Helper()
	name, err := tpm2.ObjectName(&f.public)
	if err != nil {
		t.Fatal(err)
	}
	return name.Buffer
}

// What somebody may change on the way.
func TestUnsignedAttacks(t *testing.T) {
	for _, tt := range []struct {
		why    string
		change func(*attest.Evidence)
		want   error
	}{
		{"a bit of the quote", func(e *attest.Evidence) { e.Quoted[len(e.Quoted)-1] ^= 1 }, verify.ErrSignature},
		{"a bit of the signature", func(e *attest.Evidence) { e.Signature[len(e.Signature)-1] ^= 1 }, verify.ErrSignature},
		{"a signature of another scheme", func(e *attest.Evidence) {
			e.Signature = tpm2.Marshal(tpm2.TPMTSignature{
				SigAlg: tpm2.TPMAlgRSASSA,
				Signature: tpm2.NewTPMUSignature(tpm2.TPMAlgRSASSA, &tpm2.TPMSSignatureRSA{
					Hash: tpm2.TPMAlgSHA256, Sig: tpm2.TPM2BPublicKeyRSA{Buffer: make([]byte, 256)},
				}),
			})
		}, verify.ErrAKScheme},
		{"no signature", func(e *attest.Evidence) { e.Signature = nil }, verify.ErrMalformed},
		{"bytes behind the signature", func(e *attest.Evidence) { e.Signature = append(e.Signature, 0) }, verify.ErrMalformed},
		{"no key", func(e *attest.Evidence) { e.AKPublic = nil }, verify.ErrMalformed},
		{"bytes behind the key", func(e *attest.Evidence) { e.AKPublic = append(e.AKPublic, 0) }, verify.ErrMalformed},
		{"a value", func(e *attest.Evidence) { e.PCRValues.Set(bank, 4, bank.Sum([]byte("evil"))) }, verify.ErrDigest},
		{"two values swapped", func(e *attest.Evidence) {
			e.PCRValues[bank][0], e.PCRValues[bank][4] = e.PCRValues[bank][4], e.PCRValues[bank][0]
		}, verify.ErrDigest},
		{"a byte moved from one value to the next", func(e *attest.Evidence) {
			a, b := e.PCRValues[bank][0], e.PCRValues[bank][4]
			e.PCRValues[bank][0], e.PCRValues[bank][4] = a[:31], append(pcr.Digest{a[31]}, b...)
		}, verify.ErrValues},
		{"a value is missing", func(e *attest.Evidence) { delete(e.PCRValues[bank], 4) }, verify.ErrValues},
		{"a value that was not quoted", func(e *attest.Evidence) { e.PCRValues.Set(bank, 8, make([]byte, 32)) }, verify.ErrValues},
		{"values of another bank beside", func(e *attest.Evidence) { e.PCRValues.Set(pcr.SHA1, 0, make([]byte, 20)) }, verify.ErrValues},
		{"bank confusion: the values as those of another bank", func(e *attest.Evidence) {
			e.PCRValues = pcr.Values{pcr.SHA3256: e.PCRValues[bank]}
		}, verify.ErrValues},
		{"no values", func(e *attest.Evidence) { e.PCRValues = nil }, verify.ErrValues},
	} {
		f := newForger(t)
		e := f.evidence(t)
		tt.change(e)
		if _, err := verify.Quote(e, f.expect); !errors.Is(err, tt.want) {
			t.Errorf("%s: want %v, have %v", tt.why, tt.want, err)
		}
	}
}

// Bytes that are signed, but not a quote in the one form that it has.
func TestSignedGarbage(t *testing.T) {
	f := newForger(t)
	good := f.evidence(t)
	for _, tt := range []struct {
		why    string
		quoted []byte
	}{
		{"empty", nil},
		{"cut in the head", good.Quoted[:5]},
		{"cut in the middle", good.Quoted[:20]},
		{"cut at the end", good.Quoted[:len(good.Quoted)-1]},
		{"bytes behind the quote", append(append([]byte{}, good.Quoted...), 0)},
	} {
		e := *good
		e.Quoted, e.Signature = tt.quoted, f.sign(t, tt.quoted)
		if _, err := verify.Quote(&e, f.expect); !errors.Is(err, verify.ErrMalformed) {
			t.Errorf("%s: have %v", tt.why, err)
		}
	}
}

// A verifier that asks for nothing gets an error, not a proof of nothing.
func TestExpectations(t *testing.T) {
	for _, tt := range []struct {
		why    string
		change func(*verify.Expect)
	}{
		{"any key", func(w *verify.Expect) { w.AKName = nil }},
		{"no nonce", func(w *verify.Expect) { w.Nonce = nil }},
		{"a nonce that can be guessed", func(w *verify.Expect) { w.Nonce = w.Nonce[:verify.MinNonce-1] }},
		{"no PCRs", func(w *verify.Expect) { w.PCRs.PCRs = 0 }},
		{"the debug PCR", func(w *verify.Expect) { w.PCRs.PCRs = pcr.Select(0, 16) }},
		{"the application PCR", func(w *verify.Expect) { w.PCRs.PCRs = pcr.Select(0, 23) }},
		{"SHA-1", func(w *verify.Expect) { w.PCRs.Bank = pcr.SHA1 }},
		{"no bank", func(w *verify.Expect) { w.PCRs.Bank = 0 }},
	} {
		f := newForger(t)
		e := f.evidence(t)
		tt.change(&f.expect)
		if _, err := verify.Quote(e, f.expect); !errors.Is(err, verify.ErrExpectation) {
			t.Errorf("%s: have %v", tt.why, err)
		}
	}
}

// Clouds certify RSA keys: both schemes work, and a small key does not.
func TestRSA(t *testing.T) {
	for _, tt := range []struct {
		scheme tpm2.TPMAlgID
		bits   int
		want   error
	}{
		{tpm2.TPMAlgRSASSA, 2048, nil},
		{tpm2.TPMAlgRSAPSS, 2048, nil},
		{tpm2.TPMAlgRSASSA, 1024, verify.ErrAKScheme},
		{tpm2.TPMAlgNull, 2048, verify.ErrAKScheme},
	} {
		f := newForger(t)
		key, err := rsa.GenerateKey(rand.Reader, tt.bits)
		if err != nil {
			t.Fatal(err)
		}
		f.public.Type = tpm2.TPMAlgRSA
		f.public.Parameters = tpm2.NewTPMUPublicParms(tpm2.TPMAlgRSA, &tpm2.TPMSRSAParms{
			Scheme:  rsaScheme(tt.scheme),
			KeyBits: tpm2.TPMKeyBits(tt.bits),
		})
		f.public.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgRSA, &tpm2.TPM2BPublicKeyRSA{Buffer: key.N.Bytes()})
		e := f.evidence(t)
		e.Signature = signRSA(t, key, tt.scheme, e.Quoted)
		if _, err := verify.Quote(e, f.expect); !errors.Is(err, tt.want) {
			t.Errorf("scheme 0x%04x, %d bits: want %v, have %v", uint16(tt.scheme), tt.bits, tt.want, err)
		}
		if tt.want != nil {
			continue
		}
		e.Signature[len(e.Signature)-1] ^= 1
		if _, err := verify.Quote(e, f.expect); !errors.Is(err, verify.ErrSignature) {
			t.Errorf("scheme 0x%04x, changed: have %v", uint16(tt.scheme), err)
		}
	}
}

func rsaScheme(scheme tpm2.TPMAlgID) tpm2.TPMTRSAScheme {
	s := tpm2.TPMTRSAScheme{Scheme: scheme}
	switch scheme {
	case tpm2.TPMAlgRSASSA:
		s.Details = tpm2.NewTPMUAsymScheme(scheme, &tpm2.TPMSSigSchemeRSASSA{HashAlg: tpm2.TPMAlgSHA256})
	case tpm2.TPMAlgRSAPSS:
		s.Details = tpm2.NewTPMUAsymScheme(scheme, &tpm2.TPMSSigSchemeRSAPSS{HashAlg: tpm2.TPMAlgSHA256})
	}
	return s
}

func signRSA(t testing.TB, key *rsa.PrivateKey, scheme tpm2.TPMAlgID, data []byte) []byte {
	t.Helper()
	var sig []byte
	var err error
	digest := pcr.SHA256.Sum(data)
	if scheme == tpm2.TPMAlgRSAPSS {
		sig, err = rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	} else {
		scheme = tpm2.TPMAlgRSASSA
		sig, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest)
	}
	if err != nil {
		t.Fatal(err)
	}
	return tpm2.Marshal(tpm2.TPMTSignature{
		SigAlg: scheme,
		Signature: tpm2.NewTPMUSignature(scheme, &tpm2.TPMSSignatureRSA{
			Hash: tpm2.TPMAlgSHA256, Sig: tpm2.TPM2BPublicKeyRSA{Buffer: sig},
		}),
	})
}

// FuzzQuote: hostile evidence is refused, never a panic. The quote is signed anew,
// so that the fuzzer gets behind the signature.
func FuzzQuote(f *testing.F) {
	forge := newForger(f)
	good := forge.evidence(f)
	f.Add(good.Quoted, good.Signature, good.AKPublic)
	f.Fuzz(func(t *testing.T, quoted, signature, public []byte) {
		for _, e := range []*attest.Evidence{
			{Quoted: quoted, Signature: forge.sign(t, quoted), AKPublic: good.AKPublic, PCRValues: good.PCRValues},
			{Quoted: good.Quoted, Signature: signature, AKPublic: good.AKPublic, PCRValues: good.PCRValues},
		} {
			if v, err := verify.Quote(e, forge.expect); err == nil && !v.PCRs.Equal(forge.values) {
				t.Errorf("accepted %v", v)
			}
		}
		// With any key, where the verifier has been made to expect it.
		expect := forge.expect
		if pub, err := tpm2.Unmarshal[tpm2.TPMTPublic](public); err == nil {
			if name, err := tpm2.ObjectName(pub); err == nil {
				expect.AKName = name.Buffer
			}
		}
		_, _ = verify.Quote(&attest.Evidence{Quoted: quoted, Signature: signature, AKPublic: public, PCRValues: good.PCRValues}, expect)
	})
}
