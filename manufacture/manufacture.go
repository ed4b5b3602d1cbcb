package manufacture

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bootseal/bootseal/pcr"
	"github.com/google/go-tpm/tpm2/transport"
)

// Options say what a TPM is given. The zero value is swtpm_setup --createek: an RSA 2048
// and a P-384 endorsement key, without certificates.
type Options struct {
	Layout Layout // "" is Swtpm
	// EKs are the endorsement keys, in this order. Nil is the layout's: RSA 2048 and P-384
	// of Swtpm, RSA 2048 of Azure, RSA 2048 and P-256 of GCP. An empty list is none.
	EKs []EK
	Use Use // of the endorsement keys
	// SRK is the storage root key's algorithm. "" is none, or RSA 2048 with Azure.
	SRK Algorithm

	// IAK and IDevID are the algorithms of an initial attestation key and an initial device
	// identity, which signs. "" is none. They need EKCertificates.
	IAK, IDevID Algorithm

	EKCertificates      bool // GCP's has them anyway
	PlatformCertificate bool
	Issuer              Issuer // of certificates
	// Name names the VM in its certificates, up to 256 bytes of UTF-8.
	Name     string
	Platform Platform // zero: bootseal's own
	Instance Instance // for GCP

	// LockNV protects what was written to NV against being written again, even by the
	// platform. Azure's certificate index cannot be locked.
	LockNV bool
	// PCRBanks are the banks to activate from the next power-on, all PCRs of each; the
	// others are left out. Nil changes nothing. A bank that the TPM does not have is passed
	// over, as by swtpm_setup; if it has none of them, that is an error.
	PCRBanks []pcr.Bank

	// Progress is told what comes next, if it is not nil. A long RSA key takes seconds.
	Progress func(role Role, algorithm string)
}

// Manufacture gives the TPM what the options say, with the empty authorizations that the
// hierarchies have before somebody owns the TPM. The TPM has been started.
//
// What is there already is kept: a key that is the one its seed and the template make, a
// certificate of that key. So where Manufacture was cut off, it is simply called again. A
// persistent handle with another key is an error, and an NV index with other contents is
// made anew.
//
// To have a new TPM in a store whole or not at all, use [Create].
func Manufacture(tpm transport.TPM, o Options) (Result, error) {
	id, err := ReadIdentity(tpm)
	if err != nil {
		return Result{}, err
	}
	if err := o.checkNames(); err != nil {
		return Result{}, err
	}
	items, err := o.plan(id)
	if err != nil {
		return Result{}, err
	}
	r := Result{Layout: o.layout(), TPM: id, Keys: []Key{}, Certificates: []Certificate{}}
	for _, it := range items {
		if err := o.make(tpm, it, &r); err != nil {
			return Result{}, fmt.Errorf("the %s key of %s: %w", strings.ToUpper(string(it.role)), it.algorithm, err)
		}
	}
	if o.PCRBanks != nil {
		if r.PCRBanks, err = AllocatePCRs(tpm, o.PCRBanks); err != nil {
			return Result{}, err
		}
	}
	return r, nil
}

// make makes one key and all that is about it.
func (o Options) make(tpm transport.TPM, it item, r *Result) error {
	if o.Progress != nil {
		o.Progress(it.role, it.algorithm)
	}
	k, err := createPrimary(tpm, it)
	if err != nil {
		return err
	}
	defer k.flush(tpm)
	if it.handle != 0 {
		if err := k.persist(tpm, it.handle); err != nil {
			return err
		}
	}
	r.Keys = append(r.Keys, Key{it.role, it.algorithm, it.handle, k.name.Buffer})
	if it.templateIndex != 0 {
		n := platformNV(tpm, r.TPM, it.templateIndex)
		if err := n.write(templateBytes(it.template), o.LockNV); err != nil {
			return err
		}
		r.Templates = append(r.Templates, Template{it.role, it.algorithm, it.templateIndex})
	}
	for _, c := range it.certificates {
		if c.request.Role == RoleIAK || c.request.Role == RoleIDevID {
			if c.request.HardwareSerial, err = hardwareSerial(*r); err != nil {
				return err
			}
		}
		done, err := o.certify(tpm, r.TPM, k, c)
		if err != nil {
			return fmt.Errorf("its %s certificate: %w", c.request.Role, err)
		}
		done.Algorithm = it.algorithm
		r.Certificates = append(r.Certificates, done)
	}
	return nil
}

// checkNames refuses what should not be in a certificate.
func (o Options) checkNames() error {
	const most = 256
	for what, s := range map[string]string{
		"name": o.Name, "platform's manufacturer": o.Platform.Manufacturer, "platform's model": o.Platform.Model,
		"platform's version": o.Platform.Version, "zone": o.Instance.Zone, "project's ID": o.Instance.ProjectID,
		"instance's name": o.Instance.InstanceName,
	} {
		if len(s) > most || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
			return fmt.Errorf("the %s %.40q cannot be in a certificate: it is text of up to %d bytes", what, s, most)
		}
	}
	if p := o.Platform; p != (Platform{}) && (p.Manufacturer == "" || p.Model == "" || p.Version == "") {
		return fmt.Errorf("the platform has a manufacturer, a model and a version, or none of them")
	}
	return nil
}
