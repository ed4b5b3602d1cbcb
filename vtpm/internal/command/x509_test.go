package command_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// TestCertificate puts the certificates together that TPM2_CertifyX509 signs, as its
// caller does, and checks them with the standard library.
func TestCertificate(t *testing.T) {
	for _, x := range []struct {
		setup, scheme string
		algorithm     x509.SignatureAlgorithm
	}{
		{"ecc-signing", "TPM_ALG_ECDSA TPM_ALG_SHA256", x509.ECDSAWithSHA256},
		{"ecc-signing", "TPM_ALG_ECDSA TPM_ALG_SHA512", x509.ECDSAWithSHA512},
		{"rsa-signing", "TPM_ALG_RSASSA TPM_ALG_SHA256", x509.SHA256WithRSA},
		{"rsa-signing", "TPM_ALG_RSASSA TPM_ALG_SHA384", x509.SHA384WithRSA},
		{"rsa-signing", "TPM_ALG_RSAPSS TPM_ALG_SHA256", x509.SHA256WithRSAPSS},
		{"rsa-signing", "TPM_ALG_RSAPSS TPM_ALG_SHA512", x509.SHA512WithRSAPSS},
	} {
		for _, given := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v/%t", x.algorithm, given), func(t *testing.T) {
				certificate := certify(t, x.setup, x.scheme, given)
				if certificate.SignatureAlgorithm != x.algorithm {
					t.Errorf("signature algorithm %v", certificate.SignatureAlgorithm)
				}
				if err := certificate.CheckSignature(x.algorithm, certificate.RawTBSCertificate, certificate.Signature); err != nil {
					t.Error(err)
				}
				if certificate.Version != 3 || certificate.SerialNumber.Sign() <= 0 || certificate.SerialNumber.BitLen() > 160 {
					t.Errorf("version %d, serial number %x", certificate.Version, certificate.SerialNumber)
				}
				if certificate.Subject.CommonName != "key" || certificate.KeyUsage != x509.KeyUsageDigitalSignature {
					t.Errorf("subject %v, key usage %b", certificate.Subject, certificate.KeyUsage)
				}
			})
		}
	}
}

// certify lets the key of a setup certify itself. When given is true the caller
// brings the signature algorithm that the TPM would have added.
func certify(t *testing.T, setup, scheme string, given bool) *x509.Certificate {
	t.Helper()
	v := newVector(t)
	v.runLine("use " + setup)
	fields := [][]byte{name(t, "issuer"), validity(t), name(t, "key"), keyUsage(t, 0x80)}
	v.vars["$fields"] = sequence(t, fields...)
	v.runLine("TPM2_CertifyX509 $key $key ; pw ; pw : () " + scheme + " ( $fields )")
	v.runLine("> $added:b $digest:b $signature:*")
	added := elements(t, v.vars["$added"])
	if len(added) != 4 {
		t.Fatalf("%d fields were added", len(added))
	}
	signature := added[2]
	if given {
		v.vars["$fields"] = sequence(t, append([][]byte{signature}, fields...)...)
		v.runLine("TPM2_CertifyX509 $key $key ; pw ; pw : () " + scheme + " ( $fields )")
		v.runLine("> $added:b $digest:b $signature:*")
		if added = elements(t, v.vars["$added"]); len(added) != 3 {
			t.Fatalf("%d fields were added", len(added))
		}
	}
	signed := sequence(t, added[0], added[1], signature, fields[0], fields[1], fields[2], added[len(added)-1], fields[3])
	bits := signatureBits(t, v.vars["$signature"])
	certificate, err := x509.ParseCertificate(sequence(t, signed, signature, marshal(t, asn1.BitString{Bytes: bits, BitLength: 8 * len(bits)})))
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// signatureBits returns a TPMT_SIGNATURE in a certificate's form.
func signatureBits(t *testing.T, data []byte) []byte {
	var s wire.TPMTSignature
	if err := wire.Unmarshal(data, &s, wire.DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	if s.RSA != nil {
		return s.RSA
	}
	return marshal(t, struct{ R, S *big.Int }{new(big.Int).SetBytes(s.R), new(big.Int).SetBytes(s.S)})
}

func name(t *testing.T, common string) []byte {
	return marshal(t, pkix.Name{CommonName: common}.ToRDNSequence())
}

func validity(t *testing.T) []byte {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return marshal(t, struct{ From, To time.Time }{from, from.AddDate(1, 0, 0)})
}

// keyUsage returns the extensions with a KeyUsage alone.
func keyUsage(t *testing.T, bits byte) []byte {
	value := marshal(t, asn1.BitString{Bytes: []byte{bits}, BitLength: 8})
	list := marshal(t, []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Critical: true, Value: value}})
	return marshal(t, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 3, IsCompound: true, Bytes: list})
}

func sequence(t *testing.T, parts ...[]byte) []byte {
	return marshal(t, asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: bytes.Join(parts, nil)})
}

// elements returns the elements of a SEQUENCE.
func elements(t *testing.T, der []byte) [][]byte {
	var outer asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &outer); err != nil || len(rest) != 0 {
		t.Fatalf("%v, %d bytes left", err, len(rest))
	}
	var list [][]byte
	for rest := outer.Bytes; len(rest) != 0; {
		var e asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &e); err != nil {
			t.Fatal(err)
		}
		list = append(list, e.FullBytes)
	}
	return list
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	b, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
