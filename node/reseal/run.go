package reseal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/luks/cryptsetup"
	"github.com/bootseal/bootseal/node/offline"
	"github.com/bootseal/bootseal/node/plan"
	"github.com/bootseal/bootseal/node/state"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
	"github.com/bootseal/bootseal/seal"
	"github.com/google/go-tpm/tpm2/transport"
)

// Machine is what is worked on.
type Machine struct {
	TPM    transport.TPM
	Volume *cryptsetup.Volume
	State  string // the state folder
	Host   string // where the machine's /sys and /proc are: "/", but for tests
	// Expect is the root of the boot partition, below which the events that are expected
	// are written; "" for nowhere. See package expect.
	Expect string
	// Failpoint, if it is set, is told the name of each change before ("before NAME") and
	// after it ("after NAME"). Its error ends the run there and then, as a crash does.
	Failpoint func(point string) error
	// Progress, if it is set, is told what is being done.
	Progress func(doing string)
}

// Request says what is to be done.
type Request struct {
	// Prediction is of the next boot, and Log that of the running one, nil without one.
	Prediction *predict.Prediction
	Log        *eventlog.Log
	// Options may change the PCRs that tokens were sealed to so far.
	Options plan.Options
	// Release is that of the systemd which will read new tokens; 0 for one that reads the
	// tokens which are there, or where there are none for Installed.
	Release, Installed int
	// Parent is the Name of the TPM key that the volume's secret is known to be sealed
	// under; nil where it is not known.
	Parent seal.Name
	// BootFiles tells boots with something that was changed while the machine was off: they
	// are not sealed to. nil tells none.
	BootFiles *offline.Record
	// Commit drops what the running boot, which worked, shows to be over.
	Commit bool
	// Retire is a text in the names of the boots that are not to open the volume any more;
	// "" for none. Force retires even the running one, or the last.
	Retire string
	Force  bool
	// RollbackGuard gives the volume a rollback guard, if it has none: see [seal.Guard]. Only
	// `bootseal unlock` opens its tokens then.
	RollbackGuard bool
	// DryRun only plans.
	DryRun bool

	// PIN returns the PIN. It is called when one is needed; nil where nobody can be asked.
	PIN func(ctx context.Context) ([]byte, error)
	// Passphrase returns a passphrase of one of the volume's keyslots, but none of without. It
	// is called when the secret cannot be had otherwise; nil where nobody can be asked.
	Passphrase func(ctx context.Context, without ...int) ([]byte, error)
	// OwnerAuth is the owner hierarchy's password, needed where the TPM has no SRK.
	OwnerAuth []byte
}

// Result says what was done, or with DryRun would be.
type Result struct {
	Device  string        `json:"device"`
	UUID    string        `json:"uuid"`
	Keyslot int           `json:"keyslot"`
	Bank    pcr.Bank      `json:"bank"`
	PCRs    pcr.Selection `json:"pcrs"`
	Plan    *plan.Plan    `json:"plan"`
	Added   []Added       `json:"added,omitempty"`
	// Changed is whether the header was written to.
	Changed bool `json:"changed"`
	// Opens is whether the volume opens for the likeliest way that the next boot may take.
	Opens bool   `json:"opens"`
	Next  string `json:"next"` // the name of that way
	// Source says where the secret came from: "token 3", "the kept secret", "a new key".
	Source string `json:"source,omitempty"`
	// Parent is the Name of the TPM key that new tokens are sealed under.
	Parent seal.Name `json:"parent,omitempty"`
	// Advanced is whether the rollback guard's counter has moved.
	Advanced bool `json:"advanced,omitempty"`
	// Killed are keyslots that a new key has replaced.
	Killed []int `json:"killed_keyslots,omitempty"`
	// Resumed is what an earlier run was doing that was cut off.
	Resumed string `json:"resumed,omitempty"`
	// Restored is whether the header was damaged and came back from the backup.
	Restored bool     `json:"restored,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// Added is a token that was added.
type Added struct {
	Token int    `json:"token"`
	Label string `json:"label"`
}

func (r *Result) warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

// run is a Run under way.
type run struct {
	*Machine
	*Request
	*Result

	header  *luks.Header
	now     pcr.Values // the TPM's PCRs
	journal *Journal   // of a run that was cut off, nil without one
	choice  plan.Choice
	volume  plan.Volume
	boots   []plan.Boot
	left    []plan.Left
	count   uint64 // of the rollback guard, where there is one
	pin     []byte
	texts   []sealed // for Plan.Add
}

// lockWait is how long another run is waited for.
const lockWait = time.Minute

// Run plans, and carries the plan out. Where nothing is to be done nothing is written, and
// the TPM is asked only for PCR values and whether it takes the tokens' objects.
//
// An error before the first change has changed nothing; one after it leaves a volume that
// opens as before, at least, and the next run goes on from there.
func Run(ctx context.Context, m *Machine, req *Request) (*Result, error) {
	r := &run{Machine: m, Request: req, Result: &Result{Device: m.Volume.Path()}}
	r.doing("looking at the volume")
	if err := r.look(ctx); err != nil {
		return nil, r.explain(err)
	}
	if err := r.plan(); err != nil {
		return nil, r.explain(err)
	}
	if r.DryRun || r.nothing() {
		return r.Result, r.finish(ctx)
	}
	waiting, stop := context.WithTimeout(ctx, lockWait)
	defer stop()
	unlock, err := state.Lock(waiting, m.State, r.UUID)
	if err != nil {
		return nil, r.explain(err)
	}
	defer unlock()
	// Whoever had the lock may have changed everything.
	if err := r.look(ctx); err != nil {
		return nil, r.explain(err)
	}
	if err := r.plan(); err != nil {
		return nil, r.explain(err)
	}
	if err := r.change(ctx); err != nil {
		return nil, r.explain(err)
	}
	return r.Result, r.finish(ctx)
}

func (r *run) what() string {
	switch {
	case r.Retire != "":
		return "retire"
	case r.Commit:
		return "commit"
	}
	return "reseal"
}

func (r *run) explain(err error) error { return fmt.Errorf("%s %s: %w", r.what(), r.Device, err) }

func (r *run) doing(what string) {
	if r.Progress != nil {
		r.Progress(what)
	}
}

// effect makes a change, between its failpoints.
func (r *run) effect(name string, f func() error) error {
	if err := r.at("before " + name); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	return r.at("after " + name)
}

func (r *run) at(point string) error {
	if r.Failpoint == nil {
		return nil
	}
	return r.Failpoint(point)
}

// nothing reports whether the volume is as it should be.
func (r *run) nothing() bool { return r.onlyJournal() && r.journal == nil }

// onlyJournal reports whether at most the journal of an earlier run is to be closed.
func (r *run) onlyJournal() bool {
	remembered := r.Retire == "" || slices.Contains(r.volume.Retired, r.Retire)
	return r.Plan.Nothing() && remembered && len(r.volume.Former) == 0 && r.header.Stale == nil
}

// ErrNoSecret is returned where nothing gives out the secret to seal again.
var ErrNoSecret = errors.New("the secret to seal again cannot be had: open the volume with a passphrase or the recovery key (--key-file), and a new one is made")
