package grub

import (
	"fmt"
	"strings"
)

const maxSourced = 64 // scripts that run each other

// cmdSource is configfile, source, . and the extract_entries_ variants.
func cmdSource(r *run, c *call) (int, error) {
	if len(c.args) != 1 {
		return r.fail(errBadArgument, "filename expected"), nil
	}
	name, extract := strings.CutPrefix(c.name, "extract_entries_")
	own := name == "configfile"
	switch {
	case extract:
		r.extractor++
		r.openContext(!own)
	case own:
		r.openContext(false)
	}
	if err := r.normalExecute(c.args[0], true, !own); err != nil {
		return 0, err
	}
	switch {
	case extract:
		r.closeExtractor(!own)
	case own:
		r.closeContext()
	}
	return ok, nil
}

// closeExtractor leaves the context of extract_entries_*; source keeps the menu
// entries.
func (r *run) closeExtractor(source bool) {
	m := r.ctx.menu
	r.closeContext()
	if source && m != nil && r.ctx.menu != nil {
		r.ctx.menu.entries = append(r.ctx.menu.entries, m.entries...)
	}
	r.extractor--
}

// cmdNormal enters normal mode, which runs a configuration and shows its menu.
func cmdNormal(r *run, c *call) (int, error) {
	prefix, set := r.lookup("prefix")
	switch {
	case len(c.args) > 0:
		return ok, r.enterNormal(c.args[0])
	case !set:
		return ok, r.enterNormal("")
	}
	config := prefix + "/grub.cfg"
	if !r.image.Dialect.OpensTwice {
		return ok, r.enterNormal(config)
	}
	if fw, set := r.lookup("fw_path"); set {
		entered, err := r.tryNormal(fw + "/grub.cfg")
		if err != nil || entered {
			return ok, err
		}
	}
	entered, err := r.tryNormal(config)
	if err != nil || entered {
		return ok, err
	}
	return 0, r.lost(fmt.Sprintf("%s does not exist, and on which device GRUB finds another is not modeled", config), 8)
}

// tryNormal is how Fedora's GRUB begins: it opens the configuration once only to
// see whether it is there.
func (r *run) tryNormal(config string) (bool, error) {
	_, status, err := r.open(config, Script, true)
	if err != nil || status != ok {
		return false, err
	}
	return true, r.enterNormal(config)
}

func (r *run) enterNormal(config string) error {
	r.normal++
	if err := r.normalExecute(config, false, false); err != nil {
		return err
	}
	if r.exited == 0 {
		return r.end(AtPrompt)
	}
	r.normal--
	r.exited--
	return nil
}

func cmdNormalExit(r *run, _ *call) (int, error) {
	if r.normal <= r.exited {
		return r.fail(errBadArgument, "not in normal environment"), nil
	}
	r.exited++
	return ok, nil
}

// normalExecute runs a configuration and shows its menu unless batch is set
// (GRUB's grub_normal_execute).
func (r *run) normalExecute(config string, nested, batch bool) error {
	if r.nested++; r.nested > maxSourced {
		return r.lost(fmt.Sprintf("more than %d scripts run each other", maxSourced), 4, 8, 9)
	}
	defer func() { r.nested-- }()
	if !nested {
		if err := r.readLists(r.get("prefix")); err != nil {
			return err
		}
		r.hooks["prefix"] = func(r *run, v string) (string, error) { return v, r.readLists(v) }
	}
	var m *menu
	if config != "" {
		var err error
		if m, err = r.readConfig(config); err != nil {
			return err
		}
	}
	if batch || m == nil || len(m.entries) == 0 {
		return nil
	}
	err := r.showMenu(m, nested, false)
	if err == nil && nested {
		r.ctx.menu = nil
	}
	return err
}

// readConfig runs the lines of a configuration file, and returns the menu.
func (r *run) readConfig(config string) (*menu, error) {
	if r.ctx.menu == nil {
		r.ctx.menu = &menu{}
	}
	m := r.ctx.menu
	o, status, err := r.open(config, Script, false)
	if err != nil || status != ok {
		return nil, err
	}
	text, err := r.text(o)
	if err != nil {
		return nil, err
	}
	full := config
	if !strings.HasPrefix(config, "(") {
		full = "(" + r.get("root") + ")" + config
	}
	file, hadFile := r.lookup("config_file")
	dir, hadDir := r.lookup("config_directory")
	r.global("config_file", full)
	r.global("config_directory", full[:max(strings.LastIndexByte(full, '/'), 0)])
	script, line := r.script, r.line
	l := fileLines(o.file.String(), text)
	for {
		first, more := l.next()
		if !more {
			break
		}
		c, err := r.parse(l, first)
		if err != nil {
			return nil, err
		}
		if c != nil {
			if _, err := r.exec(*c); err != nil {
				return nil, err
			}
		}
	}
	r.script, r.line = script, line
	if err := r.restore("config_file", file, hadFile); err != nil {
		return nil, err
	}
	return m, r.restore("config_directory", dir, hadDir)
}

// rescue runs the built-in configuration with the rescue parser: a simpler
// language, of which nothing is measured (GRUB's kern/parser.c).
func (r *run) rescue(text string) error {
	l := textLines("the built-in configuration", strings.TrimRight(text, "\x00"), 1)
	for {
		args, more := r.rescueLine(l)
		if !more {
			return nil
		}
		r.script, r.line = l.script, l.at()
		if err := r.tick(); err != nil {
			return err
		}
		if len(args) == 0 || args[0] == "" {
			continue
		}
		if name, value, found := strings.Cut(args[0], "="); found && len(args) == 1 {
			if err := r.set(name, value); err != nil {
				return err
			}
			continue
		}
		c, err := r.command(args[0])
		if err != nil {
			return err
		}
		if c == nil {
			r.print("Unknown command `" + args[0] + "'.\n")
			continue
		}
		if _, err := r.runCommand(c, args, nil); err != nil {
			return err
		}
	}
}

// rescueLine splits a line at blanks. Quotes hold words together, over lines if
// need be; variables are not split.
func (r *run) rescueLine(l *lines) (args []string, more bool) {
	line, more := l.next()
	if !more {
		return nil, false
	}
	var arg strings.Builder
	begun := false
	quote := byte(0)
	for i := 0; ; i++ {
		for i == len(line) {
			if quote == 0 {
				if begun {
					args = append(args, arg.String())
				}
				return args, true
			}
			next, more := l.next()
			if !more {
				return args, true
			}
			line, i = next, 0
		}
		c := line[i]
		switch {
		case quote == 0 && c == '\\' && i+1 < len(line):
			i++
			arg.WriteByte(line[i])
			begun = true
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case c == quote:
			quote = 0
		case c == '$' && quote != '\'':
			n := variable(line[i:])
			if n == 0 {
				continue
			}
			if v := r.get(strings.Trim(line[i+1:i+n], "{}")); v != "" {
				arg.WriteString(v)
				begun = true
			}
			i += n - 1
		case quote == 0 && isSpace(rune(c)):
			if begun {
				args = append(args, arg.String())
			}
			arg.Reset()
			begun = false
		default:
			arg.WriteByte(c)
			begun = true
		}
	}
}
