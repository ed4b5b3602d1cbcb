package command

import (
	"bytes"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// symmetricEncryption is what TPM2_EncryptDecrypt and TPM2_EncryptDecrypt2 do. They
// have the same parameters in another order, of which the numbers are here.
type symmetricEncryption struct {
	key     wire.Handle
	decrypt bool
	mode    wire.Alg
	iv      []byte
	data    []byte

	atMode, atIV, atData int
}

// run encrypts or decrypts, and returns the IV that continues the data. Errors:
// TPM_RC_KEY, TPM_RC_ATTRIBUTES, TPM_RC_MODE and TPM_RC_SIZE.
func (e *symmetricEncryption) run(t *engine.TPM) (data, iv []byte, err error) {
	key := t.Objects.At(e.key)
	if key.Public.Type != wire.AlgSymCipher {
		return nil, nil, wire.RCKey.Handle(1)
	}
	use := wire.ObjSign // of a symmetric cipher key: it encrypts
	if e.decrypt {
		use = wire.ObjDecrypt
	}
	if key.Has(wire.ObjRestricted) || !key.Has(use) {
		return nil, nil, wire.RCAttributes.Handle(1)
	}
	sym := &key.Public.Parameters.Sym.Sym
	if sym.Mode == wire.AlgCMAC {
		return nil, nil, wire.RCMode.Handle(1)
	}
	mode := sym.Mode
	if mode == wire.AlgNull {
		mode = e.mode
	}
	if mode == wire.AlgNull || e.mode != wire.AlgNull && e.mode != mode {
		return nil, nil, wire.RCMode.Param(e.atMode)
	}
	if err := e.checkSizes(sym.Algorithm, mode); err != nil {
		return nil, nil, err
	}
	data = bytes.Clone(e.data)
	apply := crypt.EncryptSym
	if e.decrypt {
		apply = crypt.DecryptSym
	}
	iv, err = apply(sym.Algorithm, mode, key.Sensitive.Sensitive, e.iv, data)
	return data, iv, err
}

// checkSizes checks that there is an IV where the mode has one, and whole blocks
// where it needs them.
func (e *symmetricEncryption) checkSizes(alg, mode wire.Alg) error {
	block := crypt.CipherBlockSize(alg)
	iv := block
	if mode == wire.AlgECB {
		iv = 0
	}
	if len(e.iv) != iv {
		return wire.RCSize.Param(e.atIV)
	}
	if (mode == wire.AlgCBC || mode == wire.AlgECB) && len(e.data)%block != 0 {
		return wire.RCSize.Param(e.atData)
	}
	return nil
}
