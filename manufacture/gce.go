package manufacture

import (
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
)

// Instance is what certificates on Google Compute Engine say of a VM. What is zero has a
// default that is the same for the same InstanceName.
type Instance struct {
	Zone          string
	ProjectNumber int64
	ProjectID     string
	InstanceID    int64
	InstanceName  string
}

// instance returns the options' instance with all defaults.
func (o Options) instance() Instance {
	g := o.Instance
	if g.InstanceName == "" {
		g.InstanceName = o.Name
	}
	if g.InstanceName == "" {
		g.InstanceName = nobody
	}
	if g.Zone == "" {
		g.Zone = "home1-a"
	}
	if g.ProjectID == "" {
		g.ProjectID = "bootseal"
	}
	if g.ProjectNumber == 0 {
		g.ProjectNumber = 1
	}
	if g.InstanceID == 0 {
		sum := sha256.Sum256([]byte(g.InstanceName))
		g.InstanceID = int64(binary.BigEndian.Uint64(sum[:]) >> 1)
	}
	return g
}

// extension returns Google's extension 1.3.6.1.4.1.11129.2.1.21, as its certificates and
// the parser of go-tpm-tools (server, gceInstanceInfo) have it.
func (g Instance) extension() pkix.Extension {
	type security struct {
		Version    int  `asn1:"explicit,tag:0"`
		Production bool `asn1:"explicit,tag:1"` // without it the parser takes no notice
	}
	value, err := asn1.Marshal(struct {
		Zone          string `asn1:"utf8"`
		ProjectNumber int64
		ProjectID     string `asn1:"utf8"`
		InstanceID    int64
		InstanceName  string   `asn1:"utf8"`
		Security      security `asn1:"explicit,tag:0"`
	}{g.Zone, g.ProjectNumber, g.ProjectID, g.InstanceID, g.InstanceName, security{0, true}})
	if err != nil {
		panic(err) // strings and numbers can be encoded: check has looked at the strings
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 1, 21}, Value: value}
}
