package main

import (
	"encoding/hex"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/cmd/internal/tpmlink"
	"github.com/bootseal/bootseal/internal/etcdtest"
	"github.com/bootseal/bootseal/vtpm/server/host"
	"github.com/google/go-tpm/tpm2"
)

// Two machines with their states in one etcd: a vTPM moves from one to the other, when it is
// given up there and when the machine has died, and never runs on both.
func TestServeEtcd(t *testing.T) {
	if testing.Short() {
		t.Skip("starts etcd and daemons")
	}
	server := etcdtest.Start(t)
	dir, err := os.MkdirTemp("", "etcd")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	key := filepath.Join(dir, "key")
	if err := os.WriteFile(key, []byte(strings.Repeat("5a", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := []string{"--state-key", "file:" + key, "--store", "etcd://" + server.Endpoint + "/vtpm?ttl=2s&wait=20s"}
	a, b := startDaemon(t, makeDir(t, dir, "a"), flags...), startDaemon(t, makeDir(t, dir, "b"), flags...)

	info, err := a.api.Create(t.Context(), "vm0", host.Spec{PowerOn: true, Start: true})
	if err != nil {
		t.Fatal(err)
	}
	name := srkName(t, info)
	if err := a.api.Remove(t.Context(), "vm0", host.Removal{Force: true, KeepState: true}); err != nil {
		t.Fatal(err)
	}
	adopt := host.Spec{Adopt: true, PowerOn: true, Start: true}
	if info, err = b.api.Create(t.Context(), "vm0", adopt); err != nil {
		t.Fatal(err)
	}
	if got := srkName(t, info); got != name {
		t.Errorf("the storage key is %s after the move, %s before", got, name)
	}
	b.kill(t) // its lease is to run out first
	if info, err = a.api.Create(t.Context(), "vm0", adopt); err != nil {
		t.Fatal(err)
	}
	if got := srkName(t, info); got != name {
		t.Errorf("the storage key is %s after the other machine died, %s before", got, name)
	}

	// The machine comes back, and finds that its vTPM is somebody else's.
	b = startDaemon(t, filepath.Join(dir, "b"), flags[0], flags[1], flags[2], strings.Replace(flags[3], "wait=20s", "wait=0s", 1))
	defer b.stop(t)
	if info, err := b.api.Show(t.Context(), "vm0"); err != nil || info.State != host.StateFailed {
		t.Errorf("on the machine that came back: %+v, %v", info, err)
	}
	if got := srkName(t, info); got != name {
		t.Errorf("the storage key is %s with the machine back", got)
	}
	a.stop(t)
}

func makeDir(t *testing.T, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// srkName makes the storage root key of a vTPM that is on, and returns its Name.
func srkName(t *testing.T, info host.Info) string {
	t.Helper()
	conn, err := net.Dial("unix", info.Data)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	tpm := tpmlink.Stream{ReadWriteCloser: conn}
	key, err := (tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}).Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (tpm2.FlushContext{FlushHandle: key.ObjectHandle}).Execute(tpm); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(key.Name.Buffer)
}
