package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/bootseal/bootseal/lab"
	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/server"
	"github.com/bootseal/bootseal/vtpm/store"
	"github.com/bootseal/bootseal/vtpm/swtpmstate"
)

// bootPatience is how long the boot may take.
const bootPatience = 10 * time.Minute

// record boots a machine whose TPM was made by swtpm and imported, and writes what went by.
func record(ctx context.Context, file, dir, cache string, progress io.Writer) error {
	cache, err := lab.Cache(cache)
	if err != nil {
		return err
	}
	r := new(recording)
	if r.State, err = newSwtpmState(ctx, dir); err != nil {
		return fmt.Errorf("make a TPM with swtpm: %w", err)
	}
	m, err := lab.NewMachine(filepath.Join(dir, "machine"), lab.MicrosoftKeys)
	if err != nil {
		return err
	}
	if err := importState(r.State, filepath.Join(m.Dir, "tpm")); err != nil {
		return err
	}
	guest, err := lab.TPMGuest(ctx, dir)
	if err != nil {
		return err
	}
	files, packages, err := lab.BootDisk(ctx, cache, guest)
	if err != nil {
		return err
	}
	for _, p := range packages {
		fmt.Fprintln(progress, p.Name, p.Version)
	}
	image, err := lab.CreateImage(ctx, filepath.Join(dir, "disk.img"), files)
	if err != nil {
		return err
	}
	m.Executed = func(x server.Exchange) {
		r.Commands = append(r.Commands, command{x.Locality, binary.BigEndian.Uint32(x.Response[6:]), bytes.Clone(x.Command)})
	}
	ctx, cancel := context.WithTimeout(ctx, bootPatience)
	defer cancel()
	console := filepath.Join(dir, "console")
	report, err := m.Boot(ctx, image, "[ \"$(echo keep | /tpm | busybox grep -c error)\" = 0 ] || failed=tpm\n", console)
	if err != nil {
		said, readErr := os.ReadFile(console)
		return fmt.Errorf("%w: %s", errors.Join(err, readErr), said[max(0, len(said)-2000):])
	}
	r.PCRs = report.PCRs
	data, err := r.marshal()
	if err != nil {
		return err
	}
	if _, err := parse(data); err != nil {
		return err
	}
	fmt.Fprintf(progress, "%d commands in a boot of %.0f s, %d bytes\n", len(r.Commands), report.Took.Seconds(), len(data))
	return os.WriteFile(file, data, 0o644)
}

// newSwtpmState has swtpm make a TPM, and returns its file.
func newSwtpmState(ctx context.Context, dir string) ([]byte, error) {
	program, err := exec.LookPath("swtpm")
	if err != nil {
		return nil, err
	}
	own := filepath.Join(dir, "swtpm")
	if err := os.Mkdir(own, 0o700); err != nil {
		return nil, err
	}
	s := new(servers)
	defer s.stop()
	at := sockets{filepath.Join(own, "ctrl"), filepath.Join(own, "data")}
	if err := s.run(filepath.Join(own, "log"), program, "socket", "--tpm2", "--tpmstate", "dir="+own,
		"--ctrl", "type=unixio,path="+at.Control, "--server", "type=unixio,path="+at.Data); err != nil {
		return nil, err
	}
	if err := there(ctx, at.Control); err != nil {
		return nil, err
	}
	g, err := dial(at)
	if err != nil {
		return nil, err
	}
	defer g.close()
	if err := g.tell(controlInit, 0, 0, 0, 0); err != nil {
		return nil, err
	}
	for _, cmd := range [][]byte{
		{0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0}, // TPM2_Startup(CLEAR)
		{0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x45, 0, 0}, // TPM2_Shutdown(CLEAR)
	} {
		if rsp, err := g.Send(cmd); err != nil || binary.BigEndian.Uint32(rsp[6:]) != 0 {
			return nil, fmt.Errorf("command %x: %x, %w", cmd[6:10], rsp, err)
		}
	}
	return os.ReadFile(filepath.Join(own, "tpm2-00.permall"))
}

// importState makes bootseal's state of swtpm's.
func importState(file []byte, dir string) error {
	state, err := swtpmstate.Permanent(file, swtpmstate.Keys{})
	if err != nil {
		return err
	}
	moved, err := vtpm.FromLibtpms(state, vtpm.PCClient())
	if err != nil {
		return err
	}
	s, err := store.OpenDirectory(dir)
	if err != nil {
		return err
	}
	return errors.Join(moved.Fill(s), s.Close())
}
