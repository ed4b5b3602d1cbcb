package server

import (
	"encoding/binary"
	"io"
	"net"
	"time"
)

const (
	// prefixSize is the size of the header that a command may have on the data channel,
	// as on the simulator's command port: TPM_SEND_COMMAND, the locality, the size.
	prefixSize = 9
	// setLocalityCode is the vendor command by which Linux's vTPM proxy sets the
	// locality of the commands that follow (uapi/linux/vtpm_proxy.h).
	setLocalityCode = 0x2000_1000
)

// Responses without the TPM.
var (
	responseOK       = []byte{0x80, 0x01, 0, 0, 0, 10, 0, 0, 0, 0}
	responseFailure  = []byte{0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x01} // TPM_RC_FAILURE
	responseLocality = []byte{0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x09, 0x07} // TPM_RC_LOCALITY
)

// serveData executes the commands of one client.
func (s *Swtpm) serveData(conn net.Conn) {
	if s.o.Terminate {
		defer s.stop()
	}
	c := newCommands(conn, rawPatience, dataComplete)
	for {
		cmd, err := c.next()
		if err != nil {
			return
		}
		response := s.dataMessage(cmd)
		clear(cmd)
		if err := c.respond(response); err != nil || s.o.Disconnect {
			return
		}
	}
}

// serveDevice executes the commands that a character device has.
func (s *Swtpm) serveDevice(device io.ReadWriter) {
	defer s.stop()
	buf := make([]byte, rawBuffer)
	for {
		n, err := device.Read(buf)
		if n == 0 || err != nil || s.ctx.Err() != nil {
			return
		}
		response := s.dataMessage(buf[:n])
		clear(buf[:n])
		if _, err := device.Write(response); err != nil {
			return
		}
	}
}

// hasPrefix reports whether the command has a header in front: TPM_SEND_COMMAND is no
// tag of a command.
func hasPrefix(b []byte) bool {
	return len(b) >= 4 && mssimCode(binary.BigEndian.Uint32(b)) == mssimSendCommand
}

// dataComplete is complete for commands with or without a header in front.
func dataComplete(b []byte) bool {
	if !hasPrefix(b) {
		return complete(b)
	}
	return len(b) >= prefixSize && uint64(len(b)-prefixSize) >= uint64(binary.BigEndian.Uint32(b[prefixSize-4:]))
}

// dataMessage executes a command, in front of which there may be a header with the
// locality. The response has the same form.
func (s *Swtpm) dataMessage(b []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !hasPrefix(b) || len(b) < prefixSize {
		return s.run(b)
	}
	if s.setLocality(b[4]) != resultOK {
		return framed(responseLocality)
	}
	return framed(s.run(b[prefixSize:]))
}

// framed returns the response as the simulator sends it.
func framed(response []byte) []byte { return acknowledge(sized(nil, response)) }

// run executes a command at the locality that was set.
func (s *Swtpm) run(cmd []byte) []byte {
	if !s.running {
		return responseFailure
	}
	if code := commandCode(cmd); code == setLocalityCode {
		if !s.o.AllowSetLocality || len(cmd) != headerSize+1 || s.setLocality(cmd[headerSize]) != resultOK {
			return responseLocality
		}
		return responseOK
	}
	if s.locality == 4 && s.o.RejectLocality4 {
		return responseLocality
	}
	s.dirty = commandCode(cmd) != binary.BigEndian.Uint32(shutdownClear[codeOffset:])
	if s.o.Observe == nil {
		return as20(s.tpm.Execute(s.locality, cmd))
	}
	x := Exchange{At: time.Now(), Locality: s.locality, Command: cmd}
	x.Response = as20(s.tpm.Execute(s.locality, cmd))
	x.Took = time.Since(x.At)
	s.o.Observe(x)
	return x.Response
}

// as20 gives the response to a command of TPM 1.2 the tag of TPM 2.0, as libtpms does.
// Part 2, "TPM_ST", has TPM_ST_RSP_COMMAND there, by which OVMF takes a TPM on the TIS
// interface for a TPM 1.2.
func as20(response []byte) []byte {
	if binary.BigEndian.Uint16(response) == 0x00C4 {
		binary.BigEndian.PutUint16(response, 0x8001)
	}
	return response
}

func commandCode(cmd []byte) uint32 {
	if len(cmd) < headerSize {
		return 0
	}
	return binary.BigEndian.Uint32(cmd[codeOffset:])
}
