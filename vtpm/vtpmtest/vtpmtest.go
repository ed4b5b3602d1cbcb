// Package vtpmtest provides a TPM for a test, as net/http/httptest provides a
// server: real, in the process, the same every time.
package vtpmtest

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm"
)

// TPM is a started TPM whose clock the test moves. It is a transport.TPM of
// github.com/google/go-tpm.
type TPM struct {
	*vtpm.TPM
	now atomic.Int64
}

// Open returns a TPM that went through TPM2_Startup(CLEAR). Its seeds and nonces
// come from a fixed seed, so its primary keys are the same in every run; its
// clock stands still until Advance.
func Open(t testing.TB) *TPM {
	t.Helper()
	return OpenOptions(t, vtpm.Options{})
}

// OpenOptions is Open with options; the entropy and the clock are set if they are
// not.
func OpenOptions(t testing.TB, o vtpm.Options) *TPM {
	t.Helper()
	p := new(TPM)
	if o.Entropy == nil {
		o.Entropy = Entropy()
	}
	if o.Clock == nil {
		o.Clock = func() time.Duration { return time.Duration(p.now.Load()) }
	}
	var err error
	if p.TPM, err = vtpm.New(o); err != nil {
		t.Fatalf("make a TPM: %v", err)
	}
	p.Startup(t)
	return p
}

// Entropy returns a stream of bytes that is the same every time.
func Entropy() *rand.ChaCha8 {
	return rand.NewChaCha8([32]byte([]byte("bootseal: entropy for tests only")))
}

// Advance moves the TPM's clock forward.
func (p *TPM) Advance(d time.Duration) { p.now.Add(int64(d)) }

// Startup sends TPM2_Startup(CLEAR).
func (p *TPM) Startup(t testing.TB) {
	t.Helper()
	response := p.Execute(0, []byte{0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 0})
	if len(response) != 10 || [4]byte(response[6:]) != [4]byte{} {
		t.Fatalf("TPM2_Startup(CLEAR): response %x", response)
	}
}

// PowerCycle takes the power away without a shutdown and starts the TPM again.
func (p *TPM) PowerCycle(t testing.TB) {
	t.Helper()
	p.Init()
	p.Startup(t)
}
