package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/bootseal/bootseal/vtpm/server/host"
)

// Options configure a server.
type Options struct {
	Host *host.Host
	// Users and Groups may manage the instances beside root and the user that this process
	// runs as, by number.
	Users, Groups []uint32
	// Report is told of each request when it has been answered. It may be nil.
	Report func(Request)
}

// Request is a request that was answered or refused, for a log.
type Request struct {
	Peer         Peer
	Method, Path string // "" of who was refused before
	Status       int
	Err          error
	Took         time.Duration
}

func (o *Options) report(r Request) {
	if o.Report != nil {
		o.Report(r)
	}
}

const (
	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second // of a whole request
	// operationTimeout is more than it takes to make a TPM with large RSA keys.
	operationTimeout = 2 * time.Minute
	idleTimeout      = time.Minute
	shutdownTimeout  = 5 * time.Second

	maxHeader  = 16 << 10
	maxSpec    = 64 << 10
	maxArchive = 64 << 20
)

// ImportRequest is the body of an import.
type ImportRequest struct {
	Archive *host.Archive `json:"archive"`
	Spec    host.Spec     `json:"spec"`
}

// Serve serves the interface on a unix socket until ctx is done, which is no error. It
// closes the listener. What is being done then is given up.
func Serve(ctx context.Context, l net.Listener, o Options) error {
	s := &http.Server{
		Handler:           o.handler(),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, peerKey{}, conn.(*guarded).peer)
		},
		ErrorLog: log.New(io.Discard, "", 0), // handlers report
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		grace, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		if s.Shutdown(grace) != nil {
			s.Close()
		}
	})
	err := s.Serve(newGuard(l, &o))
	if !stop() {
		<-ended
	}
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("serve the management interface: %w", err)
}

// peerKey is the key of a connection's Peer in its context.
type peerKey struct{}

// action answers a request with a value that becomes JSON; nil is no content.
type action func(w http.ResponseWriter, r *http.Request) (any, error)

func (o *Options) handler() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, a action) { mux.Handle(pattern, o.endpoint(a)) }
	handle("GET /v1/instances", func(http.ResponseWriter, *http.Request) (any, error) { return o.Host.List(), nil })
	handle("GET /v1/instances/{name}", o.show)
	handle("POST /v1/instances/{name}", o.create)
	handle("DELETE /v1/instances/{name}", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		how := host.Removal{Force: r.FormValue("force") == "true", KeepState: r.FormValue("keepState") == "true"}
		return nil, o.Host.Remove(r.Context(), r.PathValue("name"), how)
	})
	handle("POST /v1/instances/{name}/start", func(w http.ResponseWriter, r *http.Request) (any, error) {
		if err := o.Host.Start(r.Context(), r.PathValue("name")); err != nil {
			return nil, err
		}
		return o.show(w, r)
	})
	handle("POST /v1/instances/{name}/stop", func(w http.ResponseWriter, r *http.Request) (any, error) {
		if err := o.Host.Stop(r.Context(), r.PathValue("name")); err != nil {
			return nil, err
		}
		return o.show(w, r)
	})
	handle("POST /v1/instances/{name}/export", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		return o.Host.Export(r.Context(), r.PathValue("name"))
	})
	handle("POST /v1/instances/{name}/import", o.importArchive)
	handle("GET /v1/instances/{name}/trace", o.trace)
	handle("/", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		return nil, fmt.Errorf("%w: there is no %s %s here", errRequest, r.Method, r.URL.Path)
	})
	return mux
}

func (o *Options) show(_ http.ResponseWriter, r *http.Request) (any, error) {
	return o.Host.Show(r.PathValue("name"))
}

func (o *Options) create(w http.ResponseWriter, r *http.Request) (any, error) {
	var spec host.Spec
	if err := readBody(w, r, maxSpec, &spec); err != nil {
		return nil, err
	}
	return o.Host.Create(r.Context(), r.PathValue("name"), spec)
}

func (o *Options) importArchive(w http.ResponseWriter, r *http.Request) (any, error) {
	var in ImportRequest
	if err := readBody(w, r, maxArchive, &in); err != nil {
		return nil, err
	}
	if in.Archive == nil {
		return nil, fmt.Errorf("%w: there is no archive in it", errRequest)
	}
	defer clear(in.Archive.State)
	return o.Host.Import(r.Context(), r.PathValue("name"), in.Archive, in.Spec)
}

// readBody reads a body of at most limit bytes; unknown fields are a newer client's, who
// would not get what it asks for.
func readBody(w http.ResponseWriter, r *http.Request, limit int64, v any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, limit))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil && d.More() {
		err = errors.New("there is more behind it")
	}
	if err != nil {
		return fmt.Errorf("%w: its body: %w", errRequest, err)
	}
	return nil
}

// endpoint answers requests with what the action returns, and reports them.
func (o *Options) endpoint(a action) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		ctx, cancel := context.WithTimeout(r.Context(), operationTimeout)
		defer cancel()
		out := &statusWriter{ResponseWriter: w}
		value, err := a.contained(out, r.WithContext(ctx))
		if out.status == 0 {
			writeAnswer(out, value, err)
		}
		peer, _ := r.Context().Value(peerKey{}).(Peer)
		o.report(Request{peer, r.Method, r.URL.Path, out.status, err, time.Since(begin)})
	})
}

func (a action) contained(w http.ResponseWriter, r *http.Request) (v any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return a(w, r)
}

func writeAnswer(w http.ResponseWriter, value any, err error) {
	// A client that went away may not read it.
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(readTimeout))
	if err == nil && value == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	var body []byte
	if err == nil {
		body, err = json.Marshal(value)
	}
	status := http.StatusOK
	if err != nil {
		var code string
		code, status = kindOf(err)
		body = errorJSON(code, err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(body)
	clear(body) // an archive is one
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (s *statusWriter) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }
