package store_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/bootseal/bootseal/vtpm/store"
	"github.com/google/go-tpm/tpm2"
)

// childVariable makes the test binary a process that counts with the TPM whose state
// is in the directory that it names.
const childVariable = "BOOTSEAL_STORE_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		fmt.Fprintln(os.Stderr, countForever(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// countForever increments the TPM's counter and says each value that the TPM
// acknowledged.
func countForever(dir string) error {
	s, err := store.OpenDirectoryOptions(dir, keyOptions)
	if err != nil {
		return err
	}
	m, err := powerOn(s)
	if err != nil {
		return err
	}
	if _, err := (tpm2.NVReadPublic{NVIndex: counterIndex}).Execute(m); err != nil {
		if err := m.define(counterIndex, tpm2.TPMNTCounter, 8, "", ""); err != nil {
			return err
		}
	}
	for {
		if err := m.increment(); err != nil {
			return err
		}
		value, err := m.read(counterIndex, 8, "")
		if err != nil {
			return err
		}
		fmt.Println(binary.BigEndian.Uint64(value))
	}
}

// TestKill kills a process with a TPM, again and again, at any point. The next one
// finds what the last one acknowledged, or one increment more.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	dir := t.TempDir()
	acknowledged, r := uint64(0), rand.New(rand.NewPCG(3, 3))
	for round := range 40 {
		values := countAndKill(t, dir, 1+r.IntN(120))
		// Up to two more: one in flight, and the one that the child counts first.
		if round > 0 && (values[0] <= acknowledged || values[0] > acknowledged+2) {
			t.Fatalf("round %d: the counter goes on with %d after %d", round, values[0], acknowledged)
		}
		for i, n := range values {
			if n != values[0]+uint64(i) {
				t.Fatalf("round %d: counter values %d", round, values)
			}
		}
		acknowledged = values[len(values)-1]
	}
	t.Logf("40 kills, %d increments", acknowledged)
}

// countAndKill starts a child, kills it when it has said n values, and returns all
// that it said.
func countAndKill(t *testing.T, dir string, n int) (values []uint64) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childVariable+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		v, err := strconv.ParseUint(lines.Text(), 10, 64)
		if err != nil {
			break // cut off by the kill
		}
		if values = append(values, v); len(values) == n {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the child was not killed: %v", err)
	}
	if len(values) < n {
		t.Fatalf("the child said %d values, want %d", len(values), n)
	}
	return values
}
