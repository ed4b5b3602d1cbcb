package vtpm

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// errorResponse is the response of a command that failed: a header only. Format
// zero codes of TPM 1.2 (TPM_RC_BAD_TAG) have the tag of TPM 1.2.
func errorResponse(rc wire.RC) []byte {
	w := wire.NewWriter(make([]byte, 0, headerSize))
	tag := wire.STNoSessions
	if rc == wire.RCBadTag {
		tag = wire.STRspCommand
	}
	w.U16(uint16(tag))
	w.U32(headerSize)
	w.U32(uint32(rc))
	return w.Data()
}

// respond encodes the response of a command that succeeded: header, handle,
// parameters and sessions.
func (x *execution) respond() []byte {
	w := wire.NewWriter(make([]byte, 0, 256))
	w.U16(uint16(x.tag))
	w.U32(0) // size, known last
	w.U32(uint32(wire.RCSuccess))
	x.call.WriteHandle(w)
	sizeAt := w.Len()
	if x.tag == wire.STSessions {
		w.U32(0) // parameterSize
	}
	start := w.Len()
	x.call.WriteParameters(w)
	params := w.Data()[start:]
	if x.tag == wire.STSessions {
		w.PatchU32(sizeAt, uint32(len(params)))
		if err := x.rollNonces(); err != nil {
			return errorResponse(err.(wire.RC))
		}
		x.encryptResponse(params)
	}
	x.auditResponse(params)
	for i := range x.c.Sessions {
		x.writeSession(w, i, params)
	}
	w.PatchU32(2, uint32(w.Len()))
	return w.Data()
}

// rollNonces gives every session in use a new nonceTPM.
func (x *execution) rollNonces() error {
	for i := range x.c.Sessions {
		if s := x.c.Sessions[i].Session; s != nil {
			if err := x.t.Random(s.NonceTPM); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeSession appends one session's acknowledgment and ends the session where
// continueSession is clear.
func (x *execution) writeSession(w *wire.Writer, i int, params []byte) {
	u := &x.c.Sessions[i]
	if u.Session == nil {
		w.Sized(nil)
		(u.Attributes | wire.SessContinue).Write(w)
		w.Sized(nil)
		return
	}
	var hmac []byte
	if !(u.Session.IsPolicy() && u.Session.Policy.PasswordNeeded) {
		hmac = x.responseHMAC(u, params)
	}
	w.Sized(u.Session.NonceTPM)
	u.Attributes.Write(w)
	w.Sized(hmac)
	if !u.Attributes.Has(wire.SessContinue) {
		x.t.FlushSession(u.Session.Handle)
	} else if u.Session.IsPolicy() {
		// Part 1, "Policy session nonce": a new nonce starts the policy afresh.
		x.t.ResetPolicy(u.Session)
	}
}

// responseHMAC is Part 1, "HMAC computation", for a response.
func (x *execution) responseHMAC(u *engine.SessionUse, params []byte) []byte {
	s := u.Session
	key := x.hmacKey(u)
	if len(key) == 0 && len(u.Auth) == 0 {
		return nil
	}
	defer clear(key)
	rpHash := x.rpHash(s.AuthHash, params)
	return crypt.HMAC(s.AuthHash, key, rpHash, s.NonceTPM, u.NonceCaller, wire.Marshal(u.Attributes))
}

// rpHash is the response parameter hash (Part 1, "Response Parameter Hash").
func (x *execution) rpHash(alg wire.Alg, params []byte) []byte {
	return crypt.Digest(alg, wire.Marshal(wire.RCSuccess), wire.Marshal(x.row.Code), params)
}

// hmacKey is sessionKey || authValue, in memory of its own.
func (x *execution) hmacKey(u *engine.SessionUse) []byte {
	key := append([]byte(nil), u.Session.Key...)
	if u.IncludeAuth {
		key = append(key, x.t.AuthValue(u.Entity)...)
	}
	return key
}
