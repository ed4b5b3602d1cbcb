package hosttpm_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/bootseal/bootseal/internal/hosttpm"
	"github.com/bootseal/bootseal/internal/killtest"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/store"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// childVariable makes the test binary a process that counts in a state below the directory
// that it names.
const childVariable = "BOOTSEAL_HOSTTPM_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		fmt.Fprintln(os.Stderr, countForever(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// hostTPM opens the host's TPM, a vTPM with a state of its own that can be killed, too.
func hostTPM(dir string) (transport.TPMCloser, error) {
	state, err := store.OpenDirectory(filepath.Join(dir, "host"))
	if err != nil {
		return nil, err
	}
	t, err := vtpm.New(vtpm.Options{Store: state})
	if err == nil {
		_, err = tpm2.Startup{StartupType: tpm2.TPMSUClear}.Execute(t)
	}
	if err != nil {
		return nil, errors.Join(err, state.Close())
	}
	return opened{t, state}, nil
}

// opened is a TPM that closes its state, and is not shut down.
type opened struct {
	*vtpm.TPM
	state *store.Directory
}

func (o opened) Close() error { return o.state.Close() }

func openCounted(dir string, index seal.Handle) (*store.Directory, error) {
	counter, err := hosttpm.NewCounter(hosttpm.Key{Key: key, Counter: index}, func() (transport.TPMCloser, error) { return hostTPM(dir) })
	if err != nil {
		return nil, err
	}
	ledger, err := store.NewLedger(filepath.Join(dir, "ledger"), key, counter)
	if err != nil {
		return nil, err
	}
	return store.OpenDirectoryOptions(filepath.Join(dir, "vm0"), store.Options{Key: key, Instance: "vm0", Counter: ledger.Counter("vm0")})
}

// firstCounter is where a TPM without others has its counter.
const firstCounter = 0x0180B540

// countForever counts in a record, opens and closes the state in between, and says each
// number that was acknowledged.
func countForever(dir string) error {
	for {
		s, err := openCounted(dir, firstCounter)
		if err != nil {
			return err
		}
		records, err := s.Load()
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(records["n"]))
		if err != nil && len(records) > 0 {
			return err
		}
		for range 3 {
			n++
			if err := s.Commit(map[string][]byte{"n": []byte(strconv.Itoa(n))}); err != nil {
				return err
			}
			fmt.Println(n)
		}
		if err := s.Close(); err != nil {
			return err
		}
	}
}

// TestKill kills a process with a counted state at any moment: between the state and the
// ledger, between the ledger and the TPM, in the TPM. It always opens again, with what was
// acknowledged; a copy of it from before does not.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	dir := t.TempDir()
	tpm, err := hostTPM(dir)
	if err != nil {
		t.Fatal(err)
	}
	index, err := hosttpm.DefineCounter(tpm, key, nil)
	if err != nil || index != firstCounter {
		t.Fatalf("the counter is at %v: %v", index, err)
	}
	if err := tpm.Close(); err != nil {
		t.Fatal(err)
	}
	counter, err := hosttpm.NewCounter(hosttpm.Key{Key: key, Counter: index}, func() (transport.TPMCloser, error) { return hostTPM(dir) })
	if err != nil {
		t.Fatal(err)
	}
	ledger, err := store.NewLedger(filepath.Join(dir, "ledger"), key, counter)
	if err != nil {
		t.Fatal(err)
	}
	if err := ledger.Create(); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(4, 4))
	last := 0
	var copied []byte
	for round := range 30 {
		first, said := killtest.Count(t, childVariable+"="+dir, time.Duration(r.IntN(120))*time.Millisecond)
		if said > 0 && first != last+1 && first != last+2 {
			t.Fatalf("round %d: it goes on with %d after %d", round, first, last)
		}
		last = max(last, said)
		if round == 10 {
			if copied, err = os.ReadFile(filepath.Join(dir, "vm0", "state")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if s, err := openCounted(dir, index); err != nil || s.Close() != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "vm0", "state"), copied, 0o600); err != nil {
		t.Fatal(err)
	}
	var rollback *store.RollbackError
	if _, err := openCounted(dir, index); !errors.As(err, &rollback) {
		t.Errorf("a copy of round 10: %v", err)
	}
	t.Logf("30 kills, %d changes", last)
}
