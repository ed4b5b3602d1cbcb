package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type loadExternalIn struct {
	InPrivate wire.TPM2BSensitive
	InPublic  wire.TPM2BPublic     `tpm:"+"`
	Hierarchy wire.TPMIRHHierarchy `tpm:"parameter"`
}

type loadExternalOut struct {
	ObjectHandle wire.Handle
	Name         wire.TPM2BName
}

// TPM2_LoadExternal, Part 3, 12.3: load an object that no parent protects: a public
// area to be used with a hierarchy's tickets, or a whole object in the open.
func loadExternal(t *engine.TPM, in *loadExternalIn) (*loadExternalOut, error) {
	if err := t.Objects.HasRoom(); err != nil {
		return nil, err
	}
	hierarchy, pub := in.Hierarchy.Handle(), &in.InPublic.PublicArea
	if !t.Hierarchies.Enabled(hierarchy) {
		return nil, wire.RCHierarchy.Param(3)
	}
	o := &engine.Object{Public: *pub, Name: crypt.ObjectName(pub), External: true, PublicOnly: true}
	var sens *wire.TPMTSensitive
	if !in.InPrivate.Empty() {
		// A secret that was in the open must not look like the TPM's own.
		if hierarchy != wire.HandleNull {
			return nil, wire.RCHierarchy.Param(3)
		}
		if pub.ObjectAttributes.Any(wire.ObjFixedTPM | wire.ObjFixedParent | wire.ObjRestricted) {
			return nil, wire.RCAttributes.Param(2)
		}
		o.PublicOnly, o.Sensitive = false, in.InPrivate.SensitiveArea
		sens = &o.Sensitive
	}
	if err := checkLoad(nil, pub, sens, crypt.Blame{Public: 2, Sensitive: 1}); err != nil {
		return nil, err
	}

	h, err := addObject(t, o, hierarchy)
	if err != nil {
		return nil, err
	}
	return &loadExternalOut{ObjectHandle: h, Name: o.Name}, nil
}
