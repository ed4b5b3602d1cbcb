package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// What a public area must be to be created, loaded or imported: attributes that
// agree with each other, with those of the parent and with the scheme (Part 2,
// "TPMA_OBJECT"; Part 1, "Object Structure Elements"). The codes have no
// position: the caller knows which parameter holds the public area.

// checkTemplate checks the public area of an object that is to be created below
// parent, nil for a primary object, from dataSize bytes of the caller's.
//
// Errors: TPM_RC_ATTRIBUTES where sensitiveDataOrigin does not fit what was given,
// and those of checkPublic.
func checkTemplate(parent *engine.Object, pub *wire.TPMTPublic, dataSize int) error {
	if !originFits(parent, pub, dataSize) {
		return wire.RCAttributes
	}
	return checkPublic(parent, pub)
}

// originFits reports whether sensitiveDataOrigin says truly, and as the type
// allows, where the secret comes from.
func originFits(parent *engine.Object, pub *wire.TPMTPublic, dataSize int) bool {
	a := pub.ObjectAttributes
	given := !a.Has(wire.ObjSensitiveDataOrigin)
	if given && dataSize == 0 {
		return false
	}
	// What comes with the template of a primary object enters its derivation, even
	// when the TPM is the source of the secret.
	if !given && dataSize != 0 && parent != nil {
		return false
	}
	switch pub.Type {
	case wire.AlgKeyedHash, wire.AlgSymCipher:
		return given && mayBeGiven(a) || !given && !isSealedData(pub)
	}
	return !given
}

// mayBeGiven reports whether the caller may choose a symmetric key: not one that
// protects others and is bound to this TPM.
func mayBeGiven(a wire.TPMAObject) bool {
	return !a.Has(wire.ObjRestricted) || !a.Any(wire.ObjFixedParent|wire.ObjFixedTPM)
}

// isSealedData reports whether the public area is that of data, not of a key.
func isSealedData(pub *wire.TPMTPublic) bool {
	return pub.Type == wire.AlgKeyedHash && !pub.ObjectAttributes.Any(wire.ObjSign|wire.ObjDecrypt)
}

// checkPublic checks the public area of an object below parent. Without a parent
// it is that of a primary or an external object, and the rules are those below a
// parent with fixedTPM.
//
// Errors: TPM_RC_HASH without a nameAlg, TPM_RC_SIZE for an authPolicy that is no
// digest of nameAlg, TPM_RC_ATTRIBUTES, and those of checkScheme.
func checkPublic(parent *engine.Object, pub *wire.TPMTPublic) error {
	if pub.NameAlg == wire.AlgNull {
		return wire.RCHash
	}
	if n := len(pub.AuthPolicy); n != 0 && n != crypt.Size(pub.NameAlg) {
		return wire.RCSize
	}
	if !hierarchyFits(parent, pub.ObjectAttributes) || !useFits(pub) {
		return wire.RCAttributes
	}
	return checkScheme(parent, pub)
}

// hierarchyFits reports whether the attributes that say how an object can move in
// the hierarchy agree with each other and with the parent's.
func hierarchyFits(parent *engine.Object, a wire.TPMAObject) bool {
	fixedTPM, fixedParent := a.Has(wire.ObjFixedTPM), a.Has(wire.ObjFixedParent)
	encrypted := a.Has(wire.ObjEncryptedDuplication)
	// What can never be duplicated has no use for a rule about duplicates.
	if fixedTPM && encrypted {
		return false
	}
	if parent == nil || parent.Has(wire.ObjFixedTPM) {
		if fixedParent != fixedTPM {
			return false
		}
	} else if fixedTPM || encrypted != parent.Has(wire.ObjEncryptedDuplication) {
		return false
	}
	if parent != nil && isDerivationParent(parent) {
		return fixedParent && fixedTPM == parent.Has(wire.ObjFixedTPM)
	}
	return true
}

// useFits reports whether sign, decrypt and restricted agree with each other and
// with the type: only data is neither for signing nor for decryption, and a
// restricted key does one thing.
func useFits(pub *wire.TPMTPublic) bool {
	a := pub.ObjectAttributes
	if a.Has(wire.ObjSign) != a.Has(wire.ObjDecrypt) {
		return true
	}
	return !a.Has(wire.ObjRestricted) && (a.Has(wire.ObjSign) || pub.Type == wire.AlgKeyedHash)
}

// checkScheme checks that the algorithms of a public area fit its attributes, and
// for a storage parent that cannot be duplicated, that they are those of its
// parent.
//
// Errors: TPM_RC_SCHEME, TPM_RC_SYMMETRIC, TPM_RC_KDF, TPM_RC_HASH.
func checkScheme(parent *engine.Object, pub *wire.TPMTPublic) error {
	switch pub.Type {
	case wire.AlgKeyedHash:
		return checkKeyedHashScheme(pub)
	case wire.AlgSymCipher:
		// TPM_ALG_CMAC, the one mode that is none of encryption, is for signing.
		if pub.ObjectAttributes.Has(wire.ObjDecrypt) && pub.Parameters.Sym.Sym.Mode == wire.AlgCMAC {
			return wire.RCScheme
		}
	default:
		if err := checkAsymScheme(pub); err != nil {
			return err
		}
	}
	if !isParentArea(pub) {
		return nil
	}
	return checkParentAlgorithms(parent, pub)
}

func checkKeyedHashScheme(pub *wire.TPMTPublic) error {
	a, s := pub.ObjectAttributes, &pub.Parameters.KeyedHash.Scheme
	want := wire.AlgNull
	switch sign := a.Has(wire.ObjSign); {
	case sign == a.Has(wire.ObjDecrypt):
	case sign:
		want = wire.AlgHMAC
	default:
		want = wire.AlgXOR
	}
	if s.Scheme != want {
		return wire.RCScheme
	}
	// A derivation parent derives with the one function that derivation has.
	if isParentArea(pub) && s.KDF != wire.AlgKDF1SP800108 {
		return wire.RCScheme
	}
	return nil
}

func checkAsymScheme(pub *wire.TPMTPublic) error {
	if !asymSchemeFits(pub) {
		return wire.RCScheme
	}
	if !isParentArea(pub) && symmetricOf(pub).Algorithm != wire.AlgNull {
		return wire.RCSymmetric
	}
	if pub.Type == wire.AlgECC && pub.Parameters.ECC.KDF.Scheme != wire.AlgNull {
		return wire.RCKDF
	}
	return nil
}

// asymSchemeFits reports whether an asymmetric key has a scheme for what its
// attributes say it is for. TPM_ALG_NULL leaves the choice to the command; a
// restricted signing key must not leave it.
func asymSchemeFits(pub *wire.TPMTPublic) bool {
	a, scheme := pub.ObjectAttributes, asymSchemeOf(pub)
	switch sign := a.Has(wire.ObjSign); {
	case sign == a.Has(wire.ObjDecrypt):
		return scheme == wire.AlgNull
	case sign:
		return isSignScheme(pub.Type, scheme) || scheme == wire.AlgNull && !a.Has(wire.ObjRestricted)
	default:
		return scheme == wire.AlgNull || isDecryptScheme(pub.Type, scheme) && !a.Has(wire.ObjRestricted)
	}
}

func isSignScheme(typ, scheme wire.Alg) bool {
	switch scheme {
	case wire.AlgRSASSA, wire.AlgRSAPSS:
		return typ == wire.AlgRSA
	case wire.AlgECDSA, wire.AlgECDAA, wire.AlgSM2, wire.AlgECSchnorr:
		return typ == wire.AlgECC
	}
	return false
}

func isDecryptScheme(typ, scheme wire.Alg) bool {
	switch scheme {
	case wire.AlgRSAES, wire.AlgOAEP:
		return typ == wire.AlgRSA
	case wire.AlgECDH, wire.AlgSM2, wire.AlgECMQV:
		return typ == wire.AlgECC
	}
	return false
}

// checkParentAlgorithms checks the algorithms with which a storage parent is to
// protect its children.
func checkParentAlgorithms(parent *engine.Object, pub *wire.TPMTPublic) error {
	sym := symmetricOf(pub)
	if sym.Algorithm == wire.AlgNull {
		return wire.RCSymmetric
	}
	if parent == nil || !pub.ObjectAttributes.Has(wire.ObjFixedParent) {
		return nil
	}
	if pub.NameAlg != parent.Public.NameAlg {
		return wire.RCHash
	}
	// A derivation parent has no symmetric algorithm that could be the same: no
	// storage parent can be derived.
	if sym != symmetricOf(&parent.Public) {
		return wire.RCSymmetric
	}
	return nil
}

// isParentArea reports whether the public area is that of a storage or a
// derivation parent.
func isParentArea(pub *wire.TPMTPublic) bool {
	return pub.ObjectAttributes.Has(wire.ObjRestricted | wire.ObjDecrypt)
}

// isDerivationParent reports whether objects can be derived from the object.
func isDerivationParent(o *engine.Object) bool { return o.IsParent() && !o.IsStorage() }

// isStorageKey reports whether the public area is that of an asymmetric storage
// key: what secrets can be sent to, by TPM2_MakeCredential or TPM2_Duplicate,
// whether its private part is here or not.
func isStorageKey(pub *wire.TPMTPublic) bool {
	return isAsymmetric(pub.Type) && isParentArea(pub)
}

func isAsymmetric(typ wire.Alg) bool { return typ == wire.AlgRSA || typ == wire.AlgECC }

// symmetricOf returns the block cipher of a key; the zero value for a keyed hash
// object, which has none.
func symmetricOf(pub *wire.TPMTPublic) wire.TPMTSymDefObject {
	switch pub.Type {
	case wire.AlgRSA:
		return pub.Parameters.RSA.Symmetric
	case wire.AlgECC:
		return pub.Parameters.ECC.Symmetric
	case wire.AlgSymCipher:
		return pub.Parameters.Sym.Sym
	}
	return wire.TPMTSymDefObject{}
}

// asymSchemeOf returns the scheme of an asymmetric key.
func asymSchemeOf(pub *wire.TPMTPublic) wire.Alg {
	if pub.Type == wire.AlgRSA {
		return pub.Parameters.RSA.Scheme.Scheme
	}
	return pub.Parameters.ECC.Scheme.Scheme
}
