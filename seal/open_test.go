package seal_test

import (
	"context"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/linuxudstpm"
)

// open returns a fresh TPM with seeds of its own, started with TPM2_Startup(CLEAR). bootseal's own, or
// with BOOTSEAL_TEST_TPM=swtpm in the environment the swtpm that is in PATH, to
// see that both do the same.
func open(t testing.TB) transport.TPM {
	t.Helper()
	if os.Getenv("BOOTSEAL_TEST_TPM") == "swtpm" {
		return openSwtpm(t)
	}
	return vtpmtest.OpenOptions(t, vtpm.Options{Entropy: rand.Reader})
}

// TestTheSameOnSwtpm runs the tests of this package again with Debian's swtpm in place of
// the vTPM.
func TestTheSameOnSwtpm(t *testing.T) {
	if os.Getenv("BOOTSEAL_TEST_TPM") != "" {
		t.Skip("it is what runs")
	}
	if _, err := exec.LookPath("swtpm"); err != nil {
		t.Skip("swtpm is not installed: it is in Debian's package of that name")
	}
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^Test")
	cmd.Env = append(os.Environ(), "BOOTSEAL_TEST_TPM=swtpm")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func openSwtpm(t testing.TB) transport.TPM {
	t.Helper()
	path, err := exec.LookPath("swtpm")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	socket := filepath.Join(dir, "tpm.sock")
	cmd := exec.Command(path, "socket", "--tpm2",
		"--server", "type=unixio,path="+socket,
		"--ctrl", "type=unixio,path="+filepath.Join(dir, "ctrl.sock"),
		"--flags", "not-need-init,startup-clear",
		"--tpmstate", "dir="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for range 500 {
		if tpm, err := linuxudstpm.Open(socket); err == nil {
			if _, err = (tpm2.GetRandom{BytesRequested: 1}).Execute(tpm); err == nil {
				return tpm
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("swtpm does not answer")
	return nil
}
