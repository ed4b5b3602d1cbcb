package wire

import "slices"

// Limits says what a TPM implements, as far as reading a structure depends on
// it: a TPMI type accepts only algorithms, curves, key sizes and handles that
// exist.
type Limits struct {
	Hashes    []Alg      // implemented hash algorithms, PCR banks among them
	Curves    []ECCCurve // implemented curves
	RSABits   []uint16   // implemented RSA key sizes
	Ciphers   []Cipher   // implemented block ciphers
	SymModes  []Alg      // implemented block cipher modes, TPM_ALG_CMAC among them
	Schemes   []Alg      // implemented asymmetric and keyed-hash schemes
	KDFs      []Alg      // implemented key derivation functions and mask generation functions
	PCRSelect int        // bytes in a full PCR select: 3 for 24 PCRs

	// TransientObjects and ActiveSessions bound the handles of transient objects
	// and of sessions: TRANSIENT_LAST and the two session ranges' last handles
	// (Part 2, "TPM_HC"). Zero does not bound them.
	TransientObjects int
	ActiveSessions   int

	// LimitedHierarchies says whether the hierarchies that are bound to the
	// firmware or to its security version number exist.
	LimitedHierarchies bool
}

// Cipher is a block cipher and the sizes of its keys.
type Cipher struct {
	Alg     Alg
	KeyBits []uint16
}

// DefaultLimits returns the limits of the default profile. The caller may change
// what it gets.
func DefaultLimits() *Limits {
	return &Limits{
		Hashes: []Alg{
			AlgSHA1, AlgSHA256, AlgSHA384, AlgSHA512, AlgSHA3256, AlgSHA3384, AlgSHA3512,
		},
		Curves: []ECCCurve{
			CurveNISTP224, CurveNISTP256, CurveNISTP384, CurveNISTP521, CurveBNP256, CurveSM2P256,
		},
		RSABits:  []uint16{1024, 2048, 3072, 4096},
		Ciphers:  []Cipher{{AlgAES, []uint16{128, 192, 256}}},
		SymModes: []Alg{AlgCMAC, AlgCTR, AlgOFB, AlgCBC, AlgCFB, AlgECB},
		Schemes: []Alg{
			AlgHMAC, AlgXOR, AlgRSASSA, AlgRSAES, AlgRSAPSS, AlgOAEP, AlgECDSA, AlgECDH,
			AlgECDAA, AlgSM2, AlgECSchnorr,
		},
		KDFs:             []Alg{AlgMGF1, AlgKDF1SP80056A, AlgKDF2, AlgKDF1SP800108},
		PCRSelect:        3,
		TransientObjects: 64,
		ActiveSessions:   256,
	}
}

// KeyBits returns the sizes of the keys of a block cipher, or nil if it is not
// implemented.
func (l *Limits) KeyBits(cipher Alg) []uint16 {
	for _, c := range l.Ciphers {
		if c.Alg == cipher {
			return c.KeyBits
		}
	}
	return nil
}

// rsaBytes returns MAX_RSA_KEY_BYTES, the size of the largest RSA modulus.
func (l *Limits) rsaBytes() int {
	if len(l.RSABits) == 0 {
		return 0
	}
	return int(slices.Max(l.RSABits)+7) / 8
}

// rsaPrivateBytes returns RSA_PRIVATE_SIZE: a prime and four values of its size,
// which leaves room for the other prime and the Chinese remainder theorem's parts.
func (l *Limits) rsaPrivateBytes() int { return l.rsaBytes() / 2 * 5 }

// eccBytes returns MAX_ECC_KEY_BYTES, the size of the largest curve's coordinate.
func (l *Limits) eccBytes() int {
	n := 0
	for _, c := range l.Curves {
		n = max(n, c.Bytes())
	}
	return n
}

// lastOf returns the last handle of a range of n handles that starts at first.
func lastOf(first, last Handle, n int) Handle {
	if n <= 0 || Handle(n) > last-first {
		return last
	}
	return first + Handle(n) - 1
}

func (l *Limits) isPCR(h Handle) bool { return h < Handle(8*l.PCRSelect) }

func (l *Limits) isTransient(h Handle) bool {
	return h.in(TransientFirst, lastOf(TransientFirst, TransientLast, l.TransientObjects))
}

func (l *Limits) isHMACSession(h Handle) bool {
	return h.in(HMACSessionFirst, lastOf(HMACSessionFirst, HMACSessionLast, l.ActiveSessions))
}

func (l *Limits) isPolicySession(h Handle) bool {
	return h.in(PolicySessionFirst, lastOf(PolicySessionFirst, PolicySessionLast, l.ActiveSessions))
}

// isLimitedHierarchy reports whether h is one of the hierarchies bound to the
// firmware or to its security version number, on a TPM that has them.
func (l *Limits) isLimitedHierarchy(h Handle) bool {
	return l.LimitedHierarchies &&
		(h.in(HandleFWOwner, HandleFWNull) || h.in(HandleSVNOwnerBase, PermanentLast))
}
