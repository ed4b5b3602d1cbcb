package grub

import (
	"fmt"
	"strings"
)

// command is a row of the table of commands.
type command struct {
	module    string // that has it
	run       func(*run, *call) (int, error)
	options   []option
	extractor bool // may run in extract_entries_source
	dash      bool // an unknown option is an argument
	first     bool // options come before arguments only
}

// option is an option of a command. GRUB accepts --long=VALUE, --long VALUE,
// -s VALUE and groups of letters.
type option struct {
	long     string
	short    byte
	value    bool // it has one
	optional bool // the value may be missing
	repeat   bool
	number   bool // the value is a number
}

// call is a command with its arguments and options.
type call struct {
	name  string
	args  []string
	block *block
	given map[string][]string // by the option's long name, or its letter
}

func (c *call) has(name string) bool { return len(c.given[name]) > 0 }

// value returns an option's last value.
func (c *call) value(name string) string {
	if v := c.given[name]; len(v) > 0 {
		return v[len(v)-1]
	}
	return ""
}

// command finds a command, and loads the module that has it if need be. It
// returns nil if GRUB has no command of the name.
func (r *run) command(name string) (*command, error) {
	c := commands[name]
	if c == nil && r.isUnmodeled(name) {
		return &command{run: cmdUnmodeled}, nil
	}
	if c != nil && r.hasCommand(c) {
		return c, nil
	}
	module := r.autoload[name]
	if list := r.unread["command.lst"]; module == "" && list != "" && (c != nil || unmodeled[name] != "") {
		return nil, r.lost(fmt.Sprintf("which module has the command %q is not known: the text of %s is not", name, list), 4, 8, 9)
	}
	if module == "" {
		return nil, nil
	}
	loaded, err := r.loadModule(module)
	switch {
	case err != nil:
		return nil, err
	case !loaded && r.image.Dialect.RedHat:
		return &command{run: func(*run, *call) (int, error) { return ok, nil }}, nil
	case !loaded:
		return &command{run: func(*run, *call) (int, error) { return errAccessDenied, nil }}, nil
	}
	r.refs[module]++
	if c == nil {
		return &command{run: cmdUnmodeled}, nil
	}
	return c, nil
}

// hasCommand reports whether the modules that are there have a command. Some have
// it in one of several modules.
func (r *run) hasCommand(c *command) bool {
	if c.module == "" {
		return true
	}
	for m := range strings.SplitSeq(c.module, " ") {
		if r.has(m) {
			return true
		}
	}
	return false
}

// isUnmodeled reports whether GRUB has a command that has no row in the table.
func (r *run) isUnmodeled(name string) bool {
	module, listed := unmodeled[name]
	return listed && r.has(module)
}

// runCommand parses a command's options and runs it.
func (r *run) runCommand(c *command, args []string, b *block) (int, error) {
	in := &call{name: args[0], args: args[1:], block: b}
	if c.options != nil {
		if status, done := r.parseOptions(c, in); done {
			return status, nil
		}
	}
	return c.run(r, in)
}

// parseOptions follows GRUB's lib/arg.c. done is set if the command is not to be
// run: an option is wrong, or help is asked for.
func (r *run) parseOptions(c *command, in *call) (status int, done bool) {
	in.given = make(map[string][]string)
	var rest []string
	args := in.args
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case c.first && len(rest) > 0, !strings.HasPrefix(arg, "-"), arg == "-":
			rest = append(rest, arg)
		case arg == "--":
			rest = append(rest, args[i+1:]...)
			i = len(args)
		case strings.HasPrefix(arg, "--"):
			name, value, hasValue := strings.Cut(arg[2:], "=")
			o := c.long(name)
			if !hasValue && o != nil && o.value && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
				i++
				value, hasValue = args[i], true
			}
			if o == nil && c.dash {
				rest = append(rest, arg)
				continue
			}
			if status, done = r.takeOption(in, o, arg, value, hasValue); done {
				return status, true
			}
		default:
			if c.dash && !c.allShort(arg[1:]) {
				rest = append(rest, arg)
				continue
			}
			if i, status, done = r.shortOptions(c, in, args, i); done {
				return status, true
			}
		}
	}
	in.args = rest
	return ok, false
}

// shortOptions takes a group of letters, args[i]; the last may have a value.
func (r *run) shortOptions(c *command, in *call, args []string, i int) (last, status int, done bool) {
	letters := args[i][1:]
	for n := range len(letters) {
		o := c.letter(letters[n])
		if o == nil {
			return i, r.fail(errBadArgument, "unknown argument `-%c'", letters[n]), true
		}
		value, hasValue := "", false
		switch {
		case n < len(letters)-1:
			if o.value && !o.optional {
				return i, r.fail(errBadArgument, "missing mandatory option for `%s'", o.long), true
			}
		case o.value && i+1 < len(args):
			if next := args[i+1]; !o.optional || len(next) < 2 || next[0] != '-' {
				i++
				value, hasValue = next, true
			}
		}
		if status, done = r.takeOption(in, o, args[i], value, hasValue); done {
			return i, status, true
		}
	}
	return i, ok, false
}

func (r *run) takeOption(in *call, o *option, arg, value string, hasValue bool) (status int, done bool) {
	switch {
	case o == nil:
		return r.fail(errBadArgument, "unknown argument `%s'", arg), true
	case o.long == "help" || o.long == "usage":
		return ok, true
	case o.value && !hasValue && !o.optional:
		return r.fail(errBadArgument, "missing mandatory option for `%s'", o.long), true
	case o.number && hasValue:
		if _, rest, status := strtoul(value, 0); status != ok || rest != "" {
			return r.fail(errBadArgument, "the argument `%s' requires an integer", arg), true
		}
	}
	name := o.long
	if name == "" {
		name = string(o.short)
	}
	if !o.repeat {
		in.given[name] = nil
	}
	in.given[name] = append(in.given[name], value)
	return ok, false
}

var helpOptions = []option{{long: "help", short: 'h'}, {long: "usage", short: 'u'}}

func (c *command) long(name string) *option {
	for _, list := range [][]option{c.options, helpOptions} {
		for i := range list {
			if list[i].long == name && name != "" {
				return &list[i]
			}
		}
	}
	return nil
}

func (c *command) letter(b byte) *option {
	for _, list := range [][]option{c.options, helpOptions} {
		for i := range list {
			if list[i].short == b {
				return &list[i]
			}
		}
	}
	return nil
}

func (c *command) allShort(letters string) bool {
	for i := range len(letters) {
		if c.letter(letters[i]) == nil {
			return false
		}
	}
	return true
}

// cmdUnmodeled stands for a command whose effect is not known.
func cmdUnmodeled(r *run, c *call) (int, error) {
	return 0, r.lost(fmt.Sprintf("what %q does is not modeled", c.name), 4, 8, 9)
}
