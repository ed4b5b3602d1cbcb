package grub

import "strings"

// tokenKind is a kind of token of the language (GRUB's grub-core/script/yylex.l).
type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenNewline
	tokenSemicolon
	tokenOpen  // {
	tokenClose // }
	tokenWord
	tokenName     // a word that may name a variable or a function
	tokenReserved // a reserved word; an argument where arguments are expected
	tokenBad      // an operator that the grammar has no use for, or no token at all
)

type token struct {
	kind tokenKind
	raw  string
	word word
	line int
}

// word is an argument before expansion: parts that are joined.
type word []part

type partKind int

const (
	partText     partKind = iota // unquoted, with its backslashes
	partQuoted                   // in quotes, without them
	partVariable                 // unquoted: split at blanks
	partQuotedVariable
	partMessage // $"...", translated
	partBlock   // text between braces
)

type part struct {
	kind partKind
	text string
}

// lines yields the lines of a script, without their ends.
type lines struct {
	text     string
	line     int  // number of the last one
	floor    int  // the least number that is shown
	done     bool // the text is used up
	comments bool // lines that begin with # are left out, as for files
	script   string
}

// fileLines yields the lines of a file: carriage returns go, a NUL byte ends a
// line early, and lines that begin with # are not even seen by the lexer.
func fileLines(name, text string) *lines {
	return &lines{text: text, comments: true, script: name, done: text == ""}
}

// textLines yields the lines of a menu entry's body or of eval's argument.
func textLines(name, text string, line int) *lines {
	return &lines{text: text, script: name, line: line - 1}
}

func (l *lines) next() (string, bool) {
	for !l.done {
		line, rest, more := strings.Cut(l.text, "\n")
		l.text, l.line = rest, l.line+1
		l.done = !more || l.comments && rest == ""
		if l.comments {
			line = strings.ReplaceAll(line, "\r", "")
			line, _, _ = strings.Cut(line, "\x00")
			if strings.HasPrefix(line, "#") {
				continue
			}
		}
		return line, true
	}
	return "", false
}

// at returns the number of the last line.
func (l *lines) at() int { return max(l.line, l.floor) }

// lexer splits lines into tokens. It reads one line more only where refs or a
// quote demands it: one call to [parse] consumes one logical line.
type lexer struct {
	lines  *lines
	sb     strings.Builder
	buf    string // of sb: the current line, or several that quotes hold together
	pos    int
	refs   int  // open constructs that want more lines
	failed bool // a syntax error: everything is tokenBad from there on

	recording int // open blocks
	record    []byte
}

func newLexer(l *lines, first string) *lexer {
	x := &lexer{lines: l}
	x.add(first)
	return x
}

func (x *lexer) add(line string) {
	x.sb.WriteString(line)
	x.sb.WriteByte('\n')
	x.buf = x.sb.String()
}

// more appends the next line to the buffer.
func (x *lexer) more() bool {
	line, ok := x.lines.next()
	if !ok {
		x.failed = true
		return false
	}
	x.add(line)
	return true
}

// closing appends lines until there is an end to the quote that begins at start,
// and returns where.
func (x *lexer) closing(start int) (end int, ok bool) {
	for {
		from := len(x.buf)
		if !x.more() {
			return 0, false
		}
		if x.buf[start] == '\'' {
			end = strings.IndexByte(x.buf[from:], '\'') + 1
		} else {
			end = doubleQuoted(x.buf[from:], 0)
		}
		if end > 0 {
			return from + end, true
		}
	}
}

// lineAt returns the number of the line that pos is on. In a buffer of several
// lines the last one's number is known.
func (x *lexer) lineAt(pos int) int {
	if pos >= len(x.buf) {
		return x.lines.at()
	}
	return x.lines.at() - strings.Count(x.buf[pos:len(x.buf)-1], "\n")
}

func (x *lexer) take(n int) string {
	s := x.buf[x.pos : x.pos+n]
	x.pos += n
	if x.recording > 0 {
		x.record = append(x.record, s...)
	}
	return s
}

func (x *lexer) next() token {
	for {
		if x.failed {
			return token{kind: tokenBad, line: x.lines.at()}
		}
		if x.pos == len(x.buf) {
			if x.refs == 0 {
				return token{kind: tokenEnd, line: x.lines.at()}
			}
			x.sb.Reset()
			x.buf, x.pos = "", 0
			x.more()
			continue
		}
		rest := x.buf[x.pos:]
		switch {
		case rest[0] == ' ' || rest[0] == '\t':
			x.take(len(rest) - len(strings.TrimLeft(rest, " \t")))
		case rest[0] == '#':
			x.take(strings.IndexByte(rest, '\n'))
		default:
			return x.token(rest)
		}
	}
}

func (x *lexer) token(rest string) token {
	t := token{line: x.lineAt(x.pos)}
	switch rest[0] {
	case '\n':
		t.kind, t.raw = tokenNewline, x.take(1)
	case ';':
		t.kind, t.raw = tokenSemicolon, x.take(1)
		if strings.HasPrefix(rest, ";;") {
			t.kind = tokenBad
		}
	case '{':
		t.kind, t.raw = tokenOpen, x.take(1)
	case '}':
		t.kind, t.raw = tokenClose, x.take(1)
	case '|', '&', '<', '>':
		t.kind = tokenBad
	default:
		x.wordToken(&t)
	}
	if t.kind == tokenBad {
		x.failed = true
	}
	return t
}

// wordToken reads a word. A quote or an escaped newline at the end of the buffer
// brings in the next line.
func (x *lexer) wordToken(t *token) {
	end := x.pos
	for {
		n := wordPiece(x.buf[end:])
		if n < 0 { // a quote that has no end yet
			var ok bool
			if end, ok = x.closing(end); !ok {
				t.kind = tokenBad
				return
			}
			continue
		}
		end += n
		if n == 2 && end == len(x.buf) && x.buf[end-2] == '\\' {
			if !x.more() {
				t.kind = tokenBad
				return
			}
			continue
		}
		if n == 0 {
			break
		}
	}
	if end == x.pos { // a $ that begins no variable
		t.kind = tokenBad
		return
	}
	t.raw = x.take(end - x.pos)
	switch {
	case t.raw == "[[", t.raw == "]]":
		t.kind = tokenBad
	case reserved[t.raw]:
		t.kind, t.word = tokenReserved, word{{partText, t.raw}}
	case isName(t.raw):
		t.kind, t.word = tokenName, word{{partText, t.raw}}
	default:
		var ok bool
		t.kind = tokenWord
		if t.word, ok = splitWord(t.raw); !ok {
			t.kind = tokenBad
		}
	}
}

var reserved = map[string]bool{"case": true, "do": true, "done": true, "elif": true, "else": true, "esac": true, "fi": true,
	"for": true, "if": true, "in": true, "select": true, "then": true, "until": true, "while": true, "function": true}

// wordPiece returns the length of the first piece of a word: a character, an
// escape, a quoted string or a variable; 0 if the word ends here, -1 for a quote
// without an end.
func wordPiece(s string) int {
	if s == "" {
		return 0
	}
	switch s[0] {
	case '{', '}', '|', '&', ';', '<', '>', ' ', '\t', '\n':
		return 0
	case '\\':
		return 2 // the buffer ends in a newline, so there is something
	case '\'':
		if n := strings.IndexByte(s[1:], '\''); n >= 0 {
			return n + 2
		}
		return -1
	case '"':
		return doubleQuoted(s, 1)
	case '$':
		if strings.HasPrefix(s, `$"`) {
			return doubleQuoted(s, 2)
		}
		return variable(s)
	}
	return 1
}

func doubleQuoted(s string, from int) int {
	for i := from; i < len(s); i++ {
		switch s[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return -1
}

// variable returns the length of the variable that s begins with, or 0.
func variable(s string) int {
	if strings.HasPrefix(s, "${") {
		n := parameter(s[2:])
		if n > 0 && 2+n < len(s) && s[2+n] == '}' {
			return n + 3
		}
		return 0
	}
	if n := parameter(s[1:]); n > 0 {
		return n + 1
	}
	return 0
}

// parameter returns the length of a name, a number or one of ? # * @.
func parameter(s string) int {
	switch {
	case s == "":
		return 0
	case strings.IndexByte("?#*@", s[0]) >= 0:
		return 1
	}
	n := 0
	if digit(s[0]) {
		for n < len(s) && digit(s[n]) {
			n++
		}
		return n
	}
	for n < len(s) && (nameStart(s[n]) || n > 0 && digit(s[n])) {
		n++
	}
	return n
}

func digit(b byte) bool     { return b >= '0' && b <= '9' }
func nameStart(b byte) bool { return b == '_' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' }
func isName(s string) bool  { return s != "" && nameStart(s[0]) && parameter(s) == len(s) }

// splitWord splits a word that wordPiece accepted into its parts.
func splitWord(s string) (word, bool) {
	var w word
	var text strings.Builder
	flush := func(k partKind) {
		w = append(w, part{k, text.String()})
		text.Reset()
	}
	for s != "" {
		n := wordPiece(s)
		piece := s[:n]
		s = s[n:]
		switch {
		case piece == "\\\n":
		case piece[0] == '\'':
			flush(partText)
			text.WriteString(piece[1 : n-1])
			flush(partQuoted)
		case piece[0] == '"':
			flush(partText)
			parts, ok := splitQuoted(piece[1 : n-1])
			if !ok {
				return nil, false
			}
			w = append(w, parts...)
		case strings.HasPrefix(piece, `$"`):
			flush(partMessage) // GRUB takes the text before it for a message, too
			w = append(w, part{partMessage, message(piece[2 : n-1])})
		case piece[0] == '$':
			flush(partText)
			w = append(w, part{partVariable, strings.Trim(piece[1:], "{}")})
		default:
			text.WriteString(piece)
		}
	}
	flush(partText)
	return w, true
}

// splitQuoted splits what stands in double quotes. A backslash escapes $, \, "
// and a newline; a $ must begin a variable.
func splitQuoted(s string) (word, bool) {
	var w word
	var text strings.Builder
	for i := 0; i < len(s); {
		switch {
		case s[i] == '\\' && i+1 < len(s) && strings.IndexByte("$\\\"\n", s[i+1]) >= 0:
			if s[i+1] != '\n' {
				text.WriteByte(s[i+1])
			}
			i += 2
		case s[i] == '$':
			n := variable(s[i:])
			if n == 0 {
				return nil, false
			}
			w = append(w, part{partQuoted, text.String()}, part{partQuotedVariable, strings.Trim(s[i+1:i+n], "{}")})
			text.Reset()
			i += n
		default:
			text.WriteByte(s[i])
			i++
		}
	}
	return append(w, part{partQuoted, text.String()}), true
}

// message undoes the quoting of $"...". Backslashes stay doubled, for the
// second pass in [run.translate].
func message(s string) string {
	var text strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte("\\\"\n", s[i+1]) >= 0 {
			i++
			switch s[i] {
			case '\\':
				text.WriteString(`\\`)
			case '"':
				text.WriteByte('"')
			}
			continue
		}
		text.WriteByte(s[i])
	}
	return text.String()
}
