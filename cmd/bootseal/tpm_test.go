package main

import (
	"io"
	"net"
	"path/filepath"
	"testing"
)

// A verb that wants the TPM twice has one connection: swtpm serves no second one, and
// a verb that waited for it would wait for itself.
func TestTPMIsShared(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "tpm"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	closed := make(chan int)
	go func() {
		for n := 1; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, conn)
			closed <- n
		}
	}()
	a := &app{tpm: "swtpm:" + l.Addr().String()}
	open := func() io.Closer {
		t.Helper()
		tpm, err := a.openTPM()
		if err != nil {
			t.Fatal(err)
		}
		return tpm
	}
	end := func(c io.Closer) {
		t.Helper()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	first, second := open(), open()
	end(second)
	select {
	case n := <-closed:
		t.Fatalf("connection %d was closed, and somebody uses it", n)
	default:
	}
	end(first)
	if n := <-closed; n != 1 {
		t.Errorf("connection %d was closed", n)
	}
	end(open())
	if n := <-closed; n != 2 {
		t.Errorf("connection %d was closed", n)
	}
}
