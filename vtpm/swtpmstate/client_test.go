package swtpmstate_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// client runs commands that go-tpm has no structures for, with passwords.
type client struct {
	testing.TB
	tpm transport.TPM
}

// sized is a parameter with a size before it.
type sized []byte

// try runs a command and returns what follows the response's header, or the response
// code. A command with passwords has one for each of its first handles.
func (c client) try(cc tpm2.TPMCC, handles []tpm2.TPMHandle, passwords []string, params ...any) ([]byte, error) {
	tag := uint16(tpm2.TPMSTNoSessions)
	var body []byte
	for _, h := range handles {
		body = binary.BigEndian.AppendUint32(body, uint32(h))
	}
	if passwords != nil {
		tag = uint16(tpm2.TPMSTSessions)
		var auths []byte
		for _, p := range passwords {
			auths = binary.BigEndian.AppendUint32(auths, uint32(tpm2.TPMRSPW))
			auths = append(auths, 0, 0, 1) // no nonce, continueSession
			auths = append(binary.BigEndian.AppendUint16(auths, uint16(len(p))), p...)
		}
		body = append(binary.BigEndian.AppendUint32(body, uint32(len(auths))), auths...)
	}
	for _, p := range params {
		if s, ok := p.(sized); ok {
			body = append(binary.BigEndian.AppendUint16(body, uint16(len(s))), s...)
			continue
		}
		var err error
		if body, err = binary.Append(body, binary.BigEndian, p); err != nil {
			c.Fatal(err)
		}
	}
	cmd := binary.BigEndian.AppendUint16(nil, tag)
	cmd = binary.BigEndian.AppendUint32(cmd, uint32(10+len(body)))
	cmd = binary.BigEndian.AppendUint32(cmd, uint32(cc))
	response, err := c.tpm.Send(append(cmd, body...))
	if err != nil {
		return nil, err
	}
	if len(response) < 10 {
		return nil, fmt.Errorf("response %x", response)
	}
	if rc := tpm2.TPMRC(binary.BigEndian.Uint32(response[6:])); rc != tpm2.TPMRCSuccess {
		return nil, rc
	}
	return response[10:], nil
}

// run is try for a command that must succeed.
func (c client) run(cc tpm2.TPMCC, handles []tpm2.TPMHandle, passwords []string, params ...any) []byte {
	c.Helper()
	rsp, err := c.try(cc, handles, passwords, params...)
	if err != nil {
		c.Fatalf("%v: %v", cc, err)
	}
	return rsp
}

// must ends the test for an error.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// auth is a handle with its password. The Name is asked for where there is one.
func (c client) auth(h tpm2.TPMHandle, password string) tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: h, Name: c.name(h), Auth: tpm2.PasswordAuth([]byte(password))}
}

func (c client) name(h tpm2.TPMHandle) tpm2.TPM2BName {
	c.Helper()
	switch h >> 24 {
	case 0x01:
		return must(tpm2.NVReadPublic{NVIndex: h}.Execute(c.tpm))(c).NVName
	case 0x80, 0x81:
		return must(tpm2.ReadPublic{ObjectHandle: h}.Execute(c.tpm))(c).Name
	}
	return tpm2.HandleName(h)
}

// properties returns the TPM's properties from first on.
func (c client) properties(first uint32) map[uint32]uint32 {
	c.Helper()
	rsp := must(tpm2.GetCapability{Capability: tpm2.TPMCapTPMProperties, Property: first, PropertyCount: 64}.Execute(c.tpm))(c)
	list := must(rsp.CapabilityData.Data.TPMProperties())(c)
	all := make(map[uint32]uint32)
	for _, p := range list.TPMProperty {
		all[uint32(p.Property)] = p.Value
	}
	return all
}
