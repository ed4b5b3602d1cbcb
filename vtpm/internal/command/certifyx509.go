package command

import (
	"math/big"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type certifyX509In struct {
	ObjectHandle       wire.TPMIDHObject
	SignHandle         wire.TPMIDHObject `tpm:"+"`
	Reserved           wire.TPM2BData
	InScheme           wire.TPMTSigScheme `tpm:"+"`
	PartialCertificate wire.TPM2BMaxBuffer
}

type certifyX509Out struct {
	AddedToCertificate wire.TPM2BMaxBuffer
	TBSDigest          wire.TPM2BDigest
	Signature          wire.TPMTSignature
}

// serialNumberBytes is the length of the serial number of a certificate, a positive
// number: RFC 5280 allows no more.
const serialNumberBytes = 20

// TPM2_CertifyX509, Part 3, 18.8: sign an X.509 certificate of a loaded key. The
// caller gives names, dates and extensions; the TPM adds the public key, a serial
// number and maybe the signature algorithm, and returns what it has added.
//
// TPM_RH_NULL, with which nothing would be signed, is TPM_RC_KEY.
func certifyX509(t *engine.TPM, in *certifyX509In) (*certifyX509Out, error) {
	if len(in.Reserved) != 0 {
		return nil, wire.RCSize.Param(1)
	}
	a, err := selectAttester(t, in.SignHandle.Handle(), 2, in.InScheme, 2)
	if err != nil {
		return nil, err
	}
	if a.key == nil {
		return nil, wire.RCKey.Handle(2)
	}
	o := t.Objects.At(in.ObjectHandle.Handle())
	publicKey := subjectPublicKeyInfo(&o.Public)
	if publicKey == nil {
		return nil, wire.RCAsymmetric.Handle(1)
	}
	p, err := readPartialCertificate(in.PartialCertificate)
	if err != nil {
		return nil, err.(wire.RC).Param(3)
	}
	signature := p.signature
	if signature == nil {
		if signature = signatureAlgorithm(a.scheme, len(a.key.Public.Unique.RSA)); signature == nil {
			return nil, wire.RCScheme.Handle(2)
		}
	}
	if err := checkExtensions(p.extensions, o.Public.ObjectAttributes); err == wire.RCAttributes {
		return nil, wire.RCAttributes.Handle(1)
	} else if err != nil {
		return nil, err.(wire.RC).Param(3)
	}
	alg := a.key.Public.NameAlg
	if alg == wire.AlgNull {
		return nil, wire.RCHash.Handle(2)
	}
	// The serial number follows from everything else that is in the certificate, and
	// from who signs.
	serial := crypt.Digest(alg, signature, p.issuer, p.validity, p.subject, publicKey, p.extensions, a.key.Name, o.Name)
	serial[0] &= 0x7F
	serialNumber := der(new(big.Int).SetBytes(serial[:serialNumberBytes]))

	tbs := derSequence(certificateVersion3, serialNumber, signature, p.issuer, p.validity, p.subject, publicKey, p.extensions)
	out := &certifyX509Out{TBSDigest: crypt.Digest(a.scheme.HashAlg, tbs)}
	if p.signature != nil {
		signature = nil
	}
	out.AddedToCertificate = derSequence(certificateVersion3, serialNumber, signature, publicKey)
	if out.Signature, err = t.Sign(a.key, a.scheme, out.TBSDigest); err != nil {
		return nil, err
	}
	return out, nil
}

// certificateVersion3 is the explicit version of a TBSCertificate.
var certificateVersion3 = []byte{0xA0, 3, 2, 1, 2}
