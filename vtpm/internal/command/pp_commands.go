package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type ppCommandsIn struct {
	Auth      wire.TPMIRHPlatform
	SetList   wire.TPMLCC
	ClearList wire.TPMLCC
}

// TPM2_PP_Commands, Part 3, 26.2: say which commands need physical presence
// besides platform authorization. What cannot be on the list is ignored; a command
// in both lists is off it.
func ppCommands(t *engine.TPM, in *ppCommandsIn) error {
	for _, cc := range in.SetList {
		if t.Commands.PresencePossible(cc) {
			t.DemandPresence(cc, true)
		}
	}
	for _, cc := range in.ClearList {
		t.DemandPresence(cc, false)
	}
	return nil
}
