package manufacture

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// index is an NV index for data that is written once.
type index struct {
	tpm        transport.TPM
	id         Identity
	handle     Handle
	attributes tpm2.TPMANV
	size       int    // 0: the data's
	auth       []byte // authorization value; nil with PPWrite
}

// platformNV returns an index as swtpm_setup defines it: the platform writes it and can
// lock it for good, everybody reads it.
func platformNV(tpm transport.TPM, id Identity, h Handle) index {
	return index{tpm: tpm, id: id, handle: h, attributes: tpm2.TPMANV{
		PPWrite:        true,
		WriteDefine:    true,
		PPRead:         true,
		OwnerRead:      true,
		AuthRead:       true,
		NoDA:           true,
		PlatformCreate: true,
	}}
}

// sealedNV returns an index as Azure defines it: it is written with its authorization
// value. The owner reads it.
func sealedNV(tpm transport.TPM, id Identity, h Handle, size int) index {
	auth := make([]byte, 32)
	rand.Read(auth)
	return index{tpm: tpm, id: id, handle: h, size: size, auth: auth, attributes: tpm2.TPMANV{
		AuthWrite:      true,
		OwnerRead:      true,
		AuthRead:       true,
		NoDA:           true,
		PlatformCreate: true,
	}}
}

// certify puts a certificate of the key where it belongs, unless one is there.
func (o Options) certify(tpm transport.TPM, id Identity, k key, c certificate) (Certificate, error) {
	n := platformNV(tpm, id, c.index)
	if c.sealed {
		n = sealedNV(tpm, id, c.index, c.size)
	}
	defer clear(n.auth)
	done := Certificate{Role: c.request.Role, Index: c.index}
	data, err := n.read()
	if err != nil {
		return done, err
	}
	if x := certificateOf(data, k.public); x != nil {
		done.Kept = true
		done.describe(x)
		return done, n.lock(o.LockNV)
	}
	request := c.request
	request.Key = k.public
	der, err := o.Issuer.Issue(request)
	if err != nil {
		return done, fmt.Errorf("issue it: %w", err)
	}
	x := certificateOf(der, k.public)
	if x == nil {
		return done, errors.New("issue it: what the issuer returned is no certificate of this key")
	}
	done.describe(x)
	return done, n.write(x.Raw, o.LockNV)
}

// certificateOf returns the certificate if that is what the data begins with, and it is the
// key's.
func certificateOf(data []byte, public crypto.PublicKey) *x509.Certificate {
	var outer asn1.RawValue
	if _, err := asn1.Unmarshal(data, &outer); err != nil {
		return nil
	}
	x, err := x509.ParseCertificate(outer.FullBytes)
	if err != nil {
		return nil
	}
	if k, ok := x.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !k.Equal(public) {
		return nil
	}
	return x
}

// templateBytes returns the template as a TPMT_PUBLIC.
func templateBytes(t tpm2.TPMTPublic) []byte { return tpm2.Marshal(t) }

// public returns the index's public area; nil: there is no such index.
func (n index) public() (*tpm2.TPMSNVPublic, tpm2.TPM2BName, error) {
	rsp, err := tpm2.NVReadPublic{NVIndex: tpm2.TPMHandle(n.handle)}.Execute(n.tpm)
	if errors.Is(err, tpm2.TPMRCHandle) {
		return nil, tpm2.TPM2BName{}, nil
	}
	if err != nil {
		return nil, tpm2.TPM2BName{}, fmt.Errorf("look for NV index %v: %w", n.handle, err)
	}
	p, err := rsp.NVPublic.Contents()
	if err != nil {
		return nil, tpm2.TPM2BName{}, fmt.Errorf("parse the public area of NV index %v: %w", n.handle, err)
	}
	return p, rsp.NVName, nil
}

// read returns what the index holds; nil if it is not there, never written, or has other
// attributes than it should.
func (n index) read() ([]byte, error) {
	p, name, err := n.public()
	if err != nil || p == nil || !p.Attributes.Written || !n.likes(p.Attributes) {
		return nil, err
	}
	data := make([]byte, 0, p.DataSize)
	for len(data) < int(p.DataSize) {
		rsp, err := tpm2.NVRead{
			AuthHandle: empty(tpm2.TPMRHOwner),
			NVIndex:    tpm2.NamedHandle{Handle: tpm2.TPMHandle(n.handle), Name: name},
			Size:       uint16(min(n.id.NVBufferMax, int(p.DataSize)-len(data))),
			Offset:     uint16(len(data)),
		}.Execute(n.tpm)
		if err != nil {
			return nil, fmt.Errorf("read NV index %v: %w", n.handle, err)
		}
		if len(rsp.Data.Buffer) == 0 {
			return nil, fmt.Errorf("read NV index %v: the TPM returns nothing", n.handle)
		}
		data = append(data, rsp.Data.Buffer...)
	}
	return data, nil
}

// likes reports whether attributes are the index's, apart from what has happened to it.
func (n index) likes(have tpm2.TPMANV) bool {
	have.Written, have.WriteLocked = n.attributes.Written, n.attributes.WriteLocked
	return bytes.Equal(tpm2.Marshal(have), tpm2.Marshal(n.attributes))
}

// write makes the index hold the data.
func (n index) write(data []byte, lock bool) error {
	if len(data) > n.id.NVIndexMax {
		return fmt.Errorf("%d bytes are more than the %d of an NV index: a CA with an EC key makes shorter certificates",
			len(data), n.id.NVIndexMax)
	}
	if n.size > 0 {
		if len(data) > n.size {
			return fmt.Errorf("%d bytes are more than the %d of NV index %v", len(data), n.size, n.handle)
		}
		data = append(bytes.Clone(data), make([]byte, n.size-len(data))...)
	}
	have, err := n.read()
	if err != nil {
		return err
	}
	if !bytes.Equal(have, data) {
		if err := n.define(len(data)); err != nil {
			return err
		}
		if err := n.fill(data); err != nil {
			return err
		}
	}
	return n.lock(lock)
}

// define makes the index, in the place of one that is there.
func (n index) define(size int) error {
	p, name, err := n.public()
	if err != nil {
		return err
	}
	if p != nil {
		_, err := tpm2.NVUndefineSpace{
			AuthHandle: empty(tpm2.TPMRHPlatform),
			NVIndex:    tpm2.NamedHandle{Handle: tpm2.TPMHandle(n.handle), Name: name},
		}.Execute(n.tpm)
		if err != nil {
			return fmt.Errorf("remove NV index %v: %w", n.handle, err)
		}
	}
	_, err = tpm2.NVDefineSpace{
		AuthHandle: empty(tpm2.TPMRHPlatform),
		Auth:       tpm2.TPM2BAuth{Buffer: n.auth},
		PublicInfo: tpm2.New2B(tpm2.TPMSNVPublic{
			NVIndex:    tpm2.TPMIRHNVIndex(n.handle),
			NameAlg:    tpm2.TPMAlgSHA256,
			Attributes: n.attributes,
			DataSize:   uint16(size),
		}),
	}.Execute(n.tpm)
	if err != nil {
		return fmt.Errorf("define NV index %v: %w", n.handle, err)
	}
	return nil
}

// fill writes all of the data, in as many commands as it takes.
func (n index) fill(data []byte) error {
	for offset := 0; offset < len(data); {
		chunk := data[offset:min(len(data), offset+n.id.NVBufferMax)]
		_, name, err := n.public() // writing the first time changes the Name
		if err != nil {
			return err
		}
		writer := empty(tpm2.TPMRHPlatform)
		if n.auth != nil {
			writer = tpm2.AuthHandle{Handle: tpm2.TPMHandle(n.handle), Name: name, Auth: tpm2.PasswordAuth(n.auth)}
		}
		_, err = tpm2.NVWrite{
			AuthHandle: writer,
			NVIndex:    tpm2.NamedHandle{Handle: tpm2.TPMHandle(n.handle), Name: name},
			Data:       tpm2.TPM2BMaxNVBuffer{Buffer: chunk},
			Offset:     uint16(offset),
		}.Execute(n.tpm)
		if err != nil {
			return fmt.Errorf("write NV index %v: %w", n.handle, err)
		}
		offset += len(chunk)
	}
	return nil
}

// lock protects the index from being written, where it can be.
func (n index) lock(wanted bool) error {
	if !wanted || !n.attributes.WriteDefine {
		return nil
	}
	p, name, err := n.public()
	if err != nil || p == nil || p.Attributes.WriteLocked {
		return err
	}
	_, err = tpm2.NVWriteLock{
		AuthHandle: empty(tpm2.TPMRHPlatform),
		NVIndex:    tpm2.NamedHandle{Handle: tpm2.TPMHandle(n.handle), Name: name},
	}.Execute(n.tpm)
	if err != nil {
		return fmt.Errorf("lock NV index %v: %w", n.handle, err)
	}
	return nil
}
