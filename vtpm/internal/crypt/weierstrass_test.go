package crypt

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"math/big"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// ownCurves are the curves whose arithmetic is this package's.
var ownCurves = []wire.ECCCurve{wire.CurveNISTP192, wire.CurveBNP256, wire.CurveBNP638, wire.CurveSM2P256}

// Scalars at which multiplication could go wrong: the ends of the range and beyond,
// and digits of the window that are all the same.
func edgeScalars(c *curve) map[string][]byte {
	n := new(big.Int).SetBytes(c.domain.n)
	fill := func(x *big.Int) []byte { return x.FillBytes(make([]byte, c.size)) }
	random := make([]byte, c.size)
	rand.Read(random)
	random[0] &= 1
	return map[string][]byte{
		"0":      make([]byte, c.size),
		"1":      fill(big.NewInt(1)),
		"2":      fill(big.NewInt(2)),
		"15":     fill(big.NewInt(15)),
		"16":     fill(big.NewInt(16)),
		"n - 1":  fill(new(big.Int).Sub(n, big.NewInt(1))),
		"n":      fill(n),
		"n + 1":  fill(new(big.Int).Add(n, big.NewInt(1))),
		"ones":   append([]byte{0}, bytes.Repeat([]byte{0xFF}, c.size-1)...),
		"random": random,
	}
}

// With the parameters of NIST's curves our group is the same as nistec's: the
// generator's and other points' multiples, and sums, infinity among them.
func TestGroupIsNistecs(t *testing.T) {
	for _, id := range []wire.ECCCurve{wire.CurveNISTP224, wire.CurveNISTP256, wire.CurveNISTP384, wire.CurveNISTP521} {
		c := lookup(id)
		ours := newWeierstrass(c.domain)
		var points [][]byte
		for why, k := range edgeScalars(c) {
			want, err := c.multiply(k, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := ours.multiply(k, nil); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v, scalar %s: %x, %v, want %x", id, why, got, err, want)
			}
			points = append(points, want)
		}
		_, p, err := c.keyPair(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		for why, k := range edgeScalars(c) {
			want, err := c.multiply(k, p)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := ours.multiply(k, p); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v, scalar %s of a point: %x, %v, want %x", id, why, got, err, want)
			}
		}
		for _, p := range points {
			for _, q := range points {
				want, err := c.add(p, q)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := ours.add(p, q); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%v: %x + %x: %x, %v, want %x", id, p, q, got, err, want)
				}
			}
		}
	}
}

// affine is arithmetic as it is taught, with math/big: the slow second opinion.
type affine struct{ x, y *big.Int } // nil x: infinity

func (d *domain) affineAdd(p, q affine) affine {
	if p.x == nil {
		return q
	}
	if q.x == nil {
		return p
	}
	m := new(big.Int).SetBytes(d.p)
	var slope *big.Int
	if p.x.Cmp(q.x) == 0 {
		if new(big.Int).Mod(new(big.Int).Add(p.y, q.y), m).Sign() == 0 {
			return affine{}
		}
		slope = new(big.Int).Mul(p.x, p.x)
		slope.Mul(slope, big.NewInt(3)).Add(slope, new(big.Int).SetBytes(d.a))
		slope.Mul(slope, new(big.Int).ModInverse(new(big.Int).Lsh(p.y, 1), m))
	} else {
		slope = new(big.Int).Sub(q.y, p.y)
		dx := new(big.Int).Mod(new(big.Int).Sub(q.x, p.x), m)
		slope.Mul(slope, dx.ModInverse(dx, m))
	}
	x := new(big.Int).Mul(slope, slope)
	x.Sub(x, p.x).Sub(x, q.x).Mod(x, m)
	y := new(big.Int).Sub(p.x, x)
	y.Mul(y, slope).Sub(y, p.y).Mod(y, m)
	return affine{x, y}
}

func (d *domain) affineMultiply(k []byte) affine {
	g := affine{new(big.Int).SetBytes(d.gx), new(big.Int).SetBytes(d.gy)}
	var r affine
	for _, b := range k {
		for bit := 7; bit >= 0; bit-- {
			r = d.affineAdd(r, r)
			if b>>bit&1 == 1 {
				r = d.affineAdd(r, g)
			}
		}
	}
	return r
}

// Our curves are groups of prime order with the base point on them, and multiples
// are those of the textbook.
func TestOwnCurves(t *testing.T) {
	for _, id := range ownCurves {
		c := lookup(id)
		p, n := new(big.Int).SetBytes(c.domain.p), new(big.Int).SetBytes(c.domain.n)
		if !p.ProbablyPrime(20) || !n.ProbablyPrime(20) {
			t.Errorf("%v: not a prime", id)
		}
		// Hasse: the order is within 2√p of p + 1, so that the cofactor is 1.
		gap := new(big.Int).Sub(n, p)
		gap.Sub(gap, big.NewInt(1))
		if gap.Mul(gap, gap).Cmp(new(big.Int).Lsh(p, 2)) > 0 {
			t.Errorf("%v: the order is not that of the curve", id)
		}
		if len(c.domain.n) != c.size {
			t.Errorf("%v: the order and the field have different sizes", id)
		}
		for why, k := range edgeScalars(c) {
			got, err := c.multiply(k, nil)
			if err != nil {
				t.Fatal(err)
			}
			want := []byte{0}
			if q := c.domain.affineMultiply(k); q.x != nil {
				want = bytes.Join([][]byte{{4}, q.x.FillBytes(make([]byte, c.size)), q.y.FillBytes(make([]byte, c.size))}, nil)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%v, scalar %s: %x, want %x", id, why, got, want)
			}
		}
	}
}

// What is no point is refused, by multiply and by add.
func TestOwnCurvesRefuse(t *testing.T) {
	for _, id := range ownCurves {
		c := lookup(id)
		good, err := c.multiply(edgeScalars(c)["2"], nil)
		if err != nil {
			t.Fatal(err)
		}
		if !c.onCurve(good) {
			t.Errorf("%v: a point is not on the curve", id)
		}
		off := bytes.Clone(good)
		off[len(off)-1] ^= 1
		over := bytes.Clone(good)
		copy(over[1:], c.domain.p) // x = p, which is 0 in another form
		compressed := append([]byte{2}, c.x(good)...)
		for why, p := range map[string][]byte{"off the curve": off, "x not reduced": over, "compressed": compressed, "short": good[:c.size], "empty": {}} {
			if c.onCurve(p) {
				t.Errorf("%v, %s: on the curve", id, why)
			}
			if _, err := c.multiply(c.domain.b, p); err != wire.RCECCPoint {
				t.Errorf("%v, %s: %v", id, why, err)
			}
			if _, err := c.add(good, p); err != wire.RCECCPoint {
				t.Errorf("%v, %s: %v", id, why, err)
			}
		}
		if c.onCurve([]byte{0}) {
			t.Errorf("%v: infinity is taken for a point", id)
		}
	}
}

// reduce agrees with math/big at lengths below, at and above the modulus'.
func TestReduce(t *testing.T) {
	m := lookup(wire.CurveNISTP256).order
	n := new(big.Int).SetBytes(m.Nat().Bytes(m))
	for size := range 100 {
		b := bytes.Repeat([]byte{0xFF}, size+1)
		want := new(big.Int).Mod(new(big.Int).SetBytes(b), n)
		if got := reduce(b, m).Bytes(m); new(big.Int).SetBytes(got).Cmp(want) != 0 {
			t.Errorf("%d bytes: %x, want %x", len(b), got, want)
		}
	}
}

func BenchmarkMultiply(b *testing.B) {
	for _, id := range append([]wire.ECCCurve{wire.CurveNISTP256}, ownCurves...) {
		c := lookup(id)
		k := edgeScalars(c)["ones"]
		b.Run(fmt.Sprint(id), func(b *testing.B) {
			for b.Loop() {
				c.multiply(k, nil)
			}
		})
	}
}
