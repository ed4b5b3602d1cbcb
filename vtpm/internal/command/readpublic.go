package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type readPublicIn struct {
	ObjectHandle wire.TPMIDHObject
}

type readPublicOut struct {
	OutPublic     wire.TPM2BPublic
	Name          wire.TPM2BName
	QualifiedName wire.TPM2BName
}

// TPM2_ReadPublic, Part 3, 12.4: return the public area of a loaded object.
func readPublic(t *engine.TPM, in *readPublicIn) (*readPublicOut, error) {
	o := t.Objects.At(in.ObjectHandle.Handle())
	if o.Sequence != nil {
		return nil, wire.RCSequence
	}
	return &readPublicOut{
		OutPublic:     wire.TPM2BPublic{PublicArea: o.Public},
		Name:          o.Name,
		QualifiedName: o.Qualified,
	}, nil
}
