//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// primesReady is how many primes the server keeps that is measured with some ready.
const primesReady = 32

// server is a process that serves one TPM.
type server struct {
	name   string
	primes bool // that are ready
	cmd    *exec.Cmd
	socket string
	log    string
}

// startServers starts swtpm where there is one, and bootseal with and without a pool of
// primes.
func startServers(ctx context.Context, dir, program string) ([]*server, error) {
	var servers []*server
	start := func(name string, args ...string) error {
		s := &server{name: name, socket: filepath.Join(dir, name+".sock"), log: filepath.Join(dir, name+".log")}
		state := filepath.Join(dir, name+".state")
		if err := os.Mkdir(state, 0o700); err != nil {
			return err
		}
		args = append(args, "socket", "--tpm2", "--tpmstate", "dir="+state, "--server", "type=unixio,path="+s.socket, "--flags", "not-need-init,startup-clear")
		if s.primes = name == "primes"; s.primes {
			args = append(args, "--primes", strconv.Itoa(primesReady))
		}
		log, err := os.Create(s.log)
		if err != nil {
			return err
		}
		defer log.Close()
		s.cmd = exec.CommandContext(ctx, args[0], args[1:]...)
		s.cmd.Stdout, s.cmd.Stderr = log, log
		if err := s.cmd.Start(); err != nil {
			return err
		}
		servers = append(servers, s)
		c, err := connect(s.socket, 10*time.Second)
		if err != nil {
			text, _ := os.ReadFile(s.log)
			return fmt.Errorf("start %s: %w: %s", name, err, text)
		}
		return c.Close()
	}
	var err error
	if _, missing := exec.LookPath("swtpm"); missing == nil {
		err = start("swtpm", "swtpm")
	}
	if err == nil {
		err = start("bootseal", program, "vtpm")
	}
	if err == nil {
		err = start("primes", program, "vtpm")
	}
	if err != nil {
		for _, s := range servers {
			s.stop()
		}
		return nil, err
	}
	return servers, nil
}

func (s *server) stop() {
	s.cmd.Process.Signal(unix.SIGTERM)
	s.cmd.Wait()
}

// runs reports whether the operation is for this server: primes that are ready matter to
// what wants some, and swtpm has none.
func (s *server) runs(op operation) bool { return op.primes == s.primes }

// turn runs the operation so many times and adds what it took.
func (s *server) turn(op operation, count int, m *measurement) error {
	c, err := connect(s.socket, time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	defer flushAll(c)
	e := &environment{client: c}
	if err := op.prepare(e); err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	if s.primes {
		if err := s.quiet(); err != nil {
			return err
		}
		count = min(count, primesReady/2-1) // one key was made to see how
	}
	cmd := c.last
	before, err := s.used()
	if err != nil {
		return err
	}
	for i := range count {
		if op.vary != nil {
			op.vary(cmd, m.Count+i)
		}
		took, err := op.once(c, cmd)
		if err != nil {
			return err
		}
		m.times = append(m.times, took)
	}
	after, err := s.used()
	m.Count += count
	m.turns = append(m.turns, (after-before)/time.Duration(count))
	return err
}

// used is the processor time of the process's threads so far.
func (s *server) used() (total time.Duration, err error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", s.cmd.Process.Pid))
	if err != nil || len(threads) == 0 {
		return 0, errors.Join(err, fmt.Errorf("%s is gone", s.name))
	}
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // a thread that ended
		}
		ns, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(ns, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		total += time.Duration(n)
	}
	return total, nil
}

// quiet waits until the server does nothing: its primes are ready then.
func (s *server) quiet() error {
	for {
		before, err := s.used()
		if err != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond)
		if after, err := s.used(); err != nil || after-before < time.Millisecond {
			return err
		}
	}
}
