package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// tpm is a vTPM that a process serves for a machine.
type tpm struct {
	control string // its control channel's socket
	state   string // the folder of its state
	kill    func()
	log     string
}

// serve starts a program that serves a control channel, and waits until it does.
func (y *yard) serve(control, state, program string, args ...string) (*tpm, error) {
	y.tpms++
	t := &tpm{control: control, state: state, log: filepath.Join(y.work, fmt.Sprintf("tpm-%d.log", y.tpms))}
	log, err := os.Create(t.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	fmt.Fprintln(log, program, strings.Join(args, " "))
	c := exec.Command(program, args...)
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		_ = c.Wait() // how it ended is in its log
		close(ended)
	}()
	t.kill = func() {
		_ = c.Process.Kill() // or it has ended
		<-ended
	}
	y.onEnd(t.kill)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("unix", control); err == nil {
			return t, conn.Close()
		}
		select {
		case <-ended:
			said, err := os.ReadFile(t.log)
			return nil, fmt.Errorf("%s: %w: %s", filepath.Base(program), err, said)
		default:
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%s does not serve %s", filepath.Base(program), control)
		}
	}
}

// socketTPM is one of `bootseal vtpm socket`, with its state in the folder.
func (y *yard) socketTPM(state string, flags ...string) (*tpm, error) {
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, err
	}
	control := filepath.Join(y.sockets, fmt.Sprintf("tpm-%d", y.tpms+1))
	return y.serve(control, state, y.bootseal, append([]string{"vtpm", "socket", "--tpm2", "--tpmstate", "dir=" + state, "--ctrl", "type=unixio,path=" + control}, flags...)...)
}

// fresh is a folder for a state.
func (y *yard) fresh() string { return filepath.Join(y.work, fmt.Sprintf("state-%d", y.tpms+1)) }

// newTPM is one of `bootseal vtpm socket` with a new state.
func (y *yard) newTPM(flags ...string) (*tpm, error) {
	return y.socketTPM(y.fresh(), flags...)
}

// swtpmTPM is a new one of swtpm.
func (y *yard) swtpmTPM() (*tpm, error) {
	program, err := exec.LookPath("swtpm")
	if err != nil {
		return nil, fmt.Errorf("install swtpm: %w", err)
	}
	state := y.fresh()
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, err
	}
	control := filepath.Join(y.sockets, fmt.Sprintf("tpm-%d", y.tpms+1))
	return y.serve(control, state, program, "socket", "--tpm2", "--tpmstate", "dir="+state, "--ctrl", "type=unixio,path="+control)
}

// hostedTPM is one of `bootseal vtpm serve`, which is started with the first.
func (y *yard) hostedTPM(ctx context.Context, name string) (*tpm, error) {
	socket := filepath.Join(y.sockets, "daemon")
	dir := filepath.Join(y.work, "hosted")
	if y.daemon == nil {
		var err error
		if y.daemon, err = y.serve(socket, dir, y.bootseal, "vtpm", "serve", "--dir", dir, "--listen", socket); err != nil {
			return nil, err
		}
	}
	out, err := exec.CommandContext(ctx, y.bootseal, "vtpm", "create", name, "--layout", "none", "--socket", socket, "-o", "json").Output()
	if err != nil {
		return nil, fmt.Errorf("bootseal vtpm create %s: %w", name, err)
	}
	var made struct{ Control string }
	if err := json.Unmarshal(out, &made); err != nil {
		return nil, fmt.Errorf("bootseal vtpm create %s: %w", name, err)
	}
	// QEMU's path to a socket can have 107 bytes, as everybody's.
	link := filepath.Join(y.sockets, name)
	return &tpm{control: link, state: filepath.Dir(made.Control), kill: func() {}, log: y.daemon.log}, os.Symlink(made.Control, link)
}
