package crypt_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"testing/iotest"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// The schemes and curves that the standard library has not.

// RFC 6979, A.2.3: P-192 with SHA-1 and SHA-256, whose digest is longer than the
// order.
func TestECDSAOnP192(t *testing.T) {
	k := eccKeyOf(t, wire.CurveNISTP192, "6fab034934e4c0fc9ae67f5b5659a9d7d1fefd187ee09fd4")
	wantHex(t, "public key", k.pub.Unique.ECC.X, "ac2c77f529f91689fea0ea5efec7f210d8eea0b9e047ed56")
	for _, tt := range []struct {
		hash    wire.Alg
		k, r, s string
	}{
		{wire.AlgSHA1, "37d7ca00d2c7b0e5e412ac03bd44ba837fdd5b28cd3b0021",
			"98c6bd12b23eaf5e2a2045132086be3eb8ebd62abf6698ff", "57a22b07dea9530f8de9471b1dc6624472e8e2844bc25b64"},
		{wire.AlgSHA256, "32b1b6d7d42a05cb449065727a84804fb1a3e34d8f261496",
			"4b0b8ce98a92866a2820e20aa6b75b56382e0f9bfd5ecb55", "ccdb006926ea9565cbadc840829d8c384e06de1f1e381b85"},
	} {
		digest := crypt.Digest(tt.hash, []byte("sample"))
		sig, err := crypt.Sign(bytes.NewReader(unhex(t, tt.k)), k.pub, k.private(t), scheme(wire.AlgECDSA, tt.hash), digest)
		if err != nil {
			t.Fatal(err)
		}
		wantHex(t, fmt.Sprint(tt.hash, " r"), sig.R, tt.r)
		wantHex(t, fmt.Sprint(tt.hash, " s"), sig.S, tt.s)
	}
}

// GB/T 32918.5, annex A: a signature on the recommended curve.
func TestSM2Signature(t *testing.T) {
	k := eccKeyOf(t, wire.CurveSM2P256, "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8")
	wantHex(t, "x", k.pub.Unique.ECC.X, "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020")
	wantHex(t, "y", k.pub.Unique.ECC.Y, "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13")
	digest := unhex(t, "f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640")
	nonce := unhex(t, "59276e27d506861a16680f3ad9c02dccef3cc1fa3cdbe4ce6d54b80deac1bc21")
	sig, err := crypt.Sign(bytes.NewReader(nonce), k.pub, k.private(t), scheme(wire.AlgSM2, wire.AlgSHA256), digest)
	if err != nil {
		t.Fatal(err)
	}
	wantHex(t, "r", sig.R, "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3")
	wantHex(t, "s", sig.S, "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa")
	if err := crypt.Verify(k.pub, nil, digest, &sig); err != nil {
		t.Error(err)
	}
}

// GB/T 32918.5, annex B: both parties of an exchange come to the same point.
func TestSM2Exchange(t *testing.T) {
	key := func(d string) testKey { return eccKeyOf(t, wire.CurveSM2P256, d) }
	a, ra := key("81eb26e941bb5af16df116495f90695272ae2cd63d6c4ae1678418be48230029"), key("d4de15474db74d06491c440d305e012400990f3e390c7e87153c12db2ea60bb3")
	b, rb := key("785129917d45a9ea5437a59356b82338eaadda6ceb199088f14ae10defa229b5"), key("7e07124814b309489125eaed101113164ebf0f3458c5bd88335c1f9d596243d6")
	for who, side := range map[string][4]testKey{"A": {a, ra, b, rb}, "B": {b, rb, a, ra}} {
		z, none, err := crypt.TwoPhase(wire.CurveSM2P256, wire.AlgSM2, side[0].sens.Sensitive, side[1].sens.Sensitive, &side[2].pub.Unique.ECC, &side[3].pub.Unique.ECC)
		if err != nil {
			t.Fatal(err)
		}
		wantHex(t, who+", x", z.X, "c558b44bee5301d9f52b44d939bb59584d75b9034dd6a9fc826872109a65739f")
		wantHex(t, who+", y", z.Y, "3252b35b191d8ae01cd122c025204334c5eacf68a0cb4854c6a7d367ecad4de7")
		if len(none.X) != 0 || len(none.Y) != 0 {
			t.Errorf("%s: a second point", who)
		}
	}
}

// allCurves are the curves of all profiles.
var allCurves = allLimits().Curves

// Every scheme on every curve with every hash: what Sign makes Verify takes, and
// nothing near it.
func TestSchemesOnAllCurves(t *testing.T) {
	for _, id := range allCurves {
		k := eccKey(t, id, 0x17)
		p := k.private(t)
		for i, s := range []wire.Alg{wire.AlgECDSA, wire.AlgECSchnorr, wire.AlgSM2} {
			h := hashes[(int(id)+i)%len(hashes)]
			digest := crypt.Digest(h, []byte("message"))
			good, err := crypt.Sign(rand.Reader, k.pub, p, scheme(s, h), digest)
			if err != nil {
				t.Fatalf("%v %v: %v", id, s, err)
			}
			if err := crypt.Verify(k.pub, nil, digest, &good); err != nil {
				t.Errorf("%v %v %v: %v", id, s, h, err)
			}
			if n := crypt.CurveSize(id); len(good.R) != n || len(good.S) != n {
				t.Errorf("%v %v: r has %d bytes, s %d", id, s, len(good.R), len(good.S))
			}
			params, err := crypt.CurveParameters(id)
			if err != nil {
				t.Fatal(err)
			}
			for why, bad := range map[string]func(sig *wire.TPMTSignature){
				"r":         func(sig *wire.TPMTSignature) { sig.R = flip(sig.R) },
				"s":         func(sig *wire.TPMTSignature) { sig.S = flip(sig.S) },
				"r is zero": func(sig *wire.TPMTSignature) { sig.R = nil },
				"s is zero": func(sig *wire.TPMTSignature) { sig.S = make([]byte, 4) },
				"r is n":    func(sig *wire.TPMTSignature) { sig.R = params.N },
				"s is n":    func(sig *wire.TPMTSignature) { sig.S = params.N },
				"too long":  func(sig *wire.TPMTSignature) { sig.S = append([]byte{1}, sig.S...) },
			} {
				sig := good
				bad(&sig)
				if err := crypt.Verify(k.pub, nil, digest, &sig); !errors.Is(err, wire.RCSignature) {
					t.Errorf("%v %v, %s: %v", id, s, why, err)
				}
			}
			// Its last bytes do not count on a curve whose order is shorter.
			if err := crypt.Verify(k.pub, nil, append(flip(digest[:1]), digest[1:]...), &good); !errors.Is(err, wire.RCSignature) {
				t.Errorf("%v %v, another digest: %v", id, s, err)
			}
			other := eccKey(t, id, 0x18)
			if err := crypt.Verify(other.pub, nil, digest, &good); !errors.Is(err, wire.RCSignature) {
				t.Errorf("%v %v, another key: %v", id, s, err)
			}
		}
	}
}

func flip(b []byte) []byte {
	out := bytes.Clone(b)
	out[len(out)-1] ^= 1
	return out
}

func TestSchemeErrors(t *testing.T) {
	k := eccKey(t, wire.CurveSM2P256, 1)
	p := k.private(t)
	for why, tt := range map[string]struct {
		scheme wire.TPMTSigScheme
		want   wire.RC
	}{
		"EC Schnorr without a hash":  {scheme(wire.AlgECSchnorr, wire.AlgNull), wire.RCScheme},
		"ECDAA, which is not Sign's": {scheme(wire.AlgECDAA, wire.AlgSHA256), wire.RCScheme},
		"a key exchange":             {scheme(wire.AlgECDH, wire.AlgSHA256), wire.RCScheme},
	} {
		if _, err := crypt.Sign(rand.Reader, k.pub, p, tt.scheme, make([]byte, 32)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", why, err)
		}
	}
	for _, s := range []wire.Alg{wire.AlgECDSA, wire.AlgECSchnorr, wire.AlgSM2} {
		if _, err := crypt.Sign(iotest.ErrReader(errors.New("broken")), k.pub, p, scheme(s, wire.AlgSHA256), make([]byte, 32)); !errors.Is(err, wire.RCNoResult) {
			t.Errorf("%v without randomness: %v", s, err)
		}
	}
	sig := wire.TPMTSignature{SigAlg: wire.AlgECDAA, Hash: wire.AlgSHA256, R: []byte{1}, S: []byte{1}}
	if err := crypt.Verify(k.pub, nil, make([]byte, 32), &sig); !errors.Is(err, wire.RCScheme) {
		t.Errorf("verify ECDAA: %v", err)
	}
}

// ECDAA: the equation holds, the nonce keeps all its bytes, and errors.
func TestECDAA(t *testing.T) {
	digest := crypt.Digest(wire.AlgSHA256, []byte("message"))
	for _, id := range allCurves {
		k := eccKey(t, id, 0x17)
		name := crypt.ObjectName(k.pub)
		r, err := crypt.CommitRandom(id, []byte("nonce"), name, 1<<40)
		if err != nil {
			t.Fatal(err)
		}
		_, _, e, err := crypt.Commit(id, k.sens.Sensitive, r, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := crypt.SignECDAA(rand.Reader, k.pub, k.private(t), wire.AlgSHA256, digest, r)
		if err != nil {
			t.Fatal(err)
		}
		checkECDAA(t, k.pub, digest, &sig, e)
		if sig.R[0] == 0 || len(sig.R) != crypt.CurveSize(id) {
			t.Errorf("%v: nonce %x", id, sig.R)
		}
	}
	k, aes := eccKey(t, wire.CurveBNP256, 1), aesKey(make([]byte, 16))
	one := []byte{1}
	for why, tt := range map[string]struct {
		key  testKey
		priv *crypt.Private
		hash wire.Alg
		r    []byte
		want wire.RC
	}{
		"no private part": {k, nil, wire.AlgSHA256, one, wire.RCKey},
		"another type":    {aes, aes.private(t), wire.AlgSHA256, one, wire.RCKey},
		"no hash":         {k, k.private(t), wire.AlgNull, one, wire.RCScheme},
		"r is zero":       {k, k.private(t), wire.AlgSHA256, nil, wire.RCValue},
	} {
		if _, err := crypt.SignECDAA(rand.Reader, tt.key.pub, tt.priv, tt.hash, digest, tt.r); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", why, err)
		}
	}
}

// The committed value depends on everything that it is derived from, and is a scalar
// on P-521 too, where one in 128 candidates is.
func TestCommitRandom(t *testing.T) {
	seen := map[string]string{}
	for why, r := range map[string]func() ([]byte, error){
		"as it is": func() ([]byte, error) {
			return crypt.CommitRandom(wire.CurveNISTP521, []byte("nonce"), []byte("name"), 1)
		},
		"another counter": func() ([]byte, error) {
			return crypt.CommitRandom(wire.CurveNISTP521, []byte("nonce"), []byte("name"), 2)
		},
		"another Name": func() ([]byte, error) {
			return crypt.CommitRandom(wire.CurveNISTP521, []byte("nonce"), []byte("eman"), 1)
		},
		"no Name": func() ([]byte, error) { return crypt.CommitRandom(wire.CurveNISTP521, []byte("nonce"), nil, 1) },
		"another nonce": func() ([]byte, error) {
			return crypt.CommitRandom(wire.CurveNISTP521, []byte("ecnon"), []byte("name"), 1)
		},
	} {
		b, err := r()
		if err != nil || len(b) != 66 {
			t.Fatalf("%s: %x, %v", why, b, err)
		}
		if other, ok := seen[string(b)]; ok {
			t.Errorf("%s and %s give the same", why, other)
		}
		seen[string(b)] = why
		if _, err := crypt.PointMultiply(wire.CurveNISTP521, b, nil); err != nil {
			t.Errorf("%s: %v", why, err)
		}
	}
	if _, err := crypt.CommitRandom(wire.CurveNone, nil, nil, 0); !errors.Is(err, wire.RCCurve) {
		t.Errorf("no curve: %v", err)
	}
}

// The public keys that swtpm 0.7.1 made with TPM2_EC_Ephemeral, one after another, of
// the nonce that was in its state: what it committed we can use.
func TestCommitRandomOfSwtpm(t *testing.T) {
	nonce := unhex(t, "9b9c02e3a7698e9c2faa10b803b4ec0cc0bf3414b3cd7f1e1060f4a741396257"+
		"764686f2c14bfac3597be248379976c0fbcbffd2df03d66af755314e108410aa")
	for counter, tt := range []struct {
		id wire.ECCCurve
		x  string
	}{
		{wire.CurveNISTP256, "cdb2ca300c1e7fca4105a518e59502fb0dd0c68ef890a5e52f69bb2de737355f"},
		{wire.CurveNISTP521, "0044c830ab0f427648678437d5a889167eb33620e125b2929dd2035d1dbc46238827" +
			"16123151c6ca68fcef5ed1630ce15ae5da68a43f91a74f352edf1027acc9d442"},
		{wire.CurveBNP256, "00bead79a2faa889c565cd4593140edc1f51db13e0fe7d804f2ed2993bdf1d52"},
	} {
		r, err := crypt.CommitRandom(tt.id, nonce, nil, uint64(counter))
		if err != nil {
			t.Fatal(err)
		}
		_, _, e, err := crypt.Commit(tt.id, nil, r, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		wantHex(t, fmt.Sprint(tt.id), e.X, tt.x)
	}
}

func TestCommitErrors(t *testing.T) {
	k := eccKey(t, wire.CurveNISTP256, 1)
	off := wire.TPMSECCPoint{X: k.pub.Unique.ECC.X, Y: flip(k.pub.Unique.ECC.Y)}
	one := []byte{1}
	for why, tt := range map[string]struct {
		id     wire.ECCCurve
		r      []byte
		p1, p2 *wire.TPMSECCPoint
		want   wire.RC
	}{
		"P1 off the curve": {wire.CurveNISTP256, one, &off, nil, wire.RCECCPoint},
		"P2 off the curve": {wire.CurveNISTP256, one, nil, &off, wire.RCECCPoint},
		"no curve":         {wire.CurveNone, one, nil, nil, wire.RCCurve},
		"r is zero":        {wire.CurveNISTP256, nil, nil, &k.pub.Unique.ECC, wire.RCValue},
	} {
		if _, _, _, err := crypt.Commit(tt.id, one, tt.r, tt.p1, tt.p2); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", why, err)
		}
	}
	if p := crypt.CommitPoint(wire.CurveNone, wire.AlgSHA256, nil, nil); p.X != nil {
		t.Errorf("a point on no curve: %x", p)
	}
}

// Both parties of each exchange in two phases share the same, on every curve.
func TestTwoPhase(t *testing.T) {
	for _, id := range allCurves {
		a, ae, b, be := eccKey(t, id, 0x21), eccKey(t, id, 0x22), eccKey(t, id, 0x23), eccKey(t, id, 0x24)
		for _, s := range []wire.Alg{wire.AlgECDH, wire.AlgECMQV, wire.AlgSM2} {
			z1, z2, errA := crypt.TwoPhase(id, s, a.sens.Sensitive, ae.sens.Sensitive, &b.pub.Unique.ECC, &be.pub.Unique.ECC)
			y1, y2, errB := crypt.TwoPhase(id, s, b.sens.Sensitive, be.sens.Sensitive, &a.pub.Unique.ECC, &ae.pub.Unique.ECC)
			if err := errors.Join(errA, errB); err != nil {
				t.Fatalf("%v %v: %v", id, s, err)
			}
			if !bytes.Equal(wire.Marshal(z1), wire.Marshal(y1)) || !bytes.Equal(wire.Marshal(z2), wire.Marshal(y2)) {
				t.Errorf("%v %v: the parties differ", id, s)
			}
			if !crypt.OnCurve(id, &z1) || (s == wire.AlgECDH) != crypt.OnCurve(id, &z2) {
				t.Errorf("%v %v: %x, %x", id, s, z1, z2)
			}
		}
	}
}

func TestTwoPhaseErrors(t *testing.T) {
	id := wire.CurveNISTP256
	q := eccKey(t, id, 1).pub.Unique.ECC
	off := wire.TPMSECCPoint{X: q.X, Y: flip(q.Y)}
	one := []byte{1}
	for _, s := range []wire.Alg{wire.AlgECDH, wire.AlgECMQV, wire.AlgSM2} {
		for why, tt := range map[string]struct {
			id     wire.ECCCurve
			ds, de []byte
			qs, qe *wire.TPMSECCPoint
			want   wire.RC
		}{
			"no curve":              {wire.CurveNone, one, one, &q, &q, wire.RCCurve},
			"static key is zero":    {id, nil, one, &q, &q, wire.RCValue},
			"ephemeral key is zero": {id, one, nil, &q, &q, wire.RCValue},
			"qs off the curve":      {id, one, one, &off, &q, wire.RCECCPoint},
			"qe off the curve":      {id, one, one, &q, &off, wire.RCECCPoint},
		} {
			if _, _, err := crypt.TwoPhase(tt.id, s, tt.ds, tt.de, tt.qs, tt.qe); !errors.Is(err, tt.want) {
				t.Errorf("%v, %s: %v", s, why, err)
			}
		}
	}
	if _, _, err := crypt.TwoPhase(id, wire.AlgECDSA, one, one, &q, &q); !errors.Is(err, wire.RCScheme) {
		t.Errorf("no exchange: %v", err)
	}
}

// ECC encryption goes back and forth, and any change shows.
func TestECCEncrypt(t *testing.T) {
	for _, id := range allCurves {
		k := eccKey(t, id, 0x17)
		for _, message := range []string{"", "m", string(make([]byte, 1024))} {
			c1, c2, c3, err := crypt.ECCEncrypt(rand.Reader, k.pub, wire.AlgSHA256, []byte(message))
			if err != nil {
				t.Fatal(err)
			}
			got, err := crypt.ECCDecrypt(k.pub, k.private(t), wire.AlgSHA256, &c1, c2, c3)
			if err != nil || string(got) != message {
				t.Errorf("%v, %d bytes: %q, %v", id, len(message), got, err)
			}
		}
	}
	k := eccKey(t, wire.CurveNISTP256, 0x17)
	p := k.private(t)
	c1, c2, c3, err := crypt.ECCEncrypt(rand.Reader, k.pub, wire.AlgSHA256, []byte("message"))
	if err != nil {
		t.Fatal(err)
	}
	off := wire.TPMSECCPoint{X: c1.X, Y: flip(c1.Y)}
	for why, tt := range map[string]struct {
		priv   *crypt.Private
		hash   wire.Alg
		c1     *wire.TPMSECCPoint
		c2, c3 []byte
		want   wire.RC
	}{
		"ciphertext":      {p, wire.AlgSHA256, &c1, flip(c2), c3, wire.RCValue},
		"digest":          {p, wire.AlgSHA256, &c1, c2, flip(c3), wire.RCValue},
		"short digest":    {p, wire.AlgSHA256, &c1, c2, c3[1:], wire.RCValue},
		"another point":   {p, wire.AlgSHA256, &k.pub.Unique.ECC, c2, c3, wire.RCValue},
		"another hash":    {p, wire.AlgSHA384, &c1, c2, c3, wire.RCValue},
		"off the curve":   {p, wire.AlgSHA256, &off, c2, c3, wire.RCECCPoint},
		"no hash":         {p, wire.AlgNull, &c1, c2, c3, wire.RCHash},
		"no private part": {nil, wire.AlgSHA256, &c1, c2, c3, wire.RCKey},
	} {
		if got, err := crypt.ECCDecrypt(k.pub, tt.priv, tt.hash, tt.c1, tt.c2, tt.c3); !errors.Is(err, tt.want) {
			t.Errorf("%s: %q, %v", why, got, err)
		}
	}
	bad := k.change(func(pub *wire.TPMTPublic, _ *wire.TPMTSensitive) { pub.Unique.ECC = off })
	if _, _, _, err := crypt.ECCEncrypt(rand.Reader, bad.pub, wire.AlgSHA256, nil); !errors.Is(err, wire.RCKey) {
		t.Errorf("to a key off the curve: %v", err)
	}
	if _, _, _, err := crypt.ECCEncrypt(rand.Reader, k.pub, wire.AlgNull, nil); !errors.Is(err, wire.RCHash) {
		t.Errorf("without a hash: %v", err)
	}
}

// A key pair is made of the bytes of the stream by rejection: zero and the order are
// passed over.
func TestNewKeyPair(t *testing.T) {
	for _, id := range allCurves {
		params, err := crypt.CurveParameters(id)
		if err != nil {
			t.Fatal(err)
		}
		n := crypt.CurveSize(id)
		one := append(make([]byte, n-1), 1)
		d, q, err := crypt.NewKeyPair(bytes.NewReader(bytes.Join([][]byte{make([]byte, n), params.N, one}, nil)), id)
		if err != nil || !bytes.Equal(d, one) || !bytes.Equal(q.X, params.GX) || !bytes.Equal(q.Y, params.GY) {
			t.Errorf("%v: %x, %x, %v", id, d, q, err)
		}
		if _, _, err := crypt.NewKeyPair(bytes.NewReader(nil), id); !errors.Is(err, wire.RCNoResult) {
			t.Errorf("%v, no randomness: %v", id, err)
		}
	}
	if _, _, err := crypt.NewKeyPair(rand.Reader, wire.CurveNone); !errors.Is(err, wire.RCCurve) {
		t.Errorf("no curve: %v", err)
	}
}
