package server

import (
	"encoding/binary"
	"errors"
	"net"
	"time"
)

const (
	// controlRead is how much of a message is read at once. All but the blobs of a state
	// are shorter, and a client that has sent its messages stays connected.
	controlRead = 256
	// controlReadBlob is how much of a blob is read at once. A message is believed to be as
	// long as it says when it has been read.
	controlReadBlob = 16 << 10
	// Bounds of the buffer for commands and responses. A guest's interface may have less
	// than a TPM's 4096 bytes; with less than the smaller one there are commands that
	// nobody could send.
	minBufferSize, maxBufferSize = 3072, 4096
	// lockRetry is the pause between two attempts of LOCK_STORAGE.
	lockRetry = 10 * time.Millisecond
)

// serveControl answers the messages of one client.
func (s *Swtpm) serveControl(conn net.Conn) {
	if s.o.TerminateControl {
		defer s.stop()
	}
	buf := make([]byte, controlRead)
	for {
		b, fd, err := readControl(conn, buf, rawPatience)
		if err != nil {
			return
		}
		var reply []byte
		m, err := parseControl(b)
		switch {
		case err != nil:
			reply = answer(resultBadParameter)
		default:
			reply = s.control(m, fd)
			fd = nil // it is taken, or closed
		}
		closeConn(fd)
		clear(b)
		if conn.SetWriteDeadline(time.Now().Add(messageTimeout)) != nil {
			return
		}
		_, writeErr := conn.Write(reply)
		clear(reply)
		if m.code == controlShutdown && !s.o.Stay {
			s.stop()
		}
		// After a message of a size that cannot be the next one is not found.
		if writeErr != nil || errors.Is(err, errControlSize) {
			return
		}
	}
}

func closeConn(conn net.Conn) {
	if conn != nil {
		conn.Close()
	}
}

// readControl reads one message and a connection that came with it. Like swtpm it
// takes what arrives at once for one message; a client that sends it in pieces has as
// much time for the rest as the patience lasts.
func readControl(conn net.Conn, buf []byte, patience time.Duration) (b []byte, passed net.Conn, err error) {
	n, passed, err := receive(conn, buf)
	if err != nil {
		closeConn(passed)
		return nil, nil, err
	}
	b = append(b, buf[:n]...)
	clear(buf[:n]) // a blob holds secrets
	defer func() { err = errors.Join(err, conn.SetReadDeadline(time.Time{})) }()
	for {
		size, err := controlSize(b)
		if err != nil || len(b) >= size {
			return b, passed, nil // parseControl says what is wrong
		}
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return b, passed, err
		}
		if size-len(b) > len(buf) {
			buf = make([]byte, min(controlReadBlob, size-len(b)))
		}
		n, err := conn.Read(buf[:min(len(buf), size-len(b))])
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return b, passed, nil
		}
		if err != nil {
			closeConn(passed)
			return nil, nil, err
		}
		b = append(b, buf[:n]...)
		clear(buf[:n])
	}
}

// control executes one message and returns the answer.
func (s *Swtpm) control(m message, passed net.Conn) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.code == controlSetDataFD {
		return answer(s.setData(passed))
	}
	closeConn(passed)
	if needsRunning(m.code) && !s.running || needsStopped(m) && s.running {
		return answer(resultBadOrdinal)
	}
	switch m.code {
	case controlGetCapability:
		return answer(resultOK, capabilities)
	case controlInit:
		return answer(s.outcome(s.init(m.u32(0)&initDeleteVolatile != 0)))
	case controlShutdown, controlStop:
		s.halt()
		return answer(resultOK)
	case controlGetEstablished:
		b := byte(0)
		if s.established {
			b = 1
		}
		return append(answer(resultOK), b, 0, 0, 0)
	case controlSetLocality:
		return answer(s.setLocality(m.fields[0]))
	case controlResetEstablished:
		return answer(s.resetEstablished(m.fields[0]))
	case controlHashStart:
		s.established = true
		s.tpm.HashStart()
	case controlHashData:
		s.tpm.HashData(m.fields[4:])
	case controlHashEnd:
		s.tpm.HashEnd()
	case controlCancel: // commands are short, and none is in flight now
	case controlStoreVolatile:
		s.dirty = false
		return answer(s.outcome(s.tpm.KeepVolatile()))
	case controlGetStateBlob:
		return s.getBlob(m.u32(1), m.u32(2))
	case controlSetStateBlob:
		return answer(s.setBlob(m.u32(0), m.u32(1), m.fields[12:]))
	case controlGetConfig:
		return answer(resultOK, s.config())
	case controlSetBufferSize:
		return s.setBufferSize(m.u32(0))
	case controlGetInfo:
		return s.getInfo(m.fields)
	case controlLockStorage:
		return answer(s.lockStorage(m.u32(0)))
	default:
		return answer(resultBadOrdinal)
	}
	return answer(resultOK)
}

// needsRunning reports whether the message is for a TPM between INIT and STOP.
func needsRunning(code controlCode) bool {
	switch code {
	case controlGetEstablished, controlResetEstablished, controlHashStart, controlHashData, controlHashEnd,
		controlCancel, controlStoreVolatile, controlGetStateBlob:
		return true
	}
	return false
}

// needsStopped reports whether the message is for a TPM that is not running. The
// buffer's size can be asked for, with size 0, at any time.
func needsStopped(m message) bool {
	return m.code == controlSetStateBlob || m.code == controlSetBufferSize && m.u32(0) != 0
}

// outcome is the result for an error.
func (s *Swtpm) outcome(err error) result {
	if err == nil {
		return resultOK
	}
	s.report(err)
	return resultFail
}

func (s *Swtpm) setLocality(locality uint8) result {
	if locality > 4 || locality == 4 && s.o.RejectLocality4 {
		return resultBadLocality
	}
	s.locality = locality
	return resultOK
}

// resetEstablished is for the localities of a dynamic launch (PC Client Platform TPM
// Profile, "TPM_ACCESS_x.tpmEstablishment").
func (s *Swtpm) resetEstablished(locality uint8) result {
	if locality != 3 && locality != 4 {
		return resultBadLocality
	}
	s.established = false
	return resultOK
}

// setData makes the connection that came with the message the data channel.
func (s *Swtpm) setData(conn net.Conn) result {
	if conn == nil {
		return resultBadParameter
	}
	if s.passed != nil {
		conn.Close()
		return resultIOError
	}
	conn = linger(conn, s.o.Threads)
	s.passed = conn
	s.serveConn(conn, s.contained(func(conn net.Conn) {
		defer func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.passed = nil
		}()
		s.serveData(conn)
	}))
	return resultOK
}

func (s *Swtpm) config() uint32 {
	var flags uint32
	if s.o.FileKey {
		flags |= configFileKey
	}
	if s.o.MigrationKey != nil {
		flags |= configMigrationKey
	}
	return flags
}

// setBufferSize sets the size to the closest that is possible, and answers it with the
// bounds. It does without the state: QEMU asks when it begins to wait for a VM, whose old
// process still has the state open, and waits for all of the answer.
func (s *Swtpm) setBufferSize(size uint32) []byte {
	if size != 0 {
		s.bufferSize = int(min(max(size, minBufferSize), maxBufferSize))
		if s.tpm != nil {
			s.tpm.SetBufferSize(s.bufferSize)
		}
	}
	now := s.bufferSize
	switch {
	case s.tpm != nil:
		now = s.tpm.BufferSize()
	case now == 0:
		now = maxBufferSize
	}
	return answer(resultOK, uint32(now), minBufferSize, maxBufferSize)
}

// lockStorage takes hold of the state, which another process may be about to release.
func (s *Swtpm) lockStorage(retries uint32) result {
	err := s.open()
	for ; err != nil && retries > 0 && s.ctx.Err() == nil; retries-- {
		select {
		case <-time.After(lockRetry):
		case <-s.ctx.Done():
		}
		err = s.open()
	}
	return s.outcome(err)
}

// sized appends data behind its length.
func sized(b, data []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(data))), data...)
}
