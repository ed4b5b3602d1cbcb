package bootchain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	maxCommands = 10000 // that a run may execute
	maxScripts  = 64    // that a run may open
	maxExpanded = 1 << 20
)

// effect is something that a run of GRUB measures.
type effect struct {
	kind effectKind
	text string // the command, or the file's name as it is logged
	file grubFile
	// script and line are where it comes from; line 0 is GRUB's built-in script.
	script string
	line   int
}

type effectKind int

const (
	ranCommand effectKind = iota // PCR 8
	setCmdline                   // PCR 8
	readScript                   // PCR 9
	readData                     // PCR 9: a kernel or an initial ramdisk
	gotKernel                    // PCR 4, and whatever else loading one measures
)

// grubFile is a file as GRUB names it: a path on a device.
type grubFile struct {
	device string // "hd0,gpt1", or "" for a root that was not set
	path   string
}

// parseGRUBFile reads "(hd0,gpt1)/path", or a path on the device root.
func parseGRUBFile(s, root string) (grubFile, bool) {
	if rest, ok := strings.CutPrefix(s, "("); ok {
		device, path, ok := strings.Cut(rest, ")")
		return grubFile{device, path}, ok && device != "" && strings.HasPrefix(path, "/")
	}
	return grubFile{root, s}, strings.HasPrefix(s, "/")
}

// grubRun executes scripts as GRUB would, as far as measuring goes.
type grubRun struct {
	// script returns the text of a script.
	script func(grubFile) (string, error)
	// devices are the devices of file systems by their UUID, which scripts search
	// for. Another UUID ends the run with a *needsDevice.
	devices map[string]string
	// known are commands that the boot in the log has shown to measure nothing but
	// themselves; nil before that is known.
	known map[string]bool

	vars     map[string]string
	effects  []effect
	menu     []command
	title    string // of the entry that is booted
	inEntry  bool
	kernel   bool
	commands int
	scripts  int
}

// needsDevice ends a run that searches for an unknown file system.
type needsDevice struct{ uuid, at string }

func (e *needsDevice) Error() string {
	return fmt.Sprintf("%s: the boot in the log did not search for the file system %s", e.at, e.uuid)
}

// boot runs a script up to the start of a kernel: configfile says that GRUB shows
// the script's menu, as for its main configuration.
func (g *grubRun) boot(name string, configfile bool) error {
	g.vars = make(map[string]string)
	builtIn := &command{file: "GRUB's built-in script"}
	done, err := g.open(builtIn, name, configfile)
	if err == nil && !done {
		err = builtIn.fail("%s ends without booting anything", name)
	}
	return err
}

// open measures and runs a script. It reports whether that booted.
func (g *grubRun) open(c *command, name string, configfile bool) (bool, error) {
	file, ok := parseGRUBFile(name, g.vars["root"])
	if !ok {
		return false, c.fail("%q is not understood as a file", name)
	}
	if g.scripts++; g.scripts > maxScripts {
		return false, c.fail("more than %d scripts", maxScripts)
	}
	g.emit(c, effect{kind: readScript, text: name, file: file})
	text, err := g.script(file)
	if err != nil {
		return false, c.fail("%v", err)
	}
	commands, err := parseScript(file.path, text)
	if err != nil {
		return false, err
	}
	if configfile {
		g.enterContext()
	}
	done, err := g.run(commands)
	if err != nil || done || !configfile {
		return done, err
	}
	return true, g.bootEntry(file.path)
}

// enterContext begins a configuration with a menu and variables of its own. GRUB
// exports root and prefix into it, and nothing else that is known here.
func (g *grubRun) enterContext() {
	g.menu = nil
	for name := range g.vars {
		if name != "root" && name != "prefix" {
			delete(g.vars, name)
		}
	}
}

// run executes commands until one of them boots.
func (g *grubRun) run(commands []command) (bool, error) {
	for i := range commands {
		c := &commands[i]
		if g.commands++; g.commands > maxCommands {
			return false, c.fail("more than %d commands", maxCommands)
		}
		args, err := g.expand(c)
		if err != nil {
			return false, err
		}
		text := strings.Join(args, " ")
		if c.block != nil {
			text += " " + c.block.text
		}
		g.emit(c, effect{kind: ranCommand, text: text})
		if done, err := g.execute(c, args, text); err != nil || done {
			return done, err
		}
	}
	return false, nil
}

func (g *grubRun) emit(c *command, e effect) {
	e.script, e.line = c.file, c.line
	g.effects = append(g.effects, e)
}

func (g *grubRun) expand(c *command) ([]string, error) {
	var args []string
	total := 0
	for _, w := range c.words {
		var sb strings.Builder
		for _, p := range w {
			text := p.text
			if p.variable {
				value, ok := g.vars[p.text]
				switch {
				case !ok:
					return nil, c.fail("the value of $%s is not known", p.text)
				case !p.quoted && (value == "" || strings.ContainsAny(value, " \t\n\\*?[")):
					return nil, c.fail("$%s would be split into words, which is not understood yet", p.text)
				}
				text = value
			}
			sb.WriteString(text)
			if total += len(text); total > maxExpanded {
				return nil, c.fail("the command is too long")
			}
		}
		args = append(args, sb.String())
	}
	return args, nil
}

func (g *grubRun) execute(c *command, args []string, text string) (bool, error) {
	name := args[0]
	if c.block != nil && name != "menuentry" {
		return false, c.fail("%q with a block is not understood yet", name)
	}
	if len(args) == 1 && strings.Contains(name, "=") {
		return false, g.set(c, name, text)
	}
	switch name {
	case "set":
		if len(args) != 2 {
			return false, c.fail("set is understood with one assignment")
		}
		return false, g.set(c, args[1], text)
	case "insmod":
		// A module that is not built in is a file, and measured.
		if g.known != nil && !g.known[text] {
			return false, c.fail("the boot in the log did not run %q, so whether the module is built in is not known", text)
		}
		return false, nil
	case "echo":
		return false, nil
	case "search", "search.fs_uuid":
		return false, g.search(c, args)
	case "source", ".":
		if len(args) != 2 {
			return false, c.fail("%s needs one file", name)
		}
		return g.open(c, args[1], false)
	case "configfile":
		if len(args) != 2 || g.inEntry {
			return false, c.fail("configfile is understood with one file, outside of menu entries")
		}
		return g.open(c, args[1], true)
	case "menuentry":
		return false, g.addEntry(c, args)
	case "linux":
		return false, g.linux(c, args)
	case "initrd":
		return false, g.initrd(c, args)
	}
	return false, c.fail("the command %q is not understood yet", name)
}

// set assigns a variable. Many variables of GRUB do something when they are set;
// those here do nothing that is measured.
func (g *grubRun) set(c *command, assignment, text string) error {
	name, value, ok := strings.Cut(assignment, "=")
	if !ok {
		return c.fail("set is understood with one assignment")
	}
	switch name {
	case "default", "timeout", "timeout_style", "root":
	case "prefix":
		// GRUB looks there for lists of its modules, which are measured if they exist.
		if g.known != nil && !g.known[text] {
			return c.fail("the boot in the log did not run %q, so which files GRUB finds there is not known", text)
		}
	default:
		return c.fail("what setting the variable %q does is not known", name)
	}
	g.vars[name] = value
	return nil
}

// search finds a file system by its UUID and sets a variable to its device.
func (g *grubRun) search(c *command, args []string) error {
	var words []string
	variable, byUUID := "", args[0] == "search.fs_uuid"
	for _, a := range args[1:] {
		switch {
		case a == "--no-floppy", strings.HasPrefix(a, "--hint"):
		case a == "--fs-uuid" || a == "-u":
			byUUID = true
		case strings.HasPrefix(a, "--set="):
			variable = a[len("--set="):]
		case a == "--set":
			variable = "root"
		case strings.HasPrefix(a, "-"):
			return c.fail("search %s is not understood yet", a)
		default:
			words = append(words, a)
		}
	}
	if args[0] == "search.fs_uuid" && len(words) >= 2 {
		variable, words = words[1], words[:1] // what follows are hints
	}
	if !byUUID || len(words) != 1 || variable != "root" {
		return c.fail("search is understood for the UUID of a file system, to set root")
	}
	device, ok := g.devices[words[0]]
	if !ok {
		return &needsDevice{words[0], fmt.Sprintf("%s line %d", c.file, c.line)}
	}
	g.vars[variable] = device
	return nil
}

func (g *grubRun) addEntry(c *command, args []string) error {
	if c.block == nil || len(args) < 2 || g.inEntry {
		return c.fail("menuentry is understood with a title and a block")
	}
	for i := 2; i < len(args); i++ {
		switch args[i] {
		case "--class", "--id", "--hotkey":
			if i++; i == len(args) {
				return c.fail("menuentry: %s needs a value", args[i-1])
			}
		case "--unrestricted":
		default:
			return c.fail("menuentry %s is not understood yet", args[i])
		}
	}
	entry := *c
	entry.words = []word{{{text: args[1]}}}
	g.menu = append(g.menu, entry)
	return nil
}

// bootEntry boots the menu's default entry, as GRUB does when nobody presses a
// key.
func (g *grubRun) bootEntry(script string) error {
	fail := func(format string, args ...any) error {
		return &scriptError{script, 0, fmt.Sprintf(format, args...)}
	}
	if _, err := strconv.ParseUint(g.vars["timeout"], 10, 31); err != nil {
		return fail("no timeout is set, so that a person chooses the menu entry")
	}
	n := uint64(0)
	if d := g.vars["default"]; d != "" {
		var err error
		if n, err = strconv.ParseUint(d, 10, 31); err != nil {
			return fail("default=%q is not understood yet: want the number of a menu entry", d)
		}
	}
	if n >= uint64(len(g.menu)) {
		return fail("default=%d, and the menu has %d entries", n, len(g.menu))
	}
	entry := &g.menu[n]
	g.title, g.inEntry = entry.words[0][0].text, true
	g.emit(entry, effect{kind: ranCommand, text: "setparams " + g.title})
	done, err := g.run(entry.block.commands)
	if err == nil && !done && !g.kernel {
		err = entry.fail("the menu entry loads no kernel")
	}
	return err
}

func (g *grubRun) linux(c *command, args []string) error {
	if len(args) < 2 || strings.HasPrefix(args[1], "-") || !g.inEntry {
		return c.fail("linux is understood with a kernel, in a menu entry")
	}
	if strings.ContainsAny(strings.Join(args[1:], ""), " \\'\"") || slices.Contains(args, "") {
		return c.fail("quotes in a kernel's command line are not understood yet")
	}
	file, ok := parseGRUBFile(args[1], g.vars["root"])
	if !ok {
		return c.fail("%q is not understood as a file", args[1])
	}
	g.kernel = true
	g.emit(c, effect{kind: readData, text: args[1], file: file})
	g.emit(c, effect{kind: gotKernel, text: args[1], file: file})
	g.emit(c, effect{kind: setCmdline, text: strings.Join(args[1:], " ")})
	return nil
}

func (g *grubRun) initrd(c *command, args []string) error {
	if len(args) < 2 || !g.kernel {
		return c.fail("initrd is understood with files, after linux")
	}
	for _, a := range args[1:] {
		file, ok := parseGRUBFile(a, g.vars["root"])
		if !ok {
			return c.fail("%q is not understood as a file", a)
		}
		g.emit(c, effect{kind: readData, text: a, file: file})
	}
	return nil
}
