package vtpm

import (
	"encoding/binary"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// decryptParameter decrypts the first parameter in place, when a session is there
// to do it (Part 1, "Session-based encryption").
func (x *execution) decryptParameter() error {
	if x.decrypt < 0 {
		return nil
	}
	n := x.decrypt + 1
	params := x.c.Parameters
	if len(params) < 2 {
		return wire.RCInsufficient.Session(n)
	}
	size := int(binary.BigEndian.Uint16(params))
	if size > len(params)-2 {
		return wire.RCSize.Session(n)
	}
	u := &x.c.Sessions[x.decrypt]
	x.crypt(u, params[2:2+size], u.NonceCaller, u.Session.NonceTPM, true)
	return nil
}

// encryptResponse encrypts the first response parameter in place. The nonces have
// rolled already.
func (x *execution) encryptResponse(params []byte) {
	if x.encrypt < 0 || len(params) < 2 {
		return
	}
	size := int(binary.BigEndian.Uint16(params))
	u := &x.c.Sessions[x.encrypt]
	x.crypt(u, params[2:2+size], u.Session.NonceTPM, u.NonceCaller, false)
}

// crypt applies the session's symmetric algorithm. The key includes the authValue
// of the entity that the session authorizes, bound or not.
func (x *execution) crypt(u *engine.SessionUse, data, nonceNewer, nonceOlder []byte, decrypt bool) {
	s := u.Session
	key := append([]byte(nil), s.Key...)
	if u.Entity != wire.HandleUnassigned {
		key = append(key, x.t.AuthValue(u.Entity)...)
	}
	defer clear(key)
	if s.Symmetric.Algorithm == wire.AlgXOR {
		crypt.XORObfuscate(s.AuthHash, key, nonceNewer, nonceOlder, data)
		return
	}
	keyLen := int(s.Symmetric.KeyBits) / 8
	ivLen := crypt.CipherBlockSize(s.Symmetric.Algorithm)
	k := crypt.KDFa(s.AuthHash, key, "CFB", nonceNewer, nonceOlder, (keyLen+ivLen)*8)
	defer clear(k)
	apply := crypt.EncryptCFB
	if decrypt {
		apply = crypt.DecryptCFB
	}
	if err := apply(s.Symmetric.Algorithm, k[:keyLen], k[keyLen:], data); err != nil {
		panic(err) // the session was made with an implemented cipher
	}
}
