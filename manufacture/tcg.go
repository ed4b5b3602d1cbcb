package manufacture

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
)

// Object identifiers of the TCG, 2.23.133 (EK Credential Profile, "ASN.1 Definitions";
// Platform Certificate Profile, the same).

func oidTCG(arcs ...int) asn1.ObjectIdentifier {
	return append(asn1.ObjectIdentifier{2, 23, 133}, arcs...)
}

func oidEKCertificate() asn1.ObjectIdentifier                { return oidTCG(8, 1) }
func oidPlatformAttributeCertificate() asn1.ObjectIdentifier { return oidTCG(8, 2) }
func oidAKCertificate() asn1.ObjectIdentifier                { return oidTCG(8, 3) }
func oidPlatformKeyCertificate() asn1.ObjectIdentifier       { return oidTCG(8, 4) }

// name returns the TPM's directory name: manufacturer, model and version.
func (id Identity) name() pkix.RDNSequence {
	return pkix.RDNSequence{
		utf8Attribute(oidTCG(2, 1), id.ManufacturerID()),
		utf8Attribute(oidTCG(2, 2), id.Model),
		utf8Attribute(oidTCG(2, 3), id.FirmwareID()),
	}
}

// name returns the platform's directory name.
func (p Platform) name() pkix.RDNSequence {
	return pkix.RDNSequence{
		utf8Attribute(oidTCG(5, 1, 1), p.Manufacturer),
		utf8Attribute(oidTCG(5, 1, 4), p.Model),
		utf8Attribute(oidTCG(5, 1, 5), p.Version),
	}
}

// utf8Attribute is a relative name of one attribute. The profile wants a UTF8String where
// encoding/asn1 would write a PrintableString.
func utf8Attribute(oid asn1.ObjectIdentifier, value string) pkix.RelativeDistinguishedNameSET {
	return pkix.RelativeDistinguishedNameSET{{
		Type:  oid,
		Value: asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(value)},
	}}
}

// alternativeName returns a subject alternative name that is a directory name. It is
// critical, as it must be where the subject is empty.
func alternativeName(name pkix.RDNSequence) (pkix.Extension, error) {
	der, err := asn1.Marshal(name)
	if err != nil {
		return pkix.Extension{}, fmt.Errorf("encode the subject alternative name: %w", err)
	}
	const directoryName = 4
	value, err := asn1.Marshal([]asn1.RawValue{{
		Class: asn1.ClassContextSpecific, Tag: directoryName, IsCompound: true, Bytes: der,
	}})
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Critical: true, Value: value}, err
}

// tpmSpecification is the value of tcg-at-tpmSpecification.
type tpmSpecification struct {
	Family          string `asn1:"utf8"`
	Level, Revision int
}

// specification returns the subject directory attributes: which specification the TPM
// follows.
func (id Identity) specification() (pkix.Extension, error) {
	type attribute struct {
		Type   asn1.ObjectIdentifier
		Values []tpmSpecification `asn1:"set"`
	}
	value, err := asn1.Marshal([]attribute{{
		oidTCG(2, 16), []tpmSpecification{{"2.0", int(id.Level), int(id.Revision)}},
	}})
	if err != nil {
		return pkix.Extension{}, fmt.Errorf("encode the TPM's specification: %w", err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 9}, Value: value}, nil
}
