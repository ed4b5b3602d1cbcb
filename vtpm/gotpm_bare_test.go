package vtpm_test

import (
	"encoding/binary"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// bare is a command that go-tpm's client API does not have, with its parameters
// as bytes. It uses go-tpm's sessions.
type bare struct {
	code    tpm2.TPMCC
	handles []tpm2.AuthHandle // those with an Auth are to be authorized
	params  []byte
	in, out bool // the first parameter, the first response parameter can be encrypted
}

// bareResponse is the parameters of its response.
type bareResponse struct{ params []byte }

// Command implements tpm2.Command.
func (c bare) Command() tpm2.TPMCC { return c.code }

// Execute implements tpm2.Command.
func (c bare) Execute(t transport.TPM, extra ...tpm2.Session) (*bareResponse, error) {
	var sessions []tpm2.Session
	var names []tpm2.TPM2BName
	var area []byte
	for _, h := range c.handles {
		area = binary.BigEndian.AppendUint32(area, uint32(h.Handle))
		names = append(names, *h.KnownName())
		if h.Auth != nil {
			sessions = append(sessions, h.Auth)
		}
	}
	sessions = append(sessions, extra...)
	params := append([]byte(nil), c.params...)
	for _, s := range sessions {
		if err := s.Init(t); err != nil {
			return nil, err
		}
		if err := s.NewNonceCaller(); err != nil {
			return nil, err
		}
		if s.IsDecryption() {
			if err := s.Encrypt(params[2 : 2+binary.BigEndian.Uint16(params)]); err != nil {
				return nil, err
			}
		}
	}
	tag := tpm2.TPMSTNoSessions
	if len(sessions) != 0 {
		tag = tpm2.TPMSTSessions
		auths, err := c.authorize(sessions, names, params)
		if err != nil {
			return nil, err
		}
		area = binary.BigEndian.AppendUint32(area, uint32(len(auths)))
		area = append(area, auths...)
	}
	cmd := tpm2.Marshal(tpm2.TPMCmdHeader{Tag: tag, Length: uint32(10 + len(area) + len(params)), CommandCode: c.code})
	response, err := t.Send(append(append(cmd, area...), params...))
	if err != nil {
		return nil, err
	}
	if rc := tpm2.TPMRC(binary.BigEndian.Uint32(response[6:])); rc != tpm2.TPMRCSuccess {
		for _, s := range sessions {
			if err := s.CleanupFailure(t); err != nil {
				return nil, err
			}
		}
		return nil, rc
	}
	return c.receive(response, sessions, names)
}

func (c bare) authorize(sessions []tpm2.Session, names []tpm2.TPM2BName, params []byte) ([]byte, error) {
	var auths, nonces []byte
	for i, s := range sessions {
		if i > 0 && (s.IsDecryption() || s.IsEncryption()) {
			nonces = append(nonces, s.NonceTPM().Buffer...)
		}
	}
	for i, s := range sessions {
		var add []byte
		if i == 0 {
			add = nonces
		}
		auth, err := s.Authorize(c.code, params, add, names, i)
		if err != nil {
			return nil, err
		}
		auths = append(auths, tpm2.Marshal(*auth)...)
	}
	return auths, nil
}

// receive takes a good response without a handle apart.
func (c bare) receive(response []byte, sessions []tpm2.Session, names []tpm2.TPM2BName) (*bareResponse, error) {
	params, rest := response[10:], []byte(nil)
	if len(sessions) != 0 {
		n := 14 + binary.BigEndian.Uint32(params)
		params, rest = response[14:n:n], response[n:]
	}
	for i, s := range sessions {
		nonce := int(binary.BigEndian.Uint16(rest))
		hmac := int(binary.BigEndian.Uint16(rest[2+nonce+1:]))
		n := 2 + nonce + 1 + 2 + hmac
		auth, err := tpm2.Unmarshal[tpm2.TPMSAuthResponse](rest[:n])
		if err != nil {
			return nil, err
		}
		if err := s.Validate(tpm2.TPMRCSuccess, c.code, params, names, i, auth); err != nil {
			return nil, err
		}
		rest = rest[n:]
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("%d bytes left", len(rest))
	}
	for _, s := range sessions {
		if s.IsEncryption() {
			if err := s.Decrypt(params[2 : 2+binary.BigEndian.Uint16(params)]); err != nil {
				return nil, err
			}
		}
	}
	return &bareResponse{params}, nil
}
