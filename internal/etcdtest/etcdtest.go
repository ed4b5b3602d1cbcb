// Package etcdtest runs a real etcd for a test, where one is installed.
package etcdtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/logutil"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Server is a member of an etcd, on loopback, with a directory of the test's.
type Server struct {
	// Endpoint is HOST:PORT, the same after a Restart.
	Endpoint string

	name    string
	dir     string
	peer    string
	cluster string
	args    []string
	process *os.Process
	ended   chan struct{} // closed when it has
}

// Start starts an etcd of one member, which ends with the test. The test is skipped where
// there is no program of the name. Flags are for etcd; with any that name certificates, the
// caller waits for it.
func Start(t testing.TB, flags ...string) *Server {
	t.Helper()
	return Cluster(t, 1, flags...)[0]
}

// Cluster starts an etcd of n members, as Start does.
func Cluster(t testing.TB, n int, flags ...string) []*Server {
	t.Helper()
	if _, err := exec.LookPath("etcd"); err != nil {
		t.Skip("etcd is not installed (Debian's package etcd-server): nothing to test with")
	}
	// Where a port is in use, others are tried; those that the kernel gives to clients are
	// above these.
	var err error
	for range 5 {
		err = nil
		members := newMembers(t, n, flags)
		for _, s := range members {
			err = errors.Join(err, s.start())
		}
		for _, s := range members {
			if err == nil && !s.tls() {
				err = s.wait()
			}
		}
		if err == nil {
			return members
		}
		for _, s := range members {
			s.Kill()
		}
	}
	t.Fatalf("start etcd: %v", err)
	return nil
}

func newMembers(t testing.TB, n int, flags []string) []*Server {
	port := 10000 + rand.IntN(20000)
	var members []*Server
	var cluster []string
	for i := range n {
		s := &Server{
			Endpoint: fmt.Sprintf("127.0.0.1:%d", port+2*i), peer: fmt.Sprintf("http://127.0.0.1:%d", port+2*i+1),
			name: fmt.Sprint("member", i), dir: t.TempDir(), args: flags,
		}
		t.Cleanup(s.Kill)
		members = append(members, s)
		cluster = append(cluster, s.name+"="+s.peer)
	}
	for _, s := range members {
		s.cluster = strings.Join(cluster, ",")
	}
	return members
}

func (s *Server) tls() bool { return slices.Contains(s.args, "--cert-file") }

func (s *Server) start() error {
	scheme := "http://"
	if s.tls() {
		scheme = "https://"
	}
	args := append([]string{
		"--name", s.name, "--data-dir", filepath.Join(s.dir, "data"),
		"--listen-client-urls", scheme + s.Endpoint, "--advertise-client-urls", scheme + s.Endpoint,
		"--listen-peer-urls", s.peer, "--initial-advertise-peer-urls", s.peer, "--initial-cluster", s.cluster,
		"--logger", "zap", "--log-level", "error", "--heartbeat-interval", "50", "--election-timeout", "500",
	}, s.args...)
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("etcd", args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	s.process, s.ended = cmd.Process, ended
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(ended)
	}()
	return nil
}

// wait waits until etcd answers.
func (s *Server) wait() error {
	for deadline := time.Now().Add(30 * time.Second); ; {
		select {
		case <-s.ended:
			said, err := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("it ended: %s %w", said, err)
		default:
		}
		err := s.ask()
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

func (s *Server) ask() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	quiet, err := logutil.CreateDefaultZapLogger(5) // fatal
	if err != nil {
		return err
	}
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{s.Endpoint}, Logger: quiet})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Get(ctx, "health")
	return err
}

// Kill ends etcd as SIGKILL does.
func (s *Server) Kill() {
	if s.process != nil {
		_ = s.process.Kill() // it may have ended
		<-s.ended
	}
}

// Restart starts etcd again, with what it had.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	err := s.start()
	if err == nil {
		err = s.wait()
	}
	if err != nil {
		t.Fatalf("restart etcd: %v", err)
	}
}
