package eventlog

import (
	"encoding/binary"
	"fmt"
)

// Separator marks in a PCR the point at which the firmware stops configuring
// and starts to boot (PFP, "EV_SEPARATOR"). Values 0 and 0xFFFFFFFF are normal;
// anything else reports an error.
type Separator struct {
	PCR   int    `json:"pcr"`
	Value uint32 `json:"value"`
	Error bool   `json:"error"`
}

// Kind returns "separator".
func (Separator) Kind() string { return "separator" }

// String says what has ended.
func (s Separator) String() string {
	switch {
	case s.Error:
		return fmt.Sprintf("separator with error 0x%x: the firmware could not measure everything", s.Value)
	case s.PCR == 7:
		return "separator: the Secure Boot settings are complete"
	default:
		return "separator: the firmware is done and starts to boot"
	}
}

func decodeSeparator(e *Event) Body {
	if len(e.Data) != 4 {
		// Some firmware writes text, "WBCL" or an error's description for example.
		if s, ok := printable(e.Data); ok {
			return Text{What: "separator", Text: s}
		}
		return malformed(e, fmt.Sprintf("%d bytes instead of 4", len(e.Data)))
	}
	v := binary.LittleEndian.Uint32(e.Data)
	return Separator{PCR: e.PCR, Value: v, Error: v != 0 && v != 0xFFFFFFFF}
}
