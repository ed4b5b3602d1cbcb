package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type startAuthSessionIn struct {
	TPMKey        wire.TPMIDHObject `tpm:"+"`
	Bind          wire.TPMIDHEntity `tpm:"+"`
	NonceCaller   wire.TPM2BNonce
	EncryptedSalt wire.TPM2BEncryptedSecret
	SessionType   wire.SE
	Symmetric     wire.TPMTSymDef `tpm:"+"`
	AuthHash      wire.TPMIAlgHash
}

type startAuthSessionOut struct {
	SessionHandle wire.Handle
	NonceTPM      wire.TPM2BNonce
}

// minNonce is the size of the smallest nonce that starts a session, in bytes.
const minNonce = 16

// TPM2_StartAuthSession, Part 3, 11.1: start an authorization session, salted
// with a secret that only tpmKey can decrypt and bound to an authValue, as wanted.
func startAuthSession(t *engine.TPM, in *startAuthSessionIn) (*startAuthSessionOut, error) {
	alg := wire.Alg(in.AuthHash)
	if len(in.NonceCaller) < minNonce || len(in.NonceCaller) > crypt.Size(alg) {
		return nil, wire.RCSize.Param(1)
	}
	salt, err := sessionSalt(t, in)
	if err != nil {
		return nil, err
	}
	defer clear(salt)
	if err := bindable(t, in.Bind.Handle()); err != nil {
		return nil, err
	}
	if crypt.CipherBlockSize(in.Symmetric.Algorithm) != 0 && in.Symmetric.Mode != wire.AlgCFB {
		return nil, wire.RCMode.Param(4)
	}
	nonceTPM, err := t.RandomBytes(len(in.NonceCaller))
	if err != nil {
		return nil, err
	}
	s := &engine.Session{Type: in.SessionType, AuthHash: alg, Symmetric: in.Symmetric, NonceTPM: nonceTPM}
	if err := t.AddSession(s); err != nil {
		return nil, err
	}
	if s.IsPolicy() {
		t.ResetPolicy(s)
	}
	bindSession(t, s, in, salt)
	return &startAuthSessionOut{SessionHandle: s.Handle, NonceTPM: s.NonceTPM}, nil
}

// sessionSalt decrypts the salt. Whatever is wrong with it is TPM_RC_VALUE: the
// caller of a command without authorization learns nothing about the padding.
func sessionSalt(t *engine.TPM, in *startAuthSessionIn) ([]byte, error) {
	if in.TPMKey.Handle() == wire.HandleNull {
		if len(in.EncryptedSalt) != 0 {
			return nil, wire.RCValue.Param(2)
		}
		return nil, nil
	}
	key := t.Objects.At(in.TPMKey.Handle())
	switch {
	case key.Public.Type != wire.AlgRSA && key.Public.Type != wire.AlgECC:
		return nil, wire.RCKey.Handle(1)
	case len(in.EncryptedSalt) == 0:
		return nil, wire.RCValue.Param(2)
	case key.PublicOnly:
		return nil, wire.RCHandle.Handle(1)
	case !key.Has(wire.ObjDecrypt):
		return nil, wire.RCAttributes.Handle(1)
	}
	private, err := key.Private()
	if err != nil {
		return nil, wire.RCValue.Param(2)
	}
	salt, err := crypt.DecryptSecret(&key.Public, private, "SECRET", in.EncryptedSalt)
	if err != nil {
		return nil, wire.RCValue.Param(2)
	}
	return salt, nil
}

// bindable returns nil when a session can be bound to the entity: its authValue
// must be here, and a PIN index's may not be used without counting.
func bindable(t *engine.TPM, bind wire.Handle) error {
	if o := t.Objects.At(bind); o != nil && o.PublicOnly {
		return wire.RCHandle.Handle(2)
	}
	if x := t.NV.At(bind); x != nil && (x.Type() == wire.NTPinPass || x.Type() == wire.NTPinFail) {
		return wire.RCHandle.Handle(2)
	}
	return nil
}

// bindSession derives the sessionKey (Part 1, "Session key creation") and records
// what the session is bound to. Only an HMAC session stays bound to its entity;
// that failures count for an entity's dictionary attack protection, any does.
func bindSession(t *engine.TPM, s *engine.Session, in *startAuthSessionIn, salt []byte) {
	bind := in.Bind.Handle()
	if bind == wire.HandleNull && len(salt) == 0 {
		return
	}
	key := append([]byte(nil), t.AuthValue(bind)...)
	key = append(key, salt...)
	s.Key = crypt.KDFa(s.AuthHash, key, "ATH", s.NonceTPM, in.NonceCaller, 8*crypt.Size(s.AuthHash))
	clear(key)
	if bind == wire.HandleNull {
		return
	}
	if !s.IsPolicy() {
		s.Bind = t.BindValue(bind)
	}
	s.DABound = !t.DAExempt(bind)
	s.LockoutBound = bind == wire.HandleLockout
}
