package keygen

import (
	"bytes"
	"math/big"
	"testing"
)

// numbers are 256-bit values at the edges of limbs and of carries.
func numbers() []*big.Int {
	one := big.NewInt(1)
	var all []*big.Int
	for _, n := range []uint{1, 63, 64, 65, 128, 200, 255} {
		power := new(big.Int).Lsh(one, n)
		all = append(all, power, new(big.Int).Sub(power, one), new(big.Int).Add(power, one))
	}
	return append(all, new(big.Int).Sub(new(big.Int).Lsh(one, 256), one))
}

func toNat(x *big.Int) nat { return newNat(x.FillBytes(make([]byte, 32))) }

func toBig(x nat) *big.Int { return new(big.Int).SetBytes(x.bytes()) }

func TestNatAgainstBig(t *testing.T) {
	whole := new(big.Int).Lsh(big.NewInt(1), 256)
	for _, x := range numbers() {
		n := toNat(x)
		if !bytes.Equal(n.bytes(), x.FillBytes(make([]byte, 32))) {
			t.Errorf("%x: bytes gives %x", x, n.bytes())
		}
		for _, y := range []uint64{1, 2, 105, 65537, 1<<64 - 1} {
			w := new(big.Int).SetUint64(y)
			if got, want := n.mod(y), new(big.Int).Mod(x, w).Uint64(); got != want {
				t.Errorf("%x mod %d = %d, want %d", x, y, got, want)
			}
			sum := new(big.Int).Add(x, w)
			if got := toBig(n.plus(y)); got.Cmp(sum.Mod(sum, whole)) != 0 {
				t.Errorf("%x + %d = %x", x, y, got)
			}
			if x.Cmp(w) < 0 {
				continue
			}
			if got := toBig(n.minus(y)); got.Cmp(new(big.Int).Sub(x, w)) != 0 {
				t.Errorf("%x - %d = %x", x, y, got)
			}
		}
		for _, k := range []int{0, 1, 63, 64, 65, 255} {
			if got := toBig(n.shiftRight(k)); got.Cmp(new(big.Int).Rsh(x, uint(k))) != 0 {
				t.Errorf("%x >> %d = %x", x, k, got)
			}
		}
		for _, y := range numbers() {
			if got := toBig(n.times(toNat(y))); got.Cmp(new(big.Int).Mul(x, y)) != 0 {
				t.Errorf("%x * %x = %x", x, y, got)
			}
		}
		if got, want := n.trailingZeros(), int(x.TrailingZeroBits()); got != want {
			t.Errorf("%x ends in %d zeros, want %d", x, got, want)
		}
	}
}

func TestNatCloserIsSymmetric(t *testing.T) {
	for _, x := range numbers() {
		for _, y := range numbers() {
			diff := new(big.Int).Sub(x, y)
			if got, want := toNat(x).closer(toNat(y), 100), diff.Abs(diff).BitLen() <= 100; got != want {
				t.Errorf("%x and %x: closer than 2^100 is %v, want %v", x, y, got, want)
			}
		}
	}
}
