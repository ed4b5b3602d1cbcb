package engine

import (
	"bytes"
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// Small pieces of the records' encoding.

func writeBool(w *wire.Writer, b bool) {
	if b {
		w.U8(1)
	} else {
		w.U8(0)
	}
}

func readBool(r *wire.Reader) bool {
	b := r.U8()
	if b > 1 {
		r.Fail(wire.RCValue)
	}
	return b == 1
}

// readExactly reads a sized buffer of n bytes into memory of its own.
func readExactly(r *wire.Reader, n int) []byte {
	b := readBytes(r)
	if r.OK() && len(b) != n {
		r.Fail(wire.RCSize)
	}
	return b
}

// readHash reads an implemented hash algorithm.
func readHash(r *wire.Reader) wire.Alg {
	alg := wire.Alg(r.U16())
	if r.OK() && crypt.Size(alg) == 0 {
		r.Fail(wire.RCHash)
	}
	return alg
}

// readPolicy reads an authPolicy and its hash algorithm, which is TPM_ALG_NULL
// where there is no policy.
func readPolicy(r *wire.Reader) ([]byte, wire.Alg) {
	policy, alg := readBytes(r), wire.Alg(r.U16())
	if r.OK() && (len(policy) != crypt.Size(alg) || len(policy) == 0 && alg != wire.AlgNull) {
		r.Fail(wire.RCSize)
	}
	return policy, alg
}

// readBytes reads a sized buffer into memory of its own, nil when empty.
func readBytes(r *wire.Reader) []byte {
	b := r.Sized(math.MaxUint16)
	if len(b) == 0 {
		return nil
	}
	return bytes.Clone(b)
}

// writeCommands and readCommands encode a set of command codes.
func writeCommands(w *wire.Writer, set map[wire.CC]struct{}) {
	w.U16(uint16(len(set)))
	for _, cc := range sortedKeys(set) {
		w.U32(uint32(cc))
	}
}

func readCommands(r *wire.Reader) map[wire.CC]struct{} {
	set := make(map[wire.CC]struct{})
	for n := r.U16(); n > 0 && r.OK(); n-- {
		set[wire.CC(r.U32())] = struct{}{}
	}
	return set
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
