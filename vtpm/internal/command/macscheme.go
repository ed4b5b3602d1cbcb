package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// TPM2_HMAC and TPM2_MAC are one command, and so are TPM2_HMAC_Start and
// TPM2_MAC_Start: the key's type says which MAC is meant. The response codes are
// those of the two newer ones.

// macAlg returns the algorithm of a MAC with the key: the hash algorithm of HMAC,
// or TPM_ALG_CMAC. The key's own is taken where it has one, which the command may
// repeat as inScheme, the second parameter.
func macAlg(key *engine.Object, inScheme wire.Alg) (wire.Alg, error) {
	own := wire.AlgNull
	switch key.Public.Type {
	case wire.AlgKeyedHash:
		if s := &key.Public.Parameters.KeyedHash.Scheme; s.Scheme != wire.AlgNull {
			own = s.HashAlg
		}
	case wire.AlgSymCipher:
		own = key.Public.Parameters.Sym.Sym.Mode
	default:
		return 0, wire.RCType.Handle(1)
	}
	alg := own
	if own == wire.AlgNull {
		alg = inScheme
	}
	if alg == wire.AlgNull || inScheme != wire.AlgNull && inScheme != alg {
		return 0, wire.RCValue.Param(2)
	}
	if (alg == wire.AlgCMAC) != (key.Public.Type == wire.AlgSymCipher) || alg != wire.AlgCMAC && crypt.Size(alg) == 0 {
		return 0, wire.RCScheme.Param(2)
	}
	if key.Has(wire.ObjRestricted) {
		return 0, wire.RCAttributes.Handle(1)
	}
	if !key.Has(wire.ObjSign) {
		return 0, wire.RCKey.Handle(1)
	}
	return alg, nil
}

// newMAC starts a MAC with an algorithm that macAlg returned for the key.
func newMAC(key *engine.Object, alg wire.Alg) (*crypt.MAC, error) {
	return crypt.NewMAC(alg, symmetricOf(&key.Public).Algorithm, key.Sensitive.Sensitive)
}
