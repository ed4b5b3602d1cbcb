package crypt

import (
	"encoding/binary"
	"io"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// ECDAA signs in two steps (Part 1, "ECDAA"): TPM2_Commit makes a random r and
// tells its products with points, TPM2_Sign signs with the same r. What the engine
// keeps between the two is a counter; r is derived from it.

const labelCommit = "ECDAA Commit"

// commitHash is the hash algorithm of the derivation of r.
const commitHash = wire.AlgSHA512

// CommitRandom returns the random value that belongs to the commit counter, for a
// key with the given Name on the curve id or, with an empty Name, for an ephemeral
// key (Part 1, "ECDAA": "Commit Random Value"). nonce is the secret of the
// derivation. The result has the size of a coordinate, and is a scalar. Errors:
// TPM_RC_CURVE.
//
// The derivation is libtpms', so that a commit of one can be used by the other:
// KDFa from its second block on, over and over until there is a number below the
// order whose upper half is not zero.
func CommitRandom(id wire.ECCCurve, nonce, name []byte, counter uint64) ([]byte, error) {
	c := lookup(id)
	if c == nil {
		return nil, wire.RCCurve
	}
	blocks := uint32((c.size + Size(commitHash) - 1) / Size(commitHash))
	context := binary.BigEndian.AppendUint64(nil, counter)
	for first := uint32(2); ; first += blocks {
		r := kdfa(commitHash, nonce, labelCommit, name, context, 8*c.size, first)
		if c.validScalar(r) && !isZero(r[:c.size/2+1]) {
			return r, nil
		}
		clear(r)
	}
}

// isZero reports whether all bytes are zero, in constant time.
func isZero(b []byte) bool {
	var any byte
	for _, x := range b {
		any |= x
	}
	return any == 0
}

// CommitPoint returns the point P2 of TPM2_Commit, whose first coordinate is the
// hash of s2 (Part 3, "TPM2_Commit"). Whether it is on the curve is Commit's to
// say. It is empty if the package does not know the curve or the hash algorithm.
func CommitPoint(id wire.ECCCurve, hashAlg wire.Alg, s2, y2 []byte) wire.TPMSECCPoint {
	c := lookup(id)
	if c == nil || Size(hashAlg) == 0 {
		return wire.TPMSECCPoint{}
	}
	p := modulus(c.domain.p)
	return wire.TPMSECCPoint{X: reduce(Digest(hashAlg, s2), p).Bytes(p), Y: y2}
}

// Commit computes the points of TPM2_Commit for the private key d and the random
// value r (Part 3, "TPM2_Commit"): K = [d]P2 and L = [r]P2 if there is a p2, and E
// = [r]P1 if there is a p1; or E = [r]G if there is neither. A point that is not
// computed is empty. Errors: TPM_RC_CURVE, TPM_RC_ECC_POINT for a point that is not
// on the curve, TPM_RC_VALUE for a d or r that is no scalar.
func Commit(id wire.ECCCurve, d, r []byte, p1, p2 *wire.TPMSECCPoint) (k, l, e wire.TPMSECCPoint, err error) {
	if p2 != nil {
		if k, err = PointMultiply(id, d, p2); err != nil {
			return k, l, e, err
		}
		if l, err = PointMultiply(id, r, p2); err != nil {
			return k, l, e, err
		}
	}
	if p1 != nil || p2 == nil {
		e, err = PointMultiply(id, r, p1)
	}
	return k, l, e, err
}

// SignECDAA makes the second step of a signature of digest by the key (pub, priv)
// and the committed random value r, which must not be used again: two signatures
// with one r give away the key (Part 1, "ECDAA": "Sign"). The signature is a nonce
// k and s = r + H(k || digest)d.
//
// Errors: TPM_RC_SCHEME if hashAlg is no hash algorithm, TPM_RC_KEY for a key that
// cannot sign, TPM_RC_VALUE if r is no scalar, TPM_RC_NO_RESULT if rand fails.
func SignECDAA(rand io.Reader, pub *wire.TPMTPublic, priv *Private, hashAlg wire.Alg, digest, r []byte) (wire.TPMTSignature, error) {
	c := lookup(pub.Parameters.ECC.CurveID)
	if priv == nil || pub.Type != wire.AlgECC || c == nil {
		return wire.TPMTSignature{}, wire.RCKey
	}
	d, committed := c.scalar(priv.sensitive), c.scalar(r)
	switch {
	case d == nil:
		return wire.TPMTSignature{}, wire.RCKey
	case committed == nil:
		return wire.TPMTSignature{}, wire.RCValue
	case Size(hashAlg) == 0:
		return wire.TPMTSignature{}, wire.RCScheme
	}
	for {
		k, err := c.ecdaaNonce(rand)
		if err != nil {
			return wire.TPMTSignature{}, err
		}
		t := c.reduced(Digest(hashAlg, k, digest))
		s := c.mulAdd(t, d, committed)
		if t.IsZero() == 1 || s.IsZero() == 1 {
			continue
		}
		return wire.TPMTSignature{SigAlg: wire.AlgECDAA, Hash: hashAlg, R: k, S: c.bytes(s)}, nil
	}
}

// ecdaaNonce returns the nonce of a signature, which is public. It has no leading
// zero: the reference implementation would hash and send it without, verifiers may
// fill it up, and so both agree.
func (c *curve) ecdaaNonce(rand io.Reader) ([]byte, error) {
	for {
		k, err := c.randomScalar(rand)
		if err != nil {
			return nil, err
		}
		if b := c.bytes(k); b[0] != 0 {
			return b, nil
		}
	}
}
