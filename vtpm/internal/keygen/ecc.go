package keygen

import (
	"crypto/ecdh"
	"encoding/hex"
	"fmt"
	"io"

	"filippo.io/bigmod"
	"filippo.io/nistec"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// curve is what making a key needs to know of an elliptic curve.
type curve struct {
	order  string // of the base point, in hexadecimal digits
	public func(scalar []byte) (uncompressed []byte, err error)
}

// curveOf returns the parameters of id (SP 800-186, 3.2.1).
func curveOf(id wire.ECCCurve) (curve, bool) {
	switch id {
	case wire.CurveNISTP224:
		return curve{"ffffffffffffffffffffffffffff16a2e0b8f03e13dd29455c5c2a3d", publicP224}, true
	case wire.CurveNISTP256:
		return curve{"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", publicOf(ecdh.P256())}, true
	case wire.CurveNISTP384:
		return curve{"ffffffffffffffffffffffffffffffffffffffffffffffff" +
			"c7634d81f4372ddf581a0db248b0a77aecec196accc52973", publicOf(ecdh.P384())}, true
	case wire.CurveNISTP521:
		return curve{"01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa" +
			"51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409", publicOf(ecdh.P521())}, true
	}
	return curve{}, false
}

func publicOf(c ecdh.Curve) func([]byte) ([]byte, error) {
	return func(scalar []byte) ([]byte, error) {
		key, err := c.NewPrivateKey(scalar)
		if err != nil {
			return nil, err
		}
		return key.PublicKey().Bytes(), nil
	}
}

// publicP224 is for the one curve that crypto/ecdh does not have.
func publicP224(scalar []byte) ([]byte, error) {
	p, err := nistec.NewP224Point().ScalarBaseMult(scalar)
	if err != nil {
		return nil, err
	}
	return p.Bytes(), nil
}

// ECC returns a private scalar and the public point, big-endian, each number as
// long as the curve's field: 28, 32, 48 or 66 bytes. One Read of eight bytes more
// than that determines the key (FIPS 186-4, B.4.1, key pair generation using
// extra random bits).
//
// The error is TPM_RC_CURVE for a curve other than NIST's P-224 to P-521, or
// what the stream reports.
func ECC(stream Stream, id wire.ECCCurve) (d, x, y []byte, err error) {
	c, ok := curveOf(id)
	if !ok {
		return nil, nil, nil, wire.RCCurve
	}
	d, err = scalar(stream, c.order)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("make a private scalar: %w", err)
	}
	point, err := c.public(d)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("compute a public point: %w", err)
	}
	point = point[1:] // 4, for uncompressed
	return d, point[:len(d):len(d)], point[len(d):], nil
}

// scalar returns a number between 1 and order - 1.
func scalar(stream Stream, order string) ([]byte, error) {
	nBytes, err := hex.DecodeString(order)
	if err != nil {
		return nil, err
	}
	n, err := bigmod.NewModulus(nBytes)
	if err != nil {
		return nil, err
	}
	nBytes[len(nBytes)-1]-- // the orders are odd
	less, err := bigmod.NewModulus(nBytes)
	if err != nil {
		return nil, err
	}
	extra := make([]byte, len(nBytes)+8)
	defer clear(extra)
	if _, err := io.ReadFull(stream, extra); err != nil {
		return nil, err
	}
	wide, err := aboveAll(len(extra))
	if err != nil {
		return nil, err
	}
	r, err := bigmod.NewNat().SetBytes(extra, wide)
	if err != nil {
		return nil, err
	}
	one, err := bigmod.NewNat().SetBytes([]byte{1}, n)
	if err != nil {
		return nil, err
	}
	return bigmod.NewNat().Mod(r, less).Add(one, n).Bytes(n), nil
}

// aboveAll returns a modulus above all numbers of size bytes: bigmod takes a
// number only as reduced by some modulus.
func aboveAll(size int) (*bigmod.Modulus, error) {
	b := make([]byte, size+1)
	b[0], b[size] = 1, 1
	return bigmod.NewModulus(b)
}
