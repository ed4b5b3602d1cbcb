package crypt_test

import (
	"bytes"
	"crypto/ecdh"
	"errors"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// RFC 5903, section 8.1: both coordinates of the P-256 exchange, and the public
// point as a multiple of the generator.
func TestPointMultiplyRFC5903(t *testing.T) {
	i := unhex(t, "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433")
	q, err := crypt.PointMultiply(wire.CurveNISTP256, i, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantHex(t, "gix", q.X, "dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180")
	wantHex(t, "giy", q.Y, "5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3")
	z, err := crypt.PointMultiply(wire.CurveNISTP256, i, &wire.TPMSECCPoint{
		X: unhex(t, "d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"),
		Y: unhex(t, "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab"),
	})
	if err != nil {
		t.Fatal(err)
	}
	wantHex(t, "girx", z.X, "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de")
	wantHex(t, "giry", z.Y, "522bde0af0d8585b8def9c183b5ae38f50235206a8674ecb5d98edb20eb153a2")
}

// Two parties agree on every curve, and where the standard library has the curve
// it agrees with them.
func TestECDH(t *testing.T) {
	stdlib := map[wire.ECCCurve]ecdh.Curve{
		wire.CurveNISTP256: ecdh.P256(), wire.CurveNISTP384: ecdh.P384(), wire.CurveNISTP521: ecdh.P521(),
	}
	for id := range curves {
		a, b := eccKey(t, id, 0xA5), eccKey(t, id, 0x3C)
		ab, err := crypt.PointMultiply(id, a.sens.Sensitive, &b.pub.Unique.ECC)
		if err != nil {
			t.Fatal(err)
		}
		ba, err := crypt.PointMultiply(id, b.sens.Sensitive, &a.pub.Unique.ECC)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(ab.X, ba.X) || !bytes.Equal(ab.Y, ba.Y) || len(ab.X) != crypt.CurveSize(id) {
			t.Errorf("%v: the parties do not agree", id)
		}
		c, ok := stdlib[id]
		if !ok {
			continue
		}
		priv, err := c.NewPrivateKey(a.sens.Sensitive)
		if err != nil {
			t.Fatal(err)
		}
		pub, err := c.NewPublicKey(append(append([]byte{4}, b.pub.Unique.ECC.X...), b.pub.Unique.ECC.Y...))
		if err != nil {
			t.Fatal(err)
		}
		if z, err := priv.ECDH(pub); err != nil || !bytes.Equal(z, ab.X) {
			t.Errorf("%v: crypto/ecdh has %x, %v", id, z, err)
		}
	}
}

// A coordinate is a number: clients send it with leading zeros, or without those
// of the field's size.
func TestPointLeadingZeros(t *testing.T) {
	id, d := wire.CurveNISTP256, []byte{0xA5, 0x5A}
	q := pointWithLeadingZero(t, id)
	want, err := crypt.PointMultiply(id, d, &q)
	if err != nil {
		t.Fatal(err)
	}
	other := wire.TPMSECCPoint{X: q.X[1:], Y: append([]byte{0, 0}, q.Y...)}
	got, err := crypt.PointMultiply(id, d, &other)
	if err != nil || !bytes.Equal(got.X, want.X) || !bytes.Equal(got.Y, want.Y) {
		t.Errorf("%x, %v, want %x", got, err, want)
	}
}

// pointWithLeadingZero returns the first multiple of the generator of which x
// needs fewer bytes than the field.
func pointWithLeadingZero(t *testing.T, id wire.ECCCurve) wire.TPMSECCPoint {
	for d := range 1 << 16 {
		q, err := crypt.PointMultiply(id, []byte{1, byte(d >> 8), byte(d)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if q.X[0] == 0 {
			return q
		}
	}
	t.Fatal("no such point")
	return wire.TPMSECCPoint{}
}

func TestPointMultiplyErrors(t *testing.T) {
	id := wire.CurveNISTP256
	n := curves[id].Params().N.Bytes()
	good := eccKey(t, id, 1).pub.Unique.ECC
	off := wire.TPMSECCPoint{X: good.X, Y: bytes.Clone(good.Y)}
	off.Y[31] ^= 1
	other := eccKey(t, wire.CurveNISTP384, 1).pub.Unique.ECC
	negative := wire.TPMSECCPoint{X: good.X, Y: bytes.Repeat([]byte{0xFF}, 32)}
	one := []byte{1}
	for _, tt := range []struct {
		why    string
		id     wire.ECCCurve
		scalar []byte
		point  *wire.TPMSECCPoint
		want   wire.RC
	}{
		{"unknown curve", wire.Curve25519, one, nil, wire.RCCurve},
		{"no curve", wire.CurveNone, one, nil, wire.RCCurve},
		{"zero scalar", id, make([]byte, 32), nil, wire.RCValue},
		{"empty scalar", id, nil, nil, wire.RCValue},
		{"scalar n", id, n, nil, wire.RCValue},
		{"scalar of 33 bytes", id, append([]byte{1}, n...), nil, wire.RCValue},
		{"off the curve", id, one, &off, wire.RCECCPoint},
		{"y not in the field", id, one, &negative, wire.RCECCPoint},
		{"another curve's point", id, one, &other, wire.RCECCPoint},
		{"zero, which some take for infinity", id, one, &wire.TPMSECCPoint{}, wire.RCECCPoint},
	} {
		if _, err := crypt.PointMultiply(tt.id, tt.scalar, tt.point); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.why, err, tt.want)
		}
		if tt.point != nil && crypt.OnCurve(tt.id, tt.point) {
			t.Errorf("%s: is on the curve", tt.why)
		}
	}
	if !crypt.OnCurve(id, &good) {
		t.Error("a good point is not on the curve")
	}
}
