package crypt_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"math/big"
	"testing"

	"github.com/google/go-tpm/tpm2/transport"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// What few clients use, against swtpm: its answers with a key that both know.
// Commands are built and read with this project's codec, since the client library
// has not all of them.

// allLimits has everything that package crypt knows and swtpm does.
func allLimits() *wire.Limits {
	l := wire.DefaultLimits()
	l.Curves = append(l.Curves, wire.CurveNISTP192, wire.CurveBNP638)
	l.Ciphers = append(l.Ciphers,
		wire.Cipher{Alg: wire.AlgTDES, KeyBits: []uint16{128, 192}},
		wire.Cipher{Alg: wire.AlgCamellia, KeyBits: []uint16{128, 192, 256}})
	l.Schemes = append(l.Schemes, wire.AlgECMQV)
	return l
}

// peer is a swtpm.
type peer struct {
	t   *testing.T
	tpm transport.TPM
}

// run sends a command, with an empty password for the handle if there is one, and
// returns the response's handle, if it has one, and parameters.
func (p peer) run(cc wire.CC, handle wire.Handle, handleOut bool, params func(w *wire.Writer)) (wire.Handle, *wire.Reader, wire.RC) {
	p.t.Helper()
	var w wire.Writer
	authorized := handle != 0 && cc != wire.CCVerifySignature && cc != wire.CCFlushContext
	if authorized {
		w.U16(uint16(wire.STSessions))
	} else {
		w.U16(uint16(wire.STNoSessions))
	}
	w.U32(0)
	w.U32(uint32(cc))
	if handle != 0 {
		handle.Write(&w)
	}
	if authorized {
		w.U32(9)
		wire.HandlePassword.Write(&w)
		w.Bytes(make([]byte, 5))
	}
	params(&w)
	w.PatchU32(2, uint32(w.Len()))
	response, err := p.tpm.Send(w.Data())
	if err != nil {
		p.t.Fatalf("%v: %v", cc, err)
	}
	r := wire.NewReader(response, allLimits())
	r.Bytes(6)
	rc := wire.RC(r.U32())
	var out wire.Handle
	if rc == wire.RCSuccess && handleOut {
		out.Read(r)
	}
	if rc == wire.RCSuccess && authorized {
		r.U32()
	}
	return out, r, rc
}

// must is run for a command that has to succeed.
func (p peer) must(cc wire.CC, handle wire.Handle, handleOut bool, params func(w *wire.Writer)) (wire.Handle, *wire.Reader) {
	p.t.Helper()
	out, r, rc := p.run(cc, handle, handleOut, params)
	if rc != wire.RCSuccess {
		p.t.Fatalf("%v: %v", cc, rc)
	}
	return out, r
}

// load loads both parts of a key until the test ends.
func (p peer) load(k testKey) wire.Handle {
	p.t.Helper()
	h, _ := p.must(wire.CCLoadExternal, 0, true, func(w *wire.Writer) {
		wire.TPM2BSensitive{SensitiveArea: *k.sens}.Write(w)
		wire.TPM2BPublic{PublicArea: *k.pub}.Write(w)
		wire.HandleNull.Write(w)
	})
	p.t.Cleanup(func() { p.must(wire.CCFlushContext, h, false, func(*wire.Writer) {}) })
	return h
}

// eccOnly returns a key for one thing, with a scheme.
func eccOnly(t *testing.T, id wire.ECCCurve, fill byte, use wire.TPMAObject, scheme wire.TPMTECCScheme) testKey {
	return eccKey(t, id, fill).change(func(pub *wire.TPMTPublic, _ *wire.TPMTSensitive) {
		pub.ObjectAttributes = use | wire.ObjUserWithAuth
		pub.Parameters.ECC.Scheme = scheme
	})
}

// eachCurve runs a test for every curve that swtpm and we have.
func eachCurve(t *testing.T, test func(t *testing.T, p peer, id wire.ECCCurve)) {
	tpm := swtpm(t)
	for _, id := range allLimits().Curves {
		t.Run(fmt.Sprint(id), func(t *testing.T) { test(t, peer{t, tpm}, id) })
	}
}

// Signatures of one are valid for the other.
func TestSchemesWithSwtpm(t *testing.T) {
	eachCurve(t, func(t *testing.T, p peer, id wire.ECCCurve) {
		k := eccOnly(t, id, 0x29, wire.ObjSign, wire.TPMTECCScheme{Scheme: wire.AlgNull})
		h := p.load(k)
		for _, s := range []wire.Alg{wire.AlgECDSA, wire.AlgECSchnorr, wire.AlgSM2} {
			for _, hash := range []wire.Alg{wire.AlgSHA1, wire.AlgSHA256, wire.AlgSHA512} {
				digest := crypt.Digest(hash, []byte("message"))
				_, r := p.must(wire.CCSign, h, false, func(w *wire.Writer) {
					w.Sized(digest)
					scheme(s, hash).Write(w)
					wire.TPMTTKHashCheck{Tag: wire.STHashCheck, Hierarchy: wire.HandleNull}.Write(w)
				})
				var theirs wire.TPMTSignature
				theirs.Read(r)
				if err := crypt.Verify(k.pub, nil, digest, &theirs); err != nil || !r.OK() {
					t.Errorf("%v with %v: its signature: %v", s, hash, err)
				}
				ours, err := crypt.Sign(rand.Reader, k.pub, k.private(t), scheme(s, hash), digest)
				if err != nil {
					t.Fatal(err)
				}
				p.must(wire.CCVerifySignature, h, false, func(w *wire.Writer) { w.Sized(digest); ours.Write(w) })
				if len(ours.R) != len(theirs.R) || len(ours.S) != len(theirs.S) {
					t.Errorf("%v with %v: sizes %d and %d, its are %d and %d", s, hash, len(ours.R), len(ours.S), len(theirs.R), len(theirs.S))
				}
			}
		}
	})
}

// commit makes the first step of ECDAA without points, which tells [r]G.
func (p peer) commit(h wire.Handle) (e wire.TPM2BECCPoint, counter uint16) {
	_, r := p.must(wire.CCCommit, h, false, func(w *wire.Writer) {
		wire.TPM2BECCPoint{}.Write(w)
		w.Sized(nil)
		w.Sized(nil)
	})
	var none wire.TPM2BECCPoint
	none.Read(r)
	none.Read(r)
	e.Read(r)
	return e, r.U16()
}

// checkECDAA checks that [s]G = E + [H(k || digest)]Q.
func checkECDAA(t *testing.T, pub *wire.TPMTPublic, digest []byte, sig *wire.TPMTSignature, e wire.TPMSECCPoint) {
	t.Helper()
	id := pub.Parameters.ECC.CurveID
	params, err := crypt.CurveParameters(id)
	if err != nil {
		t.Fatal(err)
	}
	n := new(big.Int).SetBytes(params.N)
	h := new(big.Int).SetBytes(crypt.Digest(sig.Hash, sig.R, digest))
	tQ, err := crypt.PointMultiply(id, h.Mod(h, n).Bytes(), &pub.Unique.ECC)
	if err != nil {
		t.Fatal(err)
	}
	// The x coordinate of the sum comes from the slope, in math/big.
	sG, err := crypt.PointMultiply(id, sig.S, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := new(big.Int).SetBytes(params.P)
	num := func(b []byte) *big.Int { return new(big.Int).SetBytes(b) }
	slope := new(big.Int).Sub(num(tQ.Y), num(e.Y))
	dx := new(big.Int).Sub(num(tQ.X), num(e.X))
	slope.Mul(slope, dx.ModInverse(dx.Mod(dx, p), p))
	x := new(big.Int).Mul(slope, slope)
	x.Sub(x, num(e.X)).Sub(x, num(tQ.X)).Mod(x, p)
	if x.Cmp(num(sG.X)) != 0 {
		t.Errorf("%v: the signature does not fit the commit", id)
	}
}

// An ECDAA signature of swtpm and one of ours satisfy the same equation.
func TestECDAAWithSwtpm(t *testing.T) {
	eachCurve(t, func(t *testing.T, p peer, id wire.ECCCurve) {
		k := eccOnly(t, id, 0x29, wire.ObjSign, wire.TPMTECCScheme{Scheme: wire.AlgECDAA, HashAlg: wire.AlgSHA256})
		h := p.load(k)
		digest := crypt.Digest(wire.AlgSHA256, []byte("message"))
		e, counter := p.commit(h)
		_, r := p.must(wire.CCSign, h, false, func(w *wire.Writer) {
			w.Sized(digest)
			wire.TPMTSigScheme{Scheme: wire.AlgECDAA, HashAlg: wire.AlgSHA256, Count: counter}.Write(w)
			wire.TPMTTKHashCheck{Tag: wire.STHashCheck, Hierarchy: wire.HandleNull}.Write(w)
		})
		var theirs wire.TPMTSignature
		theirs.Read(r)
		checkECDAA(t, k.pub, digest, &theirs, e.Point)

		random, err := crypt.CommitRandom(id, []byte("nonce"), crypt.ObjectName(k.pub), 7)
		if err != nil {
			t.Fatal(err)
		}
		_, _, mine, err := crypt.Commit(id, k.sens.Sensitive, random, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := crypt.SignECDAA(rand.Reader, k.pub, k.private(t), wire.AlgSHA256, digest, random)
		if err != nil {
			t.Fatal(err)
		}
		checkECDAA(t, k.pub, digest, &ours, mine)
	})
}

// The points of a commit with both points: K = [d]P2 is ours to compute; L and E
// have the same r, which shows in a second commit with P2 in place of P1.
func TestCommitWithSwtpm(t *testing.T) {
	eachCurve(t, func(t *testing.T, p peer, id wire.ECCCurve) {
		k := eccOnly(t, id, 0x29, wire.ObjSign, wire.TPMTECCScheme{Scheme: wire.AlgECDAA, HashAlg: wire.AlgSHA256})
		h := p.load(k)
		s2, p2 := pointWithHash(t, id)
		_, r := p.must(wire.CCCommit, h, false, func(w *wire.Writer) {
			wire.TPM2BECCPoint{Point: p2}.Write(w)
			w.Sized(s2)
			w.Sized(p2.Y)
		})
		var theirK, theirL, theirE wire.TPM2BECCPoint
		theirK.Read(r)
		theirL.Read(r)
		theirE.Read(r)
		random, err := crypt.CommitRandom(id, []byte("nonce"), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ourK, ourL, ourE, err := crypt.Commit(id, k.sens.Sensitive, random, &p2, &p2)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(wire.Marshal(ourK), wire.Marshal(theirK.Point)) {
			t.Errorf("K is %x, its %x", ourK, theirK.Point)
		}
		same := func(a, b wire.TPMSECCPoint) bool { return bytes.Equal(wire.Marshal(a), wire.Marshal(b)) }
		if !same(ourL, ourE) || !same(theirL.Point, theirE.Point) {
			t.Error("L and E of one point differ")
		}
	})
}

// pointWithHash finds data whose digest is the x coordinate of a point.
func pointWithHash(t *testing.T, id wire.ECCCurve) (s2 []byte, p2 wire.TPMSECCPoint) {
	t.Helper()
	params, err := crypt.CurveParameters(id)
	if err != nil {
		t.Fatal(err)
	}
	p, a, b := new(big.Int).SetBytes(params.P), new(big.Int).SetBytes(params.A), new(big.Int).SetBytes(params.B)
	for i := range 100 {
		s2 = []byte{byte(i)}
		x := new(big.Int).SetBytes(crypt.CommitPoint(id, wire.AlgSHA256, s2, nil).X)
		y := new(big.Int).Mul(x, x)
		y.Add(y, a).Mul(y, x).Add(y, b).Mod(y, p)
		if y.ModSqrt(y, p) != nil {
			p2 = crypt.CommitPoint(id, wire.AlgSHA256, s2, y.FillBytes(make([]byte, len(params.P))))
			if !crypt.OnCurve(id, &p2) {
				t.Fatalf("%v: not on the curve", id)
			}
			return s2, p2
		}
	}
	t.Fatal("no point found")
	return nil, p2
}

func TestCurveParametersOfSwtpm(t *testing.T) {
	eachCurve(t, func(t *testing.T, p peer, id wire.ECCCurve) {
		_, r := p.must(wire.CCECCParameters, 0, false, func(w *wire.Writer) { id.Write(w) })
		ours, err := crypt.CurveParameters(id)
		if err != nil {
			t.Fatal(err)
		}
		if got := wire.Marshal(ours); !bytes.Equal(got, r.Rest()) {
			t.Errorf("%x, its are\n%x", got, r.Rest())
		}
	})
}

// Shared points of exchanges in one and two phases, with ECDH alone: of the other two
// swtpm's SM2 is not that of GB/T 32918.3 (it cuts the associated values too short),
// and ECMQV, or SM2 on P-521, puts it into failure mode.
func TestExchangesWithSwtpm(t *testing.T) {
	eachCurve(t, func(t *testing.T, p peer, id wire.ECCCurve) {
		a := eccOnly(t, id, 0x29, wire.ObjDecrypt, wire.TPMTECCScheme{Scheme: wire.AlgNull})
		h := p.load(a)
		b, ephemeral := eccKey(t, id, 0x31), eccKey(t, id, 0x35)
		qs, qe := b.pub.Unique.ECC, ephemeral.pub.Unique.ECC

		_, r := p.must(wire.CCECDHZGen, h, false, func(w *wire.Writer) { wire.TPM2BECCPoint{Point: qs}.Write(w) })
		var z wire.TPM2BECCPoint
		z.Read(r)
		want, err := crypt.PointMultiply(id, b.sens.Sensitive, &a.pub.Unique.ECC)
		if err != nil || !bytes.Equal(wire.Marshal(want), wire.Marshal(z.Point)) {
			t.Errorf("ECDH: %x, its %x", want, z.Point)
		}

		_, r = p.must(wire.CCECEphemeral, 0, false, func(w *wire.Writer) { id.Write(w) })
		var q, z1, z2 wire.TPM2BECCPoint
		q.Read(r)
		counter := r.U16()
		_, r = p.must(wire.CCZGen2Phase, h, false, func(w *wire.Writer) {
			wire.TPM2BECCPoint{Point: qs}.Write(w)
			wire.TPM2BECCPoint{Point: qe}.Write(w)
			wire.AlgECDH.Write(w)
			w.U16(counter)
		})
		z1.Read(r)
		z2.Read(r)
		// The other party's side.
		want1, want2, err := crypt.TwoPhase(id, wire.AlgECDH, b.sens.Sensitive, ephemeral.sens.Sensitive, &a.pub.Unique.ECC, &q.Point)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(wire.Marshal(want1), wire.Marshal(z1.Point)) || !bytes.Equal(wire.Marshal(want2), wire.Marshal(z2.Point)) {
			t.Errorf("two phases: %x %x, its %x %x", want1, want2, z1.Point, z2.Point)
		}
	})
}

// Every cipher in every mode, with the IV that continues, and its CMAC; not that of
// TDES, for which swtpm takes the constant of blocks of 128 bits.
func TestCiphersWithSwtpm(t *testing.T) {
	tpm := swtpm(t)
	for _, c := range []struct {
		alg  wire.Alg
		bits uint16
	}{{wire.AlgAES, 128}, {wire.AlgAES, 256}, {wire.AlgCamellia, 128}, {wire.AlgCamellia, 256}, {wire.AlgTDES, 128}, {wire.AlgTDES, 192}} {
		t.Run(fmt.Sprint(c.alg, c.bits), func(t *testing.T) {
			p := peer{t, tpm}
			key := unhex(t, "0123456789abcdef23456789abcdef01456789abcdef0123fedcba9876543210")[:c.bits/8]
			with := func(use wire.TPMAObject, mode wire.Alg) testKey {
				k := aesKey(key).change(func(pub *wire.TPMTPublic, _ *wire.TPMTSensitive) {
					pub.ObjectAttributes = use | wire.ObjUserWithAuth
					pub.Parameters.Sym.Sym.Algorithm, pub.Parameters.Sym.Sym.Mode = c.alg, mode
				})
				return symmetricKey(*k.pub, key)
			}
			h := p.load(with(wire.ObjDecrypt|wire.ObjSign, wire.AlgNull))
			for _, mode := range []wire.Alg{wire.AlgCFB, wire.AlgCTR, wire.AlgOFB, wire.AlgCBC, wire.AlgECB} {
				iv := bytes.Repeat([]byte{0xFE}, crypt.CipherBlockSize(c.alg))
				if mode == wire.AlgECB {
					iv = nil
				}
				data := bytes.Repeat([]byte("48 bytes, a multiple of each size of a block..."), 2)[:48]
				_, r := p.must(wire.CCEncryptDecrypt2, h, false, func(w *wire.Writer) {
					w.Sized(data)
					w.U8(0)
					mode.Write(w)
					w.Sized(iv)
				})
				theirs, theirIV := r.Sized(1024), r.Sized(16)
				ourIV, err := crypt.EncryptSym(c.alg, mode, key, iv, data)
				if err != nil || !bytes.Equal(data, theirs) || !bytes.Equal(ourIV, theirIV) {
					t.Errorf("%v: %x %x, %v, its %x %x", mode, data, ourIV, err, theirs, theirIV)
				}
			}
			if c.alg == wire.AlgTDES {
				return
			}
			mac, err := crypt.NewCMAC(c.alg, key)
			if err != nil {
				t.Fatal(err)
			}
			h = p.load(with(wire.ObjSign, wire.AlgCMAC))
			for _, message := range []string{"", "eight b.", "sixteen bytes...", "three blocks of sixteen bytes, or six of 8 bytes"} {
				_, r := p.must(wire.CCMAC, h, false, func(w *wire.Writer) { w.Sized([]byte(message)); wire.AlgCMAC.Write(w) })
				mac.Reset()
				mac.Write([]byte(message))
				if got, theirs := mac.Sum(nil), r.Sized(64); !bytes.Equal(got, theirs) {
					t.Errorf("CMAC of %q: %x, its %x", message, got, theirs)
				}
			}
		})
	}
}
