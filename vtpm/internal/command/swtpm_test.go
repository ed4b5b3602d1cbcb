//go:build unix

package command_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// swtpm is Debian's swtpm. What goes wrong with it ends a run with a panic of
// swtpmError.
type swtpm struct {
	state      string // path of the state file
	process    *exec.Cmd
	ctrl, data net.Conn
	locality   uint8
	made       []byte // the state file of a TPM that was just made
}

// swtpmError is why swtpm cannot do what it was asked.
type swtpmError struct{ error }

// errUnsupported is what swtpm has no way for.
var errUnsupported = errors.New("swtpm has no way to do it")

// Commands of swtpm's control channel (swtpm_ioctls(3)).
const (
	swtpmInit        = 2
	swtpmSetLocality = 5
	swtpmHashStart   = 6
	swtpmHashData    = 7
	swtpmHashEnd     = 8
	swtpmStop        = 14
)

// swtpmState is the file of swtpm's persistent state.
const swtpmState = "tpm2-00.permall"

// startSWTPM starts swtpm on a pair of sockets for each of its channels.
func startSWTPM(t *testing.T) *swtpm {
	t.Helper()
	// What swtpm answers depends on its own random numbers: one run in some hundred
	// is another. So the comparison is for people who look at what it says.
	if os.Getenv("BOOTSEAL_TEST_TPM") != "swtpm" {
		t.Skip("compares with swtpm: set BOOTSEAL_TEST_TPM=swtpm where it is installed")
	}
	path, err := exec.LookPath("swtpm")
	if err != nil {
		t.Fatal(err)
	}
	s := &swtpm{state: filepath.Join(t.TempDir(), swtpmState)}
	s.process = exec.Command(path, "socket", "--tpm2", "--tpmstate", "dir="+filepath.Dir(s.state),
		"--ctrl", "type=unixio,clientfd=3", "--fd", "4", "--log", "file=-")
	s.ctrl = s.channel(t)
	s.data = s.channel(t)
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	for _, f := range s.process.ExtraFiles {
		f.Close()
	}
	t.Cleanup(func() {
		s.process.Process.Kill()
		s.process.Wait()
	})
	s.control(swtpmInit, 0, 0, 0, 0)
	if s.made, err = os.ReadFile(s.state); err != nil {
		t.Fatal(err)
	}
	return s
}

// channel makes a pair of sockets, one of which the process inherits.
func (s *swtpm) channel(t *testing.T) net.Conn {
	t.Helper()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(pair[0])
	syscall.CloseOnExec(pair[1])
	ours := os.NewFile(uintptr(pair[0]), "")
	defer ours.Close()
	s.process.ExtraFiles = append(s.process.ExtraFiles, os.NewFile(uintptr(pair[1]), ""))
	conn, err := net.FileConn(ours)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// Reset makes it a new TPM after TPM2_Startup(CLEAR). Its seeds are always the
// same.
func (s *swtpm) Reset() {
	s.control(swtpmStop)
	s.must(os.WriteFile(s.state, s.made, 0o600))
	s.start()
	s.Execute(0, []byte("\x80\x01\x00\x00\x00\x0C\x00\x00\x01\x44\x00\x00")) // TPM2_Startup(CLEAR)
}

// Init is a power cut.
func (s *swtpm) Init() {
	s.control(swtpmStop)
	s.start()
}

func (s *swtpm) start() {
	const deleteVolatile = 1
	s.control(swtpmInit, 0, 0, 0, deleteVolatile)
	s.control(swtpmSetLocality, 0)
	s.locality = 0
}

// Execute runs a command. TPM_RC_RETRY is taken at its word.
func (s *swtpm) Execute(locality uint8, cmd []byte) []byte {
	if s.locality != locality {
		s.control(swtpmSetLocality, locality)
		s.locality = locality
	}
	for {
		if response := s.exchange(cmd); responseCode(response) != wire.RCRetry {
			return response
		}
	}
}

func (s *swtpm) exchange(cmd []byte) []byte {
	_, err := s.data.Write(cmd)
	s.must(err)
	header := make([]byte, 10)
	_, err = io.ReadFull(s.data, header)
	s.must(err)
	response := make([]byte, binary.BigEndian.Uint32(header[2:]))
	copy(response, header)
	_, err = io.ReadFull(s.data, response[len(header):])
	s.must(err)
	return response
}

func (s *swtpm) HashStart() { s.control(swtpmHashStart) }
func (s *swtpm) HashEnd()   { s.control(swtpmHashEnd) }
func (s *swtpm) HashData(data []byte) {
	s.control(swtpmHashData, append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...)...)
}

// SetPhysicalPresence and Advance are what it cannot do.
func (s *swtpm) SetPhysicalPresence(bool) { panic(swtpmError{errUnsupported}) }
func (s *swtpm) Advance(time.Duration)    { panic(swtpmError{errUnsupported}) }

// Failure returns nil: the response codes say it.
func (s *swtpm) Failure() error { return nil }

// control sends a command of the control channel, which must succeed.
func (s *swtpm) control(code uint32, args ...byte) {
	_, err := s.ctrl.Write(append(binary.BigEndian.AppendUint32(nil, code), args...))
	s.must(err)
	reply := make([]byte, 4)
	_, err = io.ReadFull(s.ctrl, reply)
	s.must(err)
	if result := binary.BigEndian.Uint32(reply); result != 0 {
		s.must(fmt.Errorf("swtpm's control command %d: result %#x", code, result))
	}
}

func (s *swtpm) must(err error) {
	if err != nil {
		panic(swtpmError{err})
	}
}
