package command

import (
	"bytes"

	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type certifyIn struct {
	ObjectHandle   wire.TPMIDHObject
	SignHandle     wire.TPMIDHObject `tpm:"+"`
	QualifyingData wire.TPM2BData
	InScheme       wire.TPMTSigScheme `tpm:"+"`
}

type certifyOut struct {
	CertifyInfo wire.TPM2BAttest
	Signature   wire.TPMTSignature
}

// TPM2_Certify, Part 3, 18.2: sign that an object with a Name is loaded in the
// TPM.
func certify(t *engine.TPM, in *certifyIn) (*certifyOut, error) {
	a, err := selectAttester(t, in.SignHandle.Handle(), 2, in.InScheme, 2)
	if err != nil {
		return nil, err
	}
	o := t.Objects.At(in.ObjectHandle.Handle())
	certified := wire.TPMSCertifyInfo{Name: bytes.Clone(o.Name)}
	if !a.anonymous() {
		certified.QualifiedName = bytes.Clone(o.Qualified)
	}
	info, signature, err := a.attest(t, in.QualifyingData, wire.STAttestCertify, wire.TPMUAttest{Certify: certified})
	if err != nil {
		return nil, err
	}
	return &certifyOut{CertifyInfo: info, Signature: signature}, nil
}
