package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/server"
	"github.com/bootseal/bootseal/vtpm/store"
)

// State is what an instance is doing.
type State string

// States of an instance.
const (
	StateCreating State = "creating"
	StateStopped  State = "stopped"
	StateStarting State = "starting"
	StateRunning  State = "running"
	StateStopping State = "stopping"
	StateFailed   State = "failed" // it ended by itself, or did not start
	StateBroken   State = "broken" // its directory is not what it should be
	StateRemoved  State = "removed"
)

// States returns all states that an instance of a Host can be in.
func States() []State {
	return []State{StateCreating, StateStopped, StateStarting, StateRunning, StateStopping, StateFailed, StateBroken}
}

// Info is what is known of an instance.
type Info struct {
	Name    string `json:"name"`
	State   State  `json:"state"`
	Reason  string `json:"reason,omitempty"` // of StateFailed and StateBroken
	Profile string `json:"profile"`
	Layout  string `json:"layout,omitempty"`
	UID     int    `json:"uid"` // -1: whom the host runs as
	GID     int    `json:"gid"`
	Mode    string `json:"mode"`
	PowerOn bool   `json:"powerOn,omitempty"`
	// Wanted says that it is started with the host.
	Wanted  bool       `json:"wanted"`
	Created time.Time  `json:"created"`
	Started *time.Time `json:"started,omitempty"`
	// Control and Data are the paths of its sockets.
	Control string `json:"control"`
	Data    string `json:"data"`
	// Clients are the connections to both sockets.
	Clients      int             `json:"clients"`
	LastCommand  *time.Time      `json:"lastCommand,omitempty"`
	Commands     uint64          `json:"commands"`     // executed since the host began
	AuthFailures uint64          `json:"authFailures"` // of them refused for a wrong authorization
	Lockouts     uint64          `json:"lockouts"`     // of them refused while locked out
	Watchers     int             `json:"watchers"`     // who trace its commands
	Dropped      uint64          `json:"dropped"`      // of them not seen by who traced
	Manufactured json.RawMessage `json:"manufactured,omitempty"`
}

// instance is one TPM, what is kept of it, and what it is doing.
type instance struct {
	host *Host
	name string
	op   chan struct{} // one thing is done with it at a time
	taps taps
	tally

	mu     sync.Mutex
	config Config
	state  State
	reason error
	run    *run // while it runs
}

// run is the time from a start to a stop.
type run struct {
	cancel  context.CancelFunc
	done    chan struct{}
	swtpm   *server.Swtpm
	tpm     *vtpm.TPM
	lost    context.Context // done when the state is somebody else's; nil: never
	started time.Time
	failed  atomic.Bool // that the TPM is in failure mode was reported
}

func newInstance(h *Host, name string) *instance {
	return &instance{host: h, name: name, op: make(chan struct{}, 1), state: StateStopped}
}

// acquire waits for the turn to do something with the instance.
func (i *instance) acquire(ctx context.Context) (release func(), err error) {
	select {
	case i.op <- struct{}{}:
		return func() { <-i.op }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %s", ErrBusy, i.name)
	}
}

func (i *instance) get() (State, Config, *run) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.state, i.config, i.run
}

func (i *instance) set(s State, reason error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.state, i.reason = s, reason
}

func (i *instance) info() Info {
	i.mu.Lock()
	defer i.mu.Unlock()
	c := i.config
	info := Info{
		Name: i.name, State: i.state, Profile: c.Profile, Layout: c.Layout, UID: c.UID, GID: c.GID, Mode: c.Mode,
		PowerOn: c.PowerOn, Wanted: c.Started, Created: c.Created, Manufactured: c.Manufactured,
		Control: i.host.socketPath(i.name, controlName), Data: i.host.socketPath(i.name, dataName),
		Commands: i.commands.Load(), AuthFailures: i.authFailures.Load(), Lockouts: i.lockouts.Load(),
		Watchers: int(i.taps.count.Load()), Dropped: i.taps.lost.Load(),
	}
	if i.reason != nil {
		info.Reason = i.reason.Error()
	}
	if last := i.last.Load(); last != 0 {
		t := time.Unix(0, last).UTC()
		info.LastCommand = &t
	}
	if i.run != nil {
		info.Started, info.Clients = &i.run.started, i.run.swtpm.Clients()
	}
	return info
}

// want notes whether the instance is to run, for the next host of the directory.
func (i *instance) want(started bool) error {
	state, c, _ := i.get()
	if state == StateBroken {
		return fmt.Errorf("%w: %s is broken: %s", ErrState, i.name, i.info().Reason)
	}
	if c.Started == started {
		return nil
	}
	c.Started = started
	if err := i.host.dir.writeConfig(i.name, c); err != nil {
		return fmt.Errorf("write the configuration of %s: %w", i.name, err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.config = c
	return nil
}

// start starts the instance if it does not run. The caller has acquired it.
func (i *instance) start() error {
	switch state, _, _ := i.get(); state {
	case StateRunning:
		return nil
	case StateStopped, StateFailed:
	default:
		return fmt.Errorf("%w: %s is %s", ErrState, i.name, state)
	}
	i.set(StateStarting, nil)
	r := &run{done: make(chan struct{}), started: time.Now().UTC()}
	err := contained(func() error { return i.launch(r) })
	if err != nil {
		err = fmt.Errorf("start %s: %w", i.name, err)
		i.set(StateFailed, err)
		i.host.meter.failures.Add(1)
		i.host.report(EventFailed, i.name, err)
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	i.mu.Lock()
	i.run, i.state = r, StateRunning
	i.mu.Unlock()
	i.host.report(EventStarted, i.name, nil)
	go i.serve(ctx, r)
	return nil
}

// maxClients is how many clients each of an instance's sockets has at a time: enough for a
// VM and some tools, too few to use up the process's descriptors.
const maxClients = 16

// launch opens the instance's state and sockets.
func (i *instance) launch(r *run) (err error) {
	_, c, _ := i.get()
	o := server.SwtpmOptions{
		Open:       func() (*vtpm.TPM, io.Closer, error) { return i.open(r, c) },
		Init:       c.PowerOn,
		Stay:       true,
		MaxClients: maxClients,
		Threads:    i.host.threads,
		FileKey:    i.host.storeOptions(i.name).Key != nil,
		Report:     func(err error) { i.host.report(EventProblem, i.name, err) },
		Observe:    func(x server.Exchange) { i.observe(r, x) },
	}
	if c.PowerOn {
		o.Startup = []byte{0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 0} // TPM2_Startup(CLEAR)
	}
	control, err := i.host.listen(i.name, controlName, c)
	if err != nil {
		return err
	}
	data, err := i.host.listen(i.name, dataName, c)
	if err != nil {
		return errors.Join(err, control.Close())
	}
	o.Control, o.Data = control, data
	r.swtpm, err = server.NewSwtpm(o)
	if err != nil {
		i.host.unlisten(i.name)
		return errors.Join(err, control.Close(), data.Close())
	}
	return nil
}

// open opens the TPM for a run.
func (i *instance) open(r *run, c Config) (*vtpm.TPM, io.Closer, error) {
	t, closer, err := i.host.openTPM(i.name, c)
	if err != nil {
		return nil, nil, err
	}
	r.tpm = t
	if s, ok := closer.(interface{ Lost() context.Context }); ok {
		r.lost = s.Lost()
	}
	return t, closer, nil
}

// errNoState is why a TPM does not get new seeds in the place of its own: a file system
// that is not mounted looks like this.
var errNoState = errors.New("the TPM's state is gone: nothing is where it was")

// openTPM opens an instance's state and the TPM on it. Closing is for the caller.
func (h *Host) openTPM(name string, c Config) (t *vtpm.TPM, closer io.Closer, err error) {
	s, closer, err := h.openStore(name)
	if err != nil {
		return nil, nil, err
	}
	records, err := s.Load()
	if err == nil && len(records) == 0 {
		err = errNoState
	}
	var o vtpm.Options
	if err == nil {
		o, err = h.options(s, c)
	}
	if err == nil {
		t, err = vtpm.New(o)
	}
	if err != nil {
		return nil, nil, errors.Join(err, closer.Close())
	}
	return t, closer, nil
}

// options returns the options of an instance's TPM on its store.
func (h *Host) options(s vtpm.Store, c Config) (vtpm.Options, error) {
	profile, err := vtpm.ProfileNamed(c.Profile)
	return vtpm.Options{Profile: profile, Store: timedStore{s, &h.meter}, Primes: h.o.Primes}, err
}

// serve serves until ctx is done or the instance ends by itself.
func (i *instance) serve(ctx context.Context, r *run) {
	defer close(r.done)
	lost := make(chan error, 1)
	if r.lost != nil {
		stop := context.AfterFunc(r.lost, func() {
			why := context.Cause(r.lost)
			if ctx.Err() == nil && !errors.Is(why, store.ErrClosed) { // otherwise it was given up
				lost <- fmt.Errorf("the state is not ours any more: %w", why)
				r.cancel()
			}
		})
		defer stop()
	}
	err := contained(func() error { return r.swtpm.Serve(ctx) })
	select {
	case lostErr := <-lost:
		err = errors.Join(lostErr, err)
	default:
	}
	i.host.unlisten(i.name)
	i.mu.Lock()
	i.run, i.state, i.reason = nil, StateStopped, nil
	if err != nil {
		i.state, i.reason = StateFailed, err
	}
	i.mu.Unlock()
	if err != nil {
		i.host.meter.failures.Add(1)
		i.host.report(EventFailed, i.name, err)
	} else {
		i.host.report(EventStopped, i.name, nil)
	}
}

// stop stops the instance if it runs, and waits for it. A command that runs is done to
// its end. The caller has acquired it.
func (i *instance) stop(ctx context.Context) error {
	i.mu.Lock()
	r := i.run
	if r != nil {
		i.state = StateStopping
	} else if i.state == StateFailed {
		i.state, i.reason = StateStopped, nil
	}
	i.mu.Unlock()
	if r == nil {
		return nil
	}
	r.cancel()
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %s has not come to an end yet", ErrBusy, i.name)
	}
}
