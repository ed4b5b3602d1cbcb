package command

import (
	"bytes"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type nvChangeAuthIn struct {
	NVIndex wire.TPMIRHNVIndex
	NewAuth wire.TPM2BAuth
}

// TPM2_NV_ChangeAuth, Part 3, 31.15: set the authValue of an NV Index.
func nvChangeAuth(t *engine.TPM, in *nvChangeAuthIn) error {
	x := t.NV.At(in.NVIndex.Handle())
	auth := engine.TrimAuth(in.NewAuth)
	if len(auth) > crypt.Size(x.Public.NameAlg) {
		return wire.RCSize.Param(1)
	}
	clear(x.Auth)
	x.Auth = bytes.Clone(auth)
	t.MarkNV(x.Public.NVIndex)
	return nil
}
