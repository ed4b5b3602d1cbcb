package command

import (
	"bytes"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// holds reports whether "a op b" is true (Part 2, "TPM_EO"): a is what the TPM
// has, b is the caller's operand. Both have the same size.
func holds(op wire.EO, a, b []byte) bool {
	unsigned := bytes.Compare(a, b)
	signed := unsigned
	if len(a) != 0 && (a[0]^b[0])&0x80 != 0 {
		signed = -unsigned // of two's complement numbers, the one with the sign bit is less
	}
	switch op {
	case wire.EOEq:
		return unsigned == 0
	case wire.EONeq:
		return unsigned != 0
	case wire.EOSignedGT:
		return signed > 0
	case wire.EOUnsignedGT:
		return unsigned > 0
	case wire.EOSignedLT:
		return signed < 0
	case wire.EOUnsignedLT:
		return unsigned < 0
	case wire.EOSignedGE:
		return signed >= 0
	case wire.EOUnsignedGE:
		return unsigned >= 0
	case wire.EOSignedLE:
		return signed <= 0
	case wire.EOUnsignedLE:
		return unsigned <= 0
	case wire.EOBitSet:
		return bitsAre(a, b, b)
	}
	return bitsAre(a, b, make([]byte, len(b))) // TPM_EO_BITCLEAR
}

// bitsAre reports whether the bits of a that mask selects are those of want.
func bitsAre(a, mask, want []byte) bool {
	for i := range a {
		if a[i]&mask[i] != want[i] {
			return false
		}
	}
	return true
}

// comparisonHash hashes the arguments of a comparison, as they enter a policy.
func comparisonHash(alg wire.Alg, operandB []byte, offset uint16, op wire.EO, more ...uint32) []byte {
	var w wire.Writer
	w.Bytes(operandB)
	w.U16(offset)
	op.Write(&w)
	for _, v := range more {
		w.U32(v)
	}
	return crypt.Digest(alg, w.Data())
}
