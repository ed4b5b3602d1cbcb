package wire

import "fmt"

// RC is a TPM_RC, a response code (Part 2, "TPM_RC"). It is the engine's error
// type; RCSuccess is not an error and is never returned as one.
//
// A format-one code may carry the position of what is wrong: a handle, a
// parameter or a session, each counted from 1.
type RC uint32

// The layout of a format-one code (Part 2, "Response Code Formats").
const (
	rcFormatOne    RC = 0x080 // set: format one
	rcParameter    RC = 0x040 // set: the position is a parameter's
	rcSession      RC = 0x800 // set, without rcParameter: a session's
	rcPosition     RC = 0xF40 // all bits of a position
	rcPositionBits    = 8     // the position's number starts at this bit
)

// Param returns rc with the position of parameter n, 1 to 15. A code that is not
// of format one has no room for a position, and one that has a position keeps it:
// the innermost place that found the fault knows best.
func (rc RC) Param(n int) RC {
	if n > 15 {
		n = 15
	}
	return rc.at(rcParameter, n)
}

// Handle returns rc with the position of handle n, 1 to 7. See Param.
func (rc RC) Handle(n int) RC { return rc.at(0, n&7) }

// Session returns rc with the position of session n, 1 to 7. See Param.
func (rc RC) Session(n int) RC { return rc.at(rcSession, n&7) }

func (rc RC) at(kind RC, n int) RC {
	if rc&rcFormatOne == 0 || rc&rcPosition != 0 {
		return rc
	}
	return rc | kind | RC(n)<<rcPositionBits
}

// Base returns rc without a position.
func (rc RC) Base() RC {
	if rc&rcFormatOne == 0 {
		return rc
	}
	return rc &^ rcPosition
}

// Error returns the specification's name and the position, such as
// "TPM_RC_VALUE (parameter 2)", or the number of an unknown code.
func (rc RC) Error() string {
	name := rcName(rc.Base())
	if name == "" {
		return fmt.Sprintf("TPM_RC(0x%03X)", uint32(rc))
	}
	if rc == rc.Base() {
		return name
	}
	n := rc & rcPosition >> rcPositionBits
	switch {
	case rc&rcParameter != 0:
		return fmt.Sprintf("%s (parameter %d)", name, n)
	case rc&rcSession != 0:
		return fmt.Sprintf("%s (session %d)", name, n&7)
	}
	return fmt.Sprintf("%s (handle %d)", name, n)
}

// Is reports whether target is the same response code, positions aside where
// target has none, for errors.Is.
func (rc RC) Is(target error) bool {
	t, ok := target.(RC)
	return ok && (rc == t || rc.Base() == t)
}

// Read reads any response code.
func (rc *RC) Read(r *Reader) { *rc = RC(r.U32()) }

// Write appends the response code.
func (rc RC) Write(w *Writer) { w.U32(uint32(rc)) }
