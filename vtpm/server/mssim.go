package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/bootseal/bootseal/vtpm"
)

// mssimCode is what a message of the simulator's protocol begins with (TPM 2.0
// reference code, TpmTcpProtocol.h).
type mssimCode uint32

const (
	mssimPowerOn       mssimCode = 1
	mssimPowerOff      mssimCode = 2
	mssimPresenceOn    mssimCode = 3
	mssimPresenceOff   mssimCode = 4
	mssimHashStart     mssimCode = 5
	mssimHashData      mssimCode = 6
	mssimHashEnd       mssimCode = 7
	mssimSendCommand   mssimCode = 8
	mssimCancelOn      mssimCode = 9
	mssimCancelOff     mssimCode = 10
	mssimNVOn          mssimCode = 11
	mssimNVOff         mssimCode = 12
	mssimKeyCacheOn    mssimCode = 13
	mssimKeyCacheOff   mssimCode = 14
	mssimHandshake     mssimCode = 15
	mssimAlternative   mssimCode = 16
	mssimReset         mssimCode = 17
	mssimRestart       mssimCode = 18
	mssimSessionEnd    mssimCode = 20
	mssimStop          mssimCode = 21
	mssimSizes         mssimCode = 25
	mssimACTSignaled   mssimCode = 26
	mssimTestFailure   mssimCode = 30
	mssimFirmwareHash  mssimCode = 35
	mssimFirmwareLevel mssimCode = 36
)

const (
	// mssimVersion is the protocol's version in the handshake.
	mssimVersion = 1
	// mssimEndpoint is what the handshake says of the server: there is a platform
	// port, commands are bare TPM commands, physical presence can be signaled, a
	// failed self-test cannot.
	mssimEndpoint = 0x01 | 0x04 | 0x08 | 0x80
	// mssimMaxData is the longest command or hash data, in bytes, that is read.
	mssimMaxData = 1 << 20
)

// errStop is a client's demand that the simulator stops, errBye its farewell.
var (
	errStop = errors.New("a client stopped the simulator")
	errBye  = errors.New("the client ended the session")
)

// MSSim serves one TPM over the protocol of the TPM simulator of Microsoft and the
// TCG: commands on one TCP port, the platform's signals on another, by convention
// the next one. tpm2-tss calls it mssim.
//
// As on that simulator, the TPM has no power until a client signals power on;
// commands have empty responses meanwhile. It then waits for TPM2_Startup.
// Unlike there, many clients are served at the same time.
type MSSim struct {
	command, platform net.Listener

	tpm *vtpm.TPM
	nv  *NVSwitch
	mu  sync.Mutex
	on  bool

	sizes mssimRecord
	stop  context.CancelFunc
}

// ListenMSSim listens on both addresses, HOST:PORT. An empty platform address
// is the port after the command port; with command port 0 the system picks two
// ports in a row.
func ListenMSSim(command, platform string) (*MSSim, error) {
	host, port, err := net.SplitHostPort(command)
	if err != nil {
		return nil, fmt.Errorf("listen for TPM commands: %w", err)
	}
	attempts := 1
	if platform == "" && port == "0" {
		attempts = 32 // the port after the picked one may be taken
	}
	for {
		s, err := listenBoth(host, command, platform)
		if attempts--; err == nil || attempts == 0 {
			return s, err
		}
	}
}

func listenBoth(host, command, platform string) (*MSSim, error) {
	c, err := net.Listen("tcp", command)
	if err != nil {
		return nil, fmt.Errorf("listen for TPM commands: %w", err)
	}
	if platform == "" {
		platform = net.JoinHostPort(host, strconv.Itoa(c.Addr().(*net.TCPAddr).Port+1))
	}
	p, err := net.Listen("tcp", platform)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen for platform signals: %w", err), c.Close())
	}
	return &MSSim{command: c, platform: p}, nil
}

// CommandAddr is where commands are served.
func (s *MSSim) CommandAddr() net.Addr { return s.command.Addr() }

// PlatformAddr is where the platform's signals are taken.
func (s *MSSim) PlatformAddr() net.Addr { return s.platform.Addr() }

// Close ends a simulator that is not served.
func (s *MSSim) Close() error { return errors.Join(s.command.Close(), s.platform.Close()) }

// Serve serves the TPM until ctx is done or a client stops the simulator, and
// returns nil then. Signals of NV go to nv, which may be nil. Serve can be called
// once: it closes the listeners, and returns when no connection is left.
func (s *MSSim) Serve(ctx context.Context, t *vtpm.TPM, nv *NVSwitch) error {
	s.tpm, s.nv = t, nv
	ctx, s.stop = context.WithCancel(ctx)
	defer s.stop()
	return serve(ctx,
		endpoint{Listener: s.command, handle: func(c net.Conn) { s.serveConn(c, s.commandMessage) }},
		endpoint{Listener: s.platform, handle: func(c net.Conn) { s.serveConn(c, s.platformMessage) }})
}

// serveConn answers the messages of one connection until it ends.
func (s *MSSim) serveConn(conn net.Conn, message func(mssimCode, io.Reader) ([]byte, error)) {
	for {
		code, err := readU32(conn)
		if err != nil || conn.SetDeadline(time.Now().Add(messageTimeout)) != nil {
			return
		}
		answer, err := message(mssimCode(code), conn)
		if errors.Is(err, errStop) {
			s.stop()
		}
		// A command may have taken its time; the client has its own for the answer.
		if len(answer) == 0 || conn.SetDeadline(time.Now().Add(messageTimeout)) != nil {
			return
		}
		if _, writeErr := conn.Write(answer); writeErr != nil || err != nil {
			return
		}
		if conn.SetDeadline(time.Time{}) != nil {
			return
		}
	}
}

// acknowledge ends every answer: 0 says that the message was processed.
func acknowledge(answer []byte) []byte { return binary.BigEndian.AppendUint32(answer, 0) }

// commandMessage reads the rest of a message of the command port from r, acts on
// it, and returns the answer. After an error the connection is closed.
func (s *MSSim) commandMessage(code mssimCode, r io.Reader) ([]byte, error) {
	var answer []byte
	switch code {
	case mssimSendCommand:
		var locality [1]byte
		if _, err := io.ReadFull(r, locality[:]); err != nil {
			return nil, err
		}
		cmd, err := readSized(r)
		if err != nil {
			return nil, err
		}
		response := s.execute(locality[0], cmd)
		answer = binary.BigEndian.AppendUint32(answer, uint32(len(response)))
		answer = append(answer, response...)
	case mssimHashStart:
		s.whenOn(s.tpm.HashStart)
	case mssimHashData:
		data, err := readSized(r)
		if err != nil {
			return nil, err
		}
		s.whenOn(func() { s.tpm.HashData(data) })
	case mssimHashEnd:
		s.whenOn(s.tpm.HashEnd)
	case mssimHandshake:
		version, err := readU32(r)
		if err != nil {
			return nil, err
		}
		if version == 0 {
			return nil, fmt.Errorf("client of version 0")
		}
		answer = binary.BigEndian.AppendUint32(answer, mssimVersion)
		answer = binary.BigEndian.AppendUint32(answer, mssimEndpoint)
	case mssimAlternative: // a result for other transports than this
		if _, err := readU32(r); err != nil {
			return nil, err
		}
	case mssimSessionEnd:
		return nil, errBye
	case mssimStop:
		return nil, errStop
	default:
		return nil, fmt.Errorf("message %d is not of the command port", code)
	}
	return acknowledge(answer), nil
}

// platformMessage is commandMessage for the platform port.
func (s *MSSim) platformMessage(code mssimCode, r io.Reader) ([]byte, error) {
	var answer []byte
	switch code {
	case mssimPowerOn:
		s.powerOn()
	case mssimPowerOff:
		s.powerOff()
	case mssimReset:
		s.whenOn(s.tpm.Init)
	case mssimPresenceOn:
		s.whenOn(func() { s.tpm.SetPhysicalPresence(true) })
	case mssimPresenceOff:
		s.whenOn(func() { s.tpm.SetPhysicalPresence(false) })
	case mssimNVOn, mssimNVOff:
		if s.nv != nil {
			s.whenOn(func() { s.nv.Set(code == mssimNVOn) })
		}
	case mssimCancelOn, mssimCancelOff, mssimKeyCacheOn, mssimKeyCacheOff, mssimRestart, mssimTestFailure:
		// Without effect here: commands are short, there is no key cache, the
		// clock does not stop, and the handshake says that failure is not forced.
	case mssimFirmwareHash, mssimFirmwareLevel: // no key is bound to a firmware here
		if _, err := readU32(r); err != nil {
			return nil, err
		}
	case mssimACTSignaled:
		if _, err := readU32(r); err != nil {
			return nil, err
		}
		answer = binary.BigEndian.AppendUint32(answer, 0)
	case mssimSizes:
		answer = s.sizes.take()
	case mssimSessionEnd:
		return nil, errBye
	case mssimStop:
		return nil, errStop
	default:
		return binary.BigEndian.AppendUint32(nil, 1), fmt.Errorf("message %d is not of the platform port", code)
	}
	return acknowledge(answer), nil
}

func (s *MSSim) powerOn() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.on {
		s.on = true
		s.tpm.Init()
	}
}

func (s *MSSim) powerOff() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on = false
}

// whenOn calls f if the TPM has power. Power does not change meanwhile.
func (s *MSSim) whenOn(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.on {
		f()
	}
}

// execute runs a command; without power there is no response.
func (s *MSSim) execute(locality uint8, cmd []byte) (response []byte) {
	if locality > 4 && locality < 32 {
		locality = 0 // these do not exist (Part 2, TPMA_LOCALITY)
	}
	s.whenOn(func() {
		response = s.tpm.Execute(locality, cmd)
		s.sizes.note(cmd, response)
	})
	return response
}

// readU32 reads a big-endian number.
func readU32(r io.Reader) (uint32, error) {
	var b [4]byte
	_, err := io.ReadFull(r, b[:])
	return binary.BigEndian.Uint32(b[:]), err
}

// readSized reads bytes behind their number. The buffer grows with what really
// comes.
func readSized(r io.Reader) ([]byte, error) {
	size, err := readU32(r)
	if err != nil {
		return nil, err
	}
	if size > mssimMaxData {
		return nil, fmt.Errorf("%d bytes are more than %d", size, mssimMaxData)
	}
	var buf bytes.Buffer
	if _, err := io.CopyN(&buf, r, int64(size)); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}
