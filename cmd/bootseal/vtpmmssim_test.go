package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
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
