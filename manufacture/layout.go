package manufacture

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-tpm/tpm2"
)

// Layout says whose places the keys, certificates and NV indices have.
type Layout string

// The layouts. The keys of Azure and GCP are certified by the Issuer, who is neither.
const (
	// Swtpm is swtpm_setup's: the EK Credential Profile's NV indices, and persistent keys.
	Swtpm Layout = "swtpm"
	// Azure is that of a Trusted Launch VM: an attestation key at 0x81000003, its
	// certificate in NV index 0x01C101D0, a storage root key and an endorsement key.
	Azure Layout = "azure"
	// GCP is that of a Shielded VM: templates of attestation keys in NV indices 0x01C10001
	// and 0x01C10003, from which a guest creates them, and their certificates before them.
	GCP Layout = "gcp"
)

// Layouts returns all of them.
func Layouts() []Layout { return []Layout{Swtpm, Azure, GCP} }

// ParseLayout reads a layout's name; "" is Swtpm.
func ParseLayout(name string) (Layout, error) {
	l := Layout(name)
	if l == "" {
		l = Swtpm
	}
	if !slices.Contains(Layouts(), l) {
		return "", fmt.Errorf("there is no layout %q: it is swtpm, azure or gcp", name)
	}
	return l, nil
}

// EK is a kind of endorsement key.
type EK struct {
	Algorithm Algorithm
	// HighRange asks for template H-1 or H-2 instead of L-1 or L-2. RSA 2048 and P-256 have
	// both, other algorithms only the high range.
	HighRange bool
}

// ParseEK reads an algorithm's name, with -high behind it for the high range.
func ParseEK(name string) (EK, error) {
	base, high := strings.CutSuffix(name, "-high")
	a, err := ParseAlgorithm(base)
	return EK{a, high}, err
}

// String returns what ParseEK reads.
func (k EK) String() string {
	if k.high() && k.hasLow() {
		return string(k.Algorithm) + "-high"
	}
	return string(k.Algorithm)
}

func (k EK) hasLow() bool { return k.Algorithm == RSA2048 || k.Algorithm == P256 }
func (k EK) high() bool   { return k.HighRange || !k.hasLow() }

// place is where a key is, and what is about it.
type place struct{ key, certificate, template Handle }

// place returns the endorsement key's place (EK Credential Profile, "NV Indices"; the
// persistent handles are swtpm_setup's).
func (k EK) place() place {
	low := map[Algorithm]place{
		RSA2048: {0x81010001, 0x01C00002, 0x01C00004},
		P256:    {0x8101000A, 0x01C0000A, 0x01C0000C},
	}
	if !k.high() {
		return low[k.Algorithm]
	}
	number := map[Algorithm]Handle{
		RSA2048: 0x12, P256: 0x14, P384: 0x16, P521: 0x18, RSA3072: 0x1C, RSA4096: 0x1E,
	}[k.Algorithm]
	return place{0x81010000 + number, 0x01C00000 + number, 0x01C00001 + number}
}

// Places outside the EK Credential Profile.
const (
	srkHandle       Handle = 0x81000001 // TPM v2.0 Provisioning Guidance
	platformIndex   Handle = 0x01C08000
	azureAKHandle   Handle = 0x81000003
	azureAKIndex    Handle = 0x01C101D0
	azureAKSize            = 4096 // bytes of the index, if the TPM has such
	gcpECCEKHandle  Handle = 0x81010002
	gcpRSAAKIndex   Handle = 0x01C10000 // its template is behind it
	gcpECCAKIndex   Handle = 0x01C10002
	nobody                 = "unknown" // the name of a VM without one, as swtpm_setup has it
	azureNameSuffix        = ".TrustedVM.Azure.windows.net"
)

// item is a primary key to be made, and what is stored about it.
type item struct {
	role      Role
	algorithm string
	hierarchy tpm2.TPMHandle
	template  tpm2.TPMTPublic
	handle    Handle // where it is persistent; 0 is nowhere

	templateIndex Handle // NV index that holds the template; 0 is none
	certificates  []certificate
}

// certificate is a certificate to be issued for an item's key.
type certificate struct {
	index Handle
	// size of the index in bytes, padded with zeros; 0 is the certificate's own.
	size int
	// sealed: the index is written by its own authorization value, which nobody knows
	// afterwards, as Azure does. Otherwise the platform writes it.
	sealed  bool
	request Request // without the key
}

// plan returns what to make, in this order.
func (o Options) plan(id Identity) ([]item, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	var items []item
	if a := o.srk(); a != "" {
		items = append(items, item{
			role: RoleSRK, algorithm: string(a), hierarchy: tpm2.TPMRHOwner, template: srkTemplate(a), handle: srkHandle,
		})
	}
	for i, k := range o.eks() {
		it, err := o.ekItem(id, k, i == 0)
		if err != nil {
			return nil, err
		}
		items = append(items, it)
	}
	for _, d := range []deviceKey{iak(o.IAK), idevid(o.IDevID)} {
		if d.algorithm == "" {
			continue
		}
		it, err := o.deviceItem(id, d)
		if err != nil {
			return nil, err
		}
		items = append(items, it)
	}
	switch o.layout() {
	case Azure:
		items = append(items, o.azureAK(id))
	case GCP:
		items = append(items, o.gcpAK(id, RSA2048, gcpRSAAKIndex), o.gcpAK(id, P256, gcpECCAKIndex))
	}
	for _, it := range items {
		if len(it.certificates) > 0 && o.Issuer == nil {
			return nil, errors.New("certificates are wanted, and there is nobody to issue them")
		}
	}
	return items, nil
}

// check refuses options that contradict each other.
func (o Options) check() error {
	if _, err := ParseLayout(string(o.Layout)); err != nil {
		return err
	}
	for what, a := range map[string]Algorithm{"storage root key": o.SRK, "IAK": o.IAK, "IDevID": o.IDevID} {
		if a != "" && !a.known() {
			return fmt.Errorf("there is no algorithm %q for a key: %s", a, what)
		}
	}
	if o.IAK+o.IDevID != "" && !o.EKCertificates {
		return errors.New("certificates of IAK and IDevID keys refer to an EK certificate, and none is wanted")
	}
	seen := make(map[Handle]bool)
	for _, k := range o.eks() {
		if !k.Algorithm.known() {
			return fmt.Errorf("there is no algorithm %q for an endorsement key", k.Algorithm)
		}
		if h := k.place().key; seen[h] {
			return fmt.Errorf("the endorsement key %v is there twice", k)
		} else {
			seen[h] = true
		}
	}
	if (o.EKCertificates || o.PlatformCertificate) && len(seen) == 0 {
		return errors.New("a certificate is wanted, and no endorsement key that it is for")
	}
	return nil
}

func (o Options) layout() Layout {
	if o.Layout == "" {
		return Swtpm
	}
	return o.Layout
}

// eks returns the endorsement keys: what was asked for, or the layout's own.
func (o Options) eks() []EK {
	switch {
	case o.EKs != nil:
		return o.EKs
	case o.Layout == Azure:
		return []EK{{Algorithm: RSA2048}}
	case o.Layout == GCP:
		return []EK{{Algorithm: RSA2048}, {Algorithm: P256}}
	}
	return []EK{{Algorithm: RSA2048}, {Algorithm: P384}}
}

func (o Options) srk() Algorithm {
	if o.SRK == "" && o.Layout == Azure {
		return RSA2048
	}
	return o.SRK
}

// ekItem returns an endorsement key. The platform certificate goes with the first one.
func (o Options) ekItem(id Identity, k EK, first bool) (item, error) {
	t, err := k.template(o.Use)
	if err != nil {
		return item{}, err
	}
	p := k.place()
	if o.Layout == GCP && k == (EK{Algorithm: P256}) {
		p.key = gcpECCEKHandle
	}
	it := item{role: RoleEK, algorithm: k.String(), hierarchy: tpm2.TPMRHEndorsement, template: t, handle: p.key}
	if o.Use.Sign {
		it.templateIndex = p.template // nobody would guess it
	}
	request := Request{TPM: id, Use: o.Use, Subject: o.subject(), Extensions: o.extensions()}
	if o.EKCertificates || o.Layout == GCP {
		r := request
		r.Role = RoleEK
		it.certificates = append(it.certificates, certificate{index: p.certificate, request: r})
	}
	if o.PlatformCertificate && first {
		r := request
		r.Role, r.Platform, r.Extensions = RolePlatform, o.Platform.orDefault(), nil
		it.certificates = append(it.certificates, certificate{index: platformIndex, request: r})
	}
	return it, nil
}

func (o Options) azureAK(id Identity) item {
	return item{
		role: RoleAK, algorithm: string(RSA2048), hierarchy: tpm2.TPMRHEndorsement,
		template: akTemplate(RSA2048, true, RSA2048.zeros()), handle: azureAKHandle,
		certificates: []certificate{{
			index: azureAKIndex, size: min(azureAKSize, id.NVIndexMax), sealed: true,
			request: Request{Role: RoleAK, TPM: id, Use: Use{Sign: true}, Subject: o.subject()},
		}},
	}
}

func (o Options) gcpAK(id Identity, a Algorithm, index Handle) item {
	field := unique{} // as in go-tpm-tools' templates
	if a == P256 {
		field = a.zeros()
	}
	return item{
		role: RoleAK, algorithm: string(a), hierarchy: tpm2.TPMRHEndorsement,
		template: akTemplate(a, false, field), templateIndex: index + 1,
		certificates: []certificate{{
			index:   index,
			request: Request{Role: RoleAK, TPM: id, Use: Use{Sign: true}, Subject: o.subject(), Extensions: o.extensions()},
		}},
	}
}
