package manufacture

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
)

// deviceKey is an IAK or IDevID key (TPM 2.0 Keys for Device Identity and Attestation,
// "IDevID/IAK Templates"), at the places where swtpm_setup 0.11 puts them.
type deviceKey struct {
	role       Role
	algorithm  Algorithm
	restricted bool
	name       string // in the unique field
	handle     Handle
	index      Handle
	policies   map[tpm2.TPMAlgID]string // hex, by nameAlg
}

func iak(a Algorithm) deviceKey {
	return deviceKey{RoleIAK, a, true, "IAK", 0x81020001, 0x01C90100, map[tpm2.TPMAlgID]string{
		tpm2.TPMAlgSHA256: "5437182326e414fca797d5f174615a1641f61255797c3a2b22c21d120b2d1e07",
		tpm2.TPMAlgSHA384: "129d94ebf84556652c6eef43bbb757512ac87e52be7b349ca6ce4d826f749fcf672f51716c5cbb605f313bf345aab312",
		tpm2.TPMAlgSHA512: "8060d1fb31716a29e48a6e5fece088bcfc1b278fc162255e81c3eca3544cd44a" +
			"f94410c3715d561cccd9e39a6cb2646d43535bb54ea88710deb5f7836bd9b586",
	}}
}

func idevid(a Algorithm) deviceKey {
	return deviceKey{RoleIDevID, a, false, "IDEVID", 0x81020000, 0x01C90200, map[tpm2.TPMAlgID]string{
		tpm2.TPMAlgSHA256: "ad6b3a2284fd698a0710bf5cc1b9bdf15e2532e3f601fa4b93a6a8fa8de579ea",
		tpm2.TPMAlgSHA384: "4db1aa836d0b5615df6ee53a40ef70c61c217f4303d44695925972bc927006cfa5cbdf6dc18c4dbe329b2f1542c3dd33",
		tpm2.TPMAlgSHA512: "7dd7500fd6c1b94f97a6af910da147301ef28f662fee06f225a4ccadda3b4e6b" +
			"38e66b2f3ad5dee1a0503cd2daedb1e68cfe4f84b03a8cd22bb6a976f071a72f",
	}}
}

// template returns the key's template. Its policies are those that the specification prints,
// for what needs the ADMIN role; the user signs with the empty authorization value.
func (d deviceKey) template() (tpm2.TPMTPublic, error) {
	hash, _ := d.algorithm.strength()
	policy, err := hex.DecodeString(d.policies[hash])
	if err != nil {
		return tpm2.TPMTPublic{}, err
	}
	scheme := &signing{tpm2.TPMAlgRSAPSS, hash}
	if d.algorithm.rsaBits() == 0 {
		scheme.algorithm = tpm2.TPMAlgECDSA
	}
	t := d.algorithm.public(tpm2.TPMAObject{
		FixedTPM:            true,
		FixedParent:         true,
		SensitiveDataOrigin: true,
		UserWithAuth:        true,
		AdminWithPolicy:     true,
		Restricted:          d.restricted,
		SignEncrypt:         true,
	}, false, scheme, unique{x: []byte(d.name)})
	t.AuthPolicy = tpm2.TPM2BDigest{Buffer: policy}
	return t, nil
}

func (o Options) deviceItem(id Identity, d deviceKey) (item, error) {
	t, err := d.template()
	if err != nil {
		return item{}, err
	}
	name := o.Name
	if name == "" {
		name = nobody
	}
	return item{
		role: d.role, algorithm: string(d.algorithm), hierarchy: tpm2.TPMRHEndorsement, template: t, handle: d.handle,
		certificates: []certificate{{index: d.index, request: Request{
			Role: d.role, TPM: id, Use: Use{Sign: true}, Subject: pkix.Name{SerialNumber: name},
		}}},
	}, nil
}

// hardwareSerial names a TPM by its first EK certificate: manufacturer, authority key
// identifier and serial number, joined by colons (the same document, "Subject Alternative
// Name").
func hardwareSerial(r Result) (string, error) {
	for _, c := range r.Certificates {
		if c.Role != RoleEK {
			continue
		}
		x, err := x509.ParseCertificate(c.DER)
		if err != nil {
			return "", fmt.Errorf("parse the EK certificate: %w", err)
		}
		return fmt.Sprintf("%s:%x:%x", r.TPM.Manufacturer, x.AuthorityKeyId, x.SerialNumber.Bytes()), nil
	}
	return "", errors.New("there is no EK certificate to refer to")
}

// hardwareModule returns a subject alternative name that is a hardwareModuleName (RFC 4108,
// 5) of a TPM 2.0.
func hardwareModule(serial string) (pkix.Extension, error) {
	module, err := asn1.Marshal(struct {
		Type   asn1.ObjectIdentifier
		Serial []byte
	}{oidTCG(1, 2), []byte(serial)})
	if err != nil {
		return pkix.Extension{}, fmt.Errorf("encode the hardware module's name: %w", err)
	}
	type otherName struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue // [0] EXPLICIT
	}
	value, err := asn1.Marshal(struct {
		Name otherName `asn1:"tag:0"`
	}{otherName{asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 4}, asn1.RawValue{
		Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: module,
	}}})
	if err != nil {
		return pkix.Extension{}, fmt.Errorf("encode the subject alternative name: %w", err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value}, nil
}
