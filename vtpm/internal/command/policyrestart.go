package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type policyRestartIn struct {
	SessionHandle wire.TPMISHPolicy
}

// TPM2_PolicyRestart, Part 3, 11.2: return a policy session to its initial state.
//
// "This command does not reset the policy ID or the policy start time."
func policyRestart(t *engine.TPM, in *policyRestartIn) error {
	s := policySession(t, in.SessionHandle)
	start, epoch := s.Policy.StartTime, s.Policy.Epoch
	t.ResetPolicy(s)
	s.Policy.StartTime, s.Policy.Epoch = start, epoch
	return nil
}
