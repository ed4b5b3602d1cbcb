package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// selectRSADecrypt returns the scheme with which an RSA key encrypts: the key's own
// where it has one, which the command may repeat, else the command's. TPM_ALG_NULL
// is no padding. It reports false where both are given and differ.
func selectRSADecrypt(key *engine.Object, in wire.TPMTRSADecrypt) (wire.TPMTRSADecrypt, bool) {
	own := wire.TPMTRSADecrypt(key.Public.Parameters.RSA.Scheme)
	switch {
	case own.Scheme == wire.AlgNull:
		return in, true
	case in.Scheme == wire.AlgNull:
		return own, true
	}
	return in, in == own
}
