package reseal_test

import (
	"testing"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

const killVariable = "BOOTSEAL_TEST_RESEAL"

func resealUntilKilled() {}

// otherTPM is a TPM with other seeds.
func otherTPM(t *testing.T) *vtpmtest.TPM {
	t.Helper()
	entropy := vtpmtest.Entropy()
	var skip [1000]byte
	_, _ = entropy.Read(skip[:])
	return vtpmtest.OpenOptions(t, vtpm.Options{Entropy: entropy})
}
