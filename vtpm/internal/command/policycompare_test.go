package command

import (
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// TestHolds: every comparison of TPM_EO, on both sides of its edge. 0x80 and up
// are negative where the comparison is signed.
func TestHolds(t *testing.T) {
	less, equal, greater := [2]string{"\x01\xff", "\x02\x00"}, [2]string{"\x7f\x01", "\x7f\x01"}, [2]string{"\x7f\x02", "\x7f\x01"}
	negative, positive := [2]string{"\x80\x00", "\x00\x01"}, [2]string{"\x00\x01", "\xff\xff"}
	some, all, none := [2]string{"\x05", "\x06"}, [2]string{"\x07", "\x06"}, [2]string{"\x09", "\x06"}
	for _, x := range []struct {
		name       string
		op         wire.EO
		yes, never [][2]string
	}{
		{"EQ", wire.EOEq, [][2]string{equal}, [][2]string{less, greater, negative}},
		{"NEQ", wire.EONeq, [][2]string{less, greater, negative}, [][2]string{equal}},
		{"SIGNED_GT", wire.EOSignedGT, [][2]string{greater, positive}, [][2]string{less, equal, negative}},
		{"UNSIGNED_GT", wire.EOUnsignedGT, [][2]string{greater, negative}, [][2]string{less, equal, positive}},
		{"SIGNED_LT", wire.EOSignedLT, [][2]string{less, negative}, [][2]string{greater, equal, positive}},
		{"UNSIGNED_LT", wire.EOUnsignedLT, [][2]string{less, positive}, [][2]string{greater, equal, negative}},
		{"SIGNED_GE", wire.EOSignedGE, [][2]string{greater, equal, positive}, [][2]string{less, negative}},
		{"UNSIGNED_GE", wire.EOUnsignedGE, [][2]string{greater, equal, negative}, [][2]string{less, positive}},
		{"SIGNED_LE", wire.EOSignedLE, [][2]string{less, equal, negative}, [][2]string{greater, positive}},
		{"UNSIGNED_LE", wire.EOUnsignedLE, [][2]string{less, equal, positive}, [][2]string{greater, negative}},
		{"BITSET", wire.EOBitSet, [][2]string{all}, [][2]string{some, none}},
		{"BITCLEAR", wire.EOBitClear, [][2]string{none}, [][2]string{some, all}},
	} {
		for _, p := range x.yes {
			if !holds(x.op, []byte(p[0]), []byte(p[1])) {
				t.Errorf("%x %s %x does not hold", p[0], x.name, p[1])
			}
		}
		for _, p := range x.never {
			if holds(x.op, []byte(p[0]), []byte(p[1])) {
				t.Errorf("%x %s %x holds", p[0], x.name, p[1])
			}
		}
	}
}

// TestHoldsOfNothing: two empty operands are equal, and every bit of them is as
// it should be.
func TestHoldsOfNothing(t *testing.T) {
	for op := wire.EOEq; op <= wire.EOBitClear; op++ {
		var want bool
		switch op {
		case wire.EOEq, wire.EOSignedGE, wire.EOUnsignedGE, wire.EOSignedLE, wire.EOUnsignedLE, wire.EOBitSet, wire.EOBitClear:
			want = true
		}
		if have := holds(op, nil, nil); have != want {
			t.Errorf("comparison %d of nothing: %v", op, have)
		}
	}
}
