package wire

// Schemes and symmetric definitions (Part 2, "Algorithm Parameters and
// Structures"). A union's members that need a hash algorithm alone are merged
// into the structure around it: HashAlg is what the scheme has, zero for a
// scheme that has none.

// TPMTSymDef is TPMT_SYM_DEF, a symmetric algorithm for parameter encryption.
type TPMTSymDef struct {
	Algorithm Alg    // a block cipher, TPM_ALG_XOR or TPM_ALG_NULL
	KeyBits   uint16 // the key's size in bits; zero for TPM_ALG_XOR and TPM_ALG_NULL
	Mode      Alg    // the mode; zero for TPM_ALG_XOR and TPM_ALG_NULL
	Hash      Alg    // the hash algorithm of TPM_ALG_XOR; zero otherwise
}

// Read reads a definition without TPM_ALG_NULL.
func (d *TPMTSymDef) Read(r *Reader) { d.read(r, r.sym(false)) }

// ReadPlus reads a definition, TPM_ALG_NULL allowed.
func (d *TPMTSymDef) ReadPlus(r *Reader) { d.read(r, r.sym(true)) }

func (d *TPMTSymDef) read(r *Reader, a Alg) {
	*d = TPMTSymDef{Algorithm: a}
	switch {
	case !r.OK() || a == AlgNull:
	case a == AlgXOR:
		d.Hash = r.hashAlg(false)
	default:
		d.KeyBits = r.keyBits(r.Limits.KeyBits(a))
		d.Mode = r.symMode(true)
	}
}

// Write appends the definition.
func (d TPMTSymDef) Write(w *Writer) {
	w.U16(uint16(d.Algorithm))
	switch d.Algorithm {
	case AlgNull:
	case AlgXOR:
		w.U16(uint16(d.Hash))
	default:
		w.U16(d.KeyBits)
		w.U16(uint16(d.Mode))
	}
}

// TPMTSymDefObject is TPMT_SYM_DEF_OBJECT, a block cipher for an object. Hash is
// always zero: the type has the same fields as TPMTSymDef so that one converts to
// the other.
type TPMTSymDefObject TPMTSymDef

// Read reads a definition without TPM_ALG_NULL.
func (d *TPMTSymDefObject) Read(r *Reader) { (*TPMTSymDef)(d).read(r, r.symObject(false)) }

// ReadPlus reads a definition, TPM_ALG_NULL allowed.
func (d *TPMTSymDefObject) ReadPlus(r *Reader) { (*TPMTSymDef)(d).read(r, r.symObject(true)) }

// Write appends the definition.
func (d TPMTSymDefObject) Write(w *Writer) { TPMTSymDef(d).Write(w) }

// TPMTKDFScheme is TPMT_KDF_SCHEME.
type TPMTKDFScheme struct {
	Scheme  Alg
	HashAlg Alg
}

// Read reads a scheme without TPM_ALG_NULL.
func (s *TPMTKDFScheme) Read(r *Reader) { s.read(r, false) }

// ReadPlus reads a scheme, TPM_ALG_NULL allowed.
func (s *TPMTKDFScheme) ReadPlus(r *Reader) { s.read(r, true) }

func (s *TPMTKDFScheme) read(r *Reader, plus bool) {
	*s = TPMTKDFScheme{Scheme: r.kdf(plus)}
	if r.OK() && s.Scheme != AlgNull {
		s.HashAlg = r.hashAlg(false)
	}
}

// Write appends the scheme.
func (s TPMTKDFScheme) Write(w *Writer) {
	w.U16(uint16(s.Scheme))
	if s.Scheme != AlgNull {
		w.U16(uint16(s.HashAlg))
	}
}

// TPMTKeyedHashScheme is TPMT_KEYEDHASH_SCHEME.
type TPMTKeyedHashScheme struct {
	Scheme  Alg
	HashAlg Alg
	KDF     Alg // for TPM_ALG_XOR; zero otherwise
}

// Read reads a scheme without TPM_ALG_NULL.
func (s *TPMTKeyedHashScheme) Read(r *Reader) { s.read(r, false) }

// ReadPlus reads a scheme, TPM_ALG_NULL allowed.
func (s *TPMTKeyedHashScheme) ReadPlus(r *Reader) { s.read(r, true) }

func (s *TPMTKeyedHashScheme) read(r *Reader, plus bool) {
	*s = TPMTKeyedHashScheme{Scheme: r.keyedHashScheme(plus)}
	if r.OK() && s.Scheme != AlgNull {
		s.HashAlg = r.hashAlg(false)
	}
	if r.OK() && s.Scheme == AlgXOR {
		s.KDF = r.kdf(true)
	}
}

// Write appends the scheme.
func (s TPMTKeyedHashScheme) Write(w *Writer) {
	w.U16(uint16(s.Scheme))
	if s.Scheme != AlgNull {
		w.U16(uint16(s.HashAlg))
	}
	if s.Scheme == AlgXOR {
		w.U16(uint16(s.KDF))
	}
}

// TPMTAsymScheme is TPMT_ASYM_SCHEME, a scheme of any asymmetric key. The other
// types of schemes have the same fields, so that each converts to any other:
// they differ in what they allow, and in the response code for the rest.
type TPMTAsymScheme struct {
	Scheme  Alg
	HashAlg Alg
	Count   uint16 // for TPM_ALG_ECDAA, the commit counter; zero otherwise
}

// Read reads a scheme without TPM_ALG_NULL; TPM_RC_VALUE for no scheme.
func (s *TPMTAsymScheme) Read(r *Reader) { s.details(r, r.asymScheme(false)) }

// ReadPlus reads a scheme, TPM_ALG_NULL allowed.
func (s *TPMTAsymScheme) ReadPlus(r *Reader) { s.details(r, r.asymScheme(true)) }

func (s *TPMTAsymScheme) details(r *Reader, scheme Alg) {
	*s = TPMTAsymScheme{Scheme: scheme}
	if !r.OK() || scheme == AlgNull || scheme == AlgRSAES {
		return
	}
	s.HashAlg = r.hashAlg(false)
	if scheme == AlgECDAA {
		s.Count = r.U16()
	}
}

// Write appends the scheme.
func (s TPMTAsymScheme) Write(w *Writer) {
	w.U16(uint16(s.Scheme))
	if s.Scheme == AlgNull || s.Scheme == AlgRSAES {
		return
	}
	w.U16(uint16(s.HashAlg))
	if s.Scheme == AlgECDAA {
		w.U16(s.Count)
	}
}

// TPMTSigScheme is TPMT_SIG_SCHEME, a signature scheme.
type TPMTSigScheme TPMTAsymScheme

// Read reads a scheme without TPM_ALG_NULL; TPM_RC_SCHEME for no scheme.
func (s *TPMTSigScheme) Read(r *Reader) { (*TPMTAsymScheme)(s).details(r, r.sigScheme(false)) }

// ReadPlus reads a scheme, TPM_ALG_NULL allowed.
func (s *TPMTSigScheme) ReadPlus(r *Reader) { (*TPMTAsymScheme)(s).details(r, r.sigScheme(true)) }

// Write appends the scheme.
func (s TPMTSigScheme) Write(w *Writer) { TPMTAsymScheme(s).Write(w) }

// TPMTRSAScheme is TPMT_RSA_SCHEME, the scheme of an RSA key.
type TPMTRSAScheme TPMTAsymScheme

// Read reads a scheme without TPM_ALG_NULL; TPM_RC_VALUE for no scheme.
func (s *TPMTRSAScheme) Read(r *Reader) { (*TPMTAsymScheme)(s).details(r, r.rsaScheme(false)) }

// ReadPlus reads a scheme, TPM_ALG_NULL allowed.
func (s *TPMTRSAScheme) ReadPlus(r *Reader) { (*TPMTAsymScheme)(s).details(r, r.rsaScheme(true)) }

// Write appends the scheme.
func (s TPMTRSAScheme) Write(w *Writer) { TPMTAsymScheme(s).Write(w) }

// TPMTRSADecrypt is TPMT_RSA_DECRYPT, an RSA encryption scheme.
type TPMTRSADecrypt TPMTAsymScheme

// Read reads a scheme without TPM_ALG_NULL; TPM_RC_VALUE for no scheme.
func (s *TPMTRSADecrypt) Read(r *Reader) { (*TPMTAsymScheme)(s).details(r, r.rsaDecrypt(false)) }

// ReadPlus reads a scheme, TPM_ALG_NULL allowed.
func (s *TPMTRSADecrypt) ReadPlus(r *Reader) { (*TPMTAsymScheme)(s).details(r, r.rsaDecrypt(true)) }

// Write appends the scheme.
func (s TPMTRSADecrypt) Write(w *Writer) { TPMTAsymScheme(s).Write(w) }

// TPMTECCScheme is TPMT_ECC_SCHEME, the scheme of an ECC key.
type TPMTECCScheme TPMTAsymScheme

// Read reads a scheme without TPM_ALG_NULL; TPM_RC_SCHEME for no scheme.
func (s *TPMTECCScheme) Read(r *Reader) { (*TPMTAsymScheme)(s).details(r, r.eccScheme(false)) }

// ReadPlus reads a scheme, TPM_ALG_NULL allowed.
func (s *TPMTECCScheme) ReadPlus(r *Reader) { (*TPMTAsymScheme)(s).details(r, r.eccScheme(true)) }

// Write appends the scheme.
func (s TPMTECCScheme) Write(w *Writer) { TPMTAsymScheme(s).Write(w) }
