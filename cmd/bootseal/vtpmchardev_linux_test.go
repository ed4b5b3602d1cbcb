package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// A terminal's two ends are a character device without root.
func TestChardev(t *testing.T) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("a pseudo terminal is needed:", err)
	}
	defer master.Close()
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skip("a pseudo terminal is needed:", err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	// Bytes are to pass as they are.
	if err := unix.IoctlSetTermios(int(master.Fd()), unix.TCSETS, &unix.Termios{Cflag: unix.CS8 | unix.CREAD}); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	done := make(chan int, 1)
	go func() {
		done <- run(t.Context(), []string{"vtpm", "chardev", "--tpm2", "--tpmstate", "dir=" + t.TempDir(),
			"--chardev", fmt.Sprintf("/dev/pts/%d", n), "--flags", "startup-clear"}, nil, io.Discard, &said)
	}()
	if _, err := master.Write([]byte{0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x7B, 0, 8}); err != nil { // TPM2_GetRandom
		t.Fatal(err)
	}
	response := make([]byte, 20)
	if _, err := io.ReadFull(master, response); err != nil {
		t.Fatalf("%v; it said %s", err, &said)
	}
	if !bytes.Equal(response[:10], []byte{0x80, 0x01, 0, 0, 0, 20, 0, 0, 0, 0}) {
		t.Errorf("response %x", response)
	}
	master.Close() // the device hangs up
	if code := <-done; code != exitOK {
		t.Errorf("exit code %d: %s", code, &said)
	}
}
