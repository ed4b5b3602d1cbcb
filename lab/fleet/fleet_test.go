package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func recordings(t *testing.T) []*recording {
	t.Helper()
	names, err := filepath.Glob("testdata/*.txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	all, err := readRecordings(names)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// shortDir is a folder in whose sockets' paths there is room for names.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "fleet")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestFleet(t *testing.T) {
	program := filepath.Join(shortDir(t), "bootseal")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "github.com/bootseal/bootseal/cmd/bootseal").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Run("at once", func(t *testing.T) { atOnce(t, program) })
	t.Run("PCRs are compared", func(t *testing.T) { pcrsAreCompared(t, program) })
}

// Fifty guests boot at once on one daemon: each gets the recorded response codes, and has the
// recorded boot's PCRs.
func atOnce(t *testing.T, program string) {
	guests := 50
	if testing.Short() {
		guests = 5
	}
	s, err := serveBootseal(t.Context(), program, shortDir(t), share(recordings(t), guests))
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	done, err := load(s, share(recordings(t), guests))
	if err != nil {
		t.Error(err)
	}
	t.Logf("%d guests, %d commands in %v, %v of processor time, %d MB", guests, done.Commands, done.Took, done.CPU, done.Memory>>20)

	// They have booted: what was there to be defined for the first time is there.
	if _, err := load(s, share(recordings(t), guests)); err == nil || !strings.Contains(err.Error(), "response code") {
		t.Errorf("a TPM that has another state answered as recorded: %v", err)
	}
}

// swtpm gives the same answers to the same guests.
func TestSwtpm(t *testing.T) {
	program, err := exec.LookPath("swtpm")
	if err != nil {
		t.Skip("needs swtpm: apt-get install swtpm")
	}
	guests := share(recordings(t), len(recordings(t)))
	s, err := serveSwtpm(t.Context(), program, shortDir(t), guests)
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	if _, err := load(s, guests); err != nil {
		t.Error(err)
	}
}

// A PCR that was recorded otherwise is found.
func pcrsAreCompared(t *testing.T, program string) {
	r := recordings(t)[0]
	for i, c := range r.Commands {
		if bytes.Equal(c.Bytes[6:10], []byte{0, 0, 1, 0x82}) { // TPM2_PCR_Extend
			r.Commands[i].Bytes[len(c.Bytes)-1] ^= 1
			break
		}
	}
	s, err := serveBootseal(t.Context(), program, shortDir(t), []*recording{r})
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	if _, err := load(s, []*recording{r}); err == nil || !strings.Contains(err.Error(), "is not as recorded") {
		t.Errorf("error: %v", err)
	}
}

func TestParse(t *testing.T) {
	for want, text := range map[string]string{
		"a recording has":     "",
		"line 1: no such":     "what is this\n",
		"is no command":       "command 0 0x0 80010000000b00000144\n",
		"line 2: encoding":    "state 00\nstate 0\n",
		"line 1: command LOC": "command zero 0x0 8001\n",
		"line 2: command LOC": "state 00\ncommand 0\n",
		"no line ALG INDEX":   "state 00\ncommand 0 0x0 80010000000c000001440000\n",
	} {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		io.WriteString(z, text)
		z.Close()
		if _, err := parse(packed.Bytes()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
	if _, err := parse([]byte("state 00\n")); err == nil {
		t.Error("text that is not packed was taken")
	}
	r := recordings(t)[0]
	again, err := r.marshal()
	if err != nil {
		t.Fatal(err)
	}
	if s, err := parse(again); err != nil || len(s.Commands) != len(r.Commands) || !s.PCRs.Equal(r.PCRs) {
		t.Errorf("written and read: %v", err)
	}
}
