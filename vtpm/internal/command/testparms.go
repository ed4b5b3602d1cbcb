package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type testParmsIn struct {
	Parameters wire.TPMTPublicParms
}

// TPM2_TestParms, Part 3, 30.3: say whether algorithm parameters are supported.
// Decoding has said it: it accepts what the TPM implements and nothing else.
func testParms(*engine.TPM, *testParmsIn) error { return nil }
