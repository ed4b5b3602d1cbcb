package vtpm_test

import (
	"crypto/rand"
	"encoding/binary"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// What a command costs without a socket. The commands are encoded once, by go-tpm; a
// command that loads something is followed by a FlushContext of it.

// tape is a transport that keeps the last command.
type tape struct {
	*vtpm.TPM
	last []byte
}

func (t *tape) Send(cmd []byte) ([]byte, error) {
	t.last = append([]byte(nil), cmd...)
	return t.TPM.Send(cmd)
}

// openReal is a TPM with real entropy and a real clock.
func openReal(b *testing.B) *tape {
	b.Helper()
	m, err := vtpm.New(vtpm.Options{Entropy: rand.Reader})
	if err != nil {
		b.Fatal(err)
	}
	t := &tape{TPM: m}
	if _, err := (tpm2.Startup{StartupType: tpm2.TPMSUClear}).Execute(t); err != nil {
		b.Fatal(err)
	}
	return t
}

// replay runs the command that send sent last, again and again. vary changes it before
// the i-th time.
func replay(b *testing.B, t *tape, send func() error, vary func(cmd []byte, i int)) {
	b.Helper()
	if err := send(); err != nil {
		b.Fatal(err)
	}
	cmd := t.last
	flush := []byte{0x80, 0x01, 0, 0, 0, 14, 0, 0, 0x01, 0x65, 0, 0, 0, 0}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if vary != nil {
			vary(cmd, i)
		}
		r := t.Execute(0, cmd)
		if binary.BigEndian.Uint32(r[6:]) != 0 {
			b.Fatalf("response %x", r[:10])
		}
		if handle := r[10:]; len(handle) >= 4 && loads(cmd) {
			copy(flush[10:], handle)
			t.Execute(0, flush)
		}
	}
}

// loads reports whether the command's response starts with a handle.
func loads(cmd []byte) bool {
	switch tpm2.TPMCC(binary.BigEndian.Uint32(cmd[6:])) {
	case tpm2.TPMCCCreatePrimary, tpm2.TPMCCLoad, tpm2.TPMCCStartAuthSession:
		return true
	}
	return false
}

func pcrSelection(pcrs ...uint) tpm2.TPMLPCRSelection {
	return tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{Hash: tpm2.TPMAlgSHA256, PCRSelect: tpm2.PCClientCompatible.PCRs(pcrs...)}}}
}

func ownerPW() tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)}
}

func BenchmarkSmall(b *testing.B) {
	b.Run("GetRandom", func(b *testing.B) {
		t := openReal(b)
		replay(b, t, func() error { _, err := tpm2.GetRandom{BytesRequested: 32}.Execute(t); return err }, nil)
	})
	for name, algs := range map[string][]tpm2.TPMIAlgHash{
		"PCR_Extend":       {tpm2.TPMAlgSHA256},
		"PCR_Extend/banks": {tpm2.TPMAlgSHA1, tpm2.TPMAlgSHA256, tpm2.TPMAlgSHA384, tpm2.TPMAlgSHA512},
	} {
		b.Run(name, func(b *testing.B) {
			t := openReal(b)
			var d tpm2.TPMLDigestValues
			for _, a := range algs {
				h, err := a.Hash()
				if err != nil {
					b.Fatal(err)
				}
				d.Digests = append(d.Digests, tpm2.TPMTHA{HashAlg: a, Digest: make([]byte, h.Size())})
			}
			replay(b, t, func() error {
				_, err := tpm2.PCRExtend{PCRHandle: tpm2.AuthHandle{Handle: 10, Auth: tpm2.PasswordAuth(nil)}, Digests: d}.Execute(t)
				return err
			}, nil)
		})
	}
	b.Run("PCR_Read", func(b *testing.B) {
		t := openReal(b)
		replay(b, t, func() error {
			_, err := tpm2.PCRRead{PCRSelectionIn: pcrSelection(0, 1, 2, 3, 4, 5, 6, 7)}.Execute(t)
			return err
		}, nil)
	})
	b.Run("PolicyPCR", func(b *testing.B) {
		t := openReal(b)
		s, closer, err := tpm2.PolicySession(t, tpm2.TPMAlgSHA256, 16)
		if err != nil {
			b.Fatal(err)
		}
		defer closer()
		replay(b, t, func() error {
			_, err := tpm2.PolicyPCR{PolicySession: s.Handle(), Pcrs: pcrSelection(0, 1, 2, 3, 4, 7)}.Execute(t)
			return err
		}, nil)
	})
	b.Run("StartAuthSession", func(b *testing.B) {
		t := openReal(b)
		replay(b, t, func() error {
			_, err := tpm2.StartAuthSession{TPMKey: tpm2.TPMRHNull, Bind: tpm2.TPMRHNull, SessionType: tpm2.TPMSEHMAC, AuthHash: tpm2.TPMAlgSHA256,
				NonceCaller: tpm2.TPM2BNonce{Buffer: make([]byte, 16)}, Symmetric: tpm2.TPMTSymDef{Algorithm: tpm2.TPMAlgNull}}.Execute(t)
			return err
		}, nil)
	})
}

// srk is the SRK's template. Its unique field is at the end but for the 6 bytes of
// outsideInfo and creationPCR, so that another template is a matter of some bytes.
func srk(alg tpm2.TPMAlgID) tpm2.CreatePrimary {
	template := tpm2.ECCSRKTemplate
	if alg == tpm2.TPMAlgRSA {
		template = tpm2.RSASRKTemplate
	}
	return tpm2.CreatePrimary{PrimaryHandle: ownerPW(), InPublic: tpm2.New2B(template)}
}

func anotherTemplate(cmd []byte, i int) {
	binary.BigEndian.PutUint64(cmd[len(cmd)-6-8:], uint64(i+1))
}

func BenchmarkCreatePrimary(b *testing.B) {
	for name, alg := range map[string]tpm2.TPMAlgID{"ECC": tpm2.TPMAlgECC, "RSA": tpm2.TPMAlgRSA} {
		for kind, vary := range map[string]func([]byte, int){"cold": anotherTemplate, "again": nil} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				t := openReal(b)
				replay(b, t, func() error {
					r, err := srk(alg).Execute(t)
					if err != nil {
						return err
					}
					sent := t.last
					_, err = tpm2.FlushContext{FlushHandle: r.ObjectHandle}.Execute(t)
					t.last = sent
					return err
				}, vary)
			})
		}
	}
}

// signingKey is the template of a key that signs with ECDSA, or RSASSA.
func signingKey(alg tpm2.TPMAlgID) tpm2.TPMTPublic {
	p := tpm2.TPMTPublic{Type: alg, NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, NoDA: true, SignEncrypt: true}}
	if alg == tpm2.TPMAlgRSA {
		p.Parameters = tpm2.NewTPMUPublicParms(alg, &tpm2.TPMSRSAParms{KeyBits: 2048, Scheme: tpm2.TPMTRSAScheme{Scheme: tpm2.TPMAlgRSASSA,
			Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgRSASSA, &tpm2.TPMSSigSchemeRSASSA{HashAlg: tpm2.TPMAlgSHA256})}})
	} else {
		p.Parameters = tpm2.NewTPMUPublicParms(alg, &tpm2.TPMSECCParms{CurveID: tpm2.TPMECCNistP256, Scheme: tpm2.TPMTECCScheme{Scheme: tpm2.TPMAlgECDSA,
			Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA256})}})
	}
	return p
}

func BenchmarkKeys(b *testing.B) {
	for name, alg := range map[string]tpm2.TPMAlgID{"ECC": tpm2.TPMAlgECC, "RSA": tpm2.TPMAlgRSA} {
		t := openReal(b)
		parent, err := srk(tpm2.TPMAlgECC).Execute(t)
		if err != nil {
			b.Fatal(err)
		}
		by := tpm2.AuthHandle{Handle: parent.ObjectHandle, Name: parent.Name, Auth: tpm2.PasswordAuth(nil)}
		var made *tpm2.CreateResponse
		create := func() (err error) {
			made, err = tpm2.Create{ParentHandle: by, InPublic: tpm2.New2B(signingKey(alg))}.Execute(t)
			return err
		}
		b.Run("Create/"+name, func(b *testing.B) { replay(b, t, create, nil) })
		if made == nil && create() != nil {
			b.Fatal("no key")
		}
		load := func() (tpm2.NamedHandle, error) {
			r, err := tpm2.Load{ParentHandle: by, InPrivate: made.OutPrivate, InPublic: made.OutPublic}.Execute(t)
			if err != nil {
				return tpm2.NamedHandle{}, err
			}
			return tpm2.NamedHandle{Handle: r.ObjectHandle, Name: r.Name}, nil
		}
		key, err := load()
		if err != nil {
			b.Fatal(err)
		}
		b.Run("Load/"+name, func(b *testing.B) { replay(b, t, func() error { _, err := load(); return err }, nil) })
		signer := tpm2.AuthHandle{Handle: key.Handle, Name: key.Name, Auth: tpm2.PasswordAuth(nil)}
		b.Run("Sign/"+name, func(b *testing.B) {
			replay(b, t, func() error {
				_, err := tpm2.Sign{KeyHandle: signer, Digest: tpm2.TPM2BDigest{Buffer: make([]byte, 32)}, InScheme: tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgNull},
					Validation: tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck, Hierarchy: tpm2.TPMRHNull}}.Execute(t)
				return err
			}, nil)
		})
		b.Run("Quote/"+name, func(b *testing.B) {
			replay(b, t, func() error {
				_, err := tpm2.Quote{SignHandle: signer, InScheme: tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgNull}, PCRSelect: pcrSelection(0, 1, 2, 3, 4, 5, 6, 7)}.Execute(t)
				return err
			}, nil)
		})
	}
}

// BenchmarkMemory reports what a TPM that went through TPM2_Startup holds in memory.
func BenchmarkMemory(b *testing.B) {
	vtpmtest.Open(b) // what all TPMs of a process share
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var all []*tape
	for b.Loop() {
		all = append(all, openReal(b))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(all)), "heap-B/TPM")
	runtime.KeepAlive(all)
}

// BenchmarkCreateRSAWarm waits for primes between the commands, outside of the time.
func BenchmarkCreateRSAWarm(b *testing.B) {
	pool := vtpm.NewPrimePool(2)
	defer pool.Close()
	m, err := vtpm.New(vtpm.Options{Primes: pool})
	if err != nil {
		b.Fatal(err)
	}
	t := &tape{TPM: m}
	if _, err := (tpm2.Startup{StartupType: tpm2.TPMSUClear}).Execute(t); err != nil {
		b.Fatal(err)
	}
	parent, err := srk(tpm2.TPMAlgECC).Execute(t)
	if err != nil {
		b.Fatal(err)
	}
	by := tpm2.AuthHandle{Handle: parent.ObjectHandle, Name: parent.Name, Auth: tpm2.PasswordAuth(nil)}
	for b.Loop() {
		b.StopTimer()
		for pool.Len() < 2 {
			time.Sleep(time.Millisecond)
		}
		b.StartTimer()
		if _, err := (tpm2.Create{ParentHandle: by, InPublic: tpm2.New2B(signingKey(tpm2.TPMAlgRSA))}).Execute(t); err != nil {
			b.Fatal(err)
		}
	}
}
