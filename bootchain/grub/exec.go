package grub

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	maxScript = 4 << 20  // bytes of a script
	maxBytes  = 16 << 20 // that a run may handle, as a bound on memory
	maxDepth  = 400      // of nested commands where GRUB itself has no limit
)

// errStop ends a run whose outcome is complete.
var errStop = errors.New("the run is over")

// charge counts bytes that a run handles.
func (r *run) charge(n int) error {
	if r.bytes += n; r.bytes > maxBytes {
		return r.lost(fmt.Sprintf("the scripts handle more than %d MiB of text", maxBytes>>20), 4, 8, 9)
	}
	return nil
}

// tick counts a command or a turn of a loop.
func (r *run) tick() error {
	if r.steps++; r.steps > r.maxSteps {
		return r.lost(fmt.Sprintf("the scripts run more than %d commands: they may never end", r.maxSteps), 4, 8, 9)
	}
	return nil
}

// exec runs any node (GRUB's grub_script_execute_cmd).
func (r *run) exec(n node) (int, error) {
	if l, isList := n.(list); n == nil || isList && l == nil {
		return ok, nil
	}
	r.depth++
	if limit := r.image.Dialect.MaxDepth; limit > 0 && r.depth >= limit {
		// GRUB does not count down again here.
		return r.fail(errTooDeep, "maximum recursion depth exceeded"), nil
	}
	if r.depth > maxDepth {
		return 0, r.lost("commands are nested too deeply", 4, 8, 9)
	}
	var status int
	var err error
	switch n := n.(type) {
	case list:
		status, err = r.execList(n)
	case *simple:
		status, err = r.execSimple(n)
	case *ifElse:
		status, err = r.execIf(n)
	case *forLoop:
		status, err = r.execFor(n)
	case *whileLoop:
		status, err = r.execWhile(n)
	}
	if err != nil {
		return status, err
	}
	r.depth--
	r.store("?", strconv.Itoa(status))
	return status, nil
}

func (r *run) execList(l list) (status int, err error) {
	for _, n := range l {
		if r.breaks > 0 {
			break
		}
		if status, err = r.exec(n); err != nil || r.returning {
			return status, err
		}
	}
	return status, nil
}

func (r *run) execIf(n *ifElse) (int, error) {
	status, err := r.exec(n.cond)
	if err != nil || r.returning {
		return status, err
	}
	if r.get("?") == "0" {
		return r.exec(n.then)
	}
	return r.exec(n.other)
}

func (r *run) execFor(n *forLoop) (status int, err error) {
	args, err := r.expand(n.words, nil)
	if err != nil {
		return 0, err
	}
	if len(n.words) == 0 {
		return ok, nil
	}
	r.loops++
	for _, arg := range args {
		if r.continues && r.breaks == 1 {
			r.breaks = 0
		}
		if r.breaks > 0 {
			continue
		}
		if err := r.tick(); err != nil {
			return 0, err
		}
		if err := r.set(n.name, arg); err != nil {
			return 0, err
		}
		if status, err = r.exec(n.body); err != nil {
			return 0, err
		}
		if r.returning {
			break
		}
	}
	r.endLoop()
	return status, nil
}

func (r *run) execWhile(n *whileLoop) (status int, err error) {
	r.loops++
	for {
		if err := r.tick(); err != nil {
			return 0, err
		}
		if status, err = r.exec(n.cond); err != nil {
			return 0, err
		}
		if r.returning || (status != 0) != n.until {
			break
		}
		if status, err = r.exec(n.body); err != nil {
			return 0, err
		}
		if r.returning {
			break
		}
		if r.breaks == 1 && r.continues {
			r.breaks = 0
		}
		if r.breaks > 0 {
			break
		}
	}
	r.endLoop()
	return status, nil
}

func (r *run) endLoop() {
	if r.breaks > 0 {
		r.breaks--
	}
	r.loops--
}

// execSimple measures a command and runs it (GRUB's grub_script_execute_cmdline).
func (r *run) execSimple(n *simple) (int, error) {
	if err := r.tick(); err != nil {
		return 0, err
	}
	r.script, r.line = n.script, n.line
	args, err := r.expand(n.words, n.block)
	if err != nil {
		return 0, err
	}
	if len(args) == 0 {
		return ok, nil
	}
	if err := r.measureString(Command, strings.Join(args, " ")); err != nil {
		return 0, err
	}
	invert := args[0] == "!"
	if invert {
		if args = args[1:]; len(args) == 0 {
			return r.fail(errBadArgument, "no command is specified"), nil
		}
	}
	status, known, err := r.call(args, n.block)
	if err != nil {
		return 0, err
	}
	if !known {
		return ok, r.assign(args[0])
	}
	if invert {
		if status == ok {
			status = errTestFailure
		} else {
			status = ok
		}
	}
	r.store("?", strconv.Itoa(status))
	return status, nil
}

// call runs a command or a function; known is false if there is none of the name.
func (r *run) call(args []string, b *block) (status int, known bool, err error) {
	c, err := r.command(args[0])
	if err != nil {
		return 0, true, err
	}
	if c != nil {
		if r.extractor > 0 && !c.extractor {
			return r.fail(errExtractor, "%s isn't allowed to execute in an extractor", args[0]), true, nil
		}
		status, err := r.runCommand(c, args, b)
		return status, true, err
	}
	if f := r.funcs[args[0]]; f != nil {
		status, err := r.callFunction(f, args[1:])
		return status, true, err
	}
	return 0, false, nil
}

// assign runs a word that is no command: NAME=VALUE, or an error that changes
// nothing.
func (r *run) assign(s string) error {
	name, value, found := strings.Cut(s, "=")
	switch {
	case !found:
		r.fail(errBadArgument, "can't find command `%s'", s)
	case name != "" && digit(name[0]), name == "#", name == "*", name == "@":
		r.fail(errBadArgument, "invalid variable name `%s'", name)
	default:
		return r.set(name, value)
	}
	return nil
}

type function struct {
	body    list
	running int
}

func (r *run) define(name string, body list) {
	f := r.funcs[name]
	switch {
	case f == nil:
		r.funcs[name] = &function{body: body}
	case f.running > 0:
		r.fail(errBadArgument, "attempt to redefine a function being executed")
	default:
		f.body = body
	}
}

func (r *run) callFunction(f *function, args []string) (int, error) {
	loops, old := r.loops, r.scope
	r.loops, r.scope = 0, &scope{args: args}
	f.running++
	status, err := r.exec(f.body)
	f.running--
	r.returning, r.loops, r.scope = false, loops, old
	return status, err
}

// fail prints an error and returns its status.
func (r *run) fail(status int, format string, args ...any) int {
	r.print("error: " + fmt.Sprintf(format, args...) + ".\n")
	return status
}

const maxOutput = 1 << 16 // bytes of what GRUB prints

func (r *run) print(s string) {
	if r.output.Len()+len(s) <= maxOutput {
		r.output.WriteString(s)
	}
}

// source runs a text (GRUB's grub_script_execute_sourcecode): a menu entry's
// body, or eval's argument.
func (r *run) source(l *lines) (status int, err error) {
	for {
		line, more := l.next()
		if !more {
			return status, nil
		}
		c, err := r.parse(l, line)
		if err != nil {
			return 0, err
		}
		if c == nil {
			return ok, nil
		}
		if len(*c) > 0 || !r.image.Dialect.KeepsStatus {
			if status, err = r.exec(*c); err != nil {
				return 0, err
			}
		}
	}
}

// parse reads a logical line. It returns nil after a syntax error, which GRUB prints.
func (r *run) parse(l *lines, line string) (*list, error) {
	c, err := parse(l, line, r.define)
	var syntax *syntaxError
	switch {
	case errors.As(err, &syntax):
		r.print("error: " + syntax.Error() + ".\n")
		return nil, nil
	case err != nil:
		return nil, r.lost(l.script+": "+err.Error(), 4, 8, 9)
	}
	return &c, nil
}
