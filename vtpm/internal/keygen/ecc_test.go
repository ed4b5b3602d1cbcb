package keygen

import (
	"bytes"
	"crypto/ecdh"
	"encoding/hex"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

var sizes = map[wire.ECCCurve]int{
	wire.CurveNISTP192: 24, wire.CurveNISTP224: 28, wire.CurveNISTP256: 32, wire.CurveNISTP384: 48, wire.CurveNISTP521: 66,
	wire.CurveBNP256: 32, wire.CurveBNP638: 80, wire.CurveSM2P256: 32,
}

// The scalar is the stream's number mod order-1, plus 1: math/big computes it
// here, at the edges of the reduction, and each coordinate has its full length.
func TestECCReduction(t *testing.T) {
	for id, size := range sizes {
		params, err := crypt.CurveParameters(id)
		if err != nil {
			t.Fatalf("curve %v: %v", id, err)
		}
		n := new(big.Int).SetBytes(params.N)
		less := new(big.Int).Sub(n, big.NewInt(1))
		top := new(big.Int).Lsh(big.NewInt(1), uint(8*(size+8)))
		for why, x := range map[string]*big.Int{
			"zero":                 new(big.Int),
			"order - 2, the last":  new(big.Int).Sub(less, big.NewInt(1)),
			"order - 1, back to 1": less,
			"the largest number":   top.Sub(top, big.NewInt(1)),
			"a multiple of 2^64":   new(big.Int).Lsh(less, 60),
		} {
			d, gx, gy, err := ECC(bytes.NewReader(x.FillBytes(make([]byte, size+8))), id)
			if err != nil {
				t.Fatalf("%v, %s: %v", id, why, err)
			}
			want := new(big.Int).Mod(x, less)
			want.Add(want, big.NewInt(1))
			if new(big.Int).SetBytes(d).Cmp(want) != 0 {
				t.Errorf("%v, %s: the scalar is %x, want %x", id, why, d, want)
			}
			if len(d) != size || len(gx) != size || len(gy) != size {
				t.Errorf("%v, %s: lengths %d, %d, %d, want %d", id, why, len(d), len(gx), len(gy), size)
			}
		}
	}
}

// Scalar 1 gives the base point (SP 800-186, 3.2.1; GB/T 32918.5).
func TestECCBasePoint(t *testing.T) {
	for id, want := range map[wire.ECCCurve]string{
		wire.CurveBNP256:   "0000000000000000000000000000000000000000000000000000000000000001",
		wire.CurveSM2P256:  "32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7",
		wire.CurveNISTP224: "b70e0cbd6bb4bf7f321390b94a03c1d356c21122343280d6115c1d21",
		wire.CurveNISTP256: "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
	} {
		_, x, _, err := ECC(strings.NewReader(strings.Repeat("\x00", sizes[id]+8)), id)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(x); got != want {
			t.Errorf("%v: x is %s, want %s", id, got, want)
		}
	}
}

// Two generated keys agree on a secret: the points are the scalars' own.
func TestECCKeysWork(t *testing.T) {
	for id, c := range map[wire.ECCCurve]ecdh.Curve{
		wire.CurveNISTP256: ecdh.P256(), wire.CurveNISTP384: ecdh.P384(), wire.CurveNISTP521: ecdh.P521(),
	} {
		d1, x1, y1, err1 := ECC(NewSeeded([]byte("one"), "t", nil, nil), id)
		d2, x2, y2, err2 := ECC(NewSeeded([]byte("two"), "t", nil, nil), id)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		a := agree(t, c, d1, x2, y2)
		if b := agree(t, c, d2, x1, y1); !bytes.Equal(a, b) {
			t.Errorf("%v: the secrets differ", id)
		}
	}
}

func agree(t *testing.T, c ecdh.Curve, d, x, y []byte) []byte {
	t.Helper()
	private, err1 := c.NewPrivateKey(d)
	public, err2 := c.NewPublicKey(bytes.Join([][]byte{{4}, x, y}, nil))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	z, err := private.ECDH(public)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestECCRefusals(t *testing.T) {
	if _, _, _, err := ECC(NewSeeded(nil, "t", nil, nil), wire.CurveNone); !errors.Is(err, wire.RCCurve) {
		t.Errorf("an unsupported curve: %v", err)
	}
	broken := errors.New("broken")
	if _, _, _, err := ECC(iotest.ErrReader(broken), wire.CurveNISTP256); !errors.Is(err, broken) {
		t.Errorf("a broken stream: %v", err)
	}
	short := iotest.DataErrReader(strings.NewReader("short"))
	if _, _, _, err := ECC(short, wire.CurveNISTP256); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a short stream: %v", err)
	}
}
