package crypt_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"math/big"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// testKey is an object with both of its areas.
type testKey struct {
	pub  *wire.TPMTPublic
	sens *wire.TPMTSensitive
}

func (k testKey) private(t testing.TB) *crypt.Private {
	t.Helper()
	p, err := crypt.NewPrivate(k.pub, k.sens)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Primes for tests alone; fixed, so that no test waits for others.
const (
	prime2048P = "f772ffec45c1d51a9bffafb60c7bfc080a04ce57d3285caf7c8dd586796b0e449ed076898df8947639cfa7fa6ca9a5c072782061b03cf140c50ac368dee23a03de448b747f9015ba7ddd4ce47c8a51b0f5aa4cb9647f3f461720fc98ca15a4be37c42162e53e4638f3a74922b5cb6fc6f07e5fef38bcaad2946d0fc9d506af2b"
	prime2048Q = "ed853ecef0198965278ecf33f14aae6a1ff7a1c4c212dc49d0394c91fe85b62699f807145c0e8af2cb6432daa2b7fcd55eaa4e3393ee4ee6233f99ff364cd67be954b2048fe0e6a1b52472de10e0bce1afbcb65e99a003296db8ef60ea0d66ffbd30f94a42789393d985a62fce050653ed03e6804e0c332d29553d56edf18d93"

	// p-1 and q-1 are not multiples of 7, so that e = 7, the smallest allowed, works.
	prime1024P = "ee843afd73c07043bbb6de49c148445f774983cf28aa3d9b9a17c30d1115e5a40bcab28005b3018449cdd855cafb5717e6b8eb7d069d82806c504046fa5bcf2b"
	prime1024Q = "f3e5df519ea0208d639d1fc9a5933b40a7f04a3ede38cf8a4d4e579486274b89a3d84e73c7450d5fd33458dd4f739045fbdaca6d87cf667b1a79eb2eb84f9aa1"
)

func rsaKeyOf(t testing.TB, p, q string, exponent uint32) testKey {
	t.Helper()
	bp, bq := new(big.Int).SetBytes(unhex(t, p)), new(big.Int).SetBytes(unhex(t, q))
	n := new(big.Int).Mul(bp, bq)
	pub := &wire.TPMTPublic{Type: wire.AlgRSA, NameAlg: wire.AlgSHA256, ObjectAttributes: wire.ObjDecrypt | wire.ObjSign}
	pub.Parameters.RSA.Symmetric.Algorithm = wire.AlgNull
	pub.Parameters.RSA.Scheme.Scheme = wire.AlgNull
	pub.Parameters.RSA.KeyBits = uint16(n.BitLen())
	pub.Parameters.RSA.Exponent = exponent
	pub.Unique.RSA = n.Bytes()
	return testKey{pub, &wire.TPMTSensitive{SensitiveType: wire.AlgRSA, Sensitive: bp.Bytes()}}
}

func rsa2048(t testing.TB) testKey { return rsaKeyOf(t, prime2048P, prime2048Q, 0) }

// goRSA returns the standard library's form of k.
func (k testKey) goRSA() *rsa.PrivateKey {
	e := int(k.pub.Parameters.RSA.Exponent)
	if e == 0 {
		e = 65537
	}
	n, p := new(big.Int).SetBytes(k.pub.Unique.RSA), new(big.Int).SetBytes(k.sens.Sensitive)
	q := new(big.Int).Div(n, p)
	one := big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	d := new(big.Int).ModInverse(big.NewInt(int64(e)), phi)
	return &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: e}, D: d, Primes: []*big.Int{p, q}}
}

var curves = map[wire.ECCCurve]elliptic.Curve{
	wire.CurveNISTP224: elliptic.P224(),
	wire.CurveNISTP256: elliptic.P256(),
	wire.CurveNISTP384: elliptic.P384(),
	wire.CurveNISTP521: elliptic.P521(),
}

// eccKey returns the key of the scalar that is a run of fill, from the second
// byte on.
func eccKey(t testing.TB, id wire.ECCCurve, fill byte) testKey {
	t.Helper()
	return eccKeyWith(t, id, append([]byte{0}, bytes.Repeat([]byte{fill}, crypt.CurveSize(id)-1)...))
}

// eccKeyOf returns the key of a scalar in hexadecimal digits.
func eccKeyOf(t testing.TB, id wire.ECCCurve, d string) testKey {
	t.Helper()
	return eccKeyWith(t, id, unhex(t, d))
}

func eccKeyWith(t testing.TB, id wire.ECCCurve, d []byte) testKey {
	t.Helper()
	q := publicPoint(t, id, d)
	pub := &wire.TPMTPublic{Type: wire.AlgECC, NameAlg: wire.AlgSHA256, ObjectAttributes: wire.ObjDecrypt | wire.ObjSign}
	pub.Parameters.ECC.Symmetric.Algorithm = wire.AlgNull
	pub.Parameters.ECC.Scheme.Scheme = wire.AlgNull
	pub.Parameters.ECC.CurveID = id
	pub.Parameters.ECC.KDF.Scheme = wire.AlgNull
	pub.Unique.ECC = q
	return testKey{pub, &wire.TPMTSensitive{SensitiveType: wire.AlgECC, Sensitive: d}}
}

// publicPoint is the standard library's where it has the curve.
func publicPoint(t testing.TB, id wire.ECCCurve, d []byte) wire.TPMSECCPoint {
	t.Helper()
	c := curves[id]
	if c == nil {
		q, err := crypt.PointMultiply(id, d, nil)
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	k, err := ecdsa.ParseRawPrivateKey(c, d)
	if err != nil {
		t.Fatal(err)
	}
	q, err := k.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return wire.TPMSECCPoint{X: q[1 : 1+len(d)], Y: q[1+len(d):]}
}

// storage turns an asymmetric key into a parent with AES-128.
func (k testKey) storage() testKey {
	pub, sens := *k.pub, *k.sens
	pub.ObjectAttributes = wire.ObjDecrypt | wire.ObjRestricted | wire.ObjFixedTPM | wire.ObjFixedParent | wire.ObjUserWithAuth
	sym := wire.TPMTSymDefObject{Algorithm: wire.AlgAES, KeyBits: 128, Mode: wire.AlgCFB}
	pub.Parameters.RSA.Symmetric, pub.Parameters.ECC.Symmetric = sym, sym
	sens.SeedValue = bytes.Repeat([]byte{0x5E}, 32)
	return testKey{&pub, &sens}
}

// symmetricKey completes a keyed hash or symmetric cipher object with its unique
// field.
func symmetricKey(pub wire.TPMTPublic, secret []byte) testKey {
	sens := &wire.TPMTSensitive{
		SensitiveType: pub.Type, SeedValue: bytes.Repeat([]byte{0x5E}, crypt.Size(pub.NameAlg)), Sensitive: secret,
	}
	unique := crypt.SymmetricUnique(&pub, sens)
	if pub.Type == wire.AlgSymCipher {
		pub.Unique.Sym = unique
	} else {
		pub.Unique.KeyedHash = unique
	}
	return testKey{&pub, sens}
}

func hmacKey(hash wire.Alg, secret []byte) testKey {
	pub := wire.TPMTPublic{Type: wire.AlgKeyedHash, NameAlg: wire.AlgSHA256, ObjectAttributes: wire.ObjSign}
	pub.Parameters.KeyedHash.Scheme = wire.TPMTKeyedHashScheme{Scheme: wire.AlgHMAC, HashAlg: hash}
	return symmetricKey(pub, secret)
}

func aesKey(secret []byte) testKey {
	pub := wire.TPMTPublic{Type: wire.AlgSymCipher, NameAlg: wire.AlgSHA256, ObjectAttributes: wire.ObjDecrypt}
	pub.Parameters.Sym.Sym = wire.TPMTSymDefObject{Algorithm: wire.AlgAES, KeyBits: uint16(8 * len(secret)), Mode: wire.AlgCFB}
	return symmetricKey(pub, secret)
}

// client returns the public area as the client library has it.
func client(t testing.TB, pub *wire.TPMTPublic) *tpm2.TPMTPublic {
	t.Helper()
	p, err := tpm2.Unmarshal[tpm2.TPMTPublic](wire.Marshal(*pub))
	if err != nil {
		t.Fatal(err)
	}
	return p
}
