package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/bootseal/bootseal/lab"
	"github.com/bootseal/bootseal/vtpm"
)

// What a node consists of, in its folder.
const (
	diskFile    = "disk.qcow2"
	varsFile    = "vars.fd"
	tpmFolder   = "tpm"
	memoryFile  = "memory" // of a node that was frozen while it ran
	consoleFile = "console.txt"
	secondFile  = "second.raw" // its second disk: the run's packages, and what is lent to it
)

// node is a machine with its disk, its variables and its TPM in a folder. It is off, or QEMU
// runs it.
type node struct {
	dir     string
	payload string // a tar archive, which is on the node's second disk
	swtpm   bool   // swtpm is its TPM, and not bootseal
	// patience is how long the node may take to say what is waited for.
	patience time.Duration
	heard    func(line string, at time.Duration)

	*running
}

// running is what there is while QEMU runs.
type running struct {
	bell    bell
	console *console
	agent   *agent
	monitor *lab.Monitor
	off     func() // ends QEMU and the TPM as a power cut does
	ended   chan struct{}
	err     error // how QEMU ended; when ended is closed

	tpmLock sync.Mutex
	tpm     *vtpm.TPM
}

// start switches the node on. A node that was frozen goes on where it was.
func (n *node) start(ctx context.Context) error {
	if n.running != nil {
		return errors.New("the node is on already")
	}
	if err := n.makeSecondDisk(); err != nil {
		return err
	}
	sockets, err := os.MkdirTemp("", "lab") // a socket's path has to be short
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &running{ended: make(chan struct{})}
	r.agent = &agent{bell: &r.bell, answers: make(map[int]answer)}
	var listeners []net.Listener
	giveUp := func(err error) error {
		cancel()
		for _, l := range listeners {
			l.Close()
		}
		return errors.Join(err, os.RemoveAll(sockets))
	}
	for _, name := range []string{"console", "agent", "qmp"} {
		l, err := net.Listen("unix", filepath.Join(sockets, name))
		if err != nil {
			return giveUp(err)
		}
		listeners = append(listeners, l)
	}
	tpm := filepath.Join(sockets, "tpm")
	served, err := n.serveTPM(ctx, tpm, r)
	if err != nil {
		return giveUp(err)
	}
	log, err := os.OpenFile(filepath.Join(n.dir, consoleFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return giveUp(err)
	}
	qemu := exec.CommandContext(ctx, "qemu-system-x86_64", n.flags(sockets, tpm)...)
	var said bytes.Buffer
	qemu.Stdout, qemu.Stderr = &said, &said
	if err := qemu.Start(); err != nil {
		return giveUp(fmt.Errorf("boot (install qemu-system-x86): %w", err))
	}
	go r.agent.serve(listeners[1])
	go func() {
		err := qemu.Wait()
		cancel()
		for _, l := range listeners { // those that QEMU never came to
			l.Close()
		}
		if err != nil {
			err = fmt.Errorf("QEMU: %w: %s", err, bytes.TrimSpace(said.Bytes()))
		}
		r.err = errors.Join(err, <-served, log.Close(), os.RemoveAll(sockets))
		close(r.ended)
		r.bell.ring()
	}()
	r.off = func() { cancel(); <-r.ended }
	port, err := listeners[0].Accept()
	if err != nil {
		r.off()
		return r.err
	}
	r.console = &console{log: log, port: port, bell: &r.bell, began: time.Now(), heard: n.heard}
	go pump(r.console, port)
	if r.monitor, err = lab.AcceptMonitor(listeners[2]); err != nil {
		r.off()
		return errors.Join(err, r.err)
	}
	n.running = r
	return n.thaw()
}

func pump(c *console, port net.Conn) {
	var buffer [4096]byte
	for {
		k, err := port.Read(buffer[:])
		if err != nil {
			return
		}
		if _, err := c.Write(buffer[:k]); err != nil {
			return
		}
	}
}

func (n *node) serveTPM(ctx context.Context, socket string, r *running) (<-chan error, error) {
	state := filepath.Join(n.dir, tpmFolder)
	if n.swtpm {
		return serveSwtpm(ctx, state, socket)
	}
	return lab.ServeTPM(ctx, state, socket, lab.Watch{Started: func(t *vtpm.TPM) {
		r.tpmLock.Lock()
		r.tpm = t
		r.tpmLock.Unlock()
	}})
}

// serveSwtpm is lab.ServeTPM with swtpm.
func serveSwtpm(ctx context.Context, state, socket string) (<-chan error, error) {
	if err := os.MkdirAll(state, 0o755); err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, "swtpm", "socket", "--tpm2", "--tpmstate", "dir="+state, "--ctrl", "type=unixio,path="+socket)
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("install swtpm: %w", err)
	}
	served := make(chan error, 1)
	go func() {
		c.Wait() // it ends when QEMU does, or is killed: neither is a mistake
		served <- nil
	}()
	for range 100 {
		if _, err := os.Stat(socket); err == nil {
			return served, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, errors.New("swtpm: there is no socket after 5 s")
}

func (n *node) flags(sockets, tpm string) []string {
	out := append(lab.Flags(filepath.Join(n.dir, varsFile), tpm), "-no-reboot",
		"-drive", "format=qcow2,if=virtio,file="+filepath.Join(n.dir, diskFile),
		"-drive", "format=raw,if=virtio,readonly=on,file="+filepath.Join(n.dir, secondFile),
		"-chardev", "socket,id=console,path="+filepath.Join(sockets, "console"), "-serial", "chardev:console",
		"-device", "virtio-serial-pci",
		"-chardev", "socket,id=agent,path="+filepath.Join(sockets, "agent"), "-device", "virtserialport,chardev=agent,name=lab",
		"-chardev", "socket,id=qmp,path="+filepath.Join(sockets, "qmp"), "-mon", "chardev=qmp,mode=control")
	if n.frozen() {
		out = append(out, "-incoming", "defer")
	}
	return out
}

func (n *node) frozen() bool {
	_, err := os.Stat(filepath.Join(n.dir, memoryFile))
	return err == nil
}

// cut is a power cut: QEMU is killed.
func (n *node) cut() {
	if n.running != nil {
		n.off()
		n.running = nil
	}
}

// wait waits until done says so. The error says what was waited for, what the node said last,
// and how it ended if it did.
func (n *node) wait(ctx context.Context, what string, done func() (bool, error)) error {
	if n.running == nil {
		return fmt.Errorf("wait for %s: the node is off", what)
	}
	patience := time.NewTimer(n.patience)
	defer patience.Stop()
	for {
		rung := n.bell.next()
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-rung:
		case <-n.ended:
			if ok, err := done(); ok || err != nil {
				return err
			}
			err := n.err
			n.running = nil
			return errors.Join(fmt.Errorf("wait for %s: the node went off", what), err)
		case <-ctx.Done():
			return ctx.Err()
		case <-patience.C:
			return fmt.Errorf("wait for %s: not in %d s; the console's last lines:\n%s", what, int(n.patience.Seconds()), n.console.lastLines(8))
		}
	}
}

// goesOff waits until QEMU has ended.
func (n *node) goesOff(ctx context.Context) error {
	r := n.running
	err := n.wait(ctx, "the node to go off", func() (bool, error) {
		select {
		case <-r.ended:
			return true, r.err
		default:
			return false, nil
		}
	})
	n.running = nil
	return err
}

// expect waits until the console says something that the pattern matches.
func (n *node) expect(ctx context.Context, pattern *regexp.Regexp) (found string, err error) {
	err = n.wait(ctx, fmt.Sprintf("%q on the console", pattern), func() (bool, error) {
		var ok bool
		found, ok = n.console.find(pattern)
		return ok, nil
	})
	return found, err
}

// enter types at the console.
func (n *node) enter(keys string) error {
	if n.running == nil {
		return errors.New("type: the node is off")
	}
	_, err := n.console.port.Write([]byte(keys))
	return err
}

// do runs a script in the node.
func (n *node) do(ctx context.Context, script string) (answer, error) {
	if n.running == nil {
		return answer{}, errors.New("run a script in the node: it is off")
	}
	number, err := n.agent.send(script)
	if err != nil {
		return answer{}, err
	}
	var out answer
	err = n.wait(ctx, "the end of: "+strings.TrimSpace(script), func() (ok bool, err error) {
		out, ok = n.agent.answer(number)
		return ok, nil
	})
	return out, err
}
