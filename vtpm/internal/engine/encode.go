package engine

import (
	"bytes"
	"cmp"
	"maps"
	"math"
	"slices"

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

func readBool(r *wire.Reader) bool { return r.U8() != 0 }

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
