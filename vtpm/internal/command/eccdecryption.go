package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// checkECDHKey checks that the object, handle 1, is an ECC key whose private part
// the commands may use as they are told: TPM_RC_KEY and TPM_RC_ATTRIBUTES otherwise.
func checkECDHKey(key *engine.Object) error {
	if key.Public.Type != wire.AlgECC {
		return wire.RCKey.Handle(1)
	}
	if key.Has(wire.ObjRestricted) || !key.Has(wire.ObjDecrypt) {
		return wire.RCAttributes.Handle(1)
	}
	return nil
}

// checkECCScheme checks the scheme of TPM2_ECC_Encrypt and TPM2_ECC_Decrypt, the
// parameter with the number at. No key has one of its own (checkPublic), and of the
// key derivation functions KDF2 is the one that makes a mask: another one is
// TPM_RC_SCHEME, without a position as in the reference implementation.
func checkECCScheme(s wire.TPMTKDFScheme, at int) error {
	switch s.Scheme {
	case wire.AlgKDF2:
		return nil
	case wire.AlgNull:
		return wire.RCScheme.Param(at)
	}
	return wire.RCScheme
}
