package grub

import (
	"strconv"
	"strings"
)

// scope holds the parameters $1, $2, ... of a function or a menu entry.
type scope struct {
	args  []string
	shift int
}

func (s *scope) params() []string { return s.args[s.shift:] }

// argv is the arguments while they are put together. The last may not have
// begun yet: nothing was added to it, so that it goes away.
type argv struct {
	args  [][]byte
	begun bool
}

// next begins another argument, unless the last one has not begun.
func (a *argv) next() {
	if len(a.args) == 0 || a.begun {
		a.args, a.begun = append(a.args, nil), false
	}
}

func (a *argv) add(s string) {
	i := len(a.args) - 1
	a.args[i], a.begun = append(a.args[i], s...), true
}

func (a *argv) done() []string {
	n := len(a.args)
	if n > 0 && !a.begun {
		n--
	}
	out := make([]string, n)
	for i := range out {
		out[i] = string(a.args[i])
	}
	return out
}

// expand turns words into arguments (GRUB's grub_script_arglist_to_argv).
func (r *run) expand(words []word, b *block) ([]string, error) {
	var a argv
	for _, w := range words {
		a.next()
		for _, p := range w {
			if err := r.expandPart(&a, p); err != nil {
				return nil, err
			}
		}
	}
	if b != nil {
		a.next()
		if err := r.charge(len(b.text)); err != nil {
			return nil, err
		}
		a.add("{" + r.escape(b.text) + "}")
	}
	args := a.done()
	out := make([]string, 0, len(args))
	for _, arg := range args {
		found, err := r.wildcards(arg)
		if err != nil {
			return nil, err
		}
		if found == nil {
			found = []string{r.unescape(arg)}
		}
		out = append(out, found...)
	}
	return out, nil
}

func (r *run) expandPart(a *argv, p part) error {
	switch p.kind {
	case partText:
		if p.text != "" {
			a.add(p.text)
		}
	case partQuoted:
		a.add(r.escape(p.text))
	case partMessage:
		s, err := r.translate(p.text)
		if err != nil {
			return err
		}
		a.add(r.escape(s))
	default:
		quoted := p.kind == partQuotedVariable
		for i, v := range r.values(p.text, quoted) {
			if err := r.charge(len(v)); err != nil {
				return err
			}
			if i > 0 {
				a.next()
			}
			if quoted {
				a.add(r.escape(v))
			} else {
				a.add(escapeBackslashes(v))
			}
		}
	}
	return nil
}

// values returns what a variable stands for: no, one or several arguments.
// Unquoted, values are split at blanks.
func (r *run) values(name string, quoted bool) []string {
	var a argv
	a.next()
	add := func(s string) {
		if quoted {
			a.add(s)
			return
		}
		for i, field := range strings.FieldsFunc(s, isSpace) {
			if i > 0 {
				a.next()
			}
			a.add(field)
		}
	}
	special := digit(name[0]) || name == "#" || name == "*" || name == "@"
	switch {
	case !special:
		if v := r.get(name); v != "" {
			add(v)
		}
	case r.scope == nil:
	case name == "#":
		a.add(strconv.Itoa(len(r.scope.params())))
	case name == "*", name == "@":
		for i, arg := range r.scope.params() {
			switch {
			case i == 0:
			case name == "*" && quoted:
				a.add(" ")
			default:
				a.next()
			}
			add(arg)
		}
	default:
		n, err := strconv.Atoi(name)
		if params := r.scope.params(); err == nil && n >= 1 && n <= len(params) {
			add(params[n-1])
		}
	}
	return a.done()
}

func isSpace(c rune) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// escape protects what wildcards and unescape would take for special.
func (r *run) escape(s string) string {
	if !strings.ContainsAny(s, `*?\`) {
		return s
	}
	var sb strings.Builder
	for i := 0; i < len(s); i++ {
		if r.isHexEscape(s, i) {
			sb.WriteString(s[i : i+4])
			i += 3
			continue
		}
		if strings.IndexByte(`*?\`, s[i]) >= 0 {
			sb.WriteByte('\\')
		}
		sb.WriteByte(s[i])
	}
	return sb.String()
}

// escapeBackslashes protects an unquoted value: its * and ? stay special unless
// a backslash stands before them.
func escapeBackslashes(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var sb strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			sb.WriteByte('\\')
			if i+1 < len(s) && (s[i+1] == '?' || s[i+1] == '*') {
				sb.WriteByte('\\')
			}
		}
		sb.WriteByte(s[i])
	}
	return sb.String()
}

func (r *run) unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var sb strings.Builder
	for i := 0; i < len(s); i++ {
		if r.isHexEscape(s, i) {
			sb.WriteString(s[i : i+4])
			i += 3
			continue
		}
		if s[i] == '\\' {
			if i++; i == len(s) {
				break
			}
		}
		sb.WriteByte(s[i])
	}
	return sb.String()
}

// isHexEscape reports whether \xHH stands at s[i:], which Fedora's GRUB keeps.
func (r *run) isHexEscape(s string, i int) bool {
	return r.image.Dialect.HexEscapes && hexEscape(s[i:])
}

func hexEscape(s string) bool {
	return len(s) >= 4 && s[0] == '\\' && s[1] == 'x' && hexDigit(s[2]) && hexDigit(s[3])
}

func hexDigit(b byte) bool {
	return digit(b) || b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F'
}
