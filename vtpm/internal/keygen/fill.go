package keygen

import (
	"fmt"
	"io"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// primaryPurpose is the label under which primary objects are derived.
const primaryPurpose = "Primary Object Creation"

// Seed is a hierarchy's primary seed.
type Seed struct {
	Secret  []byte
	Version uint8 // of the derivation of keys from it: Version or Version0
}

// Primary makes the primary object of a template: its sensitive area and the
// unique field of its public area, as the seed's version says. pub is the template
// with unique as the caller gave it. proofs are
// shProof and ehProof, in this order, in the endorsement hierarchy, and nothing
// elsewhere. See Fill for the errors and for what must have been checked.
func Primary(seed Seed, pub *wire.TPMTPublic, create *wire.TPMSSensitiveCreate, proofs ...[]byte) (wire.TPMTSensitive, wire.TPMUPublicID, error) {
	d := NewSeeded(seed.Secret, primaryPurpose, crypt.ObjectName(pub), create.Data)
	defer d.Clear()
	return fill(d, seed.Version, pub, create, func() {
		for _, p := range proofs {
			d.Stir(p)
		}
	})
}

// Fill makes an object of the template pub with what stream gives: its sensitive
// area and the unique field of its public area (Part 1, "Object Creation"). It
// modifies neither pub nor create; what it returns shares no memory with them.
//
// The template's attributes must be consistent, and its hash algorithms
// implemented: Fill checks only what depends on the key. The authorization value
// is stored as given; its size is for the command to check and to pad. Errors are TPM_RC_RANGE
// (RSA exponent), TPM_RC_VALUE (RSA size), TPM_RC_CURVE, TPM_RC_KEY_SIZE
// (symmetric key), TPM_RC_KEY (weak TDES key), TPM_RC_SIZE (keyed hash key over its hash's block),
// TPM_RC_TYPE, or what the stream reports.
func Fill(stream Stream, pub *wire.TPMTPublic, create *wire.TPMSSensitiveCreate) (wire.TPMTSensitive, wire.TPMUPublicID, error) {
	return fill(stream, Version, pub, create, func() {})
}

// fill is Fill with a call between the secret and seedValue.
func fill(stream Stream, version uint8, pub *wire.TPMTPublic, create *wire.TPMSSensitiveCreate, between func()) (wire.TPMTSensitive, wire.TPMUPublicID, error) {
	data := []byte(create.Data)
	if pub.ObjectAttributes.Has(wire.ObjSensitiveDataOrigin) {
		data = nil // the TPM is the source; what the caller gave was for the seeding
	}
	var unique wire.TPMUPublicID
	secret, err := makeSecret(stream, version, pub, data, &unique)
	if err != nil {
		return wire.TPMTSensitive{}, wire.TPMUPublicID{}, err
	}
	between()
	seedValue, err := generate(stream, crypt.Size(pub.NameAlg))
	if err != nil {
		clear(secret)
		return wire.TPMTSensitive{}, wire.TPMUPublicID{}, fmt.Errorf("generate seedValue: %w", err)
	}
	switch pub.Type {
	case wire.AlgSymCipher:
		unique.Sym = symmetricUnique(pub, seedValue, secret)
	case wire.AlgKeyedHash:
		unique.KeyedHash = symmetricUnique(pub, seedValue, secret)
	default:
		if !isParent(pub.ObjectAttributes) {
			clear(seedValue)
			seedValue = nil // nothing is ever protected by it
		}
	}
	return wire.TPMTSensitive{
		SensitiveType: pub.Type,
		AuthValue:     append(wire.TPM2BAuth(nil), create.UserAuth...),
		SeedValue:     seedValue,
		Sensitive:     secret,
	}, unique, nil
}

// makeSecret returns the type-specific part of the sensitive area and, for an
// asymmetric key, sets its unique field. data is the caller's, if any.
func makeSecret(stream Stream, version uint8, pub *wire.TPMTPublic, data []byte, unique *wire.TPMUPublicID) ([]byte, error) {
	switch pub.Type {
	case wire.AlgRSA:
		p := pub.Parameters.RSA
		prime, modulus, err := makeRSA(stream, version, int(p.KeyBits), p.Exponent)
		unique.RSA = modulus
		return prime, err
	case wire.AlgECC:
		d, x, y, err := ECC(stream, pub.Parameters.ECC.CurveID)
		unique.ECC = wire.TPMSECCPoint{X: x, Y: y}
		return d, err
	case wire.AlgSymCipher:
		return symmetricKey(stream, pub.Parameters.Sym.Sym, data)
	case wire.AlgKeyedHash:
		return keyedHashSecret(stream, pub, data)
	}
	return nil, wire.RCType
}

// symmetricKey returns the key of a SYMCIPHER object.
func symmetricKey(stream Stream, sym wire.TPMTSymDefObject, data []byte) ([]byte, error) {
	if sym.KeyBits == 0 || sym.KeyBits%64 != 0 {
		return nil, wire.RCKeySize
	}
	if len(data) != 0 {
		return append([]byte(nil), data...), crypt.CheckSymKey(sym, data)
	}
	for {
		key, err := generate(stream, int(sym.KeyBits)/8)
		if err != nil {
			return nil, err
		}
		if sym.Algorithm == wire.AlgTDES {
			crypt.SetParity(key)
		}
		// Of the ciphers that exist only TDES has keys that are too weak.
		if err := crypt.CheckSymKey(sym, key); err == nil {
			return key, nil
		}
	}
}

// keyedHashSecret returns the key or the data of a KEYEDHASH object. A key is at
// most a block of its hash long: HMAC would hash a longer one first.
func keyedHashSecret(stream Stream, pub *wire.TPMTPublic, data []byte) ([]byte, error) {
	hash := pub.NameAlg
	if s := pub.Parameters.KeyedHash.Scheme; s.Scheme != wire.AlgNull {
		hash = s.HashAlg
	}
	if len(data) == 0 {
		return generate(stream, crypt.Size(hash))
	}
	if pub.ObjectAttributes.Any(wire.ObjSign|wire.ObjDecrypt) && len(data) > crypt.BlockSize(hash) {
		return nil, wire.RCSize
	}
	return append([]byte(nil), data...), nil
}

// symmetricUnique binds the public to the sensitive area of an object without a
// public key (Part 1, "Public Area": an HMAC for a parent, whose seedValue is
// secret for other reasons too, else a digest).
func symmetricUnique(pub *wire.TPMTPublic, seedValue, secret []byte) wire.TPM2BDigest {
	if pub.ObjectAttributes.Has(wire.ObjRestricted | wire.ObjDecrypt) {
		return crypt.HMAC(pub.NameAlg, seedValue, secret)
	}
	return crypt.Digest(pub.NameAlg, seedValue, secret)
}

// isParent reports whether an asymmetric key with these attributes protects
// children, for which it needs a seed.
func isParent(a wire.TPMAObject) bool {
	return a.Has(wire.ObjRestricted) && !a.Has(wire.ObjSign)
}

// generate reads n bytes in one request.
func generate(stream Stream, n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(stream, b); err != nil {
		return nil, err
	}
	return b, nil
}
