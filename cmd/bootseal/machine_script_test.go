package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/bootseal/bootseal/cmd/internal/tpmlink"
	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/reboot"
	"github.com/bootseal/bootseal/luks/cryptsetup"
	"github.com/google/go-tpm/tpm2"
	"github.com/rogpeppe/go-internal/testscript"
)

// bootTPM reboots a vTPM, bootseal's or swtpm's, and has it measure a recorded boot:
// boottpm SOCKET LOG. Its control channel is at SOCKET.ctrl, as in
//
//	bootseal vtpm socket --tpm2 --tpmstate dir=tpm --server type=unixio,path=tpm.sock --ctrl type=unixio,path=tpm.sock.ctrl --daemon
func bootTPM(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: boottpm SOCKET LOG")
	}
	data, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	log, err := eventlog.Parse(data, eventlog.Limits{})
	ts.Check(err)
	for _, channel := range []string{args[0] + ".ctrl", args[0]} { // it may just be starting
		waitSocket(ts, false, []string{channel})
	}
	ts.Check(rebootAt(ts.MkAbs(args[0]), log))
}

func rebootAt(socket string, log *eventlog.Log) error {
	locality, err := log.StartupLocality()
	if err != nil {
		return err
	}
	conn, err := net.Dial("unix", socket+".ctrl")
	if err != nil {
		return err
	}
	defer conn.Close()
	c := control{conn}
	// The locality that is set is that of the commands on the data channel.
	for _, do := range []func() error{
		func() error { return shutDownAt(socket) },
		func() error { return c.do(2, 0) },
		func() error { return c.do(5, uint32(locality)<<24) },
		func() error { return startAt(socket) },
		func() error { return c.do(5, 0) },
		func() error { return measureAt(socket, log) },
	} {
		if err := do(); err != nil {
			return fmt.Errorf("reboot the TPM at %s: %w", socket, err)
		}
	}
	return nil
}

func shutDownAt(socket string) error {
	tpm, err := tpmlink.Socket(socket)
	if err != nil {
		return err
	}
	reboot.Shutdown(tpm)
	return tpm.Close()
}

func startAt(socket string) error {
	tpm, err := tpmlink.Socket(socket)
	if err != nil {
		return err
	}
	_, err = tpm2.Startup{StartupType: tpm2.TPMSUClear}.Execute(tpm)
	return closeAfter(tpm, err)
}

func measureAt(socket string, log *eventlog.Log) error {
	tpm, err := tpmlink.Socket(socket)
	if err != nil {
		return err
	}
	return closeAfter(tpm, reboot.Measure(tpm, log))
}

// luksFile makes a LUKS2 volume in a file of 20 MiB, whose first keyslot opens with
// the contents of another file: luksfile FILE KEYFILE.
func luksFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: luksfile FILE KEYFILE")
	}
	path := ts.MkAbs(args[0])
	ts.Check(os.WriteFile(path, nil, 0o600))
	ts.Check(os.Truncate(path, 20<<20))
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	ts.Check(scriptVolume(ts, path).Format(ctx, scriptKey(ts, args[1]), cryptsetup.Quick))
}

// luksOpens tries whether a passphrase opens a volume: luksopens FILE KEYFILE [KEYSLOT].
func luksOpens(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 && len(args) != 3 {
		ts.Fatalf("usage: luksopens FILE KEYFILE [KEYSLOT]")
	}
	slot := cryptsetup.AnySlot
	if len(args) == 3 {
		n, err := strconv.Atoi(args[2])
		ts.Check(err)
		slot = n
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	err := scriptVolume(ts, ts.MkAbs(args[0])).Test(ctx, scriptKey(ts, args[1]), slot)
	if (err == nil) == neg {
		ts.Fatalf("%s with %s: %v", args[0], args[1], err)
	}
}

func scriptVolume(ts *testscript.TestScript, path string) *cryptsetup.Volume {
	tool, err := cryptsetup.Find(context.Background())
	ts.Check(err)
	v, err := tool.Volume(path)
	ts.Check(err)
	return v
}

func scriptKey(ts *testscript.TestScript, path string) []byte {
	key, err := os.ReadFile(filepath.Clean(ts.MkAbs(path)))
	ts.Check(err)
	return key
}

// lockOut brings a TPM into lockout, by wrong passwords: lockout SOCKET.
func lockOut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: lockout SOCKET")
	}
	tpm, err := tpmlink.Socket(ts.MkAbs(args[0]))
	ts.Check(err)
	key, err := tpm2.CreatePrimary{
		PrimaryHandle: tpm2.TPMRHOwner,
		InSensitive:   tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{UserAuth: tpm2.TPM2BAuth{Buffer: []byte("right")}}},
		InPublic:      tpm2.New2B(daKey()),
	}.Execute(tpm)
	ts.Check(err)
	for tries := 0; !errors.Is(err, tpm2.TPMRCLockout); tries++ {
		if _, err = (tpm2.Create{
			ParentHandle: tpm2.AuthHandle{Handle: key.ObjectHandle, Name: key.Name, Auth: tpm2.PasswordAuth([]byte("wrong"))},
			InPublic:     tpm2.New2B(daKey()),
		}).Execute(tpm); tries > 100 {
			ts.Fatalf("no lockout after %d tries: %v", tries, err)
		}
	}
	_, err = tpm2.FlushContext{FlushHandle: key.ObjectHandle}.Execute(tpm)
	ts.Check(closeAfter(tpm, err))
}

// daKey is a storage key that is under dictionary attack protection.
func daKey() tpm2.TPMTPublic {
	key := tpm2.ECCSRKTemplate
	key.ObjectAttributes.NoDA = false
	return key
}
