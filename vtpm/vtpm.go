package vtpm

import (
	"crypto/rand"
	"io"
	"sync"
	"time"

	"github.com/bootseal/bootseal/vtpm/internal/command"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/keygen"
)

// Options configure a TPM. The zero value is a TPM of the PC Client profile in
// memory, with new seeds.
type Options struct {
	// Profile picks what the TPM implements. The zero value is what it was made with, and
	// PCClient for a new one.
	Profile Profile
	// Store is where the persistent state rests. Nil keeps it in memory.
	Store Store
	// Entropy is the source of seeds, keys and nonces; nil is crypto/rand.Reader.
	// A test that wants the same TPM again gives a deterministic one.
	Entropy io.Reader
	// Primes are ready for RSA keys that commands create; nil makes them when they are
	// wanted. They are used with the system's entropy only, and never for primary keys,
	// which follow from their seed.
	Primes *PrimePool
	// Clock is a monotonic clock of any origin; nil is the process's own.
	Clock func() time.Duration
}

// Store is where a TPM's persistent state rests, as named records. Commit makes
// all the changes durable or none of them, and returns when they are; a nil
// value deletes a record.
type Store interface {
	Load() (map[string][]byte, error)
	Commit(changes map[string][]byte) error
}

// TPM is one TPM. Its methods can be called from any goroutine; commands run one
// at a time.
type TPM struct {
	mu sync.Mutex
	e  *engine.TPM
	x  execution // the command in flight; here, so that it is not allocated for each
}

// New returns the TPM whose state is in the store, or manufactures one where the
// store is empty. It waits for TPM2_Startup.
func New(o Options) (*TPM, error) {
	if o.Store == nil {
		o.Store = &engine.MemoryStore{}
	}
	if o.Entropy == nil || o.Entropy == rand.Reader {
		system := keygen.System{}
		if o.Primes != nil {
			system.Primes = o.Primes.pool
		}
		o.Entropy = system
	}
	if o.Clock == nil {
		start := time.Now()
		o.Clock = func() time.Duration { return time.Since(start) }
	}
	e, err := engine.New(engine.Options{
		Profile:  o.Profile.profile,
		Commands: command.Set{},
		Store:    o.Store,
		Entropy:  o.Entropy,
		Clock:    o.Clock,
	})
	if err != nil {
		return nil, err
	}
	return &TPM{e: e}, nil
}

// Init is the signal _TPM_Init: power was lost, or the platform was reset. All
// volatile state is gone, and the TPM waits for TPM2_Startup.
func (t *TPM) Init() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.e.Init()
}

// HashStart is the signal _TPM_Hash_Start: it begins an H-CRTM measurement before
// TPM2_Startup, a dynamic launch after.
func (t *TPM) HashStart() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.e.HashStart()
}

// HashData is the signal _TPM_Hash_Data.
func (t *TPM) HashData(data []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.e.HashData(data)
}

// HashEnd is the signal _TPM_Hash_End.
func (t *TPM) HashEnd() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.e.HashEnd()
}

// SetPhysicalPresence asserts or releases physical presence.
func (t *TPM) SetPhysicalPresence(asserted bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.e.PhysicalPresence = asserted
}

// Failure returns why the TPM is in failure mode, or nil. A TPM in failure mode
// answers TPM_RC_FAILURE until Init.
func (t *TPM) Failure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.e.Failure()
}

// Send runs one command at locality 0. It makes a TPM a transport of
// github.com/google/go-tpm.
func (t *TPM) Send(cmd []byte) ([]byte, error) { return t.Execute(0, cmd), nil }

// Close ends the use of the TPM without an orderly shutdown, which is for the
// client to do with TPM2_Shutdown.
func (t *TPM) Close() error { return nil }
