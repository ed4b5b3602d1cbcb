package server

import (
	"context"
	"encoding/binary"
	"net"
	"time"

	"github.com/bootseal/bootseal/vtpm"
)

const (
	// rawBuffer is more than any TPM's command buffer and a header in front. What is
	// longer arrives in pieces, and each piece is a malformed command.
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
	return serve(ctx, endpoint{Listener: lingering{l, nil}, handle: func(conn net.Conn) { serveRawConn(conn, t, patience) }})
}

func serveRawConn(conn net.Conn, t *vtpm.TPM, patience time.Duration) {
	c := newCommands(conn, patience, complete)
	for {
		cmd, err := c.next()
		if err != nil {
			return
		}
		if err := c.respond(t.Execute(0, cmd)); err != nil {
			return
		}
	}
}

// complete reports whether cmd has a header, and is as long as it says.
func complete(cmd []byte) bool {
	return len(cmd) >= headerSize && uint64(len(cmd)) >= uint64(binary.BigEndian.Uint32(cmd[sizeOffset:]))
}
