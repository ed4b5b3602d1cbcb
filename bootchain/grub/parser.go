package grub

import (
	"errors"
	"fmt"
)

// The nodes of a parsed script (GRUB's grub-core/script/parser.y).
type (
	// node is a command: *simple, *ifElse, *forLoop, *whileLoop, or a list.
	node interface{}
	// list is a sequence of commands; nil does nothing.
	list   []node
	simple struct {
		words  []word
		block  *block // the last argument, or nil
		script string
		line   int
	}
	// block is text between braces. GRUB parses it at once, to find its end, and
	// again when the menu entry is run.
	block  struct{ text string }
	ifElse struct {
		cond, then list
		other      node // a list, an *ifElse, or nil
	}
	forLoop struct {
		name  string
		words []word
		body  list
	}
	whileLoop struct {
		cond, body list
		until      bool
	}
)

const (
	maxNesting = 200   // of constructs in a script
	maxWords   = 10000 // of a command
)

var errNesting = errors.New("blocks are nested too deeply")

// syntaxError is an error that GRUB prints; it then goes on with the next line.
type syntaxError struct {
	script string
	line   int
	near   string
}

func (e *syntaxError) Error() string {
	return fmt.Sprintf("%s line %d: syntax error near %q", e.script, e.line, e.near)
}

// parser turns the tokens of one logical line into commands.
type parser struct {
	x       *lexer
	tok     token
	peeked  bool
	depth   int
	define  func(name string, body list)
	tooDeep bool
}

// parse reads one logical line, of which first is the first line, and more lines
// as far as it goes on. Functions are defined as soon as they are read, even
// if an error follows.
func parse(l *lines, first string, define func(name string, body list)) (list, error) {
	p := &parser{x: newLexer(l, first), define: define}
	out, ok := p.script()
	switch {
	case p.tooDeep:
		return nil, errNesting
	case !ok:
		return nil, &syntaxError{l.script, p.tok.line, p.tok.raw}
	}
	return out, nil
}

func (p *parser) peek() token {
	if !p.peeked {
		p.tok, p.peeked = p.x.next(), true
	}
	return p.tok
}

func (p *parser) advance() token {
	t := p.peek()
	p.peeked = false
	return t
}

func (p *parser) accept(k tokenKind) bool {
	if p.peek().kind != k {
		return false
	}
	p.advance()
	return true
}

func (p *parser) keyword(s string) bool {
	if t := p.peek(); t.kind != tokenReserved || t.raw != s {
		return false
	}
	p.advance()
	return true
}

func (p *parser) newlines() {
	for p.accept(tokenNewline) {
	}
}

// script: newlines, then statements that each end in ; or a newline.
func (p *parser) script() (list, bool) {
	var out list
	p.newlines()
	for p.peek().kind != tokenEnd {
		c, ok := p.statement()
		if !ok {
			return nil, false
		}
		if c != nil {
			out = append(out, c)
		}
		if !p.accept(tokenSemicolon) && !p.accept(tokenNewline) {
			return nil, false
		}
		p.newlines()
	}
	return out, true
}

func (p *parser) statement() (node, bool) {
	if p.keyword("function") {
		return nil, p.function()
	}
	return p.command()
}

func (p *parser) function() bool {
	if p.peek().kind != tokenName {
		return false
	}
	name := p.tok.raw
	p.x.refs++
	p.advance()
	p.newlines()
	if !p.accept(tokenOpen) {
		return false
	}
	body, ended, ok := p.commands()
	if !ok || !ended || p.peek().kind != tokenClose {
		return false
	}
	p.define(name, body)
	p.x.refs--
	p.advance()
	return true
}

// command returns nil, false where there is none.
func (p *parser) command() (node, bool) {
	if p.depth++; p.depth > maxNesting {
		p.tooDeep = true
		return nil, false
	}
	defer func() { p.depth-- }()
	switch t := p.peek(); {
	case t.kind == tokenName, t.kind == tokenWord:
		return p.simple()
	case t.kind != tokenReserved:
		return nil, false
	}
	p.x.refs++
	var c node
	var ok bool
	switch {
	case p.keyword("if"):
		c, ok = p.ifClause()
	case p.keyword("for"):
		c, ok = p.forLoop()
	case p.keyword("while"):
		c, ok = p.whileLoop(false)
	case p.keyword("until"):
		c, ok = p.whileLoop(true)
	}
	return c, ok
}

// end takes the word that ends a construct. No more lines are wanted then.
func (p *parser) end(word string) bool {
	if t := p.peek(); t.kind != tokenReserved || t.raw != word {
		return false
	}
	p.x.refs--
	p.advance()
	return true
}

func (p *parser) simple() (node, bool) {
	c := &simple{script: p.x.lines.script, line: p.tok.line}
	for {
		t := p.peek()
		switch t.kind {
		case tokenName, tokenWord, tokenReserved:
			if len(c.words) == maxWords {
				p.tooDeep = true
				return nil, false
			}
			p.advance()
			c.words = append(c.words, t.word)
		case tokenOpen:
			b, ok := p.block()
			c.block = b
			return c, ok
		default:
			return c, true
		}
	}
}

func (p *parser) block() (*block, bool) {
	p.x.refs++
	p.advance()
	p.x.recording++
	start := len(p.x.record)
	if _, _, ok := p.commands(); !ok || p.peek().kind != tokenClose {
		return nil, false
	}
	text := string(p.x.record[start : len(p.x.record)-1])
	if p.x.recording--; p.x.recording == 0 {
		p.x.record = nil
	}
	p.x.refs--
	p.advance()
	return &block{text}, true
}

// commands reads at least one command. ended says whether the last one was
// followed by a delimiter. A delimiter is ; or a newline, with newlines after it.
func (p *parser) commands() (out list, ended, ok bool) {
	p.newlines()
	for {
		c, ok := p.command()
		if !ok {
			return nil, false, false
		}
		out = append(out, c)
		if !p.accept(tokenSemicolon) && !p.accept(tokenNewline) {
			return out, false, true
		}
		p.newlines()
		switch t := p.peek(); {
		case t.kind == tokenName, t.kind == tokenWord, t.kind == tokenReserved && starts[t.raw]:
		default:
			return out, true, true
		}
	}
}

var starts = map[string]bool{"if": true, "for": true, "while": true, "until": true}

// delimited reads commands that must end in a delimiter.
func (p *parser) delimited() (list, bool) {
	out, ended, ok := p.commands()
	return out, ok && ended
}

func (p *parser) ifClause() (node, bool) {
	c := &ifElse{}
	var ok bool
	if c.cond, ok = p.delimited(); !ok || !p.keyword("then") {
		return nil, false
	}
	if c.then, ok = p.delimited(); !ok {
		return nil, false
	}
	switch {
	case p.keyword("elif"):
		if p.depth++; p.depth > maxNesting {
			p.tooDeep = true
			return nil, false
		}
		c.other, ok = p.ifClause()
		p.depth--
		return c, ok
	case p.keyword("else"):
		other, ok := p.delimited()
		if !ok {
			return nil, false
		}
		c.other = other
	}
	return c, p.end("fi")
}

func (p *parser) forLoop() (node, bool) {
	c := &forLoop{name: p.peek().raw}
	if !p.accept(tokenName) || !p.keyword("in") {
		return nil, false
	}
	for t := p.peek(); t.kind == tokenName || t.kind == tokenWord || t.kind == tokenReserved; t = p.peek() {
		if len(c.words) == maxWords {
			p.tooDeep = true
			return nil, false
		}
		c.words = append(c.words, t.word)
		p.advance()
	}
	if !p.accept(tokenSemicolon) && !p.accept(tokenNewline) {
		return nil, false
	}
	p.newlines()
	if !p.keyword("do") {
		return nil, false
	}
	var ok bool
	if c.body, ok = p.delimited(); !ok {
		return nil, false
	}
	return c, p.end("done")
}

func (p *parser) whileLoop(until bool) (node, bool) {
	c := &whileLoop{until: until}
	var ok bool
	if c.cond, ok = p.delimited(); !ok || !p.keyword("do") {
		return nil, false
	}
	if c.body, ok = p.delimited(); !ok {
		return nil, false
	}
	return c, p.end("done")
}
