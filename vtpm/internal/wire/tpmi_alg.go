package wire

import "slices"

// Interface types of algorithms, sizes and tags (Part 2, "Interface Types").
// Reading one accepts only what the TPM implements; each has its own response
// code. Named types exist where a command has such a parameter; structures hold
// an Alg and read it with the same functions.

// alg reads an algorithm that is one of those for which ok holds, or TPM_ALG_NULL
// if plus; rc otherwise.
func (r *Reader) alg(rc RC, plus bool, ok func(Alg, *Limits) bool) Alg {
	a := Alg(r.U16())
	if r.OK() && !(plus && a == AlgNull) && !ok(a, r.Limits) {
		r.Fail(rc)
	}
	return a
}

func isAsym(a Alg, l *Limits) bool {
	return a == AlgRSA && len(l.RSABits) != 0 || a == AlgECC && len(l.Curves) != 0
}

func isHash(a Alg, l *Limits) bool { return slices.Contains(l.Hashes, a) }

func isSymObject(a Alg, l *Limits) bool { return len(l.KeyBits(a)) != 0 }

func isSym(a Alg, l *Limits) bool {
	return isSymObject(a, l) || a == AlgXOR && slices.Contains(l.Schemes, a)
}

func isSymMode(a Alg, l *Limits) bool { return slices.Contains(l.SymModes, a) }

func isCipherMode(a Alg, l *Limits) bool { return a != AlgCMAC && isSymMode(a, l) }

func isMACScheme(a Alg, l *Limits) bool {
	return isHash(a, l) || a == AlgCMAC && isSymMode(a, l)
}

func isKDF(a Alg, l *Limits) bool { return slices.Contains(l.KDFs, a) }

// schemeOf returns a test for an implemented scheme among these.
func schemeOf(among ...Alg) func(Alg, *Limits) bool {
	return func(a Alg, l *Limits) bool {
		return slices.Contains(among, a) && slices.Contains(l.Schemes, a)
	}
}

func (r *Reader) hashAlg(plus bool) Alg   { return r.alg(RCHash, plus, isHash) }
func (r *Reader) sym(plus bool) Alg       { return r.alg(RCSymmetric, plus, isSym) }
func (r *Reader) symObject(plus bool) Alg { return r.alg(RCSymmetric, plus, isSymObject) }
func (r *Reader) symMode(plus bool) Alg   { return r.alg(RCMode, plus, isSymMode) }
func (r *Reader) kdf(plus bool) Alg       { return r.alg(RCKDF, plus, isKDF) }

func (r *Reader) sigScheme(plus bool) Alg {
	return r.alg(RCScheme, plus, schemeOf(AlgHMAC, AlgRSASSA, AlgRSAPSS, AlgECDSA, AlgECDAA,
		AlgSM2, AlgECSchnorr))
}

func (r *Reader) keyedHashScheme(plus bool) Alg {
	return r.alg(RCValue, plus, schemeOf(AlgHMAC, AlgXOR))
}

func (r *Reader) rsaScheme(plus bool) Alg {
	return r.alg(RCValue, plus, schemeOf(AlgRSASSA, AlgRSAPSS, AlgRSAES, AlgOAEP))
}

func (r *Reader) rsaDecrypt(plus bool) Alg {
	return r.alg(RCValue, plus, schemeOf(AlgRSAES, AlgOAEP))
}

func (r *Reader) eccScheme(plus bool) Alg {
	return r.alg(RCScheme, plus, schemeOf(AlgECDSA, AlgSM2, AlgECDAA, AlgECSchnorr, AlgECDH,
		AlgECMQV))
}

func (r *Reader) asymScheme(plus bool) Alg {
	return r.alg(RCValue, plus, schemeOf(AlgECDH, AlgECMQV, AlgRSASSA, AlgRSAPSS, AlgECDSA,
		AlgECDAA, AlgSM2, AlgECSchnorr, AlgRSAES, AlgOAEP))
}

func (r *Reader) public() Alg {
	return r.alg(RCType, false, func(a Alg, l *Limits) bool {
		return a == AlgKeyedHash || a == AlgSymCipher && len(l.Ciphers) != 0 || isAsym(a, l)
	})
}

// curve reads an implemented curve, or TPM_ECC_NONE if plus; TPM_RC_CURVE
// otherwise.
func (r *Reader) curve(plus bool) ECCCurve {
	c := ECCCurve(r.U16())
	if r.OK() && !(plus && c == CurveNone) && !slices.Contains(r.Limits.Curves, c) {
		r.Fail(RCCurve)
	}
	return c
}

// keyBits reads one of sizes; TPM_RC_VALUE otherwise.
func (r *Reader) keyBits(sizes []uint16) uint16 {
	n := r.U16()
	if r.OK() && !slices.Contains(sizes, n) {
		r.Fail(RCValue)
	}
	return n
}

// TPMIYesNo is TPMI_YES_NO, a boolean in a byte.
type TPMIYesNo bool

// Read reads 0 or 1; TPM_RC_VALUE otherwise.
func (v *TPMIYesNo) Read(r *Reader) { *v = TPMIYesNo(r.yesNo()) }

// Write appends the byte.
func (v TPMIYesNo) Write(w *Writer) { w.yesNo(bool(v)) }

func (r *Reader) yesNo() bool {
	b := r.U8()
	if b > 1 {
		r.Fail(RCValue)
	}
	return b == 1
}

func (w *Writer) yesNo(v bool) {
	if v {
		w.U8(1)
	} else {
		w.U8(0)
	}
}

// TPMISTCommandTag is TPMI_ST_COMMAND_TAG, the tag that starts a command.
type TPMISTCommandTag ST

// Read reads one of the two tags; TPM_RC_BAD_TAG otherwise.
func (v *TPMISTCommandTag) Read(r *Reader) {
	t := ST(r.U16())
	if r.OK() && t != STNoSessions && t != STSessions {
		r.Fail(RCBadTag)
	}
	*v = TPMISTCommandTag(t)
}

// Write appends the tag.
func (v TPMISTCommandTag) Write(w *Writer) { ST(v).Write(w) }

// TPMIECCCurve is TPMI_ECC_CURVE, an implemented curve.
type TPMIECCCurve ECCCurve

// Read reads an implemented curve; TPM_RC_CURVE otherwise.
func (v *TPMIECCCurve) Read(r *Reader) { *v = TPMIECCCurve(r.curve(false)) }

// ReadPlus reads an implemented curve or TPM_ECC_NONE.
func (v *TPMIECCCurve) ReadPlus(r *Reader) { *v = TPMIECCCurve(r.curve(true)) }

// Write appends the curve.
func (v TPMIECCCurve) Write(w *Writer) { ECCCurve(v).Write(w) }

// TPMIRSAKeyBits is TPMI_RSA_KEY_BITS, the size of an RSA modulus in bits.
type TPMIRSAKeyBits uint16

// Read reads an implemented size; TPM_RC_VALUE otherwise.
func (v *TPMIRSAKeyBits) Read(r *Reader) { *v = TPMIRSAKeyBits(r.keyBits(r.Limits.RSABits)) }

// Write appends the size.
func (v TPMIRSAKeyBits) Write(w *Writer) { w.U16(uint16(v)) }

// TPMIAESKeyBits is TPMI_AES_KEY_BITS, the size of an AES key in bits.
type TPMIAESKeyBits uint16

// Read reads an implemented size; TPM_RC_VALUE otherwise.
func (v *TPMIAESKeyBits) Read(r *Reader) { *v = TPMIAESKeyBits(r.keyBits(r.Limits.KeyBits(AlgAES))) }

// Write appends the size.
func (v TPMIAESKeyBits) Write(w *Writer) { w.U16(uint16(v)) }

// TPMIAlgHash is TPMI_ALG_HASH: an implemented hash algorithm.
type TPMIAlgHash Alg

// Read reads the algorithm; TPM_RC_HASH otherwise.
func (v *TPMIAlgHash) Read(r *Reader) { *v = TPMIAlgHash(r.hashAlg(false)) }

// ReadPlus reads the algorithm or TPM_ALG_NULL.
func (v *TPMIAlgHash) ReadPlus(r *Reader) { *v = TPMIAlgHash(r.hashAlg(true)) }

// Write appends the algorithm.
func (v TPMIAlgHash) Write(w *Writer) { Alg(v).Write(w) }

// TPMIAlgSym is TPMI_ALG_SYM: an implemented symmetric algorithm, XOR
// obfuscation included.
type TPMIAlgSym Alg

// Read reads the algorithm; TPM_RC_SYMMETRIC otherwise.
func (v *TPMIAlgSym) Read(r *Reader) { *v = TPMIAlgSym(r.sym(false)) }

// ReadPlus reads the algorithm or TPM_ALG_NULL.
func (v *TPMIAlgSym) ReadPlus(r *Reader) { *v = TPMIAlgSym(r.sym(true)) }

// Write appends the algorithm.
func (v TPMIAlgSym) Write(w *Writer) { Alg(v).Write(w) }

// TPMIAlgSymObject is TPMI_ALG_SYM_OBJECT: an implemented block cipher.
type TPMIAlgSymObject Alg

// Read reads the algorithm; TPM_RC_SYMMETRIC otherwise.
func (v *TPMIAlgSymObject) Read(r *Reader) { *v = TPMIAlgSymObject(r.symObject(false)) }

// ReadPlus reads the algorithm or TPM_ALG_NULL.
func (v *TPMIAlgSymObject) ReadPlus(r *Reader) { *v = TPMIAlgSymObject(r.symObject(true)) }

// Write appends the algorithm.
func (v TPMIAlgSymObject) Write(w *Writer) { Alg(v).Write(w) }

// TPMIAlgSymMode is TPMI_ALG_SYM_MODE: an implemented mode of a block cipher,
// for encryption or for a MAC.
type TPMIAlgSymMode Alg

// Read reads the algorithm; TPM_RC_MODE otherwise.
func (v *TPMIAlgSymMode) Read(r *Reader) { *v = TPMIAlgSymMode(r.symMode(false)) }

// ReadPlus reads the algorithm or TPM_ALG_NULL.
func (v *TPMIAlgSymMode) ReadPlus(r *Reader) { *v = TPMIAlgSymMode(r.symMode(true)) }

// Write appends the algorithm.
func (v TPMIAlgSymMode) Write(w *Writer) { Alg(v).Write(w) }

// TPMIAlgCipherMode is TPMI_ALG_CIPHER_MODE: an implemented mode of a block
// cipher for encryption.
type TPMIAlgCipherMode Alg

// Read reads the algorithm; TPM_RC_MODE otherwise.
func (v *TPMIAlgCipherMode) Read(r *Reader) {
	*v = TPMIAlgCipherMode(r.alg(RCMode, false, isCipherMode))
}

// ReadPlus reads the algorithm or TPM_ALG_NULL.
func (v *TPMIAlgCipherMode) ReadPlus(r *Reader) {
	*v = TPMIAlgCipherMode(r.alg(RCMode, true, isCipherMode))
}

// Write appends the algorithm.
func (v TPMIAlgCipherMode) Write(w *Writer) { Alg(v).Write(w) }

// TPMIAlgMACScheme is TPMI_ALG_MAC_SCHEME: an implemented hash algorithm for
// HMAC, or CMAC.
type TPMIAlgMACScheme Alg

// Read reads the algorithm; TPM_RC_SYMMETRIC otherwise.
func (v *TPMIAlgMACScheme) Read(r *Reader) {
	*v = TPMIAlgMACScheme(r.alg(RCSymmetric, false, isMACScheme))
}

// ReadPlus reads the algorithm or TPM_ALG_NULL.
func (v *TPMIAlgMACScheme) ReadPlus(r *Reader) {
	*v = TPMIAlgMACScheme(r.alg(RCSymmetric, true, isMACScheme))
}

// Write appends the algorithm.
func (v TPMIAlgMACScheme) Write(w *Writer) { Alg(v).Write(w) }

// TPMIAlgKDF is TPMI_ALG_KDF: an implemented key derivation or mask generation
// function.
type TPMIAlgKDF Alg

// Read reads the algorithm; TPM_RC_KDF otherwise.
func (v *TPMIAlgKDF) Read(r *Reader) { *v = TPMIAlgKDF(r.kdf(false)) }

// ReadPlus reads the algorithm or TPM_ALG_NULL.
func (v *TPMIAlgKDF) ReadPlus(r *Reader) { *v = TPMIAlgKDF(r.kdf(true)) }

// Write appends the algorithm.
func (v TPMIAlgKDF) Write(w *Writer) { Alg(v).Write(w) }

// TPMIAlgSigScheme is TPMI_ALG_SIG_SCHEME: an implemented signature scheme.
type TPMIAlgSigScheme Alg

// Read reads the algorithm; TPM_RC_SCHEME otherwise.
func (v *TPMIAlgSigScheme) Read(r *Reader) { *v = TPMIAlgSigScheme(r.sigScheme(false)) }

// ReadPlus reads the algorithm or TPM_ALG_NULL.
func (v *TPMIAlgSigScheme) ReadPlus(r *Reader) { *v = TPMIAlgSigScheme(r.sigScheme(true)) }

// Write appends the algorithm.
func (v TPMIAlgSigScheme) Write(w *Writer) { Alg(v).Write(w) }

// TPMIECCKeyExchange is TPMI_ECC_KEY_EXCHANGE: an implemented key exchange of
// two phases.
type TPMIECCKeyExchange Alg

// Read reads the algorithm; TPM_RC_SCHEME otherwise.
func (v *TPMIECCKeyExchange) Read(r *Reader) {
	*v = TPMIECCKeyExchange(r.alg(RCScheme, false, schemeOf(AlgECDH, AlgECMQV, AlgSM2)))
}

// ReadPlus reads the algorithm or TPM_ALG_NULL.
func (v *TPMIECCKeyExchange) ReadPlus(r *Reader) {
	*v = TPMIECCKeyExchange(r.alg(RCScheme, true, schemeOf(AlgECDH, AlgECMQV, AlgSM2)))
}

// Write appends the algorithm.
func (v TPMIECCKeyExchange) Write(w *Writer) { Alg(v).Write(w) }

// TPMIAlgPublic is TPMI_ALG_PUBLIC: a type of object.
type TPMIAlgPublic Alg

// Read reads the algorithm; TPM_RC_TYPE otherwise.
func (v *TPMIAlgPublic) Read(r *Reader) { *v = TPMIAlgPublic(r.public()) }

// Write appends the algorithm.
func (v TPMIAlgPublic) Write(w *Writer) { Alg(v).Write(w) }
