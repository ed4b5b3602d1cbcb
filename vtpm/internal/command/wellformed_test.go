package command_test

import (
	"fmt"
	"strings"

	"github.com/bootseal/bootseal/vtpm/internal/command"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// maxResponse is the size of the largest response, in bytes.
var maxResponse = engine.PCClient().MaxResponse

// wellFormed returns what is wrong with a response, whatever the command was: the
// header, a response code that exists and points to something that the command
// has, and an acknowledgment for each session.
func wellFormed(cmd, response []byte) error {
	r := wire.NewReader(response, wire.DefaultLimits())
	tag, size, rc := wire.ST(r.U16()), r.U32(), wire.RC(r.U32())
	switch {
	case !r.OK():
		return fmt.Errorf("response of %d bytes", len(response))
	case int(size) != len(response):
		return fmt.Errorf("response of %d bytes says that it has %d", len(response), size)
	case len(response) > maxResponse:
		return fmt.Errorf("response of %d bytes", len(response))
	case rc != wire.RCSuccess:
		return wellFormedError(cmd, response, tag, rc)
	}
	row, sessions := sessionsOf(cmd)
	if row.ResponseHandle() {
		r.U32()
	}
	if sessions < 0 {
		if tag != wire.STNoSessions {
			return fmt.Errorf("tag %#x answers a command without sessions", uint16(tag))
		}
		return r.Err()
	}
	if tag != wire.STSessions {
		return fmt.Errorf("tag %#x answers a command with sessions", uint16(tag))
	}
	r.Bytes(int(r.U32()))
	for i := range sessions {
		r.Sized(wire.MaxDigest)
		r.U8()
		r.Sized(wire.MaxDigest)
		if err := r.Err(); err != nil {
			return fmt.Errorf("acknowledgment %d of %d: %v", i+1, sessions, err)
		}
	}
	if r.Len() != 0 {
		return fmt.Errorf("%d bytes after the last acknowledgment", r.Len())
	}
	return nil
}

func wellFormedError(cmd, response []byte, tag wire.ST, rc wire.RC) error {
	want := wire.STNoSessions
	if rc == wire.RCBadTag {
		want = wire.STRspCommand
	}
	if tag != want || len(response) != 10 {
		return fmt.Errorf("%v: tag %#x, %d bytes", rc, uint16(tag), len(response))
	}
	name := rc.Error()
	if strings.HasPrefix(name, "TPM_RC(") {
		return fmt.Errorf("response code %s does not exist", name)
	}
	var kind string
	var n int
	if _, position, ok := strings.Cut(name, " ("); ok {
		if _, err := fmt.Sscanf(position, "%s %d)", &kind, &n); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	row := rowOf(cmd)
	switch {
	case kind == "handle" && n > row.Handles():
		return fmt.Errorf("%s: %s has %d handles", name, row.Name, row.Handles())
	case kind == "session" && n > engine.MaxSessions+1: // the one too many
		return fmt.Errorf("%s: there cannot be so many", name)
	}
	return nil
}

// rowOf returns the row of a command whose header is complete.
func rowOf(cmd []byte) *command.Row {
	r := wire.NewReader(cmd, wire.DefaultLimits())
	r.Bytes(6)
	return command.Lookup(wire.CC(r.U32()))
}

// sessionsOf returns the row and the number of sessions of a command that
// succeeded, which therefore is in order; -1 without an authorization area.
func sessionsOf(cmd []byte) (row *command.Row, n int) {
	row = rowOf(cmd)
	r := wire.NewReader(cmd, wire.DefaultLimits())
	tag := wire.ST(r.U16())
	if tag != wire.STSessions {
		return row, -1
	}
	r.Bytes(8 + 4*row.Handles())
	area := wire.NewReader(r.Bytes(int(r.U32())), r.Limits)
	for ; area.Len() > 0 && area.OK(); n++ {
		area.U32()
		area.Sized(wire.MaxDigest)
		area.U8()
		area.Sized(wire.MaxDigest)
	}
	return row, n
}

// makesRSA reports whether the command is one that would make an RSA key, which
// takes long, if nothing else is wrong with it.
func makesRSA(cmd []byte) bool {
	if len(cmd) < 10 {
		return false
	}
	switch row := rowOf(cmd); {
	case row == nil:
		return false
	case row.Code != wire.CCCreate && row.Code != wire.CCCreatePrimary && row.Code != wire.CCCreateLoaded:
		return false
	}
	r := wire.NewReader(cmd, wire.DefaultLimits())
	tag := wire.ST(r.U16())
	r.Bytes(12)
	if tag == wire.STSessions {
		r.Bytes(int(r.U32()))
	}
	r.Sized(len(cmd)) // inSensitive
	r.U16()
	return wire.Alg(r.U16()) == wire.AlgRSA && r.OK()
}
