package wire

// TPMTHA is TPMT_HA, an algorithm and a digest of its size.
type TPMTHA struct {
	HashAlg Alg
	Digest  []byte
}

// Read reads a digest of an implemented algorithm; TPM_RC_HASH otherwise.
func (h *TPMTHA) Read(r *Reader) { h.read(r, false) }

// ReadPlus reads a digest, or TPM_ALG_NULL without one.
func (h *TPMTHA) ReadPlus(r *Reader) { h.read(r, true) }

func (h *TPMTHA) read(r *Reader, plus bool) {
	h.HashAlg = r.hashAlg(plus)
	h.Digest = r.Bytes(h.HashAlg.DigestSize())
}

// Write appends the algorithm and the digest.
func (h TPMTHA) Write(w *Writer) {
	w.U16(uint16(h.HashAlg))
	w.Bytes(h.Digest)
}

// DigestSize returns the size of a hash algorithm's digest in bytes, or 0 for
// what is not a hash algorithm.
func (a Alg) DigestSize() int {
	switch a {
	case AlgSHA1:
		return 20
	case AlgSHA256, AlgSM3256, AlgSHA3256:
		return 32
	case AlgSHA384, AlgSHA3384:
		return 48
	case AlgSHA512, AlgSHA3512:
		return 64
	}
	return 0
}

// TPMTSignature is TPMT_SIGNATURE. Which fields are meant depends on SigAlg; the
// others are zero.
type TPMTSignature struct {
	SigAlg Alg
	Hash   Alg    // all but TPM_ALG_NULL
	RSA    []byte // TPM_ALG_RSASSA, TPM_ALG_RSAPSS
	R, S   []byte // the ECC schemes, big-endian
	HMAC   []byte // TPM_ALG_HMAC, a digest of Hash
}

// Read reads a signature; TPM_RC_SCHEME for no scheme.
func (s *TPMTSignature) Read(r *Reader) { s.read(r, false) }

// ReadPlus reads a signature, or TPM_ALG_NULL without one.
func (s *TPMTSignature) ReadPlus(r *Reader) { s.read(r, true) }

func (s *TPMTSignature) read(r *Reader, plus bool) {
	*s = TPMTSignature{SigAlg: r.sigScheme(plus)}
	if !r.OK() || s.SigAlg == AlgNull {
		return
	}
	s.Hash = r.hashAlg(false)
	switch s.SigAlg {
	case AlgHMAC:
		s.HMAC = r.Bytes(s.Hash.DigestSize())
	case AlgRSASSA, AlgRSAPSS:
		s.RSA = r.Sized(r.Limits.rsaBytes())
	default:
		s.R = r.Sized(r.Limits.eccBytes())
		s.S = r.Sized(r.Limits.eccBytes())
	}
}

// Write appends the signature.
func (s TPMTSignature) Write(w *Writer) {
	w.U16(uint16(s.SigAlg))
	if s.SigAlg == AlgNull {
		return
	}
	w.U16(uint16(s.Hash))
	switch s.SigAlg {
	case AlgHMAC:
		w.Bytes(s.HMAC)
	case AlgRSASSA, AlgRSAPSS:
		w.Sized(s.RSA)
	default:
		w.Sized(s.R)
		w.Sized(s.S)
	}
}

// TPMTTKCreation is TPMT_TK_CREATION, the ticket that the TPM made an object. The
// types of tickets have the same fields, so that each converts to any other.
type TPMTTKCreation struct {
	Tag       ST
	Hierarchy Handle
	Digest    TPM2BDigest
}

// Read reads the ticket; TPM_RC_TAG for another structure's tag.
func (t *TPMTTKCreation) Read(r *Reader) { t.read(r, STCreation, STCreation) }

// read reads a ticket with one of two tags. A number that is no tag at all is
// TPM_RC_VALUE, which reading a TPM_ST says before the ticket's type is looked at.
func (t *TPMTTKCreation) read(r *Reader, a, b ST) {
	t.Tag.Read(r)
	if r.OK() && t.Tag != a && t.Tag != b {
		r.Fail(RCTag)
	}
	t.Hierarchy = r.handle(isHierarchy)
	t.Digest.Read(r)
}

// Write appends the ticket.
func (t TPMTTKCreation) Write(w *Writer) {
	t.Tag.Write(w)
	t.Hierarchy.Write(w)
	t.Digest.Write(w)
}

// TPMTTKVerified is TPMT_TK_VERIFIED, the ticket that the TPM verified a
// signature.
type TPMTTKVerified TPMTTKCreation

// Read reads the ticket; TPM_RC_TAG for another structure's tag.
func (t *TPMTTKVerified) Read(r *Reader) { (*TPMTTKCreation)(t).read(r, STVerified, STVerified) }

// Write appends the ticket.
func (t TPMTTKVerified) Write(w *Writer) { TPMTTKCreation(t).Write(w) }

// TPMTTKAuth is TPMT_TK_AUTH, the ticket of an authorization that may be used
// again until it expires.
type TPMTTKAuth TPMTTKCreation

// Read reads the ticket; TPM_RC_TAG for another structure's tag.
func (t *TPMTTKAuth) Read(r *Reader) { (*TPMTTKCreation)(t).read(r, STAuthSigned, STAuthSecret) }

// Write appends the ticket.
func (t TPMTTKAuth) Write(w *Writer) { TPMTTKCreation(t).Write(w) }

// TPMTTKHashCheck is TPMT_TK_HASHCHECK, the ticket that the TPM hashed data that
// does not start with TPM_GENERATED_VALUE.
type TPMTTKHashCheck TPMTTKCreation

// Read reads the ticket; TPM_RC_TAG for another structure's tag.
func (t *TPMTTKHashCheck) Read(r *Reader) { (*TPMTTKCreation)(t).read(r, STHashCheck, STHashCheck) }

// Write appends the ticket.
func (t TPMTTKHashCheck) Write(w *Writer) { TPMTTKCreation(t).Write(w) }
