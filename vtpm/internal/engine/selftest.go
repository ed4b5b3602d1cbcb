package engine

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// SelfTest tests the algorithms. A test that fails puts the TPM into failure mode,
// and the error is TPM_RC_FAILURE.
func (t *TPM) SelfTest(algs ...wire.Alg) error {
	if err := crypt.SelfTest(algs...); err != nil {
		t.Fail(err)
		return wire.RCFailure
	}
	return nil
}

// powerOnTest tests everything, so that nothing is left to be tested later.
func (t *TPM) powerOnTest() {
	if err := crypt.PowerOnTest(); err != nil {
		t.Fail(err)
	}
}

// TestResult returns TPM_RC_SUCCESS, or TPM_RC_FAILURE in failure mode.
func (t *TPM) TestResult() wire.RC {
	if t.Failure() != nil {
		return wire.RCFailure
	}
	return wire.RCSuccess
}
