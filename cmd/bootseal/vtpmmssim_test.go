package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/internal/etcdtest"
)

// mssimRun is a run of `bootseal vtpm mssim` on free ports.
type mssimRun struct {
	command, platform net.Conn
	interrupt         context.CancelFunc
	exit              <-chan int
}

func startMSSim(t *testing.T, args ...string) *mssimRun {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	stderr, w := io.Pipe()
	exit := make(chan int, 1)
	go func() {
		args := append([]string{"vtpm", "mssim", "--listen", "127.0.0.1:0"}, args...)
		code := run(ctx, args, nil, io.Discard, w)
		w.Close()
		exit <- code
	}()
	lines := bufio.NewReader(stderr)
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, lines)
	var command, platform string
	if _, err := fmt.Sscanf(line, "commands at %s platform signals at %s", &command, &platform); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	m := &mssimRun{interrupt: cancel, exit: exit}
	for addr, conn := range map[string]*net.Conn{command[:len(command)-1]: &m.command, platform: &m.platform} {
		if *conn, err = net.Dial("tcp", addr); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { (*conn).Close() })
	}
	return m
}

// talk sends a message and reads n bytes of answer.
func talk(t *testing.T, conn net.Conn, message []byte, n int) []byte {
	t.Helper()
	if _, err := conn.Write(message); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, n)
	if _, err := io.ReadFull(conn, answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// send runs a command and returns its response of n bytes.
func (m *mssimRun) send(t *testing.T, cmd []byte, n int) []byte {
	t.Helper()
	message := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 8, 0}, uint32(len(cmd)))
	answer := talk(t, m.command, append(message, cmd...), 4+n+4)
	return answer[4 : 4+n]
}

// The simulator serves a TPM until it is interrupted, and one with a directory is
// the same TPM again: it counts its resets.
func TestMSSimServesUntilInterrupted(t *testing.T) {
	dir := t.TempDir()
	startup := []byte{0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 0}
	readClock := []byte{0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x81}
	for resets := uint32(1); resets <= 2; resets++ {
		m := startMSSim(t, "--dir", dir)
		powerOn := []byte{0, 0, 0, 1}
		if ack := talk(t, m.platform, powerOn, 4); !bytes.Equal(ack, make([]byte, 4)) {
			t.Fatalf("power on: %x", ack)
		}
		if response := m.send(t, startup, 10); !bytes.Equal(response[6:], make([]byte, 4)) {
			t.Fatalf("startup: %x", response)
		}
		clock := m.send(t, readClock, 10+25)
		// TPMS_TIME_INFO: time, clock, resetCount, restartCount, safe.
		if n := binary.BigEndian.Uint32(clock[10+16:]); n != resets {
			t.Errorf("resetCount %d, want %d", n, resets)
		}
		m.interrupt()
		if code := <-m.exit; code != exitOK {
			t.Errorf("exit code %d", code)
		}
	}
}

// With its state in etcd, the TPM runs on one machine at a time, and is the same one on the
// next.
func TestMSSimInEtcd(t *testing.T) {
	e := etcdtest.Start(t)
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, bytes.Repeat([]byte("k"), 32), 0o600); err != nil {
		t.Fatal(err)
	}
	url := "etcd://" + e.Endpoint + "/test/tpm0?ttl=3s"
	flags := []string{"--store", url, "--state-key", "file:" + key}
	startup := []byte{0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 0}
	readClock := []byte{0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x81}
	for resets := uint32(1); resets <= 2; resets++ {
		m := startMSSim(t, flags...)
		talk(t, m.platform, []byte{0, 0, 0, 1}, 4) // power on
		if response := m.send(t, startup, 10); !bytes.Equal(response[6:], make([]byte, 4)) {
			t.Fatalf("startup: %x", response)
		}
		if n := binary.BigEndian.Uint32(m.send(t, readClock, 10+25)[10+16:]); n != resets {
			t.Errorf("resetCount %d, want %d", n, resets)
		}
		var stderr bytes.Buffer
		second := append([]string{"vtpm", "mssim", "--listen", "127.0.0.1:0"}, flags...)
		if code := run(t.Context(), second, nil, io.Discard, &stderr); code != exitError || !strings.Contains(stderr.String(), "tpm0 is open on") {
			t.Errorf("a second one: exit code %d, %s", code, &stderr)
		}
		var list bytes.Buffer
		if code := run(t.Context(), []string{"vtpm", "state", "list", "etcd://" + e.Endpoint + "/test"}, nil, &list, &stderr); code != exitOK || !strings.Contains(list.String(), "tpm0  ") {
			t.Errorf("list: exit code %d, %s", code, &list)
		}
		if code := run(t.Context(), []string{"vtpm", "state", "rm", "--yes", url}, nil, io.Discard, io.Discard); code != exitError {
			t.Errorf("removed while it is open: exit code %d", code)
		}
		if resets == 1 {
			m.interrupt()
			if code := <-m.exit; code != exitOK {
				t.Errorf("exit code %d", code)
			}
			continue
		}
		// Without etcd, it stops before anybody else can have the state.
		e.Kill()
		if code := <-m.exit; code != exitError {
			t.Errorf("exit code %d without etcd", code)
		}
	}
}

// A place in etcd is a whole URL, and needs a key.
func TestMSSimStore(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, bytes.Repeat([]byte("k"), 32), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"say --state-key":     {"--store", "etcd://127.0.0.1:1/tpm0"},
		"choose etcd://":      {"--store", "dir"},
		"exclude each other":  {"--store", "etcd://127.0.0.1:1/tpm0", "--dir", "d"},
		"ends with the state": {"--store", "etcd://127.0.0.1:1", "--state-key", "file:" + key},
		"etcd at 127.0.0.1:1": {"--store", "etcd://127.0.0.1:1/tpm0?ttl=2s", "--state-key", "file:" + key},
		"no name of a state":  {"--store", "etcd://127.0.0.1:1/.x", "--state-key", "file:" + key},
		"a TTL is from":       {"--store", "etcd://127.0.0.1:1/x?ttl=0s", "--state-key", "file:" + key},
	} {
		var stderr bytes.Buffer
		code := run(t.Context(), append([]string{"vtpm", "mssim", "--listen", "127.0.0.1:0"}, args...), nil, io.Discard, &stderr)
		if code != exitError || !strings.Contains(stderr.String(), want) {
			t.Errorf("%q: exit code %d, %s", args, code, &stderr)
		}
	}
}

// An etcd counts states in directories, too: an older copy is refused until it is accepted.
func TestStateCounter(t *testing.T) {
	e := etcdtest.Start(t)
	work := t.TempDir()
	key, dir := filepath.Join(work, "key"), filepath.Join(work, "vm0")
	if err := os.WriteFile(key, bytes.Repeat([]byte("k"), 32), 0o600); err != nil {
		t.Fatal(err)
	}
	do := func(want int, args ...string) string {
		t.Helper()
		var out bytes.Buffer
		args = append(args, "--state-key", "file:"+key, "--state-counter", "etcd://"+e.Endpoint)
		if code := run(t.Context(), args, nil, &out, &out); code != want {
			t.Fatalf("%q: exit code %d, want %d: %s", args, code, want, &out)
		}
		return out.String()
	}
	use := []string{"pcrs", "--pcrs", "0", "--tpm", "embedded:" + dir}
	do(exitOK, use...)
	older, err := os.ReadFile(filepath.Join(dir, "state"))
	if err != nil {
		t.Fatal(err)
	}
	do(exitOK, use...)
	if err := os.WriteFile(filepath.Join(dir, "state"), older, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := do(exitError, use...); !strings.Contains(out, "has count 2, its counter stands at 4") {
		t.Error(out)
	}
	do(exitOK, "vtpm", "state", "accept", dir)
	do(exitOK, use...)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if out := do(exitError, use...); !strings.Contains(out, "the state is missing") {
		t.Error(out)
	}
	do(exitOK, "vtpm", "state", "accept", "--missing", dir)
	do(exitOK, use...)
}
