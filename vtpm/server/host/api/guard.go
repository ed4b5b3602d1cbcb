package api

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"
)

// Peer is who is at the other end of a connection.
type Peer struct {
	UID  uint32
	GIDs []uint32 // the process's group, then its supplementary ones
	PID  int32
}

// allowed reports whether the peer may manage instances: root, the user that this process
// runs as, and who the options name.
func (o *Options) allowed(p Peer) bool {
	if p.UID == 0 || int(p.UID) == os.Geteuid() || slices.Contains(o.Users, p.UID) {
		return true
	}
	return slices.ContainsFunc(p.GIDs, func(gid uint32) bool { return slices.Contains(o.Groups, gid) })
}

const (
	maxConnections = 64
	// maxRefusals is how many refused clients are given time to read why.
	maxRefusals   = 16
	refusalPeriod = time.Second
)

// guard is a listener that lets in who may manage instances. Of others nothing is read as a
// request.
type guard struct {
	net.Listener
	o        *Options
	places   chan struct{} // of connections that are served
	refusals chan struct{}
}

func newGuard(l net.Listener, o *Options) *guard {
	return &guard{l, o, make(chan struct{}, maxConnections), make(chan struct{}, maxRefusals)}
}

// Accept returns the next connection of somebody who is allowed to, as a *guarded.
func (g *guard) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		u, ok := conn.(*net.UnixConn)
		if !ok {
			conn.Close()
			continue
		}
		peer, err := peerOf(u)
		if err == nil && !g.o.allowed(peer) {
			err = fmt.Errorf("user %d may not manage this host's vTPMs", peer.UID)
		}
		if err != nil {
			g.o.report(Request{Peer: peer, Status: http.StatusForbidden, Err: err})
			g.refuse(u, err)
			continue
		}
		select {
		case g.places <- struct{}{}:
			return &guarded{UnixConn: u, peer: peer, places: g.places}, nil
		default:
			conn.Close() // somebody who is allowed to opens one after the other
		}
	}
}

// refuse tells a client why it is not served, and throws away what it sends.
func (g *guard) refuse(conn *net.UnixConn, why error) {
	select {
	case g.refusals <- struct{}{}:
	default:
		conn.Close()
		return
	}
	go func() {
		defer func() { <-g.refusals }()
		defer conn.Close()
		if conn.SetDeadline(time.Now().Add(refusalPeriod)) != nil {
			return
		}
		// An answer that comes before the request is none to an HTTP client.
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			return
		}
		body := errorJSON(codeForbidden, why)
		fmt.Fprintf(conn, "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body)
		if conn.CloseWrite() != nil {
			return
		}
		io.Copy(io.Discard, conn)
	}()
}

// guarded is a connection of somebody who may manage instances.
type guarded struct {
	*net.UnixConn
	peer   Peer
	places chan struct{}
	once   sync.Once
}

func (g *guarded) Close() error {
	g.once.Do(func() { <-g.places })
	return g.UnixConn.Close()
}
