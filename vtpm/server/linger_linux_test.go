package server_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm/server"
)

// lingering returns a client's socket, and what the server has of it.
func lingering(t *testing.T, threads *server.Threads) (client, served net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("unix", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	served = server.Linger(conn, threads)
	t.Cleanup(func() { client.Close(); served.Close() })
	return client, served
}

// everyThread runs a test with threads to wait in the kernel with, and without.
func everyThread(t *testing.T, f func(*testing.T, *server.Threads)) {
	t.Run("with a thread", func(t *testing.T) { f(t, nil) })
	t.Run("without", func(t *testing.T) { f(t, server.NewThreads(0)) })
}

// A message may come at any moment while a read goes from the kernel to the poller.
func TestLingerMissesNoMessage(t *testing.T) { everyThread(t, missesNoMessage) }

func missesNoMessage(t *testing.T, threads *server.Threads) {
	client, served := lingering(t, threads)
	go io.Copy(served, served)
	client.SetDeadline(time.Now().Add(time.Minute))
	for i := range 200 {
		// What the timers leave of it is spread around the moment that the read parks.
		time.Sleep(server.LingerTime - time.Millisecond + time.Duration(i%100)*20*time.Microsecond)
		if _, err := client.Write([]byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
		var b [1]byte
		if _, err := io.ReadFull(client, b[:]); err != nil || b[0] != byte(i) {
			t.Fatalf("message %d: %v, %v", i, b, err)
		}
		if testing.Short() && i == 20 {
			break
		}
	}
}

// Close ends a read, whether it waits in the kernel or in the poller.
func TestLingerClose(t *testing.T) {
	for name, after := range map[string]time.Duration{"in the kernel": time.Millisecond, "in the poller": 3 * server.LingerTime} {
		t.Run(name, func(t *testing.T) {
			_, served := lingering(t, nil)
			done := make(chan error, 1)
			go func() {
				_, err := served.Read(make([]byte, 1))
				done <- err
			}()
			time.Sleep(after)
			if err := served.Close(); err != nil {
				t.Error(err)
			}
			select {
			case err := <-done:
				if err == nil {
					t.Error("a read of a closed connection succeeded")
				}
			case <-time.After(time.Minute):
				t.Fatal("the read goes on")
			}
		})
	}
}

func TestLingerReadDeadline(t *testing.T) { everyThread(t, readDeadline) }

func readDeadline(t *testing.T, threads *server.Threads) {
	client, served := lingering(t, threads)
	served.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	var b [1]byte
	if _, err := served.Read(b[:]); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a read without a message: %v", err)
	}
	served.SetReadDeadline(time.Time{})
	client.Write([]byte{7})
	if n, err := served.Read(b[:]); n != 1 || err != nil || b[0] != 7 {
		t.Errorf("a read after that: %v, %v", b[:n], err)
	}
}

// A client that takes no response in does not hold the server for ever.
func TestLingerWriteDeadline(t *testing.T) { everyThread(t, writeDeadline) }

func writeDeadline(t *testing.T, threads *server.Threads) {
	client, served := lingering(t, threads)
	served.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := served.Write(make([]byte, 16<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a write that nobody reads: %v", err)
	}
	if _, err := io.CopyN(io.Discard, client, 1000); err != nil {
		t.Errorf("what was written of it: %v", err)
	}
}

// A client that is slow to take a response in gets all of it.
func TestLingerSlowReader(t *testing.T) { everyThread(t, slowReader) }

func slowReader(t *testing.T, threads *server.Threads) {
	client, served := lingering(t, threads)
	sent := make([]byte, 4<<20)
	for i := range sent {
		sent[i] = byte(i % 251)
	}
	served.SetWriteDeadline(time.Now().Add(time.Minute))
	done := make(chan error, 1)
	go func() {
		_, err := served.Write(sent)
		served.Close()
		done <- err
	}()
	time.Sleep(2 * server.LingerTime)
	got, err := io.ReadAll(client)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes of %d, %v", len(got), len(sent), err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A client that goes away is the end of the connection.
func TestLingerEnd(t *testing.T) { everyThread(t, end) }

func end(t *testing.T, threads *server.Threads) {
	client, served := lingering(t, threads)
	client.Close()
	if _, err := served.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read: %v", err)
	}
}
