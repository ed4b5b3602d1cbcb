//go:build unix

package swtpmstate_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/linuxudstpm"
)

// swtpm is the program whose states move in, with a state of its own.
type swtpm struct {
	dir     string
	options []string // --key and the like
	profile []string // --profile, which is for a new TPM alone
	process *exec.Cmd
	exited  <-chan struct{}
	log     bytes.Buffer
}

// newSwtpm returns a swtpm that is not running, and skips the test where there is none.
func newSwtpm(t *testing.T, options ...string) *swtpm {
	t.Helper()
	if os.Getenv("BOOTSEAL_TEST_TPM") != "swtpm" {
		t.Skip("works with swtpm: set BOOTSEAL_TEST_TPM=swtpm where it is installed")
	}
	if _, err := exec.LookPath("swtpm"); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "swtpm") // a socket's path must be short, and t.TempDir's is not
	if err != nil {
		t.Fatal(err)
	}
	s := &swtpm{dir: dir, options: options}
	t.Cleanup(func() {
		s.kill()
		os.RemoveAll(dir)
	})
	return s
}

// start starts the program, and the TPM with TPM2_Startup(CLEAR) or (STATE).
func (s *swtpm) start(t *testing.T, startup tpm2.TPMSU) transport.TPM {
	t.Helper()
	socket := filepath.Join(s.dir, "socket")
	args := []string{"socket", "--tpm2", "--tpmstate", "dir=" + s.dir, "--server", "type=unixio,path=" + socket, "--flags", "not-need-init"}
	s.process = exec.Command("swtpm", slices.Concat(args, s.options, s.profile)...)
	s.profile = nil
	s.process.Stdout, s.process.Stderr = &s.log, &s.log
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { _ = s.process.Wait(); close(exited) }()
	s.exited = exited
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if tpm, err := linuxudstpm.Open(socket); err == nil {
			_, err := tpm2.Startup{StartupType: startup}.Execute(tpm)
			if rc := tpm2.TPMRCSuccess; errors.As(err, &rc) {
				t.Fatalf("startup of swtpm: %v", err)
			}
			if err == nil {
				return retrying{tpm}
			}
		}
		select {
		case <-exited:
			t.Fatalf("swtpm ended: %s", s.log.String())
		default:
			if time.Now().After(end) {
				t.Fatal("swtpm does not serve")
			}
		}
	}
}

// kill ends the program. What the TPM has acknowledged is in its file.
func (s *swtpm) kill() {
	if s.process != nil {
		_ = s.process.Process.Kill()
		<-s.exited
		s.process = nil
	}
}

func (s *swtpm) state(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, "tpm2-00.permall"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// retrying sends a command again when the TPM says so, as libtpms does at the first
// use of an authorization that counts.
type retrying struct{ transport.TPM }

func (r retrying) Send(cmd []byte) ([]byte, error) {
	for {
		response, err := r.TPM.Send(cmd)
		if err != nil || len(response) < 10 || binary.BigEndian.Uint32(response[6:]) != uint32(tpm2.TPMRCRetry) {
			return response, err
		}
	}
}
