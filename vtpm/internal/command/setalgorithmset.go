package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type setAlgorithmSetIn struct {
	AuthHandle   wire.TPMIRHPlatform
	AlgorithmSet uint32
}

// TPM2_SetAlgorithmSet, Part 3, 26.3: choose a vendor's set of algorithms. There
// is one set; the number is kept for TPM_PT_ALGORITHM_SET.
func setAlgorithmSet(t *engine.TPM, in *setAlgorithmSetIn) error {
	t.AlgorithmSet = in.AlgorithmSet
	t.Mark(engine.RecordAlgorithmSet)
	return nil
}
