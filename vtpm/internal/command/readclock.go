package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type readClockOut struct {
	CurrentTime wire.TPMSTimeInfo
}

// TPM2_ReadClock, Part 3, 29.1: return Time, Clock and what says how far to trust
// them.
func readClock(t *engine.TPM, _ *none) (*readClockOut, error) {
	return &readClockOut{CurrentTime: wire.TPMSTimeInfo{Time: t.Clock.Time, ClockInfo: t.Clock.Info()}}, nil
}
