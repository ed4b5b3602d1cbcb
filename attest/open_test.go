package attest_test

import (
	"crypto/rand"
	"testing"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
	"github.com/google/go-tpm/tpm2/transport"
)

// open returns a fresh TPM with seeds of its own, started with TPM2_Startup(CLEAR).
func open(t testing.TB) transport.TPM {
	return vtpmtest.OpenOptions(t, vtpm.Options{Entropy: rand.Reader})
}
