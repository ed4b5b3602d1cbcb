package engine

import "github.com/bootseal/bootseal/vtpm/internal/wire"

// startupKind is what a Startup amounts to (Part 1, "Start-up").
type startupKind uint8

const (
	startupReset   startupKind = iota // TPM Reset: nothing was saved
	startupRestart                    // TPM Restart: Shutdown(STATE), then Startup(CLEAR)
	startupResume                     // TPM Resume: Shutdown(STATE), then Startup(STATE)
)

// Startup starts the TPM (Part 3, "TPM2_Startup"). The errors are those of the
// command.
func (t *TPM) Startup(su wire.SU, locality uint8) error {
	if locality != 0 && locality != 3 {
		return wire.RCLocality
	}
	if t.hcrtm {
		locality = 0
	}
	kind, err := t.startupKind(su, locality)
	if err != nil {
		return err
	}
	orderly := t.Orderly()
	if err := t.restoreVolatile(kind); err != nil {
		t.Fail(err)
		return wire.RCFailure
	}
	if !orderly {
		t.Clock.Safe = false
	}
	t.Clock.Epoch++ // Time started afresh at _TPM_Init
	t.Lockout.startup(orderly)
	t.Lockout.selfHeal(t)
	if err := t.Hierarchies.startup(kind, t.RandomBytes); err != nil {
		return err
	}
	t.PCR.startup(kind, locality, t.hcrtm)
	t.Audit.startup(kind)
	t.countStartup(kind)
	t.Sessions.startup(kind)
	t.Commits.startup(kind)
	t.startupNV(kind, orderly)
	t.ACTs.counted = t.Clock.Time
	t.shutdown = shutdownRecord{}
	t.locality = locality
	t.started, t.startedOrderly = true, orderly
	t.Mark(RecordLockout)
	t.Mark(RecordCounters)
	t.Mark(RecordShutdown)
	return nil
}

// startupKind says what a Startup amounts to after the last shutdown, or why it
// cannot be done.
func (t *TPM) startupKind(su wire.SU, locality uint8) (startupKind, error) {
	stateSaved := t.shutdown.kind == shutdownState
	switch {
	case su == wire.SUState && !stateSaved:
		return 0, wire.RCValue.Param(1)
	case su == wire.SUState && t.shutdown.hcrtm != t.hcrtm:
		return 0, wire.RCValue.Param(1)
	case su == wire.SUState && t.shutdown.locality != locality:
		return 0, wire.RCLocality
	case su == wire.SUState:
		return startupResume, nil
	case stateSaved:
		return startupRestart, nil
	}
	return startupReset, nil
}

func (t *TPM) countStartup(kind startupKind) {
	switch kind {
	case startupReset:
		t.Clock.ResetCount++
		t.Clock.TotalResetCount++
		t.Clock.RestartCount = 0
		t.Objects.ContextID, t.Objects.ClearCount = 0, 0
	case startupRestart:
		t.Clock.RestartCount++
		t.Objects.ClearCount++
	case startupResume:
		t.Clock.RestartCount++
	}
}
