package main

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"path/filepath"
	"sync"

	"github.com/bootseal/bootseal/manufacture"
	"github.com/bootseal/bootseal/manufacture/ca"
	"github.com/bootseal/bootseal/vtpm"
)

// factory makes the daemon's TPMs.
type factory struct {
	dir string // of the CA
	own bool   // it is the daemon's, and made when it is needed

	mu sync.Mutex
	ca *ca.CA
}

// ownCA is the daemon's CA in the directory of its vTPMs: a name that no vTPM can have.
const ownCA = ".ca"

func newFactory(f *serveFlags) *factory {
	if f.ca != "" {
		return &factory{dir: f.ca}
	}
	return &factory{dir: filepath.Join(f.dir, ownCA), own: true}
}

// issuer returns the CA, which is opened once.
func (f *factory) issuer() (*ca.CA, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ca != nil {
		return f.ca, nil
	}
	open := ca.Open
	if f.own {
		open = func(dir string) (*ca.CA, error) { return ca.OpenOrCreate(dir, ca.Options{}) }
	}
	var err error
	f.ca, err = open(f.dir)
	return f.ca, err
}

// make is host.Options.Manufacture.
func (f *factory) make(_ context.Context, v vtpm.Options, name, layout string) (json.RawMessage, error) {
	o, err := parseLayoutSpec(layout)
	if err != nil {
		return nil, err
	}
	issuer, err := f.issuer()
	if err != nil {
		return nil, err
	}
	o.Name, o.Issuer = name, issuer
	o.EKCertificates, o.PlatformCertificate, o.LockNV = true, o.Layout == manufacture.Swtpm, true
	result, err := manufacture.Create(v, o)
	if err != nil {
		return nil, err
	}
	return json.Marshal(withPEM(result))
}

// madeTPM is what is kept of what a TPM was given: the certificates, too, so that whoever
// verifies the TPM later has them from its host.
type madeTPM struct {
	manufacture.Result
	Certificates []madeCertificate `json:"certificates"`
}

type madeCertificate struct {
	manufacture.Certificate
	PEM string `json:"pem"`
}

func withPEM(r manufacture.Result) madeTPM {
	made := madeTPM{Result: r, Certificates: []madeCertificate{}}
	for _, c := range r.Certificates {
		block := pem.Block{Type: "CERTIFICATE", Bytes: c.DER}
		made.Certificates = append(made.Certificates, madeCertificate{c, string(pem.EncodeToMemory(&block))})
	}
	return made
}
