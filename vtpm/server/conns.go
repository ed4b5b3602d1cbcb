package server

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

const (
	// maxConnections is how many clients of one listener are served at a time;
	// further ones wait in the listener's queue.
	maxConnections = 128
	// messageTimeout is how long a client may take for the rest of a message that
	// it began, and for taking in a response. Between messages it may take forever.
	messageTimeout = 30 * time.Second
	// acceptPause is the pause after a failed accept: descriptors may be short.
	acceptPause = 50 * time.Millisecond
)

// endpoint is a listener and what is done with each of its connections.
type endpoint struct {
	net.Listener
	handle  func(net.Conn)
	clients int // served at a time; 0: maxConnections
}

// lingering is a listener whose connections linger.
type lingering struct {
	net.Listener
	threads *Threads
}

func (l lingering) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return linger(conn, l.threads), nil
}

// serve serves the endpoints until ctx is done, which is no error, or a listener
// fails. It closes listeners and connections, and returns after the last handler
// did.
func serve(ctx context.Context, endpoints ...endpoint) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(endpoints))
	var wg sync.WaitGroup
	for i, e := range endpoints {
		stop := context.AfterFunc(ctx, func() { e.Close() })
		defer stop()
		wg.Go(func() {
			errs[i] = e.accept(ctx)
			cancel()
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// accept serves one listener until ctx is done, and waits for its handlers.
func (e endpoint) accept(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	clients := e.clients
	if clients <= 0 {
		clients = maxConnections
	}
	places := make(chan struct{}, clients)
	for {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		conn, err := e.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			<-places
			select {
			case <-time.After(acceptPause):
			case <-ctx.Done():
			}
			continue
		}
		wg.Go(func() {
			defer func() { <-places }()
			// A handler that waits for its client ends when its connection does.
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			defer stop()
			defer conn.Close()
			e.handle(conn)
		})
	}
}
