package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type selfTestIn struct {
	FullTest wire.TPMIYesNo
}

// TPM2_SelfTest, Part 3, 10.2: test the cryptography, all of it or what has not
// been tested yet: nothing, since power-on tests everything.
func selfTest(t *engine.TPM, in *selfTestIn) error {
	if !in.FullTest {
		return nil
	}
	return t.SelfTest(crypt.SelfTests()...)
}
