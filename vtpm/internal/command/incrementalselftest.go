package command

import (
	"slices"

	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type incrementalSelfTestIn struct {
	ToTest wire.TPMLAlg
}

type incrementalSelfTestOut struct {
	ToDoList wire.TPMLAlg
}

// TPM2_IncrementalSelfTest, Part 3, 10.3: test algorithms, and return those that
// are still to be tested: none, since power-on tests everything.
func incrementalSelfTest(t *engine.TPM, in *incrementalSelfTestIn) (*incrementalSelfTestOut, error) {
	implemented := algorithms(t.Limits())
	for _, alg := range in.ToTest {
		if !slices.ContainsFunc(implemented, func(p wire.TPMSAlgProperty) bool { return p.Alg == alg }) {
			return nil, wire.RCValue.Param(1)
		}
	}
	return &incrementalSelfTestOut{}, t.SelfTest(in.ToTest...)
}
