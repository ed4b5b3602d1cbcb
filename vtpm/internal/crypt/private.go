package crypt

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/subtle"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// Private is the private part of a loaded object in the form that computations
// use. What is expensive to derive is derived at first use and kept, so that
// loading a key which is only a parent, or never used, stays cheap. It is not
// safe for concurrent use.
type Private struct {
	sensitive []byte            // TPMU_SENSITIVE_COMPOSITE: prime, scalar, key or data
	ecc       *ecdsa.PrivateKey // of an ECC object on a curve of the standard library
	prime     *rsaPrime         // of an RSA object
	rsa       *rsa.PrivateKey   // of an RSA object, once used
}

// Blame says which parameters of a command hold the public and the sensitive
// area, numbered from 1, so that a response code tells the half that is wrong.
// A zero leaves the code without a position.
type Blame struct {
	Public, Sensitive int
}

func (b Blame) public(rc wire.RC) error    { return blamed(rc, b.Public) }
func (b Blame) sensitive(rc wire.RC) error { return blamed(rc, b.Sensitive) }

func blamed(rc wire.RC, n int) error {
	if n == 0 {
		return rc
	}
	return rc.Param(n)
}

// NewPrivate checks that sens is the private part of pub and returns its usable
// form, which keeps no reference to either. Its errors carry no position; see
// LoadPrivate.
func NewPrivate(pub *wire.TPMTPublic, sens *wire.TPMTSensitive) (*Private, error) {
	return LoadPrivate(pub, sens, Blame{})
}

// LoadPrivate is NewPrivate with positions in its errors (Part 3, "TPM2_Load",
// "TPM2_LoadExternal", "TPM2_Import"):
//
//   - TPM_RC_TYPE: the two areas are of different types;
//   - TPM_RC_SIZE: authValue or, of a parent, seedValue has a wrong size;
//   - TPM_RC_KEY, TPM_RC_VALUE, TPM_RC_RANGE: the public modulus or exponent;
//   - TPM_RC_KEY_SIZE: the private value is not one for these parameters;
//   - TPM_RC_SCHEME: a keyed hash object with a scheme of another type;
//   - TPM_RC_BINDING, never with a position: the two areas do not match.
//
// With nameAlg TPM_ALG_NULL only the private value is checked, except of an RSA
// key, which is of no use without its modulus.
func LoadPrivate(pub *wire.TPMTPublic, sens *wire.TPMTSensitive, blame Blame) (*Private, error) {
	digestSize := Size(pub.NameAlg)
	if pub.Type != sens.SensitiveType {
		return nil, blame.sensitive(wire.RCType)
	}
	if digestSize > 0 && len(sens.AuthValue) > digestSize {
		return nil, blame.sensitive(wire.RCSize)
	}
	p := &Private{sensitive: bytes.Clone(sens.Sensitive)}
	var err error
	switch pub.Type {
	case wire.AlgRSA:
		err = checkRSA(pub, sens, blame)
	case wire.AlgECC:
		p.ecc, err = loadECC(pub, sens)
	default:
		err = checkSymmetric(pub, sens, blame)
	}
	if err == nil && isParent(pub) && pub.NameAlg != wire.AlgNull &&
		(len(sens.SeedValue) < digestSize/2 || len(sens.SeedValue) > digestSize) {
		err = blame.sensitive(wire.RCSize)
	}
	if err == nil && pub.Type == wire.AlgRSA {
		// Last, as in the reference code: its checks of an object end before it
		// derives the private exponent.
		p.prime, err = loadRSA(pub, sens, blame)
	}
	if err != nil {
		p.Clear()
		return nil, err
	}
	return p, nil
}

// ValidatePublic checks the public area of an object that is loaded without its
// private part (Part 3, "TPM2_LoadExternal"). Errors: TPM_RC_KEY, TPM_RC_VALUE,
// TPM_RC_ECC_POINT.
func ValidatePublic(pub *wire.TPMTPublic, blame Blame) error {
	switch pub.Type {
	case wire.AlgRSA:
		return checkModulus(pub, blame)
	case wire.AlgECC:
		n := CurveSize(pub.Parameters.ECC.CurveID)
		q := &pub.Unique.ECC
		if len(q.X) != n || len(q.Y) != n {
			return blame.public(wire.RCKey)
		}
		if pub.NameAlg != wire.AlgNull && !OnCurve(pub.Parameters.ECC.CurveID, q) {
			return blame.public(wire.RCECCPoint)
		}
	default:
		if len(symmetricID(pub)) != Size(pub.NameAlg) {
			return blame.public(wire.RCKey)
		}
	}
	return nil
}

// Sensitive returns the TPMU_SENSITIVE_COMPOSITE: an RSA prime, an ECC scalar, a
// symmetric key, or the data of a keyed hash object. It is not a copy.
func (p *Private) Sensitive() []byte { return p.sensitive }

// Clear overwrites the private value and drops what was derived from it. The
// standard library's keys cannot be overwritten; they are left to the garbage
// collector.
func (p *Private) Clear() {
	clear(p.sensitive)
	if p.prime != nil {
		clear(p.prime.p.Bits())
		clear(p.prime.q.Bits())
	}
	*p = Private{}
}

func loadECC(pub *wire.TPMTPublic, sens *wire.TPMTSensitive) (*ecdsa.PrivateKey, error) {
	c := lookup(pub.Parameters.ECC.CurveID)
	if c == nil {
		return nil, wire.RCCurve
	}
	d := resize(sens.Sensitive, c.size)
	if d == nil || !c.validScalar(d) {
		return nil, wire.RCKeySize
	}
	defer clear(d)
	q, key, err := c.public(d)
	if err != nil || pub.NameAlg != wire.AlgNull && !bytes.Equal(q, c.uncompressed(&pub.Unique.ECC)) {
		return nil, wire.RCBinding
	}
	return key, nil
}

func checkSymmetric(pub *wire.TPMTPublic, sens *wire.TPMTSensitive, blame Blame) error {
	if pub.Type == wire.AlgSymCipher {
		if err := CheckSymKey(pub.Parameters.Sym.Sym, sens.Sensitive); err != nil {
			return blame.sensitive(err.(wire.RC))
		}
	} else {
		limit := 0
		switch scheme := &pub.Parameters.KeyedHash.Scheme; scheme.Scheme {
		case wire.AlgHMAC, wire.AlgXOR:
			limit = BlockSize(scheme.HashAlg)
		case wire.AlgNull:
			limit = wire.MaxSensitiveData
		default:
			return blame.public(wire.RCScheme)
		}
		if len(sens.Sensitive) > limit {
			return blame.sensitive(wire.RCKeySize)
		}
	}
	if pub.NameAlg == wire.AlgNull {
		return nil
	}
	if len(sens.SeedValue) != Size(pub.NameAlg) {
		return blame.sensitive(wire.RCKeySize)
	}
	if subtle.ConstantTimeCompare(symmetricID(pub), SymmetricUnique(pub, sens)) != 1 {
		return wire.RCBinding
	}
	return nil
}

// SymmetricUnique returns the unique field of a symmetric or keyed hash object:
// H(seedValue || sensitive), and for a parent HMAC(seedValue, sensitive), so that
// the seed from which its children's protection derives enters as a key (Part 1,
// "Public Area Creation"). It is nil when nameAlg is TPM_ALG_NULL.
func SymmetricUnique(pub *wire.TPMTPublic, sens *wire.TPMTSensitive) []byte {
	if isParent(pub) {
		return HMAC(pub.NameAlg, sens.SeedValue, sens.Sensitive)
	}
	return Digest(pub.NameAlg, sens.SeedValue, sens.Sensitive)
}

// symmetricID returns the unique field of an object that is no asymmetric key.
func symmetricID(pub *wire.TPMTPublic) []byte {
	if pub.Type == wire.AlgSymCipher {
		return pub.Unique.Sym
	}
	return pub.Unique.KeyedHash
}

// isParent reports whether an object with the attributes of pub protects others:
// a storage key or a derivation parent.
func isParent(pub *wire.TPMTPublic) bool {
	return pub.ObjectAttributes.Has(wire.ObjRestricted | wire.ObjDecrypt)
}
