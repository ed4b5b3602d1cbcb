package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/bootseal/bootseal/vtpm"
)

// SwtpmOptions configure a Swtpm. Open and one way to reach it must be set.
type SwtpmOptions struct {
	// Open opens the TPM's state. The closer, which may be nil, lets another process
	// use it.
	Open func() (*vtpm.TPM, io.Closer, error)

	// Control and Data are where clients connect, ControlConn and DataConn clients that
	// are connected. The data channel can also be passed over the control channel.
	Control, Data         net.Listener
	ControlConn, DataConn net.Conn

	// Device is a character device, such as the end of Linux's vTPM proxy: what one read
	// returns is a command, and its response is one write. Serve ends with it. It is not
	// closed: a read that waits cannot be called back.
	Device io.ReadWriter

	// Init starts the TPM before the first client: INIT is not needed. Startup is a
	// command that is sent to it then, usually TPM2_Startup.
	Init    bool
	Startup []byte

	// Incoming leaves the state closed until a client wants it: another process may
	// have it open until a migration is done. Outgoing closes it when the last part of
	// it was fetched.
	Incoming, Outgoing bool

	// Terminate ends Serve when a data channel is closed, TerminateControl when a
	// control channel is. Disconnect closes a data channel after a response.
	Terminate, TerminateControl, Disconnect bool

	// Stay goes on serving when a client shuts the TPM down, which is its power going off
	// then: the next client switches it on again.
	Stay bool
	// MaxClients is how many clients are served at a time on each channel; further ones
	// wait. 0 is 128.
	MaxClients int

	// Threads bounds the threads that clients hold, together with other servers. Nil is no
	// bound but the number of clients.
	Threads *Threads

	RejectLocality4  bool // at locality 4 nothing is executed
	AllowSetLocality bool // the vendor command of Linux's vTPM proxy sets the locality
	NoAutoShutdown   bool // no TPM2_Shutdown when a client stops a TPM without one

	// MigrationKey encrypts the blobs of the state that clients fetch: 16 or 32 bytes.
	// FileKey says that the state at rest is encrypted.
	MigrationKey []byte
	FileKey      bool

	// Report gets what the protocol has no words for. It may be nil.
	Report func(error)
	// Observe is told of each command that the TPM executed. It is called before the
	// response is sent, and no other command runs meanwhile. It may be nil.
	Observe func(Exchange)
}

// Swtpm serves one TPM over swtpm's protocol: a control channel, on which QEMU and
// others start, stop, migrate and ask the TPM, and a data channel for commands (swtpm,
// "swtpm_ioctls").
//
// Unlike swtpm it serves any number of clients on each channel. One message or command
// is executed at a time.
type Swtpm struct {
	o    SwtpmOptions
	ctx  context.Context
	stop context.CancelFunc
	data sync.WaitGroup // of connections that were passed

	clients atomic.Int32

	mu          sync.Mutex
	tpm         *vtpm.TPM // nil: the state is not open
	state       io.Closer
	running     bool // between INIT and STOP
	dirty       bool // commands came since Init that a TPM2_Shutdown did not end
	established bool // TPM_ESTABLISHED: there was a dynamic launch
	locality    uint8
	bufferSize  int      // that a client wants, 0 for the TPM's own
	passed      net.Conn // the data channel that was passed, nil when it is closed
	blob        []byte   // the last one that was fetched
	blobType    uint32
	panicked    error // why nothing is executed any more
}

// NewSwtpm returns a server, and opens the state unless it is to be migrated here.
func NewSwtpm(o SwtpmOptions) (*Swtpm, error) {
	if n := len(o.MigrationKey); n != 0 && n != 16 && n != 32 {
		return nil, fmt.Errorf("a migration key of %d bytes: 16 or 32 are right", n)
	}
	s := &Swtpm{o: o}
	if !o.Incoming || o.Init {
		if err := s.open(); err != nil {
			return nil, err
		}
	}
	if o.Init {
		if err := s.init(false); err != nil {
			return nil, errors.Join(err, s.closeState())
		}
		if o.Startup != nil {
			s.run(o.Startup)
		}
	}
	return s, nil
}

// Serve serves until ctx is done, a client shuts the TPM down or, if so configured, a
// client goes away; that is no error. A panic is one, and ends Serve. It closes
// listeners, connections and the state, and can be called once.
func (s *Swtpm) Serve(ctx context.Context) error {
	s.ctx, s.stop = context.WithCancel(ctx)
	defer s.stop()
	var endpoints []endpoint
	if s.o.Control != nil {
		endpoints = append(endpoints, endpoint{s.o.Control, s.contained(s.serveControl), s.o.MaxClients})
	}
	if s.o.Data != nil {
		endpoints = append(endpoints, endpoint{lingering{s.o.Data, s.o.Threads}, s.contained(s.serveData), s.o.MaxClients})
	}
	if s.o.DataConn != nil {
		s.serveConn(linger(s.o.DataConn, s.o.Threads), s.contained(s.serveData))
	}
	if s.o.ControlConn != nil {
		s.serveConn(s.o.ControlConn, s.contained(s.serveControl))
	}
	if s.o.Device != nil {
		go s.contained(func(net.Conn) { s.serveDevice(s.o.Device) })(nil)
	}
	err := serve(s.ctx, endpoints...)
	if len(endpoints) == 0 {
		<-s.ctx.Done()
	}
	s.stop()
	s.data.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.panicked == nil {
		s.halt()
	}
	return errors.Join(s.panicked, err, s.closeState())
}

// Clients returns how many connections there are, on both channels.
func (s *Swtpm) Clients() int { return int(s.clients.Load()) }

// contained returns the handler with its panics contained: they end this server, of
// which nothing more can be said, and not a process that serves other TPMs, too.
func (s *Swtpm) contained(handle func(net.Conn)) func(net.Conn) {
	return func(conn net.Conn) {
		s.clients.Add(1)
		defer s.clients.Add(-1)
		defer func() {
			if p := recover(); p != nil {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.panicked = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
				s.running = false
				s.stop()
			}
		}()
		handle(conn)
	}
}

// serveConn serves a connection that no listener accepted, until the end.
func (s *Swtpm) serveConn(conn net.Conn, handle func(net.Conn)) {
	s.data.Go(func() {
		stop := context.AfterFunc(s.ctx, func() { conn.Close() })
		defer stop()
		defer conn.Close()
		handle(conn)
	})
}

func (s *Swtpm) report(err error) {
	if s.o.Report != nil && err != nil {
		s.o.Report(err)
	}
}

// open opens the state if it is not.
func (s *Swtpm) open() error {
	if s.tpm != nil {
		return nil
	}
	t, state, err := s.o.Open()
	if err != nil {
		return err
	}
	s.tpm, s.state = t, state
	if s.bufferSize != 0 {
		t.SetBufferSize(s.bufferSize)
	}
	return nil
}

// closeState lets another process have the state.
func (s *Swtpm) closeState() error {
	state := s.state
	s.tpm, s.state, s.running = nil, nil, false
	if state == nil {
		return nil
	}
	return state.Close()
}

// init is the power coming on: the TPM resumes where a volatile state was left for it,
// and otherwise waits for TPM2_Startup.
func (s *Swtpm) init(deleteVolatile bool) error {
	if err := s.open(); err != nil {
		return err
	}
	s.halt()
	resumed, err := s.tpm.Resume()
	if err != nil {
		return err
	}
	if !resumed {
		s.tpm.Init()
	}
	if deleteVolatile {
		if err := s.tpm.DropVolatile(); err != nil {
			return err
		}
	}
	s.running, s.dirty = true, resumed
	return nil
}

// shutdownClear is TPM2_Shutdown(CLEAR).
var shutdownClear = []byte{0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x45, 0, 0}

// halt is the power going off. A guest that was reset without warning its TPM would
// otherwise be taken for somebody who cuts power to hide failed authorizations.
func (s *Swtpm) halt() {
	if s.running && s.dirty && !s.o.NoAutoShutdown {
		s.tpm.Execute(0, shutdownClear)
	}
	s.running, s.dirty = false, false
}
