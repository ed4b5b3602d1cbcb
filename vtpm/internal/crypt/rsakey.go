package crypt

import (
	"crypto/rsa"
	"math"
	"math/big"

	"filippo.io/bigmod"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// defaultExponent is what an exponent of zero stands for (Part 2,
// "TPMS_RSA_PARMS").
const defaultExponent = 65537

func rsaExponent(pub *wire.TPMTPublic) uint32 {
	if e := pub.Parameters.RSA.Exponent; e != 0 {
		return e
	}
	return defaultExponent
}

// rsaPublic returns the public key of pub for the standard library.
// TPM_RC_RANGE if the exponent is none that crypto/rsa computes with: it must be
// odd and below 2^31. The specification lets a TPM support just the default.
func rsaPublic(pub *wire.TPMTPublic) (*rsa.PublicKey, error) {
	e := rsaExponent(pub)
	if e%2 == 0 || e > math.MaxInt32 {
		return nil, wire.RCRange
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(pub.Unique.RSA), E: int(e)}, nil
}

// checkModulus checks what can be checked of an RSA public area alone. All key
// sizes are multiples of eight bits, so that the first bit of a modulus is set.
func checkModulus(pub *wire.TPMTPublic, blame Blame) error {
	n := pub.Unique.RSA
	if len(n) == 0 || len(n) != int(pub.Parameters.RSA.KeyBits)/8 || n[0] < 0x80 {
		return blame.public(wire.RCKey)
	}
	if e := pub.Parameters.RSA.Exponent; e != 0 && e < 7 {
		return blame.public(wire.RCValue)
	}
	return nil
}

// checkRSA checks the sizes of an RSA key's two areas.
func checkRSA(pub *wire.TPMTPublic, sens *wire.TPMTSensitive, blame Blame) error {
	if err := checkModulus(pub, blame); err != nil {
		return err
	}
	if s := sens.Sensitive; 2*len(s) != len(pub.Unique.RSA) || s[0] < 0x80 {
		return blame.sensitive(wire.RCKeySize)
	}
	return nil
}

// rsaPrime is an RSA private key as TPMT_SENSITIVE has it, completed with the
// second prime.
type rsaPrime struct {
	public rsa.PublicKey
	p, q   *big.Int
}

// loadRSA checks that the prime in sens belongs to the modulus in pub, both of
// which checkRSA has found to have their sizes. Whether
// it really is a prime shows at first use: the check costs more than the load.
//
// The division of n by p is math/big's, whose running time may depend on p. It
// runs once a load, on values that an attacker cannot choose without knowing p;
// bigmod has no division, and crypto/rsa wants both primes.
func loadRSA(pub *wire.TPMTPublic, sens *wire.TPMTSensitive, blame Blame) (*rsaPrime, error) {
	public, err := rsaPublic(pub)
	if err != nil {
		return nil, blame.public(wire.RCRange)
	}
	p := new(big.Int).SetBytes(sens.Sensitive)
	q, rest := new(big.Int).QuoRem(public.N, p, new(big.Int))
	if rest.Sign() != 0 || public.N.Bit(0) == 0 || p.Cmp(q) == 0 ||
		!invertible(public.E, p) || !invertible(public.E, q) {
		return nil, wire.RCBinding
	}
	return &rsaPrime{public: *public, p: p, q: q}, nil
}

// invertible reports whether e has an inverse modulo prime-1.
func invertible(e int, prime *big.Int) bool {
	bigE := big.NewInt(int64(e))
	m := new(big.Int).Sub(prime, big.NewInt(1))
	m.Mod(m, bigE)
	return m.GCD(nil, nil, m, bigE).Cmp(big.NewInt(1)) == 0
}

// key derives d and what crypto/rsa precomputes from it. TPM_RC_BINDING if the
// factors turn out not to make a key.
//
// d is (k*phi+1)/e with k = -1/phi mod e: dividing by a word instead of
// inverting modulo phi keeps the extended Euclidean algorithm, whose course
// follows its input, away from phi. From d on crypto/rsa computes in constant
// time.
func (r *rsaPrime) key() (*rsa.PrivateKey, error) {
	one, e := big.NewInt(1), big.NewInt(int64(r.public.E))
	phi := new(big.Int).Mul(new(big.Int).Sub(r.p, one), new(big.Int).Sub(r.q, one))
	k := new(big.Int).ModInverse(new(big.Int).Mod(phi, e), e)
	if k == nil {
		return nil, wire.RCBinding
	}
	d := phi.Mul(phi, k.Sub(e, k))
	d.Quo(d.Add(d, one), e)
	key := &rsa.PrivateKey{PublicKey: r.public, D: d, Primes: []*big.Int{r.p, r.q}}
	key.Precompute()
	if key.Precomputed.Dp == nil {
		return nil, wire.RCBinding
	}
	return key, nil
}

// rsaKey returns the private RSA key, deriving it when it is first wanted.
func (p *Private) rsaKey() (*rsa.PrivateKey, error) {
	if p == nil || p.prime == nil {
		return nil, wire.RCKey
	}
	if p.rsa == nil {
		k, err := p.prime.key()
		if err != nil {
			return nil, err
		}
		p.rsa = k
	}
	return p.rsa, nil
}

// rawPublic is RSAEP (RFC 8017, 5.1.1): in^e mod n in as many bytes as n has.
// TPM_RC_VALUE if in is not below n.
func rawPublic(pub *rsa.PublicKey, in []byte) ([]byte, error) {
	n, err := bigmod.NewModulus(pub.N.Bytes())
	if err != nil {
		return nil, wire.RCValue
	}
	x, err := bigmod.NewNat().SetBytes(in, n)
	if err != nil || n.Nat().IsOdd() == 0 {
		return nil, wire.RCValue
	}
	return bigmod.NewNat().ExpShortVarTime(x, uint(pub.E), n).Bytes(n), nil
}

// rawPrivate is RSADP (RFC 8017, 5.1.2) with the Chinese remainder theorem: in^d
// mod n in as many bytes as n has. TPM_RC_SIZE if in is not below n.
//
// crypto/rsa has no private operation without padding, which TPM_ALG_NULL asks
// for; bigmod is the arithmetic that crypto/rsa itself is built on. The result
// is checked with the public exponent: a fault in one half would give away the
// factors. TPM_RC_BINDING if it does not check, as it never does when what was
// loaded as a prime is none.
func rawPrivate(k *rsa.PrivateKey, in []byte) ([]byte, error) {
	n, err := bigmod.NewModulus(k.N.Bytes())
	if err != nil {
		return nil, wire.RCFailure
	}
	c, err := bigmod.NewNat().SetBytes(in, n)
	if err != nil {
		return nil, wire.RCSize
	}
	p, errP := bigmod.NewModulus(k.Primes[0].Bytes())
	q, errQ := bigmod.NewModulus(k.Primes[1].Bytes())
	if errP != nil || errQ != nil {
		return nil, wire.RCFailure
	}
	qInv, err := bigmod.NewNat().SetBytes(k.Precomputed.Qinv.Bytes(), p)
	if err != nil {
		return nil, wire.RCFailure
	}
	reduced := bigmod.NewNat()
	mp := bigmod.NewNat().Exp(reduced.Mod(c, p), k.Precomputed.Dp.Bytes(), p)
	mq := bigmod.NewNat().Exp(reduced.Mod(c, q), k.Precomputed.Dq.Bytes(), q)
	// m = mq + q * (qInv * (mp - mq) mod p)
	mp.Sub(reduced.Mod(mq, p), p).Mul(qInv, p)
	m := mp.ExpandFor(n).Mul(q.Nat().ExpandFor(n), n)
	m.Add(mq.ExpandFor(n), n)
	if bigmod.NewNat().ExpShortVarTime(m, uint(k.E), n).Equal(c) != 1 {
		return nil, wire.RCBinding
	}
	return m.Bytes(n), nil
}
