package command

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/keygen"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// What the commands that create objects have in common.

// creation is the record of how an object was created, and the ticket that it
// was this TPM.
type creation struct {
	data   wire.TPM2BCreationData
	hash   wire.TPM2BDigest
	ticket wire.TPMTTKCreation
}

// recordCreation makes the creation data of the object o below parent (Part 2,
// "TPMS_CREATION_DATA").
//
// The digest of an empty selection is that of nothing, as the reference
// implementation has it, where Part 2 would have an Empty Buffer.
func recordCreation(t *engine.TPM, parent wire.Handle, o *engine.Object, selection wire.TPMLPCRSelection, outsideInfo []byte) creation {
	nameAlg := o.Public.NameAlg
	selection = t.PCR.Filter(selection)
	d := wire.TPMSCreationData{
		PCRSelect:           selection,
		PCRDigest:           t.PCR.Composite(nameAlg, selection),
		Locality:            wire.LocalityOf(t.Command.Locality),
		ParentNameAlg:       wire.AlgNull,
		ParentName:          bytes.Clone(t.Name(parent)),
		ParentQualifiedName: bytes.Clone(qualifiedName(t, parent)),
		OutsideInfo:         outsideInfo,
	}
	if p := t.Objects.At(parent); p != nil {
		d.ParentNameAlg = p.Public.NameAlg
	}
	hash := crypt.Digest(nameAlg, wire.Marshal(d))
	hierarchy := t.HierarchyOf(parent)
	return creation{
		data:   wire.TPM2BCreationData{CreationData: d},
		hash:   hash,
		ticket: crypt.TicketCreation(t.Proof(hierarchy), hierarchy, o.Name, hash),
	}
}

// qualifiedName returns the Qualified Name of a hierarchy, which is its handle, or
// of an object.
func qualifiedName(t *engine.TPM, h wire.Handle) []byte {
	if o := t.Objects.At(h); o != nil {
		return o.Qualified
	}
	return crypt.HandleName(h)
}

// fitAuth returns an authValue without the trailing zeros, which do not count, or
// TPM_RC_SIZE where it is longer than a digest of the object's nameAlg, if it has
// one.
func fitAuth(auth wire.TPM2BAuth, nameAlg wire.Alg) (wire.TPM2BAuth, error) {
	auth = engine.TrimAuth(auth)
	if nameAlg != wire.AlgNull && len(auth) > crypt.Size(nameAlg) {
		return nil, wire.RCSize
	}
	return auth, nil
}

// generate makes an ordinary object of a checked template with the entropy of the
// operating system.
func generate(t *engine.TPM, pub *wire.TPMTPublic, create *wire.TPMSSensitiveCreate) (*engine.Object, error) {
	sens, unique, err := keygen.Fill(t.Entropy(), pub, create)
	return generated(t, pub, sens, unique, err)
}

// generatePrimary makes the primary object of a checked template in a hierarchy:
// the same every time, while the hierarchy's seed lives.
func generatePrimary(t *engine.TPM, hierarchy wire.Handle, pub *wire.TPMTPublic, create *wire.TPMSSensitiveCreate) (*engine.Object, error) {
	var proofs [][]byte
	if hierarchy == wire.HandleEndorsement {
		// Keys of the endorsement hierarchy are the same after TPM2_Clear. What they
		// protect, which depends on seedValue, is not.
		proofs = [][]byte{t.Hierarchies.Owner.Proof, t.Hierarchies.Endorsement.Proof}
	}
	h := t.Hierarchies.At(hierarchy)
	seed := keygen.Seed{Secret: h.Seed, Version: h.SeedVersion}
	sens, unique, err := h.Derive(pub, create.Data, proofs, func() (wire.TPMTSensitive, wire.TPMUPublicID, error) {
		return keygen.Primary(seed, pub, &wire.TPMSSensitiveCreate{Data: create.Data}, proofs...)
	})
	sens.AuthValue = append(wire.TPM2BAuth(nil), create.UserAuth...)
	return generated(t, pub, sens, unique, err)
}

// generated makes an object of what keygen returned. An error that is no response
// code is a source of randomness that failed, without which no TPM can go on.
func generated(t *engine.TPM, pub *wire.TPMTPublic, sens wire.TPMTSensitive, unique wire.TPMUPublicID, err error) (*engine.Object, error) {
	if rc := wire.RCSuccess; errors.As(err, &rc) {
		return nil, rc
	}
	if err != nil {
		t.Fail(fmt.Errorf("generate a key: %w", err))
		return nil, wire.RCFailure
	}
	o := &engine.Object{Public: *pub, Sensitive: sens}
	o.Public.Unique = unique
	o.Name = crypt.ObjectName(&o.Public)
	return o, nil
}

// wrapSensitive protects an object's sensitive area for storage outside of the
// TPM, by its parent.
func wrapSensitive(t *engine.TPM, parent *engine.Object, name []byte, nameAlg wire.Alg, sens *wire.TPMTSensitive) (wire.TPM2BPrivate, error) {
	return crypt.SensitiveToPrivate(t.Entropy(), protectionOf(parent), name, nameAlg, sens)
}

// protectionOf returns how a storage parent protects its children.
func protectionOf(parent *engine.Object) crypt.Protection {
	return crypt.NewProtection(&parent.Public, parent.Sensitive.SeedValue)
}
