package server

import (
	"errors"
	"sync/atomic"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
)

// errNVOff is why nothing can be stored while the platform took NV away.
var errNVOff = errors.New("the platform switched NV off")

// NVSwitch is a vtpm.Store whose NV the platform can take away, as a chipset can
// that shares its flash with the TPM. Commands that have to write NV meanwhile
// answer TPM_RC_NV_UNAVAILABLE. NV is there at first.
type NVSwitch struct {
	// Store is where the state rests. Nil keeps it in memory.
	Store vtpm.Store

	memory engine.MemoryStore
	off    atomic.Bool
}

// Set says whether NV is there.
func (n *NVSwitch) Set(available bool) { n.off.Store(!available) }

// Load returns the records. Reading works while NV is away.
func (n *NVSwitch) Load() (map[string][]byte, error) { return n.store().Load() }

// Commit passes the changes on, or fails while NV is away.
func (n *NVSwitch) Commit(changes map[string][]byte) error {
	if n.off.Load() {
		return errNVOff
	}
	return n.store().Commit(changes)
}

func (n *NVSwitch) store() vtpm.Store {
	if n.Store == nil {
		return &n.memory
	}
	return n.Store
}
