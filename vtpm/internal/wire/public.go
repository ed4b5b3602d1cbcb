package wire

// Public areas (Part 2, "Public Area Structures").

// TPMSECCPoint is TPMS_ECC_POINT, a point of a curve in affine coordinates.
type TPMSECCPoint struct {
	X, Y TPM2BECCParameter
}

// Read reads the point; whether it is on a curve is not checked.
func (p *TPMSECCPoint) Read(r *Reader) {
	p.X.Read(r)
	p.Y.Read(r)
}

// Write appends the point.
func (p TPMSECCPoint) Write(w *Writer) {
	p.X.Write(w)
	p.Y.Write(w)
}

// TPMSDerive is TPMS_DERIVE, what makes a derived object differ from another.
type TPMSDerive struct {
	Label, Context TPM2BLabel
}

// Read reads the two.
func (d *TPMSDerive) Read(r *Reader) {
	d.Label.Read(r)
	d.Context.Read(r)
}

// Write appends the two.
func (d TPMSDerive) Write(w *Writer) {
	d.Label.Write(w)
	d.Context.Write(w)
}

// TPMSKeyedHashParms is TPMS_KEYEDHASH_PARMS.
type TPMSKeyedHashParms struct {
	Scheme TPMTKeyedHashScheme
}

// TPMSSymCipherParms is TPMS_SYMCIPHER_PARMS.
type TPMSSymCipherParms struct {
	Sym TPMTSymDefObject
}

// TPMSRSAParms is TPMS_RSA_PARMS. Exponent zero stands for 65,537.
type TPMSRSAParms struct {
	Symmetric TPMTSymDefObject
	Scheme    TPMTRSAScheme
	KeyBits   uint16
	Exponent  uint32
}

// TPMSECCParms is TPMS_ECC_PARMS.
type TPMSECCParms struct {
	Symmetric TPMTSymDefObject
	Scheme    TPMTECCScheme
	CurveID   ECCCurve
	KDF       TPMTKDFScheme
}

// TPMUPublicParms is TPMU_PUBLIC_PARMS: the member of the public area's type is
// meant, the others are zero.
type TPMUPublicParms struct {
	KeyedHash TPMSKeyedHashParms
	Sym       TPMSSymCipherParms
	RSA       TPMSRSAParms
	ECC       TPMSECCParms
}

func (p *TPMUPublicParms) read(r *Reader, typ Alg) {
	*p = TPMUPublicParms{}
	switch typ {
	case AlgKeyedHash:
		p.KeyedHash.Scheme.ReadPlus(r)
	case AlgSymCipher:
		p.Sym.Sym.Read(r)
	case AlgRSA:
		p.RSA.Symmetric.ReadPlus(r)
		p.RSA.Scheme.ReadPlus(r)
		p.RSA.KeyBits = r.keyBits(r.Limits.RSABits)
		p.RSA.Exponent = r.U32()
	case AlgECC:
		p.ECC.Symmetric.ReadPlus(r)
		p.ECC.Scheme.ReadPlus(r)
		p.ECC.CurveID = r.curve(false)
		p.ECC.KDF.ReadPlus(r)
	default:
		r.Fail(RCSelector)
	}
}

func (p TPMUPublicParms) write(w *Writer, typ Alg) {
	switch typ {
	case AlgKeyedHash:
		p.KeyedHash.Scheme.Write(w)
	case AlgSymCipher:
		p.Sym.Sym.Write(w)
	case AlgRSA:
		p.RSA.Symmetric.Write(w)
		p.RSA.Scheme.Write(w)
		w.U16(p.RSA.KeyBits)
		w.U32(p.RSA.Exponent)
	case AlgECC:
		p.ECC.Symmetric.Write(w)
		p.ECC.Scheme.Write(w)
		p.ECC.CurveID.Write(w)
		p.ECC.KDF.Write(w)
	}
}

// TPMTPublicParms is TPMT_PUBLIC_PARMS, parameters to test.
type TPMTPublicParms struct {
	Type       Alg
	Parameters TPMUPublicParms
}

// Read reads the parameters.
func (p *TPMTPublicParms) Read(r *Reader) {
	p.Type = r.public()
	p.Parameters.read(r, p.Type)
}

// Write appends the parameters.
func (p TPMTPublicParms) Write(w *Writer) {
	w.U16(uint16(p.Type))
	p.Parameters.write(w, p.Type)
}

// TPMUPublicID is TPMU_PUBLIC_ID: the member of the public area's type is meant,
// the others are zero. Derive is meant in a template alone.
type TPMUPublicID struct {
	KeyedHash TPM2BDigest
	Sym       TPM2BDigest
	RSA       TPM2BPublicKeyRSA
	ECC       TPMSECCPoint
	Derive    TPMSDerive
}

func (u *TPMUPublicID) read(r *Reader, typ Alg) {
	*u = TPMUPublicID{}
	switch typ {
	case AlgKeyedHash:
		u.KeyedHash.Read(r)
	case AlgSymCipher:
		u.Sym.Read(r)
	case AlgRSA:
		u.RSA.Read(r)
	case AlgECC:
		u.ECC.Read(r)
	default:
		r.Fail(RCSelector)
	}
}

func (u TPMUPublicID) write(w *Writer, typ Alg) {
	switch typ {
	case AlgKeyedHash:
		u.KeyedHash.Write(w)
	case AlgSymCipher:
		u.Sym.Write(w)
	case AlgRSA:
		u.RSA.Write(w)
	case AlgECC:
		u.ECC.Write(w)
	}
}

// TPMTPublic is TPMT_PUBLIC, the public area of an object.
type TPMTPublic struct {
	Type             Alg
	NameAlg          Alg
	ObjectAttributes TPMAObject
	AuthPolicy       TPM2BDigest
	Parameters       TPMUPublicParms
	Unique           TPMUPublicID
}

// Read reads a public area that has a nameAlg.
func (p *TPMTPublic) Read(r *Reader) { p.read(r, false) }

// ReadPlus reads a public area, whose nameAlg may be TPM_ALG_NULL.
func (p *TPMTPublic) ReadPlus(r *Reader) { p.read(r, true) }

func (p *TPMTPublic) read(r *Reader, plus bool) {
	p.head(r, plus)
	p.Unique.read(r, p.Type)
}

// head reads all but the unique field.
func (p *TPMTPublic) head(r *Reader, plus bool) {
	p.Type = r.public()
	p.NameAlg = r.hashAlg(plus)
	p.ObjectAttributes.Read(r)
	p.AuthPolicy.Read(r)
	p.Parameters.read(r, p.Type)
}

// Write appends the public area.
func (p TPMTPublic) Write(w *Writer) {
	p.writeHead(w)
	p.Unique.write(w, p.Type)
}

func (p TPMTPublic) writeHead(w *Writer) {
	w.U16(uint16(p.Type))
	w.U16(uint16(p.NameAlg))
	p.ObjectAttributes.Write(w)
	p.AuthPolicy.Write(w)
	p.Parameters.write(w, p.Type)
}

// TPMTTemplate is TPMT_TEMPLATE, the template of an object that is derived from
// its parent: a public area whose unique field is a TPMS_DERIVE, Unique.Derive
// (Part 3, "TPM2_CreateLoaded").
type TPMTTemplate TPMTPublic

// Read reads a template that has a nameAlg.
func (t *TPMTTemplate) Read(r *Reader) {
	(*TPMTPublic)(t).head(r, false)
	t.Unique = TPMUPublicID{}
	t.Unique.Derive.Read(r)
}

// Write appends the template.
func (t TPMTTemplate) Write(w *Writer) {
	TPMTPublic(t).writeHead(w)
	t.Unique.Derive.Write(w)
}

// TPM2BPublic is TPM2B_PUBLIC.
type TPM2BPublic struct {
	PublicArea TPMTPublic
}

// Read reads a public area that has a nameAlg; TPM_RC_SIZE for an empty one.
func (p *TPM2BPublic) Read(r *Reader) { r.structure(func() { p.PublicArea.Read(r) }) }

// ReadPlus reads a public area, whose nameAlg may be TPM_ALG_NULL.
func (p *TPM2BPublic) ReadPlus(r *Reader) { r.structure(func() { p.PublicArea.ReadPlus(r) }) }

// Write appends the public area.
func (p TPM2BPublic) Write(w *Writer) { w.Inner(func() { p.PublicArea.Write(w) }) }

// TPM2BECCPoint is TPM2B_ECC_POINT.
type TPM2BECCPoint struct {
	Point TPMSECCPoint
}

// Read reads a point; TPM_RC_SIZE for an empty one.
func (p *TPM2BECCPoint) Read(r *Reader) { r.structure(func() { p.Point.Read(r) }) }

// Write appends the point.
func (p TPM2BECCPoint) Write(w *Writer) { w.Inner(func() { p.Point.Write(w) }) }

// structure reads a sized structure that must be there: TPM_RC_SIZE for a size of
// zero or one that is not the structure's.
func (r *Reader) structure(read func()) {
	if n := r.Inner(read); n == 0 {
		r.Fail(RCSize)
	}
}
