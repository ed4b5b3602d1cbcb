package command

import (
	"bytes"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type objectChangeAuthIn struct {
	ObjectHandle wire.TPMIDHObject
	ParentHandle wire.TPMIDHObject
	NewAuth      wire.TPM2BAuth
}

type objectChangeAuthOut struct {
	OutPrivate wire.TPM2BPrivate
}

// TPM2_ObjectChangeAuth, Part 3, 12.8: return an object's sensitive area with
// another authValue. The loaded object, and older copies of it, keep theirs.
func objectChangeAuth(t *engine.TPM, in *objectChangeAuthIn) (*objectChangeAuthOut, error) {
	o, parent := t.Objects.At(in.ObjectHandle.Handle()), t.Objects.At(in.ParentHandle.Handle())
	if o.Sequence != nil {
		return nil, wire.RCType.Handle(1)
	}
	auth, err := fitAuth(in.NewAuth, o.Public.NameAlg)
	if err != nil {
		return nil, err.(wire.RC).Param(1)
	}
	if !isChild(o, parent) {
		return nil, wire.RCType.Handle(2)
	}

	sens := o.Sensitive
	sens.AuthValue = auth
	private, err := wrapSensitive(t, parent, o.Name, o.Public.NameAlg, &sens)
	if err != nil {
		return nil, err
	}
	return &objectChangeAuthOut{OutPrivate: private}, nil
}

// isChild reports whether parent protects o: its Qualified Name is in o's.
func isChild(o, parent *engine.Object) bool {
	return parent.IsStorage() && !o.External &&
		bytes.Equal(o.Qualified, crypt.QualifiedName(parent.Qualified, o.Name, o.Public.NameAlg))
}
