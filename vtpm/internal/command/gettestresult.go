package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type getTestResultOut struct {
	OutData    wire.TPM2BMaxBuffer
	TestResult wire.RC
}

// TPM2_GetTestResult, Part 3, 10.4: return the result of the tests. Why a TPM is in
// failure mode is for its host to know, not for its clients: outData is empty.
func getTestResult(t *engine.TPM, _ *none) (*getTestResultOut, error) {
	return &getTestResultOut{TestResult: t.TestResult()}, nil
}
