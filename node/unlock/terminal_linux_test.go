package unlock_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/node/unlock"
	"golang.org/x/sys/unix"
)

// A key is typed on a terminal: stars are shown, and it can be corrected.
func TestTerminal(t *testing.T) {
	for _, c := range []struct {
		typed, want, shown string
		err                error
	}{
		{"key\r", "key", "PIN: ***\r\n", nil},
		{"ab\x7f\x7f\x7fkey\n", "key", "PIN: **\b \b\b \b***\r\n", nil},
		{"wrong\x15\x1b\x01key\r", "key", "", nil},
		{"\r", "", "PIN: \r\n", nil},
		{"k\x04y\r", "ky", "", nil}, // Control-D in the middle is nothing
		{"k\x03", "", "", unlock.ErrInterrupted},
		{"\x04", "", "", unlock.ErrNoAnswer},
	} {
		master, slave := pty(t)
		type result struct {
			answer []byte
			err    error
		}
		done := make(chan result)
		go func() {
			answer, err := unlock.Terminal{In: slave, Out: slave}.Ask(t.Context(), "PIN: ")
			done <- result{answer, err}
		}()
		shown := readUntil(t, master, "PIN: ")
		if _, err := master.WriteString(c.typed); err != nil {
			t.Fatal(err)
		}
		r := <-done
		if string(r.answer) != c.want || !errors.Is(r.err, c.err) {
			t.Errorf("typed %q: %q, %v", c.typed, r.answer, r.err)
		}
		shown += readUntil(t, master, "\r\n")
		if c.shown != "" && shown != c.shown {
			t.Errorf("typed %q: shows %q, want %q", c.typed, shown, c.shown)
		}
		if strings.Contains(shown, "key") {
			t.Errorf("the answer is on the screen: %q", shown)
		}
	}
}

func TestTerminalIsGivenUp(t *testing.T) {
	_, slave := pty(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (unlock.Terminal{In: slave, Out: slave}).Ask(ctx, "PIN: "); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if _, err := (unlock.Terminal{In: null, Out: slave}).Ask(t.Context(), "PIN: "); !errors.Is(err, unlock.ErrNoAnswer) {
		t.Error(err)
	}
}

func readUntil(t *testing.T, f *os.File, end string) string {
	t.Helper()
	var text []byte
	for one := make([]byte, 1); !bytes.HasSuffix(text, []byte(end)); text = append(text, one...) {
		if _, err := f.Read(one); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
	}
	return string(text)
}

// pty returns both ends of a terminal.
func pty(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("there are no terminals: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}
