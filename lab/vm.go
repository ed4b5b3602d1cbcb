package lab

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/bootseal/bootseal/internal/efivars"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/server"
	"github.com/bootseal/bootseal/vtpm/store"
)

// Firmware is OVMF's folder in the package ovmf.
const Firmware = "/usr/share/OVMF"

// Variables are what OVMF's variable store holds at first.
type Variables string

// The stores of the package ovmf.
const (
	NoKeys        Variables = "OVMF_VARS_4M.fd"          // Secure Boot is off
	MicrosoftKeys Variables = "OVMF_VARS_4M.ms.fd"       // Secure Boot with Microsoft's keys
	SnakeoilKeys  Variables = "OVMF_VARS_4M.snakeoil.fd" // and with Debian's test key, see [Signer]
)

// Machine keeps its TPM and its variable store in a folder from boot to boot.
type Machine struct {
	Dir string
	Watch
}

// NewMachine returns a machine that was never booted, in a new folder.
func NewMachine(dir string, v Variables) (*Machine, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	vars, err := os.ReadFile(filepath.Join(Firmware, string(v)))
	if err != nil {
		return nil, fmt.Errorf("OVMF's variables (install ovmf): %w", err)
	}
	m := &Machine{Dir: dir}
	return m, os.WriteFile(m.variableStore(), vars, 0o644)
}

func (m *Machine) variableStore() string { return filepath.Join(m.Dir, variableStore) }

// variableStore is the file of the machine's variables in its folder.
const variableStore = "vars.fd"

// Report is what the guest of a boot saw.
type Report struct {
	PCRs        pcr.Values
	Log         []byte // the event log as the kernel has it
	Vars        efivars.Set
	CommandLine string
	Took        time.Duration
}

// Boot boots a disk image whose kernel has an [Initrd], and returns when the guest has
// reported and is off. The script runs in the guest before that: it can call "setvar NAME
// BASE64" of guest/init. The firmware's and the kernel's console goes to a file.
func (m *Machine) Boot(ctx context.Context, image Image, script, console string) (*Report, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sockets, err := os.MkdirTemp("", "lab") // a socket's path has to be short
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(sockets)
	tpm := filepath.Join(sockets, "tpm")
	served, err := ServeTPM(ctx, filepath.Join(m.Dir, "tpm"), tpm, m.Watch)
	if err != nil {
		return nil, err
	}
	guest, err := net.Listen("unix", filepath.Join(sockets, "guest"))
	if err != nil {
		return nil, err
	}
	defer guest.Close()

	began := time.Now()
	qemu := exec.CommandContext(ctx, "qemu-system-x86_64", m.flags(image, tpm, guest.Addr().String(), console)...)
	var said bytes.Buffer
	qemu.Stdout, qemu.Stderr = &said, &said
	if err := qemu.Start(); err != nil {
		return nil, fmt.Errorf("boot (install qemu-system-x86): %w", err)
	}
	type answer struct {
		report *Report
		err    error
	}
	answered := make(chan answer, 1)
	go func() {
		r, err := talk(guest, script)
		answered <- answer{r, err}
	}()
	ended := qemu.Wait()
	out := ctx.Err()
	cancel()
	guest.Close()
	a := <-answered
	if err := <-served; err != nil {
		return nil, fmt.Errorf("the vTPM: %w", err)
	}
	switch {
	case out != nil:
		return nil, fmt.Errorf("the guest was not off after %d s: %w", int(time.Since(began).Seconds()), out)
	case ended != nil:
		return nil, fmt.Errorf("QEMU: %w: %s", ended, said.String())
	case a.err != nil:
		return nil, fmt.Errorf("the machine went off without a report of the guest: %w", a.err)
	}
	a.report.Took = time.Since(began)
	return a.report, nil
}

// Watch is what a vTPM's host wants to know of it. Both may be nil.
type Watch struct {
	// Started is given the TPM each time that QEMU opens it: who executes commands there is a
	// second user of it, beside the guest.
	Started func(*vtpm.TPM)
	// Executed is told of each command of the guest, before the guest has the response.
	Executed func(server.Exchange)
}

// ServeTPM serves a vTPM, whose state is in the folder, until ctx is done. The channel has how it
// ended.
func ServeTPM(ctx context.Context, dir, socket string, w Watch) (<-chan error, error) {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	s, err := server.NewSwtpm(server.SwtpmOptions{Control: l, Observe: w.Executed, Open: func() (*vtpm.TPM, io.Closer, error) {
		state, err := store.OpenDirectory(dir)
		if err != nil {
			return nil, nil, err
		}
		t, err := vtpm.New(vtpm.Options{Store: state})
		if err != nil {
			return nil, nil, errors.Join(err, state.Close())
		}
		if w.Started != nil {
			w.Started(t)
		}
		return t, state, nil
	}})
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	return served, nil
}

// flags are QEMU's.
func (m *Machine) flags(image Image, tpm, guest, console string) []string {
	return append(Flags(m.variableStore(), tpm), "-no-reboot",
		"-drive", "format=raw,if=virtio,file="+image.Path,
		"-serial", "file:"+console,
		"-chardev", "socket,id=guest,path="+guest, "-serial", "chardev:guest")
}

// Flags are QEMU's for OVMF with a variable store and a TPM at a socket. Only the firmware's System
// Management Mode writes variables, without which there is no Secure Boot. The processor has no
// fast string instructions: QEMU emulates them a byte at a time, and Linux clears and copies pages
// with them where they are there, a quarter of a boot.
func Flags(variables, tpm string) []string {
	return []string{
		"-machine", "q35,smm=on,accel=tcg", "-global", "driver=cfi.pflash01,property=secure,value=on",
		"-cpu", "max,erms=off,fsrm=off", "-m", "1024", "-nodefaults", "-display", "none", "-net", "none",
		"-drive", "if=pflash,format=raw,unit=0,readonly=on,file=" + filepath.Join(Firmware, "OVMF_CODE_4M.secboot.fd"),
		"-drive", "if=pflash,format=raw,unit=1,file=" + variables,
		"-chardev", "socket,id=tpm,path=" + tpm, "-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", "tpm-crb,tpmdev=tpm0",
	}
}

// maxReport bounds what a guest reports, in bytes.
const maxReport = 16 << 20

// talk sends the script to the guest when it is ready, and reads its report.
func talk(l net.Listener, script string) (*Report, error) {
	conn, err := l.Accept()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	lines := bufio.NewScanner(io.LimitReader(conn, maxReport))
	for ready := false; !ready; {
		if !lines.Scan() {
			return nil, errors.Join(errors.New("it was never ready"), lines.Err())
		}
		ready = strings.HasSuffix(strings.TrimSpace(lines.Text()), "ready")
	}
	if _, err := fmt.Fprintln(conn, base64.StdEncoding.EncodeToString([]byte(script))); err != nil {
		return nil, err
	}
	var text strings.Builder
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "end" {
			return readReport(base64.NewDecoder(base64.StdEncoding, strings.NewReader(text.String())))
		}
		text.WriteString(line)
	}
	return nil, errors.Join(fmt.Errorf("it ended after %d bytes", text.Len()), lines.Err())
}

// readReport unpacks what guest/init packed.
func readReport(r io.Reader) (*Report, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("read the guest's report: %w", err)
	}
	out := &Report{Vars: make(efivars.Set)}
	for archive := tar.NewReader(io.LimitReader(z, maxReport)); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read the guest's report: %w", err)
		}
		data, err := io.ReadAll(archive)
		if err == nil && h.Typeflag == tar.TypeReg {
			err = out.take(path.Clean(h.Name), data)
		}
		if err != nil {
			return nil, fmt.Errorf("read the guest's report: %s: %w", h.Name, err)
		}
	}
	if out.PCRs == nil || len(out.Log) == 0 {
		return nil, errors.New("the guest's report lacks PCRs or an event log")
	}
	return out, nil
}

func (r *Report) take(name string, data []byte) (err error) {
	switch folder, file := path.Split(name); {
	case name == "pcrs":
		r.PCRs, err = pcr.ParseValues(bytes.NewReader(data))
	case name == "log":
		r.Log = data
	case name == "cmdline":
		r.CommandLine = strings.TrimSpace(string(data))
	case name == "failed" && len(bytes.TrimSpace(data)) > 0:
		err = fmt.Errorf("the script: %s", bytes.TrimSpace(data))
	case folder == "vars/" && len(data) >= 4: // the attributes come first
		r.Vars[file] = data[4:]
	}
	return err
}
