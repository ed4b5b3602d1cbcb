package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type hmacIn struct {
	Handle   wire.TPMIDHObject
	Buffer   wire.TPM2BMaxBuffer
	InScheme wire.TPMIAlgMACScheme `tpm:"+"`
}

type hmacOut struct {
	OutMAC wire.TPM2BDigest
}

// TPM2_HMAC, Part 3, 15.5: compute an HMAC of data, or with a symmetric cipher key
// a CMAC, as TPM2_MAC, which has the same code.
func hmac(t *engine.TPM, in *hmacIn) (*hmacOut, error) {
	key := t.Objects.At(in.Handle.Handle())
	alg, err := macAlg(key, wire.Alg(in.InScheme))
	if err != nil {
		return nil, err
	}
	mac, err := newMAC(key, alg)
	if err != nil {
		return nil, err
	}
	defer mac.Clear()
	mac.Write(in.Buffer)
	return &hmacOut{OutMAC: mac.Sum()}, nil
}
