package server

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"time"

	"github.com/bootseal/bootseal/vtpm"
)

const (
	// rawBuffer is more than any TPM's command buffer and a header in front. What is
	// longer arrives in pieces, and each piece is a malformed command. Each client
	// has one, and a process may have thousands of clients.
	rawBuffer = 4096 + 64
	// A header is tag, size and code (Part 1, "Command and response structure").
	headerSize = 10
	sizeOffset = 2
	codeOffset = 6
	// rawPatience is how long the server waits for the rest of a command that is
	// shorter than its header says.
	rawPatience = time.Second
)

// ServeRaw serves the TPM to every client of l, as swtpm does on its data channel:
// what is written is a command at locality 0, what is read its response, written
// in one piece. It serves until ctx is done, closes l, and returns nil then.
//
// What arrives at once is one command, even if its header says that it is
// shorter; what does not get as long as its header says is executed, too. The
// TPM answers TPM_RC_COMMAND_SIZE to both.
func ServeRaw(ctx context.Context, l net.Listener, t *vtpm.TPM) error {
	return serveRaw(ctx, l, t, rawPatience)
}

func serveRaw(ctx context.Context, l net.Listener, t *vtpm.TPM, patience time.Duration) error {
	return serve(ctx, endpoint{Listener: l, handle: func(conn net.Conn) { serveRawConn(conn, t, patience) }})
}

func serveRawConn(conn net.Conn, t *vtpm.TPM, patience time.Duration) {
	buf := make([]byte, rawBuffer)
	for {
		n, err := readMessage(conn, buf, patience, complete)
		if err != nil {
			return
		}
		response := t.Execute(0, buf[:n])
		if conn.SetWriteDeadline(time.Now().Add(messageTimeout)) != nil {
			return
		}
		if _, err := conn.Write(response); err != nil {
			return
		}
	}
}

// readMessage reads one command into buf: what comes at once, and then the rest until
// it is complete, which its header promises, as long as the patience lasts.
func readMessage(conn net.Conn, buf []byte, patience time.Duration, complete func([]byte) bool) (int, error) {
	n, err := conn.Read(buf)
	if err != nil || complete(buf[:n]) {
		return n, err
	}
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	for n < len(buf) && !complete(buf[:n]) {
		m, err := conn.Read(buf[n:])
		n += m
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return 0, err
		}
	}
	return n, conn.SetReadDeadline(time.Time{})
}

// complete reports whether cmd has a header, and is as long as it says.
func complete(cmd []byte) bool {
	return len(cmd) >= headerSize && uint64(len(cmd)) >= uint64(binary.BigEndian.Uint32(cmd[sizeOffset:]))
}
