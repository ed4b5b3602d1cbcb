package manufacture

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
)

// Role is what a key or a certificate is for.
type Role string

// The roles. A platform certificate is about the first endorsement key.
const (
	RoleEK       Role = "ek"
	RoleAK       Role = "ak"
	RoleSRK      Role = "srk"
	RoleIAK      Role = "iak"    // initial attestation key
	RoleIDevID   Role = "idevid" // initial device identity
	RolePlatform Role = "platform"
)

// Issuer signs certificates.
type Issuer interface {
	// Issue returns the certificate that Request.Template describes, in DER.
	Issue(Request) (der []byte, err error)
}

// Request is what a certificate is to say.
type Request struct {
	Role       Role // any but RoleSRK
	Key        crypto.PublicKey
	Use        Use
	Subject    pkix.Name
	TPM        Identity
	Platform   Platform         // for RolePlatform
	Extensions []pkix.Extension // beyond those of the role
	// HardwareSerial names the TPM by its EK certificate, for RoleIAK and RoleIDevID.
	HardwareSerial string
}

// Platform is the machine around the TPM, for its platform certificate.
type Platform struct {
	Manufacturer string `json:"manufacturer"`
	Model        string `json:"model"`
	Version      string `json:"version"`
}

func (p Platform) orDefault() Platform {
	if p == (Platform{}) {
		return Platform{Manufacturer: "bootseal", Model: "virtual machine", Version: "1"}
	}
	return p
}

// Template returns the certificate without its serial number, validity and issuer.
//
// It follows the EK Credential Profile 2.x, section 3.2, and for a platform certificate
// what swtpm_cert writes: a public key certificate of the endorsement key that names the
// platform. The Platform Certificate Profile's other form, an attribute certificate, cannot be
// verified with crypto/x509 or `openssl verify`.
func (r Request) Template() (*x509.Certificate, error) {
	usage, err := r.keyUsage()
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		Subject:               r.Subject,
		KeyUsage:              usage,
		BasicConstraintsValid: true,
	}
	var name pkix.RDNSequence
	switch r.Role {
	case RoleEK:
		name = r.TPM.name()
		spec, err := r.TPM.specification()
		if err != nil {
			return nil, err
		}
		t.ExtraExtensions = append(t.ExtraExtensions, spec)
		t.UnknownExtKeyUsage = []asn1.ObjectIdentifier{oidEKCertificate()}
	case RolePlatform:
		name = r.Platform.name()
		t.UnknownExtKeyUsage = []asn1.ObjectIdentifier{oidPlatformAttributeCertificate(), oidPlatformKeyCertificate()}
	case RoleIAK, RoleIDevID:
		module, err := hardwareModule(r.HardwareSerial)
		if err != nil {
			return nil, err
		}
		t.ExtraExtensions = append(t.ExtraExtensions, module)
	case RoleAK:
		t.UnknownExtKeyUsage = []asn1.ObjectIdentifier{oidAKCertificate()}
	default:
		return nil, fmt.Errorf("there is no certificate for a key of role %q", r.Role)
	}
	if name != nil {
		san, err := alternativeName(name)
		if err != nil {
			return nil, err
		}
		t.ExtraExtensions = append(t.ExtraExtensions, san)
	}
	t.ExtraExtensions = append(t.ExtraExtensions, r.Extensions...)
	return t, nil
}

func (r Request) keyUsage() (usage x509.KeyUsage, err error) {
	if r.Key == nil {
		return 0, fmt.Errorf("a certificate of role %q without a key", r.Role)
	}
	if r.Use.Sign {
		usage = x509.KeyUsageDigitalSignature
	}
	if r.Role == RoleAK || !r.Use.decrypts() {
		return usage, nil
	}
	if _, ok := r.Key.(*rsa.PublicKey); ok {
		return usage | x509.KeyUsageKeyEncipherment, nil
	}
	return usage | x509.KeyUsageKeyAgreement, nil
}

// subject returns the subject of the options' certificates. Of a cloud's layout it says
// that the certificate is not the cloud's.
func (o Options) subject() pkix.Name {
	name := o.Name
	if name == "" {
		name = nobody
	}
	switch o.Layout {
	case Azure:
		return pkix.Name{
			Organization:       []string{"bootseal"},
			OrganizationalUnit: []string{"not issued by Microsoft Azure"},
			CommonName:         name + azureNameSuffix,
		}
	case GCP:
		g := o.instance()
		return pkix.Name{
			Locality:           []string{g.Zone},
			Organization:       []string{"bootseal, not Google Compute Engine"},
			OrganizationalUnit: []string{g.ProjectID},
			CommonName:         fmt.Sprint(g.InstanceID),
		}
	}
	return pkix.Name{CommonName: name}
}

// extensions returns what the layout's certificates have beyond the profile.
func (o Options) extensions() []pkix.Extension {
	if o.Layout != GCP {
		return nil
	}
	return []pkix.Extension{o.instance().extension()}
}
