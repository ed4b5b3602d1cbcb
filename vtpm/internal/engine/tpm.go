package engine

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// Options are what a TPM takes from the outside. Every field but Profile must be set.
type Options struct {
	Profile  *Profile // nil: the one that the TPM was made with, PCClient for a new one
	Commands CommandSet
	Store    Store
	Entropy  io.Reader            // the operating system's entropy, or a test's
	Clock    func() time.Duration // a monotonic clock of any origin
}

// CommandSet says what a TPM implements, to commands that report or configure
// others.
type CommandSet interface {
	Attributes() []wire.TPMACC // of every implemented command, by ascending code
	Implemented(wire.CC) bool
	PresencePossible(wire.CC) bool // physical presence can be demanded for it
	// Sequence returns the object of a sequence that Sequence.Marshal saved.
	Sequence(auth, state []byte) (*Object, error)
}

// TPM is one TPM's state. Its methods are the rules; the commands' bodies and the
// pipeline around them use nothing else.
type TPM struct {
	Profile  Profile
	Commands CommandSet

	store   Store
	entropy io.Reader
	clock   func() time.Duration

	Hierarchies Hierarchies // persistent and clear
	Lockout     Lockout     // persistent
	PCR         PCRs        // persistent allocation, volatile values
	NV          NV          // persistent and orderly
	Objects     Objects     // persistent and volatile
	Sessions    Sessions    // reset and volatile
	Clock       Clock       // orderly
	Audit       Audit       // persistent and reset
	ACTs        ACTs        // clear
	Commits     Commits     // reset

	AlgorithmSet     uint32   // persistent: TPM_PT_ALGORITHM_SET, a number without effect
	PhysicalPresence bool     // asserted by the platform, for the command in flight
	Command          *Command // the command in flight, nil between commands

	presence       map[wire.CC]struct{} // persistent: see DemandPresence
	started        bool
	startedOrderly bool           // the last Startup came after an orderly shutdown
	shutdown       shutdownRecord // how the TPM was last shut down
	failure        error
	drtm           *hashSequence // between _TPM_Hash_Start and _TPM_Hash_End
	hcrtm          bool          // _TPM_Hash_End came before Startup: PCR 0 has an H-CRTM event
	locality       uint8         // of the Startup command, which PCR 0 starts from

	dirty             records
	committedInterval uint64 // of the clock that the counters record holds

	// What rollback needs besides the store.
	clockBefore        Clock    // when the command in flight began
	lockoutBefore      Lockout  // then, or at the last Commit
	uncommittedFailure *Lockout // with a failed authorization that is not durable yet
}

// New returns a TPM with the state that rests in the store, or with a freshly
// manufactured one where the store is empty. It has been through _TPM_Init.
func New(o Options) (*TPM, error) {
	saved, err := o.Store.Load()
	if err != nil {
		return nil, fmt.Errorf("load TPM state: %w", err)
	}
	if o.Profile == nil {
		p, err := madeWith(saved)
		if err != nil {
			return nil, fmt.Errorf("restore TPM state: %w", err)
		}
		o.Profile = &p
	}
	t := &TPM{
		Profile: *o.Profile, Commands: o.Profile.commands(o.Commands),
		store: o.Store, entropy: o.Entropy, clock: o.Clock,
	}
	t.Clock.recorded = o.Profile.ClockInterval
	if len(saved) == 0 {
		if err := t.manufacture(); err != nil {
			return nil, fmt.Errorf("manufacture: %w", err)
		}
	} else if err := t.restore(saved); err != nil {
		return nil, fmt.Errorf("restore TPM state: %w", err)
	}
	t.Init()
	return t, nil
}

// Init is the signal _TPM_Init: power was lost and came back. All volatile state
// is gone, and the TPM waits for TPM2_Startup. A TPM that was in failure mode takes
// its persistent state from the store again: it may have failed halfway through a
// change.
func (t *TPM) Init() {
	t.started = false
	if t.failure != nil {
		t.failure = t.reload()
	}
	t.drtm, t.hcrtm = nil, false
	t.Command = nil
	t.Objects.powerOn(t.Profile.TransientObjects)
	t.Sessions.powerOn()
	t.PCR.powerOn()
	t.Clock.powerOn(t.clock())
	t.Lockout.powerOn()
	t.ACTs.powerOn(t.Profile.ACTs)
	t.powerOnTest()
}

// Started reports whether TPM2_Startup succeeded since the last _TPM_Init.
func (t *TPM) Started() bool { return t.started }

// StartedOrderly reports whether the last Startup came after an orderly shutdown.
func (t *TPM) StartedOrderly() bool { return t.startedOrderly }

// Fail puts the TPM into failure mode (Part 1, "Failure mode").
func (t *TPM) Fail(reason error) {
	if t.failure == nil {
		t.failure = reason
	}
}

// Failure returns why the TPM is in failure mode, or nil.
func (t *TPM) Failure() error { return t.failure }

// Random fills p from the entropy source.
func (t *TPM) Random(p []byte) error {
	if _, err := io.ReadFull(t.entropy, p); err != nil {
		t.Fail(fmt.Errorf("read entropy: %w", err))
		return wire.RCFailure
	}
	return nil
}

// RandomBytes returns n random bytes.
func (t *TPM) RandomBytes(n int) ([]byte, error) {
	p := make([]byte, n)
	return p, t.Random(p)
}

// Entropy returns the source of random bytes, for key generation and signing.
func (t *TPM) Entropy() io.Reader { return t.entropy }

// Limits returns what exists in this TPM as far as decoding depends on it.
func (t *TPM) Limits() *wire.Limits { return &t.Profile.Limits }

// Unmarshal decodes v from buf with the profile's limits; for structures inside
// a parameter, such as a template.
func (t *TPM) Unmarshal(buf []byte, v interface{ Read(*wire.Reader) }) error {
	return wire.Unmarshal(buf, v, t.Limits())
}

// manufacture gives the TPM its first state: new seeds, empty hierarchies'
// authorizations, factory settings.
func (t *TPM) manufacture() error {
	t.Lockout.manufacture()
	t.Audit.manufacture()
	t.PCR.manufacture(t.Profile.Banks)
	t.NV.manufacture()
	t.Objects.manufacture()
	t.presence = make(map[wire.CC]struct{})
	// A new TPM has lost nothing.
	t.shutdown = shutdownRecord{kind: shutdownClear}
	t.Clock.Safe = true
	if err := t.Hierarchies.manufacture(t.RandomBytes); err != nil {
		return err
	}
	t.markAll()
	return t.Commit()
}

// BeginCommand brings time up to date for a command that is about to run.
func (t *TPM) BeginCommand(c *Command) {
	t.Command = c
	t.Clock.update(t.clock())
	t.lockoutBefore = t.Lockout
	if t.started { // Startup has its say first
		t.Lockout.selfHeal(t)
		t.ACTs.count(t.Clock.Time)
	}
	t.clockBefore = t.Clock
	// Part 1, "_TPM_Hash_Start": any command ends the sequence.
	t.drtm = nil
}

// EndCommand makes what the command changed durable. When that fails, the command
// has not happened as far as what persists goes (see rollback), and the error is a
// response code for the caller.
//
// A TPM in failure mode makes nothing durable: a command may have stopped halfway.
func (t *TPM) EndCommand() error {
	c := t.Command
	t.Command = nil
	if t.failure != nil {
		return nil
	}
	if err := t.Commit(); err != nil {
		if rollbackErr := t.rollback(c); rollbackErr != nil {
			t.Fail(errors.Join(err, rollbackErr))
			return wire.RCFailure
		}
		return wire.RCNVUnavailable
	}
	t.NV.forgetUndo()
	if c != nil && c.flush != 0 {
		t.Objects.Flush(c.flush)
	}
	return nil
}
