package grub

import (
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
)

// A catalog of messages is a GNU gettext .mo file: tables of lengths and offsets
// of the messages and of their translations.

const (
	catalogMagic = 0x950412de
	maxMessages  = 50000
)

// parseCatalog reads a catalog.
func parseCatalog(b []byte) (map[string]string, error) {
	le := binary.LittleEndian
	if len(b) < 20 || le.Uint32(b) != catalogMagic || le.Uint32(b[4:]) != 0 {
		return nil, errors.New("it is no catalog of messages")
	}
	n, originals, translations := le.Uint32(b[8:]), le.Uint32(b[12:]), le.Uint32(b[16:])
	if n > maxMessages {
		return nil, errors.New("it has too many messages")
	}
	at := func(table, i uint32) (string, bool) {
		o := uint64(table) + 8*uint64(i)
		if o+8 > uint64(len(b)) {
			return "", false
		}
		length, offset := uint64(le.Uint32(b[o:])), uint64(le.Uint32(b[o+4:]))
		if offset+length > uint64(len(b)) {
			return "", false
		}
		return cString(b[offset : offset+length]), true
	}
	out := make(map[string]string)
	for i := range n {
		from, ok := at(originals, i)
		to, okToo := at(translations, i)
		if !ok || !okToo {
			return nil, errors.New("it is cut off")
		}
		out[from] = to
	}
	return out, nil
}

// translate expands $"...": the text is translated, then the variables of the
// original text are put in.
func (r *run) translate(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	template := s
	if r.catalog != "" {
		if r.messages == nil {
			return "", r.lost("the messages in "+r.catalog+" are not known", 8)
		}
		if t, found := r.messages[s]; found {
			template = t
		}
	}
	allowed := make(map[string]bool)
	if _, err := r.expandMessage(s, func(name string) string { allowed[name] = true; return "" }); err != nil {
		return "", err
	}
	return r.expandMessage(template, func(name string) string {
		switch {
		case !allowed[name]:
			return ""
		case name == "#" && r.scope != nil:
			return strconv.Itoa(len(r.scope.params()))
		}
		return r.get(name)
	})
}

// expandMessage replaces variables in a message; a backslash escapes a backslash
// and a $.
func (r *run) expandMessage(s string, value func(name string) string) (string, error) {
	var sb strings.Builder
	escaped := false
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '\\':
			if escaped = !escaped; !escaped {
				sb.WriteByte('\\')
			}
			i++
		case c == '$' && escaped:
			escaped = false
			sb.WriteByte('$')
			i++
		case c == '$':
			name, n := messageVariable(s[i+1:])
			if n < 0 { // ${ without an end: the rest is lost
				return sb.String(), nil
			}
			if n == 0 {
				sb.WriteByte('$')
			} else {
				v := value(name)
				if err := r.charge(len(v)); err != nil {
					return "", err
				}
				sb.WriteString(v)
			}
			i += 1 + n
		default:
			if escaped {
				sb.WriteByte('\\')
				escaped = false
			}
			sb.WriteByte(c)
			i++
		}
	}
	return sb.String(), nil
}

// messageVariable reads the variable at the beginning of s, of n bytes.
func messageVariable(s string) (name string, n int) {
	if strings.HasPrefix(s, "{") {
		end := strings.IndexByte(s, '}')
		if end < 0 {
			return "", -1
		}
		return s[1:end], end + 1
	}
	if s != "" && (s[0] == '*' || s[0] == '@') {
		return "", 0
	}
	n = parameter(s)
	return s[:n], n
}
