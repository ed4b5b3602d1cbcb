package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// checkLoad checks an object that comes from outside of the TPM: its public area,
// and where it matters that its sensitive area belongs to it. parent is nil for an
// external object and for one that is imported, sens for a public area alone.
//
// What a parent with fixedTPM protects was made or checked by this TPM, so that
// only its public area is looked at. Of a parent that is known elsewhere too,
// somebody may have made the child with its seed.
//
// Errors: those of checkPublic at blame.Public, TPM_RC_KEY_SIZE at
// blame.Sensitive, and those of crypt.LoadPrivate and crypt.ValidatePublic.
func checkLoad(parent *engine.Object, pub *wire.TPMTPublic, sens *wire.TPMTSensitive, blame crypt.Blame) error {
	if sens == nil || pub.NameAlg == wire.AlgNull {
		if err := checkScheme(nil, pub); err != nil {
			return err.(wire.RC).Param(blame.Public)
		}
	} else {
		if len(sens.SeedValue) > crypt.Size(pub.NameAlg) {
			return wire.RCKeySize.Param(blame.Sensitive)
		}
		if err := checkPublic(parent, pub); err != nil {
			return err.(wire.RC).Param(blame.Public)
		}
	}
	switch {
	case parent != nil && parent.Has(wire.ObjFixedTPM):
		return nil
	case sens == nil:
		return crypt.ValidatePublic(pub, blame)
	}
	p, err := crypt.LoadPrivate(pub, sens, blame)
	if err != nil {
		return err
	}
	p.Clear()
	return nil
}

// addObject loads an object whose Public, Name and, unless PublicOnly, Sensitive
// are set, below a hierarchy or a parent, and returns its handle or
// TPM_RC_OBJECT_MEMORY. What an object is because of its place is set here (Part
// 1, "Qualified Name"; Part 2, "TPMA_OBJECT", stClear).
func addObject(t *engine.TPM, o *engine.Object, parent wire.Handle) (wire.Handle, error) {
	o.Hierarchy = t.HierarchyOf(parent)
	o.STClear = o.Has(wire.ObjSTClear)
	if p := t.Objects.At(parent); p != nil {
		o.STClear = o.STClear || p.STClear
	} else {
		o.Primary = parent != wire.HandleNull
	}
	// An external object is below nobody, whatever hierarchy it was put into.
	o.Qualified = o.Name
	if !o.External {
		o.Qualified = crypt.QualifiedName(qualifiedName(t, parent), o.Name, o.Public.NameAlg)
	}
	return t.Objects.Add(o)
}
