package seal

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// policyHash is the hash of every policy and sealed object made here, and of all sessions
// but those for objects of others.
const policyHash = tpm2.TPMAlgSHA256

// session is a salted authorization session: a [tpm2.Session].
//
// It is not go-tpm's own for two reasons. go-tpm v0.9.8 cuts an authValue at its
// first zero byte where Part 1 ("Authorization Session HMAC") only drops
// trailing ones, so that one PIN in eight would never be accepted; and its keys
// cannot be zeroed.
type session struct {
	handle      tpm2.TPMHandle
	hash        crypto.Hash
	key         []byte // sessionKey
	auth        []byte // authValue of the entity that is authorized
	attrs       tpm2.TPMASession
	nonceCaller tpm2.TPM2BNonce
	nonceTPM    tpm2.TPM2BNonce
	decrypted   [][]byte // plaintext in go-tpm's buffers, zeroed on close
	over        bool     // the TPM has flushed it
}

var _ tpm2.Session = (*session)(nil)

// startSession starts a session of the given type. With a salt key the session
// is salted to it; without one (nil), only auth protects it. The session keeps a
// copy of auth. Close must be called.
func startSession(tpm transport.TPM, kind tpm2.TPMSE, saltKey *key, auth []byte) (*session, error) {
	return startHashSession(tpm, policyHash, kind, saltKey, auth)
}

// startHashSession is startSession with another hash: a policy session's must be that of
// the object's Name.
func startHashSession(tpm transport.TPM, alg tpm2.TPMIAlgHash, kind tpm2.TPMSE, saltKey *key, auth []byte) (*session, error) {
	hash, err := alg.Hash()
	if err != nil {
		return nil, fmt.Errorf("start a session: %w", err)
	}
	s := &session{
		hash:        hash,
		auth:        bytes.Clone(auth),
		attrs:       tpm2.TPMASession{ContinueSession: true},
		nonceCaller: tpm2.TPM2BNonce{Buffer: make([]byte, hash.Size())},
	}
	if err := s.NewNonceCaller(); err != nil {
		return nil, err
	}
	cmd := tpm2.StartAuthSession{
		TPMKey:      tpm2.TPMRHNull,
		Bind:        tpm2.TPMRHNull,
		NonceCaller: s.nonceCaller,
		SessionType: kind,
		Symmetric: tpm2.TPMTSymDef{
			Algorithm: tpm2.TPMAlgAES,
			KeyBits:   tpm2.NewTPMUSymKeyBits(tpm2.TPMAlgAES, tpm2.TPMKeyBits(128)),
			Mode:      tpm2.NewTPMUSymMode(tpm2.TPMAlgAES, tpm2.TPMAlgCFB),
		},
		AuthHash: alg,
	}
	var salt []byte
	if saltKey != nil {
		pub, err := tpm2.ImportEncapsulationKey(&saltKey.public)
		if err != nil {
			return nil, fmt.Errorf("salt a session to %s: %w", saltKey, err)
		}
		var secret []byte
		if salt, secret, err = tpm2.CreateEncryptedSalt(rand.Reader, pub); err != nil {
			return nil, fmt.Errorf("salt a session to %s: %w", saltKey, err)
		}
		defer clear(salt)
		cmd.TPMKey = saltKey.handle
		cmd.EncryptedSalt = tpm2.TPM2BEncryptedSecret{Buffer: secret}
	}
	rsp, err := cmd.Execute(tpm)
	if err != nil {
		clear(s.auth)
		return nil, explain("start a session", err)
	}
	s.handle = tpm2.TPMHandle(rsp.SessionHandle.HandleValue())
	s.nonceTPM = rsp.NonceTPM
	if salt != nil {
		// Part 1, "sessionKey Creation".
		s.key = tpm2.KDFa(hash, salt, "ATH", s.nonceTPM.Buffer, s.nonceCaller.Buffer, 8*hash.Size())
	}
	return s, nil
}

// close flushes the session and zeroes its secrets.
func (s *session) close(tpm transport.TPM) {
	// Nothing can be done about a session that does not flush: what the caller
	// wanted has happened or failed with an error of its own.
	if !s.over {
		_, _ = tpm2.FlushContext{FlushHandle: s.handle}.Execute(tpm)
	}
	clear(s.key)
	clear(s.auth)
	for _, b := range s.decrypted {
		clear(b)
	}
}

// encryptIn makes the session encrypt the first command parameter.
func (s *session) encryptIn() *session {
	s.attrs.Decrypt = true
	return s
}

// encryptOut makes the session encrypt the first response parameter.
func (s *session) encryptOut() *session {
	s.attrs.Encrypt = true
	return s
}

// last has the TPM flush the session with the next command that succeeds: a command less,
// of which hardware does a hundred in a second.
func (s *session) last() *session {
	s.attrs.ContinueSession = false
	return s
}

// Init is part of [tpm2.Session]; startSession has done its work.
func (s *session) Init(transport.TPM) error { return nil }

// CleanupFailure is part of [tpm2.Session]; close does its work.
func (s *session) CleanupFailure(transport.TPM) error { return nil }

// NonceTPM returns the TPM's last nonce.
func (s *session) NonceTPM() tpm2.TPM2BNonce { return s.nonceTPM }

// NewNonceCaller draws the nonce of the next command.
func (s *session) NewNonceCaller() error {
	_, err := rand.Read(s.nonceCaller.Buffer)
	return err
}

// Handle returns the session's handle.
func (s *session) Handle() tpm2.TPMHandle { return s.handle }

// IsEncryption reports whether the TPM encrypts its first response parameter.
func (s *session) IsEncryption() bool { return s.attrs.Encrypt }

// IsDecryption reports whether the TPM decrypts its first command parameter.
func (s *session) IsDecryption() bool { return s.attrs.Decrypt }

// Authorize returns the session's entry in a command's authorization area.
func (s *session) Authorize(cc tpm2.TPMCC, parms, addNonces []byte, names []tpm2.TPM2BName, _ int) (*tpm2.TPMSAuthCommand, error) {
	// Part 1, "Command Parameter Hash (cpHash)".
	h := s.hash.New()
	h.Write(be32(uint32(cc)))
	for _, n := range names {
		h.Write(n.Buffer)
	}
	h.Write(parms)
	mac := s.hmac(h.Sum(nil), s.nonceCaller.Buffer, s.nonceTPM.Buffer, addNonces, s.attrs)
	return &tpm2.TPMSAuthCommand{
		Handle:        s.handle,
		Nonce:         s.nonceCaller,
		Attributes:    s.attrs,
		Authorization: tpm2.TPM2BData{Buffer: mac},
	}, nil
}

// Validate checks the session's entry in a response's authorization area.
func (s *session) Validate(rc tpm2.TPMRC, cc tpm2.TPMCC, parms []byte, _ []tpm2.TPM2BName, _ int, auth *tpm2.TPMSAuthResponse) error {
	// Part 1, "Response Parameter Hash (rpHash)".
	h := s.hash.New()
	h.Write(be32(uint32(rc)))
	h.Write(be32(uint32(cc)))
	h.Write(parms)
	s.nonceTPM = auth.Nonce
	want := s.hmac(h.Sum(nil), s.nonceTPM.Buffer, s.nonceCaller.Buffer, nil, auth.Attributes)
	if !hmac.Equal(want, auth.Authorization.Buffer) {
		return errors.New("the response's HMAC is wrong: it was changed, or does not come from the TPM that holds the salt key")
	}
	s.over = !auth.Attributes.ContinueSession
	return nil
}

// hmac computes a session HMAC (Part 1, "HMAC Computation").
func (s *session) hmac(pHash, newer, older, addNonces []byte, attrs tpm2.TPMASession) []byte {
	k := s.value()
	defer clear(k)
	m := hmac.New(s.hash.New, k)
	m.Write(pHash)
	m.Write(newer)
	m.Write(older)
	m.Write(addNonces)
	m.Write([]byte{attributeByte(attrs)})
	return m.Sum(nil)
}

// value returns a fresh sessionKey || authValue, the key of both the HMAC and
// the parameter encryption (there called sessionValue).
func (s *session) value() []byte {
	return append(append(make([]byte, 0, len(s.key)+len(s.auth)), s.key...), s.auth...)
}

// Encrypt encrypts a command's first parameter in place, in a session of
// encryptIn.
func (s *session) Encrypt(parameter []byte) error {
	if !s.attrs.Decrypt {
		return nil
	}
	block, iv, err := s.cfb(s.nonceCaller.Buffer, s.nonceTPM.Buffer)
	if err != nil {
		return err
	}
	//lint:ignore SA1019 the TPM's parameter encryption is CFB; the HMAC authenticates it
	cipher.NewCFBEncrypter(block, iv).XORKeyStream(parameter, parameter)
	return nil
}

// Decrypt decrypts a response's first parameter in place, in a session of
// encryptOut.
func (s *session) Decrypt(parameter []byte) error {
	if !s.attrs.Encrypt {
		return nil
	}
	block, iv, err := s.cfb(s.nonceTPM.Buffer, s.nonceCaller.Buffer)
	if err != nil {
		return err
	}
	//lint:ignore SA1019 the TPM's parameter encryption is CFB; the HMAC authenticates it
	cipher.NewCFBDecrypter(block, iv).XORKeyStream(parameter, parameter)
	s.decrypted = append(s.decrypted, parameter)
	return nil
}

// cfb derives the key and IV of one parameter (Part 1, "CFB Mode Parameter
// Encryption").
func (s *session) cfb(newer, older []byte) (cipher.Block, []byte, error) {
	const keySize = 128 / 8
	k := s.value()
	defer clear(k)
	keyIV := tpm2.KDFa(s.hash, k, "CFB", newer, older, 8*(keySize+aes.BlockSize))
	block, err := aes.NewCipher(keyIV[:keySize])
	clear(keyIV[:keySize])
	return block, keyIV[keySize:], err
}

// attributeByte encodes TPMA_SESSION (Part 2, "TPMA_SESSION").
func attributeByte(a tpm2.TPMASession) byte {
	var b byte
	for bit, set := range map[int]bool{
		0: a.ContinueSession, 1: a.AuditExclusive, 2: a.AuditReset,
		5: a.Decrypt, 6: a.Encrypt, 7: a.Audit,
	} {
		if set {
			b |= 1 << bit
		}
	}
	return b
}

func be32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }
