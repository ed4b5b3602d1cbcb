package crypt

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"sync"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// Tests of the package's own algorithms by known answers (Part 1, "Self-test
// modes"): a broken build or machine shows before it signs anything.

// knownAnswers are the tests, and the algorithms that each one tests.
var knownAnswers = []struct {
	algs []wire.Alg
	test func() bool
}{
	{[]wire.Alg{wire.AlgSHA1}, digestTest(wire.AlgSHA1, "a9993e364706816aba3e25717850c26c9cd0d89d")},
	{[]wire.Alg{wire.AlgSHA256}, digestTest(wire.AlgSHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")},
	{[]wire.Alg{wire.AlgSHA384}, digestTest(wire.AlgSHA384, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7")},
	{[]wire.Alg{wire.AlgSHA512}, digestTest(wire.AlgSHA512, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f")},
	{[]wire.Alg{wire.AlgSHA3256}, digestTest(wire.AlgSHA3256, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532")},
	{[]wire.Alg{wire.AlgSHA3384}, digestTest(wire.AlgSHA3384, "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b298d88cea927ac7f539f1edf228376d25")},
	{[]wire.Alg{wire.AlgSHA3512}, digestTest(wire.AlgSHA3512, "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0")},
	{[]wire.Alg{wire.AlgHMAC, wire.AlgKeyedHash}, testHMAC},
	{[]wire.Alg{wire.AlgKDF1SP800108, wire.AlgXOR}, testKDFa},
	{[]wire.Alg{wire.AlgKDF1SP80056A}, testKDFe},
	{[]wire.Alg{wire.AlgKDF2}, testKDF2},
	{[]wire.Alg{wire.AlgMGF1}, testMGF1},
	{[]wire.Alg{wire.AlgAES, wire.AlgSymCipher, wire.AlgCFB}, modeTest(wire.AlgCFB, "3b3fd92eb72dad20333449f8e83cfb4a")},
	{[]wire.Alg{wire.AlgOFB}, modeTest(wire.AlgOFB, "3b3fd92eb72dad20333449f8e83cfb4a")},
	{[]wire.Alg{wire.AlgCBC}, modeTest(wire.AlgCBC, "7649abac8119b246cee98e9b12e9197d")},
	{[]wire.Alg{wire.AlgCTR}, modeTest(wire.AlgCTR, "3b3fd92eb72dad20333449f8e83cfb4a")},
	{[]wire.Alg{wire.AlgECB}, modeTest(wire.AlgECB, "3ad77bb40d7a3660a89ecaf32466ef97")},
	{[]wire.Alg{wire.AlgCMAC}, testCMAC},
	{[]wire.Alg{wire.AlgRSA, wire.AlgRSASSA, wire.AlgRSAPSS, wire.AlgOAEP, wire.AlgRSAES}, testRSA},
	{[]wire.Alg{wire.AlgECC, wire.AlgECDH, wire.AlgECDSA}, testECC},
	{[]wire.Alg{wire.AlgECSchnorr}, testECSchnorr},
	{[]wire.Alg{wire.AlgECDAA}, testECDAA},
	{[]wire.Alg{wire.AlgECMQV}, testECMQV},
	{[]wire.Alg{wire.AlgSM2}, testSM2},
	{[]wire.Alg{wire.AlgCamellia}, blockTest(wire.AlgCamellia, "0123456789abcdeffedcba9876543210", "0123456789abcdeffedcba9876543210", "67673138549669730857065648eabe43")},
	{[]wire.Alg{wire.AlgTDES}, blockTest(wire.AlgTDES, "8aa83bf8cbda10620bc1bf19fbb6cd58bc313d4a371ca8b5", "0000000000000000", "c8cc74e98a7329a2")},
}

// SelfTests returns the algorithms that have a test.
func SelfTests() []wire.Alg {
	var algs []wire.Alg
	for _, k := range knownAnswers {
		algs = append(algs, k.algs...)
	}
	return algs
}

// SelfTest runs the tests of the algorithms; one without a test of its own passes.
// The error names the algorithm that failed.
func SelfTest(algs ...wire.Alg) error {
	for _, k := range knownAnswers {
		asked := slices.ContainsFunc(k.algs, func(a wire.Alg) bool { return slices.Contains(algs, a) })
		if asked && !k.test() {
			return fmt.Errorf("self-test of %v: the answer is wrong", k.algs[0])
		}
	}
	return nil
}

// PowerOnTest runs all tests, once in a process however many TPMs there are: they
// all run the same code.
var PowerOnTest = sync.OnceValue(func() error { return SelfTest(SelfTests()...) })

// digestTest hashes "abc" (FIPS 180-4's example).
func digestTest(alg wire.Alg, want string) func() bool {
	return func() bool { return is(want, Digest(alg, []byte("abc"))) }
}

// testHMAC is RFC 4231, test case 2.
func testHMAC() bool {
	return is("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
		HMAC(wire.AlgSHA256, []byte("Jefe"), []byte("what do ya want for nothing?")))
}

func testKDFa() bool {
	return is("56b49ed5d4226bcbadf1d89b10246f3ed7942b30d67ce308d5b2b90736d8311f",
		KDFa(wire.AlgSHA256, []byte("key"), "LABEL", []byte("u"), []byte("v"), 256))
}

func testKDFe() bool {
	return is("ba66fde1dda4615d1f53ce8ab2a9d09fa7028456700ebf974f17818766122a4b",
		KDFe(wire.AlgSHA256, []byte("key"), "LABEL", []byte("u"), []byte("v"), 256))
}

func testKDF2() bool {
	return is("73a649427664d03bbb062e456425488416c52c64ef46fe011ed2a983f30ea9b9", KDF2(wire.AlgSHA256, []byte("seed"), 32))
}

func testMGF1() bool {
	return is("336f28a022193939585a1b4edc989f870917f3a5f6ddd16e4fb357084a6bdfc2", MGF1(wire.AlgSHA256, []byte("seed"), 32))
}

// The key and first block of NIST SP 800-38A's examples, and of RFC 4493's.
const (
	testKey   = "2b7e151628aed2a6abf7158809cf4f3c"
	testIV    = "000102030405060708090a0b0c0d0e0f"
	testBlock = "6bc1bee22e409f96e93d7e117393172a"
)

// modeTest encrypts and decrypts a block.
func modeTest(mode wire.Alg, want string) func() bool {
	return func() bool {
		iv := unhex(testIV)
		if mode == wire.AlgECB {
			iv = nil
		}
		data := unhex(testBlock)
		if _, err := EncryptSym(wire.AlgAES, mode, unhex(testKey), iv, data); err != nil || !is(want, data) {
			return false
		}
		_, err := DecryptSym(wire.AlgAES, mode, unhex(testKey), iv, data)
		return err == nil && is(testBlock, data)
	}
}

// blockTest encrypts and decrypts a block (RFC 3713, appendix A; NIST SP 800-38B,
// appendix D.4).
func blockTest(cipher wire.Alg, key, block, want string) func() bool {
	return func() bool {
		data := unhex(block)
		if _, err := EncryptSym(cipher, wire.AlgECB, unhex(key), nil, data); err != nil || !is(want, data) {
			return false
		}
		_, err := DecryptSym(cipher, wire.AlgECB, unhex(key), nil, data)
		return err == nil && is(block, data)
	}
}

func testCMAC() bool {
	mac, err := NewCMAC(wire.AlgAES, unhex(testKey))
	if err != nil {
		return false
	}
	mac.Write(unhex(testBlock))
	return is("070a16b46b4d4144f79bdd9dd04a287c", mac.Sum(nil))
}

// The primes of a key that protects nothing.
const (
	testPrimeP = "f772ffec45c1d51a9bffafb60c7bfc080a04ce57d3285caf7c8dd586796b0e449ed076898df8947639cfa7fa6ca9a5c072782061b03cf140c50ac368dee23a03de448b747f9015ba7ddd4ce47c8a51b0f5aa4cb9647f3f461720fc98ca15a4be37c42162e53e4638f3a74922b5cb6fc6f07e5fef38bcaad2946d0fc9d506af2b"
	testPrimeQ = "ed853ecef0198965278ecf33f14aae6a1ff7a1c4c212dc49d0394c91fe85b62699f807145c0e8af2cb6432daa2b7fcd55eaa4e3393ee4ee6233f99ff364cd67be954b2048fe0e6a1b52472de10e0bce1afbcb65e99a003296db8ef60ea0d66ffbd30f94a42789393d985a62fce050653ed03e6804e0c332d29553d56edf18d93"
)

// testRSA signs with RSASSA, whose signatures are always the same, and decrypts
// what it encrypted with OAEP. RSAPSS and RSAES are the same arithmetic.
func testRSA() bool {
	p, q := unhex(testPrimeP), unhex(testPrimeQ)
	pub := &wire.TPMTPublic{Type: wire.AlgRSA}
	pub.Parameters.RSA.KeyBits = 2048
	pub.Unique.RSA = new(big.Int).Mul(new(big.Int).SetBytes(p), new(big.Int).SetBytes(q)).Bytes()
	key, err := NewPrivate(pub, &wire.TPMTSensitive{SensitiveType: wire.AlgRSA, Sensitive: p})
	if err != nil {
		return false
	}
	scheme := wire.TPMTSigScheme{Scheme: wire.AlgRSASSA, HashAlg: wire.AlgSHA256}
	sig, err := Sign(nil, pub, key, scheme, Digest(wire.AlgSHA256, []byte("abc")))
	if err != nil || !is(testSignature, Digest(wire.AlgSHA256, sig.RSA)) {
		return false
	}
	encrypted, err := RSAEncrypt(rand.Reader, pub, wire.AlgOAEP, wire.AlgSHA256, nil, []byte("abc"))
	if err != nil {
		return false
	}
	message, err := RSADecrypt(pub, key, wire.AlgOAEP, wire.AlgSHA256, nil, encrypted)
	return err == nil && string(message) == "abc"
}

// testSignature is the digest of testRSA's signature.
const testSignature = "83281d8241633188b6b0b0882f3b8cae23bf5929afb163ba4a3199069856d733"

// RFC 5903, 8.1: the initiator's private key, and its and the responder's public keys.
const (
	testScalar = "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433"
	testX      = "dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180"
	testY      = "5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3"
	otherX     = "d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"
	otherY     = "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab"
)

func testPoint(x, y string) wire.TPMSECCPoint { return wire.TPMSECCPoint{X: unhex(x), Y: unhex(y)} }

// eccTestKey returns the key pair of a scalar.
func eccTestKey(id wire.ECCCurve, d string, q wire.TPMSECCPoint) (*wire.TPMTPublic, *Private, error) {
	pub := &wire.TPMTPublic{Type: wire.AlgECC, NameAlg: wire.AlgSHA256}
	pub.Parameters.ECC.CurveID = id
	pub.Unique.ECC = q
	key, err := NewPrivate(pub, &wire.TPMTSensitive{SensitiveType: wire.AlgECC, Sensitive: unhex(d)})
	return pub, key, err
}

// testECC is RFC 5903's exchange, and a signature with its key.
func testECC() bool {
	other := testPoint(otherX, otherY)
	z, err := PointMultiply(wire.CurveNISTP256, unhex(testScalar), &other)
	if err != nil || !is("d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de", z.X) {
		return false
	}
	pub, key, err := eccTestKey(wire.CurveNISTP256, testScalar, testPoint(testX, testY))
	if err != nil {
		return false
	}
	digest := Digest(wire.AlgSHA256, []byte("abc"))
	sig, err := Sign(rand.Reader, pub, key, wire.TPMTSigScheme{Scheme: wire.AlgECDSA, HashAlg: wire.AlgSHA256}, digest)
	return err == nil && Verify(pub, nil, digest, &sig) == nil
}

// testECSchnorr signs with a nonce that is always the same.
func testECSchnorr() bool {
	pub, key, err := eccTestKey(wire.CurveNISTP256, testScalar, testPoint(testX, testY))
	if err != nil {
		return false
	}
	digest := Digest(wire.AlgSHA256, []byte("abc"))
	scheme := wire.TPMTSigScheme{Scheme: wire.AlgECSchnorr, HashAlg: wire.AlgSHA256}
	sig, err := Sign(bytes.NewReader(unhex(otherX)), pub, key, scheme, digest)
	return err == nil &&
		is("bcd4187334fe6b0e42d0cae7b81817caa0110ebb2aced30e28c59e295ba9c66d", sig.R) &&
		is("935ddb16a02473f3523f4da4b60ff54288782a43de25c3aeb58e4ab425f25ecc", sig.S) &&
		Verify(pub, nil, digest, &sig) == nil
}

// testECDAA signs with a nonce and a committed value that are always the same.
func testECDAA() bool {
	pub, key, err := eccTestKey(wire.CurveNISTP256, testScalar, testPoint(testX, testY))
	if err != nil {
		return false
	}
	r, err := CommitRandom(wire.CurveNISTP256, []byte("nonce"), []byte("name"), 1)
	if err != nil || !is("d7b3bbdbdd3c524727971796ccee014a78d0e26bce976a607c8b6310348bdb31", r) {
		return false
	}
	digest := Digest(wire.AlgSHA256, []byte("abc"))
	sig, err := SignECDAA(bytes.NewReader(unhex(otherX)), pub, key, wire.AlgSHA256, digest, r)
	return err == nil && is("c963d396dd7c5f7cbc5ff088e29492cda047f4323450054695c352336d6a0f52", sig.S)
}

// testECMQV is an exchange of two parties whose static and ephemeral keys are the
// same.
func testECMQV() bool {
	other := testPoint(otherX, otherY)
	z, _, err := TwoPhase(wire.CurveNISTP256, wire.AlgECMQV, unhex(testScalar), unhex(testScalar), &other, &other)
	return err == nil && is("8fb97603a224d35d534fadf278cfc4b7c94c63a017990cdd0924136a551e7629", z.X)
}

// testSM2 is the example of GB/T 32918.5, annex A.
func testSM2() bool {
	pub, key, err := eccTestKey(wire.CurveSM2P256, "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8", testPoint(
		"09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020", "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"))
	if err != nil {
		return false
	}
	digest := unhex("f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640")
	nonce := unhex("59276e27d506861a16680f3ad9c02dccef3cc1fa3cdbe4ce6d54b80deac1bc21")
	scheme := wire.TPMTSigScheme{Scheme: wire.AlgSM2, HashAlg: wire.AlgSHA256}
	sig, err := Sign(bytes.NewReader(nonce), pub, key, scheme, digest)
	return err == nil &&
		is("f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3", sig.R) &&
		is("b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa", sig.S) &&
		Verify(pub, nil, digest, &sig) == nil
}

func is(want string, have []byte) bool { return hex.EncodeToString(have) == want }

// unhex decodes a constant of this file.
func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}
