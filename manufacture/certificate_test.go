package manufacture_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"testing"

	"github.com/bootseal/bootseal/manufacture"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// extension returns the extension with the last arcs of 2.5.29.
func extension(t *testing.T, x *x509.Certificate, arc int) pkix.Extension {
	t.Helper()
	for _, e := range x.Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, arc}) {
			return e
		}
	}
	t.Errorf("there is no extension 2.5.29.%d", arc)
	return pkix.Extension{}
}

// directoryName returns what the subject alternative name says, by its TCG attribute.
func directoryName(t *testing.T, x *x509.Certificate) map[string]string {
	t.Helper()
	e := extension(t, x, 17)
	if !e.Critical {
		t.Error("the subject alternative name is not critical")
	}
	var general []asn1.RawValue
	if rest, err := asn1.Unmarshal(e.Value, &general); err != nil || len(rest) > 0 || len(general) != 1 || general[0].Tag != 4 {
		t.Fatalf("the subject alternative name is no directory name: %x, %v", e.Value, err)
	}
	var sets []asn1.RawValue
	if rest, err := asn1.Unmarshal(general[0].Bytes, &sets); err != nil || len(rest) > 0 {
		t.Fatal(err)
	}
	names := make(map[string]string)
	for _, s := range sets {
		var attribute struct {
			Type  asn1.ObjectIdentifier
			Value string `asn1:"utf8"`
		}
		if rest, err := asn1.Unmarshal(s.Bytes, &attribute); err != nil || len(rest) > 0 {
			t.Fatalf("attribute %x: %v", s.Bytes, err)
		}
		names[attribute.Type.String()] = attribute.Value
	}
	return names
}

// An EK certificate has what the EK Credential Profile, section 3.2, demands.
func TestEKCertificate(t *testing.T) {
	tpm, c := vtpmtest.Open(t), newCA(t)
	r := manufactured(t, tpm, manufacture.Options{
		EKs:            []manufacture.EK{{Algorithm: manufacture.RSA2048}, {Algorithm: manufacture.P384}},
		EKCertificates: true, Issuer: c, Name: "vm",
	})
	for i, usage := range []x509.KeyUsage{x509.KeyUsageKeyEncipherment, x509.KeyUsageKeyAgreement} {
		x := verified(t, c, r.Certificates[i].DER)
		if x.KeyUsage != usage || !extension(t, x, 15).Critical {
			t.Errorf("key usage %b, want %b, critical", x.KeyUsage, usage)
		}
		if !x.BasicConstraintsValid || x.IsCA || !extension(t, x, 19).Critical {
			t.Error("the basic constraints do not say that it is no CA")
		}
		if len(x.UnknownExtKeyUsage) != 1 || x.UnknownExtKeyUsage[0].String() != "2.23.133.8.1" || extension(t, x, 37).Critical {
			t.Errorf("extended key usage %v", x.UnknownExtKeyUsage)
		}
		if e := extension(t, x, 35); e.Critical || len(x.AuthorityKeyId) == 0 {
			t.Errorf("authority key identifier %x", x.AuthorityKeyId)
		}
		if n := directoryName(t, x); n["2.23.133.2.1"] != "id:4254534C" || n["2.23.133.2.2"] != "bootseal vTPM" || n["2.23.133.2.3"] != "id:00000001" {
			t.Errorf("the TPM's name: %v", n)
		}
		var attributes []struct {
			Type   asn1.ObjectIdentifier
			Values []struct {
				Family          string `asn1:"utf8"`
				Level, Revision int
			} `asn1:"set"`
		}
		e := extension(t, x, 9)
		if _, err := asn1.Unmarshal(e.Value, &attributes); err != nil || e.Critical || len(attributes) != 1 || len(attributes[0].Values) != 1 {
			t.Fatalf("subject directory attributes %x, %v", e.Value, err)
		}
		if a := attributes[0]; a.Type.String() != "2.23.133.2.16" || a.Values[0].Family != "2.0" || a.Values[0].Level != int(r.TPM.Level) || a.Values[0].Revision != int(r.TPM.Revision) {
			t.Errorf("the TPM's specification: %v", a)
		}
	}
}

// A key that signs says so.
func TestSigningEKCertificate(t *testing.T) {
	for use, want := range map[manufacture.Use]x509.KeyUsage{
		{Sign: true}:                x509.KeyUsageDigitalSignature,
		{Sign: true, Decrypt: true}: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	} {
		tpm, c := vtpmtest.Open(t), newCA(t)
		r := manufactured(t, tpm, manufacture.Options{
			EKs: []manufacture.EK{{Algorithm: manufacture.RSA2048}}, Use: use, EKCertificates: true, Issuer: c,
		})
		if x := verified(t, c, r.Certificates[0].DER); x.KeyUsage != want {
			t.Errorf("%+v: key usage %b, want %b", use, x.KeyUsage, want)
		}
		if a := public(t, tpm, 0x81010001).ObjectAttributes; a.Restricted || !a.SignEncrypt || a.Decrypt != use.Decrypt {
			t.Errorf("%+v: the key's attributes %+v", use, a)
		}
	}
}

// A platform certificate names the platform (Platform Certificate Profile, section 3.2).
func TestPlatformCertificate(t *testing.T) {
	tpm, c := vtpmtest.Open(t), newCA(t)
	r := manufactured(t, tpm, manufacture.Options{
		EKs: []manufacture.EK{{Algorithm: manufacture.P384}}, PlatformCertificate: true, Issuer: c,
		Platform: manufacture.Platform{Manufacturer: "Example", Model: "QEMU", Version: "2.1"},
	})
	x := verified(t, c, r.Certificates[0].DER)
	if n := directoryName(t, x); n["2.23.133.5.1.1"] != "Example" || n["2.23.133.5.1.4"] != "QEMU" || n["2.23.133.5.1.5"] != "2.1" {
		t.Errorf("the platform's name: %v", n)
	}
	if !slices.ContainsFunc(x.UnknownExtKeyUsage, func(id asn1.ObjectIdentifier) bool { return id.String() == "2.23.133.8.2" }) {
		t.Errorf("extended key usage %v", x.UnknownExtKeyUsage)
	}
}

// IAK and IDevID keys sign, and their certificates name the TPM by its EK certificate.
func TestDeviceKeys(t *testing.T) {
	for _, a := range []manufacture.Algorithm{manufacture.P256, manufacture.P384, manufacture.P521, manufacture.RSA2048} {
		tpm, c := vtpmtest.Open(t), newCA(t)
		r := manufactured(t, tpm, manufacture.Options{
			EKs: []manufacture.EK{{Algorithm: manufacture.P256}}, EKCertificates: true, Issuer: c, Name: "vm", IAK: a, IDevID: a,
		})
		wantHandles(t, tpm, 0x8101000A, 0x81020000, 0x81020001)
		wantIndices(t, tpm, 0x01C0000A, 0x01C90100, 0x01C90200)
		if p := public(t, tpm, 0x81020001).ObjectAttributes; !p.Restricted || !p.SignEncrypt {
			t.Errorf("%s: the IAK's attributes: %+v", a, p)
		}
		if p := public(t, tpm, 0x81020000).ObjectAttributes; p.Restricted || !p.SignEncrypt {
			t.Errorf("%s: the IDevID's attributes: %+v", a, p)
		}
		ek := verified(t, c, r.Certificates[0].DER)
		want := fmt.Sprintf("BTSL:%x:%x", ek.AuthorityKeyId, ek.SerialNumber.Bytes())
		for _, index := range []manufacture.Handle{0x01C90100, 0x01C90200} {
			x := verified(t, c, readIndex(t, tpm, index))
			if x.KeyUsage != x509.KeyUsageDigitalSignature || x.Subject.SerialNumber != "vm" {
				t.Errorf("%s: key usage %b, subject %q", a, x.KeyUsage, x.Subject)
			}
			var name struct {
				Other struct {
					Type   asn1.ObjectIdentifier
					Module struct {
						Type   asn1.ObjectIdentifier
						Serial []byte
					} `asn1:"explicit,tag:0"`
				} `asn1:"tag:0"`
			}
			if _, err := asn1.Unmarshal(extension(t, x, 17).Value, &name); err != nil {
				t.Fatal(err)
			}
			if m := name.Other.Module; string(m.Serial) != want || m.Type.String() != "2.23.133.1.2" || name.Other.Type.String() != "1.3.6.1.5.5.7.8.4" {
				t.Errorf("%s: hardware module %v, want the serial number %s", a, name, want)
			}
		}
	}
	if _, err := manufacture.Manufacture(vtpmtest.Open(t), manufacture.Options{IAK: manufacture.P256}); err == nil {
		t.Error("an IAK without an EK certificate")
	}
}
