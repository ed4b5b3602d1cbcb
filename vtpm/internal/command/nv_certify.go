package command

import (
	"bytes"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type nvCertifyIn struct {
	SignHandle     wire.TPMIDHObject `tpm:"+"`
	AuthHandle     wire.TPMIRHNVAuth
	NVIndex        wire.TPMIRHNVIndex
	QualifyingData wire.TPM2BData
	InScheme       wire.TPMTSigScheme `tpm:"+"`
	Size           uint16
	Offset         uint16
}

type nvCertifyOut struct {
	CertifyInfo wire.TPM2BAttest
	Signature   wire.TPMTSignature
}

// TPM2_NV_Certify, Part 3, 31.16: sign data of an NV Index; with size and offset
// zero, a digest of all of it.
func nvCertify(t *engine.TPM, in *nvCertifyIn) (*nvCertifyOut, error) {
	a, err := selectAttester(t, in.SignHandle.Handle(), 1, in.InScheme, 2)
	if err != nil {
		return nil, err
	}
	x := t.NV.At(in.NVIndex.Handle())
	if err := nvReadable(in.AuthHandle.Handle(), x); err != nil {
		return nil, err
	}
	if int(in.Size)+int(in.Offset) > len(x.Data) {
		return nil, wire.RCNVRange
	}
	if in.Size > wire.MaxNVBuffer {
		return nil, wire.RCValue.Param(3)
	}
	typ, attested := wire.STAttestNV, wire.TPMUAttest{NV: wire.TPMSNVCertifyInfo{
		IndexName:  x.Name(),
		Offset:     in.Offset,
		NVContents: bytes.Clone(x.Data[in.Offset : in.Offset+in.Size]),
	}}
	if in.Size == 0 && in.Offset == 0 {
		typ, attested = wire.STAttestNVDigest, wire.TPMUAttest{NVDigest: wire.TPMSNVDigestCertifyInfo{
			IndexName: x.Name(),
			NVDigest:  crypt.Digest(a.scheme.HashAlg, x.Data),
		}}
	}
	info, signature, err := a.attest(t, in.QualifyingData, typ, attested)
	if err != nil {
		return nil, err
	}
	return &nvCertifyOut{CertifyInfo: info, Signature: signature}, nil
}
