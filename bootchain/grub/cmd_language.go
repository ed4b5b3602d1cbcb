package grub

import (
	"strings"
)

// The commands that belong to the language.

func cmdBreak(r *run, c *call) (int, error) {
	n := uint64(1)
	if len(c.args) > 1 {
		return r.fail(errBadArgument, "one argument expected"), nil
	}
	if len(c.args) == 1 {
		var rest string
		var status int
		switch n, rest, status = strtoul(c.args[0], 10); {
		case status != ok:
			return status, nil
		case rest != "":
			return r.fail(errBadArgument, "unrecognized number"), nil
		case n == 0:
			return r.fail(errBadArgument, "can't break 0 loops"), nil
		}
	}
	r.continues = c.name != "break"
	r.breaks = int(min(n, uint64(r.loops)))
	return ok, nil
}

func cmdShift(r *run, c *call) (int, error) {
	n := uint64(1)
	switch {
	case r.scope == nil:
		return ok, nil
	case len(c.args) > 1:
		return errBadArgument, nil
	case len(c.args) == 1:
		var rest string
		if n, rest, _ = strtoul(c.args[0], 10); rest != "" {
			return errBadArgument, nil
		}
	}
	if n > uint64(len(r.scope.params())) {
		return errBadArgument, nil
	}
	r.scope.shift += int(n)
	return ok, nil
}

func cmdSetparams(r *run, c *call) (int, error) {
	if r.scope == nil {
		return errInvalid, nil
	}
	r.scope = &scope{args: c.args}
	return ok, nil
}

func cmdReturn(r *run, c *call) (int, error) {
	if r.scope == nil || len(c.args) > 1 {
		return r.fail(errBadArgument, "not in function body"), nil
	}
	if len(c.args) == 0 {
		r.returning = true
		n, _, _ := strtoul(r.get("?"), 10)
		return int(int32(n)), nil
	}
	n, rest, status := strtoul(c.args[0], 10)
	switch {
	case status != ok:
		return status, nil
	case rest != "":
		return r.fail(errBadArgument, "unrecognized number"), nil
	}
	r.returning = true
	return int(int32(n)), nil
}

func cmdTrue(*run, *call) (int, error)  { return ok, nil }
func cmdFalse(*run, *call) (int, error) { return errTestFailure, nil }

func cmdSet(r *run, c *call) (int, error) {
	if len(c.args) == 0 {
		return ok, nil
	}
	name, value, found := strings.Cut(c.args[0], "=")
	if !found {
		return r.fail(errBadArgument, "not an assignment"), nil
	}
	return ok, r.set(name, value)
}

func cmdUnset(r *run, c *call) (int, error) {
	if len(c.args) == 0 {
		return r.fail(errBadArgument, "one argument expected"), nil
	}
	return ok, r.unset(c.args[0])
}

func cmdExport(r *run, c *call) (int, error) {
	if len(c.args) == 0 {
		return r.fail(errBadArgument, "one argument expected"), nil
	}
	for _, name := range c.args {
		r.export(name)
	}
	return ok, nil
}

func cmdEval(r *run, c *call) (int, error) {
	if len(c.args) == 0 {
		return ok, nil
	}
	return r.source(textLines(r.script, strings.Join(c.args, " "), r.line))
}

// cmdIncrement is Fedora's increment and decrement.
func cmdIncrement(r *run, c *call) (int, error) {
	if len(c.args) != 1 {
		return r.fail(errBadArgument, "one variable expected"), nil
	}
	v, set := r.lookup(c.args[0])
	if !set {
		return r.fail(errFileNotFound, "No such variable \"%s\"", c.args[0]), nil
	}
	n, status := strtol(v, 0)
	if status != ok {
		return status, nil
	}
	if c.name == "increment" {
		n++
	} else {
		n--
	}
	return ok, r.set(c.args[0], itoa(n))
}

func cmdEcho(r *run, c *call) (int, error) {
	end := "\n"
	if c.has("n") {
		end = ""
	}
	for i, arg := range c.args {
		if i > 0 {
			r.print(" ")
		}
		if c.has("e") {
			var stop bool
			if arg, stop = echoEscapes(arg); stop {
				end = ""
			}
		}
		r.print(arg)
	}
	r.print(end)
	return ok, nil
}

// echoEscapes replaces backslash escapes; noNewline is set by \c.
func echoEscapes(s string) (out string, noNewline bool) {
	var sb strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			sb.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			break
		}
		switch s[i] {
		case 'c':
			noNewline = true
		default:
			if n := strings.IndexByte(`\afnrtv`, s[i]); n >= 0 {
				sb.WriteByte("\\\a\f\n\r\t\v"[n])
			}
		}
	}
	return sb.String(), noNewline
}

// cmdMenuentry is menuentry and submenu.
func cmdMenuentry(r *run, c *call) (int, error) {
	args := c.args
	switch {
	case len(args) == 0:
		return r.fail(errBadArgument, "missing arguments"), nil
	case args[len(args)-1] == "":
		return r.fail(errBadArgument, "menuentry title is missing"), nil
	case c.has("source") && c.block != nil:
		return r.fail(errBadArgument, "multiple menuentry definitions"), nil
	case !c.has("source") && c.block == nil:
		return r.fail(errBadArgument, "no menuentry definition"), nil
	}
	e := &menuEntry{id: c.value("id"), submenu: c.name == "submenu", script: r.script, line: r.line}
	switch {
	case c.has("users"):
		e.restricted, e.users = true, c.value("users")
	case !c.has("unrestricted"):
		e.restricted = true
	}
	if c.block == nil {
		e.source = c.value("source")
	} else {
		body := args[len(args)-1]
		args = args[:len(args)-1]
		e.source = setparams(args) + strings.TrimSuffix(strings.TrimPrefix(body, "{"), "}")
	}
	if len(args) == 0 {
		return r.fail(errMenu, "menuentry is missing title"), nil
	}
	e.title, e.args = args[0], args
	return r.addEntry(e)
}
