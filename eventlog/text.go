package eventlog

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Text is an event whose data is a string.
type Text struct {
	What string `json:"what"` // what the event type says it is, in words
	Text string `json:"text"`
}

// Kind returns "text".
func (Text) Kind() string { return "text" }

// String is "what: text".
func (t Text) String() string {
	if t.Text == "" {
		return t.What
	}
	return t.What + ": " + quote(t.Text)
}

// Opaque is data without a known form.
type Opaque struct {
	What string `json:"what"`
	Size int    `json:"size"`
}

// Kind returns "opaque".
func (Opaque) Kind() string { return "opaque" }

// String is "what (n bytes of data)".
func (o Opaque) String() string {
	if o.Size == 0 {
		return o.What
	}
	return fmt.Sprintf("%s (%d bytes of data)", o.What, o.Size)
}

// decodeText handles the types whose data is free-form or a plain string.
func decodeText(e *Event) Body {
	what := freeFormName(e.Type)
	if s, ok := printable(e.Data); ok {
		return Text{What: what, Text: s}
	}
	if len(e.Data) <= 8 {
		return Text{What: what, Text: hex.EncodeToString(e.Data)}
	}
	return Opaque{What: what, Size: len(e.Data)}
}

func freeFormName(t Type) string {
	switch t {
	case SCRTMVersion:
		return "version of the first firmware code"
	case SCRTMContents:
		return "first firmware code"
	case EFIHCRTMEvent:
		return "first firmware code, measured by the hardware"
	case CPUMicrocode:
		return "processor microcode"
	case PlatformConfigFlags:
		return "firmware settings"
	case TableOfDevices:
		return "list of devices"
	case CompactHash:
		return "data named only by its hash"
	case IPLPartitionData:
		return "partition table"
	case NonhostCode:
		return "code of another processor in the machine"
	case NonhostConfig:
		return "configuration of another processor in the machine"
	case NonhostInfo:
		return "information about another processor in the machine"
	case OmitBootDeviceEvents:
		return "boot attempts are not recorded"
	case PrebootCert:
		return "certificate used before boot"
	}
	return "event of type " + t.String()
}

// printable returns data as a string if it is text in UTF-8 or UTF-16LE, final
// NULs aside.
func printable(data []byte) (string, bool) {
	s := trimNUL(data)
	if isText(s) {
		return s, true
	}
	if looksUTF16(data) {
		if u, ok := decodeUTF16(data); ok && isText(u) {
			return u, true
		}
	}
	return "", false
}

func isText(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) && r != '\n' && r != '\t' && r != '\r' {
			return false
		}
	}
	return true
}

func trimNUL(b []byte) string { return strings.TrimRight(string(b), "\x00") }

// decodeUTF16 decodes UTF-16LE without its final NULs. ok is false for an odd
// number of bytes, and for surrogates that do not pair up: writing the result
// back must give the same bytes.
func decodeUTF16(b []byte) (s string, ok bool) {
	if len(b)%2 != 0 {
		return "", false
	}
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	for len(u) > 0 && u[len(u)-1] == 0 {
		u = u[:len(u)-1]
	}
	s = string(utf16.Decode(u))
	return s, !strings.ContainsRune(s, utf8.RuneError)
}

// looksUTF16 reports whether data is UTF-16LE text rather than ASCII or binary:
// it starts with an ASCII character. Nearly every pair of bytes is some character.
func looksUTF16(data []byte) bool {
	return len(data) >= 2 && data[1] == 0 && data[0] >= ' ' && data[0] < 0x7F
}

// maxWords bounds a quoted string in a line of text, in characters, and maxCommandLine one that is a
// kernel's command line: what somebody added stands at its end, and Linux takes 2048.
const (
	maxWords       = 160
	maxCommandLine = 2048
)

// quote makes a string of a log safe to print in one line: runs of white space
// become one space, what does not print is escaped, and what is long is cut.
func quote(s string) string { return quoteUpTo(s, maxWords) }

func quoteUpTo(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	var sb strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > most {
			sb.WriteString("...")
			break
		}
		if r != utf8.RuneError && unicode.IsPrint(r) {
			sb.WriteRune(r)
			continue
		}
		q := strconv.QuoteRune(r)
		sb.WriteString(q[1 : len(q)-1])
	}
	return sb.String()
}

// bytesText prints a size for people: "896 KiB", "68 bytes".
func bytesText(n uint64) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	case n == 1:
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", n)
}

// count prints "1 hash", "3 hashes".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
