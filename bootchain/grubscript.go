package bootchain

import (
	"fmt"
	"strings"
)

// The part of GRUB's script language (GRUB manual, "Writing full configuration
// files directly") that this package understands: commands of literal, quoted
// and variable words, and blocks as an argument. Conditions, loops, functions,
// wildcards and backslashes are refused: a script that has them is not run.

const (
	maxDepth = 16   // of blocks
	maxWords = 4096 // of a command
)

// isReserved reports whether w begins something else than a command.
func isReserved(w word) bool {
	if len(w) != 1 || w[0].variable || w[0].quoted {
		return false
	}
	switch w[0].text {
	case "if", "then", "elif", "else", "fi", "for", "in", "while", "until", "do", "done", "function",
		"case", "esac", "select", "time", "!", "[[", "]]":
		return true
	}
	return false
}

// scriptError is something in a script that is not understood.
type scriptError struct {
	file string
	line int
	what string
}

func (e *scriptError) Error() string {
	if e.line == 0 {
		return fmt.Sprintf("%s: %s", e.file, e.what)
	}
	return fmt.Sprintf("%s line %d: %s", e.file, e.line, e.what)
}

// part of a word: text, or the name of a variable to put in its place.
type part struct {
	text     string
	variable bool
	quoted   bool
}

type word []part

// command is a simple command, with the block that is its last argument.
type command struct {
	words []word
	block *block
	file  string
	line  int
}

// block is "{ ... }": its commands, and its text as it is measured.
type block struct {
	commands []command
	text     string
}

func (c *command) fail(format string, args ...any) error {
	return &scriptError{c.file, c.line, fmt.Sprintf(format, args...)}
}

// parser reads a script byte by byte, as GRUB does.
type parser struct {
	file string
	src  string
	pos  int
	line int
}

// parseScript returns the commands of a script. The error is a *scriptError.
func parseScript(file, src string) ([]command, error) {
	p := &parser{file: file, src: src, line: 1}
	return p.commands(0)
}

func (p *parser) fail(format string, args ...any) error {
	return &scriptError{p.file, p.line, fmt.Sprintf(format, args...)}
}

// peek returns the next byte, or 0 at the end: a NUL in a script is refused.
func (p *parser) peek() byte {
	if p.pos < len(p.src) {
		return p.src[p.pos]
	}
	return 0
}

func (p *parser) next() byte {
	b := p.src[p.pos]
	p.pos++
	if b == '\n' {
		p.line++
	}
	return b
}

func isBlank(b byte) bool { return b == ' ' || b == '\t' }

// skipBlanks skips blanks and a comment. In a block, which is measured as a
// string, a comment is refused: whether GRUB keeps it there is not settled.
func (p *parser) skipBlanks(depth int) error {
	for isBlank(p.peek()) {
		p.next()
	}
	if p.peek() != '#' {
		return nil
	}
	if depth > 0 {
		return p.fail("a comment in a block is not understood yet")
	}
	for p.pos < len(p.src) && p.peek() != '\n' {
		p.next()
	}
	return nil
}

// commands reads up to the end of the script, or to the brace that ends a block.
func (p *parser) commands(depth int) ([]command, error) {
	if depth > maxDepth {
		return nil, p.fail("blocks are nested too deeply")
	}
	var out []command
	for {
		if err := p.skipBlanks(depth); err != nil {
			return nil, err
		}
		switch b := p.peek(); {
		case p.pos >= len(p.src):
			if depth > 0 {
				return nil, p.fail("a block has no end")
			}
			return out, nil
		case b == '\n' || b == ';':
			p.next()
			continue
		case b == '}' && depth > 0:
			return out, nil
		}
		c, err := p.command(depth)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
}

func (p *parser) command(depth int) (command, error) {
	c := command{file: p.file, line: p.line}
	for {
		if err := p.skipBlanks(depth); err != nil {
			return c, err
		}
		switch b := p.peek(); {
		case p.pos >= len(p.src), b == '\n', b == ';', b == '}' && c.block != nil:
			return c, nil
		case c.block != nil:
			return c, p.fail("something follows a block")
		case b == '{' && len(c.words) > 0:
			var err error
			if c.block, err = p.block(depth); err != nil {
				return c, err
			}
			continue
		case len(c.words) == maxWords:
			return c, p.fail("more than %d words", maxWords)
		}
		w, err := p.word()
		if err != nil {
			return c, err
		}
		if len(c.words) == 0 && isReserved(w) {
			return c, c.fail("%q is not understood yet", w[0].text)
		}
		c.words = append(c.words, w)
	}
}

func (p *parser) block(depth int) (*block, error) {
	start := p.pos
	p.next()
	if b := p.peek(); !isBlank(b) && b != '\n' {
		return nil, p.fail("%q after a brace is not understood", b)
	}
	commands, err := p.commands(depth + 1)
	if err != nil {
		return nil, err
	}
	p.next()
	return &block{commands, p.src[start:p.pos]}, nil
}

func (p *parser) word() (word, error) {
	var w word
	for {
		b := p.peek()
		var next part
		var err error
		switch {
		case p.pos >= len(p.src), isBlank(b), b == '\n', b == ';':
			return w, nil
		case b == '\'':
			next, err = p.single()
		case b == '"':
			var parts word
			parts, err = p.double()
			w = append(w, parts...)
			if err != nil {
				return nil, err
			}
			continue
		case b == '$':
			next, err = p.variable(false)
		default:
			next, err = p.bare()
		}
		if err != nil {
			return nil, err
		}
		w = append(w, next)
	}
}

// bare reads unquoted text.
func (p *parser) bare() (part, error) {
	start := p.pos
	for p.pos < len(p.src) {
		b := p.peek()
		if strings.IndexByte(" \t\n;'\"$", b) >= 0 {
			break
		}
		if b < ' ' || b == 0x7f || strings.IndexByte(`\{}|&<>*?`, b) >= 0 {
			return part{}, p.fail("%q is not understood yet", b)
		}
		p.next()
	}
	return part{text: p.src[start:p.pos]}, nil
}

func (p *parser) single() (part, error) {
	p.next()
	n := strings.IndexByte(p.src[p.pos:], '\'')
	if n < 0 {
		return part{}, p.fail("a quote has no end")
	}
	text := p.src[p.pos : p.pos+n]
	if strings.ContainsAny(text, "\x00\r") {
		return part{}, p.fail("a control character is not understood")
	}
	p.pos += n + 1
	p.line += strings.Count(text, "\n")
	return part{text: text, quoted: true}, nil
}

func (p *parser) double() (word, error) {
	p.next()
	w := word{{quoted: true}} // "" is a word, too
	for p.pos < len(p.src) {
		switch b := p.peek(); {
		case b == '"':
			p.next()
			return w, nil
		case b == '$':
			v, err := p.variable(true)
			if err != nil {
				return nil, err
			}
			w = append(w, v)
		case b == '\\', b == 0, b == '\r':
			return nil, p.fail("%q in a string is not understood yet", b)
		default:
			start := p.pos
			p.next()
			for p.pos < len(p.src) && strings.IndexByte("\"$\\\x00\r", p.peek()) < 0 {
				p.next()
			}
			w = append(w, part{text: p.src[start:p.pos], quoted: true})
		}
	}
	return nil, p.fail("a quote has no end")
}

// variable reads $name or ${name}. Positional and special parameters are refused.
func (p *parser) variable(quoted bool) (part, error) {
	p.next()
	braces := p.peek() == '{'
	if braces {
		p.next()
	}
	start := p.pos
	for p.pos < len(p.src) && isNameByte(p.peek(), p.pos > start) {
		p.next()
	}
	name := p.src[start:p.pos]
	if name == "" {
		return part{}, p.fail("only variables with a name are understood")
	}
	if braces {
		if p.peek() != '}' {
			return part{}, p.fail("a brace is missing after ${%s", name)
		}
		p.next()
	}
	return part{text: name, variable: true, quoted: quoted}, nil
}

func isNameByte(b byte, digits bool) bool {
	return b == '_' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || digits && b >= '0' && b <= '9'
}
