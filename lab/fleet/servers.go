package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// sockets are where a TPM is reached.
type sockets struct{ Control, Data string }

// servers are processes that serve a TPM to each guest.
type servers struct {
	name      string
	at        []sockets
	processes []*exec.Cmd
	ended     []chan struct{}
}

// run starts a process that lives until stop.
func (s *servers) run(log, program string, args ...string) error {
	c := exec.Command(program, args...)
	f, err := os.Create(log)
	if err != nil {
		return err
	}
	defer f.Close()
	c.Stdout, c.Stderr = f, f
	if err := c.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_ = c.Wait() // how it ended is in its log
		close(ended)
	}()
	s.processes, s.ended = append(s.processes, c), append(s.ended, ended)
	return nil
}

func (s *servers) stop() {
	for i, p := range s.processes {
		_ = p.Process.Kill() // or it has ended
		<-s.ended[i]
	}
}

// there waits until a socket is served.
func there(ctx context.Context, socket string) error {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			return conn.Close()
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return errors.Join(err, ctx.Err())
		}
	}
}

// serveBootseal is one `bootseal vtpm serve`, into which each guest's TPM is imported.
func serveBootseal(ctx context.Context, program, dir string, guests []*recording) (s *servers, err error) {
	s = &servers{name: "bootseal vtpm serve"}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	socket := filepath.Join(dir, "daemon")
	if err := s.run(filepath.Join(dir, "log"), program, "vtpm", "serve", "--dir", filepath.Join(dir, "d"), "--listen", socket); err != nil {
		return s, err
	}
	if err := there(ctx, socket); err != nil {
		said, readErr := os.ReadFile(filepath.Join(dir, "log"))
		return s, fmt.Errorf("bootseal vtpm serve: %w: %s", errors.Join(err, readErr), said)
	}
	for i, r := range guests {
		state := filepath.Join(dir, "state")
		if err := os.WriteFile(state, r.State, 0o600); err != nil {
			return s, err
		}
		c := exec.CommandContext(ctx, program, "vtpm", "import", fmt.Sprintf("g%d", i), "--from-swtpm", state, "--socket", socket, "-o", "json")
		var said bytes.Buffer
		c.Stderr = &said
		out, err := c.Output()
		if err != nil {
			return s, fmt.Errorf("bootseal vtpm import: %w: %s", err, said.Bytes())
		}
		var made struct{ Control, Data string }
		if err := json.Unmarshal(out, &made); err != nil {
			return s, fmt.Errorf("bootseal vtpm import: %w", err)
		}
		s.at = append(s.at, sockets{made.Control, made.Data})
	}
	return s, nil
}

// serveSwtpm is a swtpm for each guest.
func serveSwtpm(ctx context.Context, program, dir string, guests []*recording) (s *servers, err error) {
	s = &servers{name: fmt.Sprintf("%d × swtpm", len(guests))}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	for i, r := range guests {
		own := filepath.Join(dir, strconv.Itoa(i))
		if err := os.Mkdir(own, 0o700); err != nil {
			return s, err
		}
		if err := os.WriteFile(filepath.Join(own, "tpm2-00.permall"), r.State, 0o600); err != nil {
			return s, err
		}
		at := sockets{filepath.Join(own, "ctrl"), filepath.Join(own, "data")}
		if err := s.run(filepath.Join(own, "log"), program, "socket", "--tpm2", "--tpmstate", "dir="+own,
			"--ctrl", "type=unixio,path="+at.Control, "--server", "type=unixio,path="+at.Data); err != nil {
			return s, err
		}
		s.at = append(s.at, at)
	}
	for _, at := range s.at {
		if err := there(ctx, at.Control); err != nil {
			return s, fmt.Errorf("swtpm: %w", err)
		}
	}
	return s, nil
}

// tick is the unit of times in /proc/PID/stat (proc(5), "sysconf(_SC_CLK_TCK)").
const tick = 10 * time.Millisecond

// used returns the processor time of the processes until now, and their memory: their own, and
// their share of what they share (PSS).
func (s *servers) used() (cpu time.Duration, memory int64, err error) {
	for _, p := range s.processes {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Process.Pid))
		if err != nil {
			return 0, 0, err
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 13 {
			return 0, 0, fmt.Errorf("/proc/%d/stat has %d fields", p.Process.Pid, len(fields))
		}
		for _, f := range fields[11:13] { // utime and stime
			n, err := strconv.Atoi(f)
			if err != nil {
				return 0, 0, err
			}
			cpu += time.Duration(n) * tick
		}
		rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.Process.Pid))
		if err != nil {
			return 0, 0, err
		}
		_, pss, _ := strings.Cut(string(rollup), "\nPss:")
		kilobytes, err := strconv.ParseInt(strings.Fields(pss + " x")[0], 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("the memory of process %d: %w", p.Process.Pid, err)
		}
		memory += kilobytes << 10
	}
	return cpu, memory, nil
}
