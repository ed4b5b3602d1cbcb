package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type unsealIn struct {
	ItemHandle wire.TPMIDHObject
}

type unsealOut struct {
	OutData wire.TPM2BSensitiveData
}

// TPM2_Unseal, Part 3, 12.7: return the data in a loaded sealed data object.
func unseal(t *engine.TPM, in *unsealIn) (*unsealOut, error) {
	o := t.Objects.At(in.ItemHandle.Handle())
	if o.Public.Type != wire.AlgKeyedHash {
		return nil, wire.RCType.Handle(1)
	}
	if o.Public.ObjectAttributes.Any(wire.ObjDecrypt | wire.ObjSign | wire.ObjRestricted) {
		return nil, wire.RCAttributes.Handle(1)
	}
	return &unsealOut{OutData: o.Sensitive.Sensitive}, nil
}
