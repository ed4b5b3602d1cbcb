package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type createLoadedIn struct {
	ParentHandle wire.TPMIDHParent
	InSensitive  wire.TPM2BSensitiveCreate
	InPublic     wire.TPM2BTemplate
}

type createLoadedOut struct {
	ObjectHandle wire.Handle
	OutPrivate   wire.TPM2BPrivate
	OutPublic    wire.TPM2BPublic
	Name         wire.TPM2BName
}

// TPM2_CreateLoaded, Part 3, 12.9: create an object and load it: a primary object,
// a child of a storage parent, or an object derived from a derivation parent.
func createLoaded(t *engine.TPM, in *createLoadedIn) (*createLoadedOut, error) {
	h := in.ParentHandle.Handle()
	parent := t.Objects.At(h)
	if parent != nil && !parent.IsParent() {
		return nil, wire.RCType.Handle(1)
	}
	if err := t.Objects.HasRoom(); err != nil {
		return nil, err
	}
	derived := parent != nil && isDerivationParent(parent)
	pub, err := readTemplate(t, in.InPublic, derived)
	if err != nil {
		return nil, err.(wire.RC).Param(2)
	}
	create := &in.InSensitive.Sensitive
	if create.UserAuth, err = fitAuth(create.UserAuth, pub.NameAlg); err != nil {
		return nil, err.(wire.RC).Param(1)
	}
	var o *engine.Object
	if derived {
		o, err = derive(t, parent, pub, create)
	} else {
		o, err = makeObject(t, h, pub, create)
	}
	if err != nil {
		return nil, err
	}
	var private wire.TPM2BPrivate
	if parent != nil && !derived {
		if private, err = wrapSensitive(t, parent, o.Name, o.Public.NameAlg, &o.Sensitive); err != nil {
			return nil, err
		}
	}

	loaded, err := addObject(t, o, h)
	if err != nil {
		return nil, err
	}
	return &createLoadedOut{
		ObjectHandle: loaded,
		OutPrivate:   private,
		OutPublic:    wire.TPM2BPublic{PublicArea: o.Public},
		Name:         o.Name,
	}, nil
}

// readTemplate reads the template, whose form the parent decides: a derived object
// has a label and a context where others have unique.
func readTemplate(t *engine.TPM, template []byte, derived bool) (*wire.TPMTPublic, error) {
	pub := new(wire.TPMTPublic)
	if derived {
		return pub, t.Unmarshal(template, (*wire.TPMTTemplate)(pub))
	}
	return pub, t.Unmarshal(template, pub)
}

// makeObject makes a primary object of a hierarchy or a child of a storage parent.
func makeObject(t *engine.TPM, h wire.Handle, pub *wire.TPMTPublic, create *wire.TPMSSensitiveCreate) (*engine.Object, error) {
	parent := t.Objects.At(h)
	if err := checkTemplate(parent, pub, len(create.Data)); err != nil {
		return nil, err.(wire.RC).Param(2)
	}
	if parent == nil {
		return generatePrimary(t, h, pub, create)
	}
	return generate(t, pub, create)
}
