// Package simulator takes the place of github.com/google/go-tpm-tools/simulator, a
// C TPM in the process, in suites that were written for it. Each TPM is a process
// of the program that BOOTSEAL names, reached over the simulator's protocol.
package simulator

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
)

// ErrUsingClosedSimulator is what a closed simulator answers.
var ErrUsingClosedSimulator = errors.New("the simulator is closed")

// Simulator is one TPM.
type Simulator struct {
	process           *exec.Cmd
	command, platform net.Conn
	response          bytes.Buffer
	closed            bool
}

const (
	powerOn     = 1
	sendCommand = 8
	reset       = 17
)

var (
	startupClear  = []byte{0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 0}
	shutdownClear = []byte{0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x45, 0, 0}
)

// Get returns a new TPM after TPM2_Startup(CLEAR).
func Get() (*Simulator, error) {
	s := new(Simulator)
	return s, s.start()
}

// GetWithFixedSeedInsecure is not for a TPM that keeps its seeds: it fails.
func GetWithFixedSeedInsecure(int64) (*Simulator, error) {
	return nil, errors.New("the vTPM does not take seeds from outside")
}

func (s *Simulator) start() error {
	s.process = exec.Command(os.Getenv("BOOTSEAL"), "vtpm", "mssim", "--listen", "127.0.0.1:0")
	stderr, err := s.process.StderrPipe()
	if err != nil {
		return err
	}
	if err := s.process.Start(); err != nil {
		return err
	}
	lines := bufio.NewReader(stderr)
	line, err := lines.ReadString('\n')
	if err != nil {
		return fmt.Errorf("%s: %w", s.process, err)
	}
	go io.Copy(os.Stderr, lines)
	var command, platform string
	if _, err := fmt.Sscanf(line, "commands at %s platform signals at %s", &command, &platform); err != nil {
		return fmt.Errorf("%q: %w", line, err)
	}
	if s.command, err = net.Dial("tcp", command[:len(command)-1]); err != nil {
		return err
	}
	if s.platform, err = net.Dial("tcp", platform); err != nil {
		return err
	}
	if err := s.signal(powerOn); err != nil {
		return err
	}
	return s.succeed(startupClear)
}

// end ends the process. The TPM was shut down before.
func (s *Simulator) end() error {
	s.command.Close()
	s.platform.Close()
	if err := s.process.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	return s.process.Wait()
}

// Reset restarts the machine.
func (s *Simulator) Reset() error {
	if s.closed {
		return ErrUsingClosedSimulator
	}
	if err := s.succeed(shutdownClear); err != nil {
		return err
	}
	if err := s.signal(reset); err != nil {
		return err
	}
	return s.succeed(startupClear)
}

// ManufactureReset puts another TPM in the place of this one.
func (s *Simulator) ManufactureReset() error {
	if s.closed {
		return ErrUsingClosedSimulator
	}
	if err := s.end(); err != nil {
		return err
	}
	return s.start()
}

// Write runs a command; Read reads its response.
func (s *Simulator) Write(cmd []byte) (int, error) {
	if s.closed {
		return 0, ErrUsingClosedSimulator
	}
	response, err := s.run(cmd)
	if err != nil {
		return 0, err
	}
	s.response.Write(response)
	return len(cmd), nil
}

// Read reads the response of the last command.
func (s *Simulator) Read(p []byte) (int, error) {
	if s.closed {
		return 0, ErrUsingClosedSimulator
	}
	return s.response.Read(p)
}

// Close ends the TPM.
func (s *Simulator) Close() error {
	if s.closed {
		return ErrUsingClosedSimulator
	}
	s.closed = true
	return errors.Join(s.succeed(shutdownClear), s.end())
}

// IsClosed reports whether Close was called.
func (s *Simulator) IsClosed() bool { return s.closed }

func (s *Simulator) signal(code uint32) error {
	if err := binary.Write(s.platform, binary.BigEndian, code); err != nil {
		return err
	}
	return acknowledged(s.platform)
}

func acknowledged(r io.Reader) error {
	var ack uint32
	if err := binary.Read(r, binary.BigEndian, &ack); err != nil {
		return err
	}
	if ack != 0 {
		return fmt.Errorf("the simulator answers %d", ack)
	}
	return nil
}

func (s *Simulator) succeed(cmd []byte) error {
	response, err := s.run(cmd)
	if err != nil {
		return err
	}
	if len(response) < 10 || [4]byte(response[6:]) != [4]byte{} {
		return fmt.Errorf("command %x: response %x", cmd, response)
	}
	return nil
}

func (s *Simulator) run(cmd []byte) ([]byte, error) {
	message := binary.BigEndian.AppendUint32(nil, sendCommand)
	message = append(message, 0) // locality
	message = binary.BigEndian.AppendUint32(message, uint32(len(cmd)))
	if _, err := s.command.Write(append(message, cmd...)); err != nil {
		return nil, err
	}
	var size uint32
	if err := binary.Read(s.command, binary.BigEndian, &size); err != nil {
		return nil, err
	}
	response := make([]byte, size)
	if _, err := io.ReadFull(s.command, response); err != nil {
		return nil, err
	}
	return response, acknowledged(s.command)
}
