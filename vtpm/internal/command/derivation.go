package command

import (
	"bytes"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/keygen"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// derivationBits is the size of the stream that a derived object is made of, which
// enters each block of it: the reference implementation's TPM_MAX_DERIVATION_BITS,
// so that the same parent, label and context give the same object.
const derivationBits = 8192

// derive makes the object that a derivation parent has for a label and a context
// (Part 1, "Object Derivation"; Part 3, "TPM2_CreateLoaded"). The template's label
// and context go before those in the sensitive data.
//
// Errors: TPM_RC_TYPE, TPM_RC_ATTRIBUTES, those of checkPublic, and those of
// reading a TPMS_DERIVE. As in the reference implementation only what is wrong
// with the template in its own right has a position.
func derive(t *engine.TPM, parent *engine.Object, pub *wire.TPMTPublic, create *wire.TPMSSensitiveCreate) (*engine.Object, error) {
	if err := checkDerived(parent, pub); err != nil {
		return nil, err
	}
	from := pub.Unique.Derive
	if len(create.Data) != 0 {
		// What follows the TPMS_DERIVE is ignored.
		r := wire.NewReader(create.Data, t.Limits())
		var given wire.TPMSDerive
		given.Read(r)
		if err := r.Err(); err != nil {
			return nil, err
		}
		if len(from.Label) == 0 {
			from.Label = given.Label
		}
		if len(from.Context) == 0 {
			from.Context = given.Context
		}
	}
	hash := parent.Public.Parameters.KeyedHash.Scheme.HashAlg
	stream := crypt.KDFa(hash, parent.Sensitive.Sensitive, string(from.Label), from.Context, nil, derivationBits)
	defer clear(stream)
	// The data was for the derivation; it is not the object's secret.
	sens, unique, err := keygen.Fill(bytes.NewReader(stream), pub, &wire.TPMSSensitiveCreate{UserAuth: create.UserAuth})
	o, err := generated(t, pub, sens, unique, err)
	if err != nil {
		return nil, err
	}
	o.Derived = true
	return o, nil
}

// checkDerived checks the template of an object that is to be derived.
func checkDerived(parent *engine.Object, pub *wire.TPMTPublic) error {
	// The search for primes is not part of the specification.
	if pub.Type == wire.AlgRSA {
		return wire.RCType.Param(2)
	}
	if pub.ObjectAttributes.Has(wire.ObjSensitiveDataOrigin) {
		return wire.RCAttributes
	}
	if err := checkPublic(parent, pub); err != nil {
		return err.(wire.RC).Param(2)
	}
	return nil
}
