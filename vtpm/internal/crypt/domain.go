package crypt

import (
	"crypto/elliptic"
	"math/big"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// domain is a curve's parameters: y² = x³ + ax + b modulo p, with a base point
// (gx, gy) of prime order n. The cofactor is 1 on all curves of this package. All
// but n have as many bytes as p; so has n, as it happens.
type domain struct {
	p, a, b, gx, gy, n []byte
}

// domainOf returns the parameters of a curve of the standard library, all of which
// have a = -3.
func domainOf(params *elliptic.CurveParams) *domain {
	size := (params.BitSize + 7) / 8
	fill := func(x *big.Int) []byte { return x.FillBytes(make([]byte, size)) }
	return &domain{
		p: fill(params.P), a: fill(new(big.Int).Sub(params.P, big.NewInt(3))), b: fill(params.B),
		gx: fill(params.Gx), gy: fill(params.Gy), n: fill(params.N),
	}
}

// hexDomain is a domain in hexadecimal digits.
type hexDomain struct {
	p, a, b, gx, gy, n string
}

func (h *hexDomain) decode() *domain {
	p := unhex(h.p)
	fill := func(s string) []byte { return resize(unhex(s), len(p)) }
	return &domain{p: p, a: fill(h.a), b: fill(h.b), gx: fill(h.gx), gy: fill(h.gy), n: fill(h.n)}
}

// The curves that the standard library has not.
var (
	// domainP192 is NIST's P-192 (FIPS 186-4, D.1.2.1).
	domainP192 = hexDomain{
		p:  "fffffffffffffffffffffffffffffffeffffffffffffffff",
		a:  "fffffffffffffffffffffffffffffffefffffffffffffffc",
		b:  "64210519e59c80e70fa7e9ab72243049feb8deecc146b9b1",
		gx: "188da80eb03090f67cbf20eb43a18800f4ff0afd82ff1012",
		gy: "07192b95ffc8da78631011ed6b24cdd573f977a11e794811",
		n:  "ffffffffffffffffffffffff99def836146bc9b1b4d22831",
	}

	// domainBNP256 is TPM_ECC_BN_P256, a Barreto-Naehrig curve (TCG Algorithm
	// Registry, "BN_P256").
	domainBNP256 = hexDomain{
		p:  "fffffffffffcf0cd46e5f25eee71a49f0cdc65fb12980a82d3292ddbaed33013",
		a:  "00",
		b:  "03",
		gx: "01",
		gy: "02",
		n:  "fffffffffffcf0cd46e5f25eee71a49e0cdc65fb1299921af62d536cd10b500d",
	}

	// domainBNP638 is TPM_ECC_BN_P638, a Barreto-Naehrig curve (TCG Algorithm
	// Registry, "BN_P638").
	domainBNP638 = hexDomain{
		p: "23fffffdc000000d7fffffb8000001d3fffff942d000165e3fff94870000d52ffffdd0e00008de55" +
			"c00086520021e55bfffff51ffff4eb800000004c80015acdffffffffffffece00000000000000067",
		a: "00",
		b: "0101",
		gx: "23fffffdc000000d7fffffb8000001d3fffff942d000165e3fff94870000d52ffffdd0e00008de55" +
			"c00086520021e55bfffff51ffff4eb800000004c80015acdffffffffffffece00000000000000066",
		gy: "10",
		n: "23fffffdc000000d7fffffb8000001d3fffff942d000165e3fff94870000d52ffffdd0e00008de55" +
			"600086550021e555fffff54ffff4eac000000049800154d9ffffffffffffeda00000000000000061",
	}

	// domainSM2P256 is the curve of SM2 (GB/T 32918.5).
	domainSM2P256 = hexDomain{
		p:  "fffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffff",
		a:  "fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc",
		b:  "28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93",
		gx: "32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7",
		gy: "bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0",
		n:  "fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123",
	}
)

// CurveParameters returns what TPM2_ECC_Parameters tells of the curve id, each
// number with the size of a coordinate but for the cofactor and, as libtpms has it, an
// a of zero. TPM_RC_CURVE if the package does not know the curve.
//
// The scheme for key derivation is the Algorithm Registry's for the curve. It is no
// more than a recommendation, even of a hash algorithm that the TPM has not: secrets
// are shared with the key's nameAlg.
func CurveParameters(id wire.ECCCurve) (wire.TPMSAlgorithmDetailECC, error) {
	c := lookup(id)
	if c == nil {
		return wire.TPMSAlgorithmDetailECC{}, wire.RCCurve
	}
	kdf := wire.TPMTKDFScheme{Scheme: wire.AlgKDF1SP80056A}
	switch id {
	case wire.CurveNISTP192, wire.CurveNISTP224, wire.CurveNISTP256:
		kdf.HashAlg = wire.AlgSHA256
	case wire.CurveNISTP384:
		kdf.HashAlg = wire.AlgSHA384
	case wire.CurveNISTP521:
		kdf.HashAlg = wire.AlgSHA512
	case wire.CurveSM2P256:
		kdf.HashAlg = wire.AlgSM3256
	default:
		kdf.Scheme = wire.AlgNull
	}
	d, a := c.domain, c.domain.a
	if isZero(a) {
		a = a[:1]
	}
	return wire.TPMSAlgorithmDetailECC{
		CurveID: id,
		KeySize: uint16(modulus(d.p).BitLen()),
		KDF:     kdf,
		Sign:    wire.TPMTECCScheme{Scheme: wire.AlgNull},
		P:       d.p, A: a, B: d.b, GX: d.gx, GY: d.gy, N: d.n,
		H: []byte{1},
	}, nil
}
