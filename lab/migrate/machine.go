package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/bootseal/bootseal/lab"
)

// machine is a QEMU that runs, or waits for a machine to come in.
type machine struct {
	tpm     *tpm
	qemu    *exec.Cmd
	ended   chan struct{}
	said    string // the file of what QEMU says
	monitor *lab.Monitor
	port    net.Conn // the guest's second serial port
	lines   *bufio.Scanner
	console string
}

// start starts a machine with its TPM at a socket; one that waits for another to come in, if
// incoming.
func (y *yard) start(t *tpm, incoming bool) (*machine, error) {
	y.machines++
	name := fmt.Sprintf("machine-%d", y.machines)
	m := &machine{tpm: t, ended: make(chan struct{}), said: filepath.Join(y.work, name+".log"), console: filepath.Join(y.work, name+".console")}
	var listeners []net.Listener
	defer func() {
		for _, listener := range listeners {
			listener.Close()
		}
	}()
	socket := func(what string) string { return filepath.Join(y.sockets, name+"."+what) }
	for _, what := range []string{"qmp", "guest"} {
		listener, err := net.Listen("unix", socket(what))
		if err != nil {
			return nil, err
		}
		listeners = append(listeners, listener)
	}
	flags := []string{
		"-machine", "q35,smm=on,accel=tcg", "-global", "driver=cfi.pflash01,property=secure,value=on",
		"-cpu", "max", "-m", "512", "-nodefaults", "-display", "none", "-net", "none", "-no-reboot",
		"-drive", "if=pflash,format=raw,unit=0,readonly=on,file=" + filepath.Join(lab.Firmware, "OVMF_CODE_4M.secboot.fd"),
		"-drive", "if=pflash,format=qcow2,unit=1,file=" + y.variables,
		"-drive", "format=raw,if=virtio,readonly=on,file=" + y.disk,
		"-chardev", "socket,id=tpm,path=" + t.control, "-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", "tpm-crb,tpmdev=tpm0",
		"-serial", "file:" + m.console,
		"-chardev", "socket,id=guest,path=" + socket("guest"), "-serial", "chardev:guest",
		"-chardev", "socket,id=qmp,path=" + socket("qmp"), "-mon", "chardev=qmp,mode=control",
	}
	if incoming {
		flags = append(flags, "-incoming", "defer")
	}
	m.qemu = exec.Command("qemu-system-x86_64", flags...)
	said, err := os.Create(m.said)
	if err != nil {
		return nil, err
	}
	defer said.Close()
	m.qemu.Stdout, m.qemu.Stderr = said, said
	if err := m.qemu.Start(); err != nil {
		return nil, fmt.Errorf("boot (install qemu-system-x86): %w", err)
	}
	go func() {
		_ = m.qemu.Wait() // what it said says more
		close(m.ended)
		for _, listener := range listeners {
			listener.Close()
		}
	}()
	y.onEnd(func() { _ = m.cut() })
	if m.monitor, err = lab.AcceptMonitor(listeners[0]); err != nil {
		return nil, fmt.Errorf("%w: %s", err, m.lastWords())
	}
	if m.port, err = listeners[1].Accept(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, m.lastWords())
	}
	m.lines = bufio.NewScanner(m.port)
	m.lines.Buffer(nil, 1<<20)
	return m, nil
}

// lastWords is what QEMU said.
func (m *machine) lastWords() string {
	select {
	case <-m.ended:
		said, err := os.ReadFile(m.said)
		if err != nil {
			return "QEMU ended; " + err.Error()
		}
		return "QEMU ended: " + strings.TrimSpace(string(said))
	case <-time.After(5 * time.Second):
		return "QEMU runs"
	}
}

// running reports whether QEMU is there.
func (m *machine) running() bool {
	select {
	case <-m.ended:
		return false
	default:
		return true
	}
}

// cut ends QEMU as a power cut does.
func (m *machine) cut() error {
	err := m.qemu.Process.Kill()
	<-m.ended
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// quit ends QEMU, which tells the TPM.
func (m *machine) quit() error {
	if err := m.monitor.Do("quit", nil, nil); err != nil && m.running() {
		return err
	}
	select {
	case <-m.ended:
		return nil
	case <-time.After(time.Minute):
		return errors.New("QEMU does not end")
	}
}

// booted waits for the guest's init and has it run the guest's program at the serial port.
func (m *machine) booted(ctx context.Context) error {
	return m.within(ctx, "boot", func() error {
		for m.lines.Scan() {
			if strings.HasSuffix(strings.TrimSpace(m.lines.Text()), "ready") {
				_, err := fmt.Fprintln(m.port, base64.StdEncoding.EncodeToString([]byte("/tpm <&3 >&3")))
				return err
			}
		}
		return errors.Join(errors.New("it was never ready"), m.lines.Err())
	})
}

// within runs f, which reads what the guest says, until ctx is done or QEMU ends.
func (m *machine) within(ctx context.Context, what string, f func() error) error {
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-ctx.Done():
		case <-m.ended:
		case <-done:
			return
		}
		m.port.Close()
	}()
	err := f()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: the guest does not answer: %w", what, ctx.Err())
	case !m.running():
		return fmt.Errorf("%s: %s", what, m.lastWords())
	}
	return fmt.Errorf("%s: %w", what, err)
}

// answer is what the guest's program answers.
type answer struct {
	Error    string
	PCRs     []string
	Commands int
	Kept     json.RawMessage
}

// ask asks the guest's program. What it found wrong is the error.
func (m *machine) ask(ctx context.Context, word string) (a answer, err error) {
	err = m.within(ctx, word, func() error {
		if _, err := fmt.Fprintln(m.port, word); err != nil {
			return err
		}
		for m.lines.Scan() {
			if line := strings.TrimSpace(m.lines.Text()); strings.HasPrefix(line, "{") {
				return json.Unmarshal([]byte(line), &a)
			}
		}
		return errors.Join(errors.New("it went away"), m.lines.Err())
	})
	if err == nil && a.Error != "" {
		err = wrong(a.Error)
	}
	return a, err
}

// wrong is what was not as it should be: the move lost it.
type wrong string

func (w wrong) Error() string { return string(w) }
