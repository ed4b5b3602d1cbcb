package command

import (
	"bytes"
	"crypto/subtle"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type certifyCreationIn struct {
	SignHandle     wire.TPMIDHObject `tpm:"+"`
	ObjectHandle   wire.TPMIDHObject
	QualifyingData wire.TPM2BData
	CreationHash   wire.TPM2BDigest
	InScheme       wire.TPMTSigScheme `tpm:"+"`
	CreationTicket wire.TPMTTKCreation
}

type certifyCreationOut struct {
	CertifyInfo wire.TPM2BAttest
	Signature   wire.TPMTSignature
}

// TPM2_CertifyCreation, Part 3, 18.3: sign that an object was created with the
// creation data of which there is a digest. The ticket shows that this TPM did it.
func certifyCreation(t *engine.TPM, in *certifyCreationIn) (*certifyCreationOut, error) {
	a, err := selectAttester(t, in.SignHandle.Handle(), 1, in.InScheme, 3)
	if err != nil {
		return nil, err
	}
	o := t.Objects.At(in.ObjectHandle.Handle())
	hierarchy := in.CreationTicket.Hierarchy
	want := crypt.TicketCreation(t.Proof(hierarchy), hierarchy, o.Name, in.CreationHash)
	if subtle.ConstantTimeCompare(in.CreationTicket.Digest, want.Digest) != 1 {
		return nil, wire.RCTicket.Param(4)
	}
	info, signature, err := a.attest(t, in.QualifyingData, wire.STAttestCreation, wire.TPMUAttest{
		Creation: wire.TPMSCreationInfo{ObjectName: bytes.Clone(o.Name), CreationHash: in.CreationHash},
	})
	if err != nil {
		return nil, err
	}
	return &certifyCreationOut{CertifyInfo: info, Signature: signature}, nil
}
