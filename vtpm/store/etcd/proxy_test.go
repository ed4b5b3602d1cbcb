package etcd_test

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy stands between a client and etcd, and breaks what it is told to: it counts the
// bytes in each direction, and cuts or holds back what is beyond a limit.
type proxy struct {
	listener net.Listener
	target   string

	toEtcd, toClient atomic.Int64 // bytes that passed
	// A limit of bytes in a direction; none when it is negative. At a limit all
	// connections are closed, and new ones have none; or, while the proxy holds, nothing
	// passes any more until it does not.
	limitToEtcd, limitToClient atomic.Int64
	holding                    atomic.Bool
	hold                       sync.Mutex

	cuts atomic.Int64 // how often connections were closed

	mu    sync.Mutex
	conns map[net.Conn]bool
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target, conns: make(map[net.Conn]bool)}
	p.heal()
	t.Cleanup(func() {
		l.Close()
		p.closeAll()
	})
	go p.serve()
	return p
}

func (p *proxy) endpoint() string { return p.listener.Addr().String() }

// heal lets everything pass again.
func (p *proxy) heal() {
	p.limitToEtcd.Store(-1)
	p.limitToClient.Store(-1)
}

// cutAfter cuts when so many bytes more have passed to etcd, or to the client.
func (p *proxy) cutAfter(toEtcd, toClient int64) {
	if toEtcd >= 0 {
		p.limitToEtcd.Store(p.toEtcd.Load() + toEtcd)
	}
	if toClient >= 0 {
		p.limitToClient.Store(p.toClient.Load() + toClient)
	}
}

func (p *proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns[client], p.conns[server] = true, true
		p.mu.Unlock()
		go p.pass(client, server, &p.toEtcd, &p.limitToEtcd)
		go p.pass(server, client, &p.toClient, &p.limitToClient)
	}
}

func (p *proxy) pass(from, to net.Conn, passed, limit *atomic.Int64) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		before := passed.Add(int64(n)) - int64(n)
		most := int64(n)
		if l := limit.Load(); l >= 0 {
			most = min(most, max(l-before, 0))
		}
		if most > 0 {
			if _, err := to.Write(buf[:most]); err != nil {
				return
			}
		}
		if most == int64(n) {
			continue
		}
		if !p.holding.Load() {
			p.heal() // for the connections that follow
			p.cuts.Add(1)
			p.closeAll()
			return
		}
		p.hold.Lock()
		p.hold.Unlock() //lint:ignore SA2001 it waits for the end of the hold
		if _, err := to.Write(buf[most:n]); err != nil {
			return
		}
	}
}

func (p *proxy) closeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
		delete(p.conns, c)
	}
}
