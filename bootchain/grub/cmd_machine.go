package grub

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Commands about modules, screens, keys and other parts of the machine.

func cmdInsmod(r *run, c *call) (int, error) {
	if len(c.args) == 0 {
		return r.fail(errBadArgument, "one argument expected"), nil
	}
	name := c.args[0]
	if name != "" && strings.IndexByte("/(+", name[0]) >= 0 {
		base := name[strings.LastIndexByte(name, '/')+1:]
		_, err := r.loadModuleFile(name, strings.TrimSuffix(base, ".mod"))
		return ok, err
	}
	loaded, err := r.loadModule(name)
	if loaded {
		r.refs[name]++
	}
	return ok, err // a failure is printed, and no more
}

// cmdRmmod unloads a module that was loaded and that nothing needs. Whether GRUB
// lets go of one that is built in is not modeled.
func cmdRmmod(r *run, c *call) (int, error) {
	if len(c.args) == 0 {
		return r.fail(errBadArgument, "no module specified"), nil
	}
	name := c.args[0]
	switch {
	case slices.Contains(r.image.Modules, name) || r.image.Modules == nil:
		return cmdUnmodeled(r, c)
	case !r.modules[name]:
		return r.fail(errBadArgument, "no such module"), nil
	case r.refs[name] > 1:
		return r.fail(errBadArgument, "cannot unload referenced module"), nil
	}
	delete(r.modules, name)
	r.refs[name] = 0
	for _, m := range r.needs[name] {
		r.refs[m]--
	}
	return ok, nil
}

// cmdLoadfont opens fonts: by path, or by name in the memdisk and the prefix.
func cmdLoadfont(r *run, c *call) (int, error) {
	if len(c.args) == 0 {
		return r.fail(errBadArgument, "filename expected"), nil
	}
	for _, name := range c.args {
		if name == "" || strings.IndexByte("/(+", name[0]) < 0 {
			path, done, err := r.fontByName(name)
			if err != nil {
				return 0, err
			}
			if done {
				continue
			}
			name = path
		}
		_, status, err := r.open(name, Font, false)
		if err != nil || status != ok {
			return status, err
		}
	}
	return ok, nil
}

// fontByName looks for a font in the memdisk; else it returns the path in the
// prefix.
func (r *run) fontByName(name string) (path string, done bool, err error) {
	file := "/fonts/" + name + ".pf2"
	if r.image.Dialect.MemdiskFonts {
		_, status, err := r.open("(memdisk)"+file, Font, true)
		if err != nil || status == ok {
			return "", true, err
		}
	}
	return r.get("prefix") + file, false, nil
}

// cmdTerminal is terminal_input and terminal_output.
func cmdTerminal(r *run, c *call) (int, error) {
	args := c.args
	remove := false
	if len(args) > 0 && (args[0] == "--append" || args[0] == "--remove") {
		remove = args[0] == "--remove"
		if args = args[1:]; len(args) == 0 {
			return r.fail(errBadArgument, "no terminal specified"), nil
		}
	}
	for _, name := range args {
		there, err := r.terminal(c.name, name)
		if err != nil {
			return 0, err
		}
		if !there {
			return r.fail(errBadArgument, "terminal `%s' isn't found", name), nil
		}
		if name == "gfxterm" {
			r.graphics = !remove
		}
	}
	return ok, nil
}

// cmdSerial sets up a serial port, if there is one.
func cmdSerial(r *run, _ *call) (int, error) {
	if r.choices.pick(alternative{}, alternative{"there is no serial port", costHardware}) == 0 {
		return ok, nil
	}
	return r.fail(errBadArgument, "serial port isn't found"), nil
}

// terminal reports whether a terminal exists, and loads the module that has it.
func (r *run) terminal(verb, name string) (bool, error) {
	module := name
	switch {
	case name == "console", name == "ofconsole":
		return true, nil
	case strings.HasPrefix(name, "serial"):
		module = "serial"
	}
	if r.has(module) {
		return true, nil
	}
	kind := "o"
	if verb == "terminal_input" {
		kind = "i"
	}
	for _, pattern := range slices.Sorted(maps.Keys(r.terminals)) {
		prefix, star := strings.CutSuffix(pattern, "*")
		if pattern == kind+name || star && strings.HasPrefix(kind+name, prefix) {
			return r.loadModule(r.terminals[pattern])
		}
	}
	if list := r.unread["terminal.lst"]; list != "" {
		return false, r.lost(fmt.Sprintf("which module has the terminal %q is not known: the text of %s is not", name, list), 4, 8, 9)
	}
	return false, nil
}

// screen reports whether there is a graphical screen: it was asked for, a driver
// is there, and the hardware works.
func (r *run) screen() bool {
	if !r.graphics {
		return false
	}
	driver := false
	for _, m := range []string{"efi_gop", "efi_uga", "all_video", "video_bochs", "video_cirrus", "vbe", "vga"} {
		driver = driver || r.has(m)
	}
	return driver && r.choices.pick(alternative{}, alternative{"there is no graphical screen", costHardware}) == 0
}

func cmdBackgroundImage(r *run, c *call) (int, error) {
	if !r.screen() {
		return r.fail(errBadDevice, "no video mode activated"), nil
	}
	if len(c.args) == 0 {
		return ok, nil
	}
	name := c.args[0]
	for ending, module := range map[string]string{".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".tga": "tga"} {
		if strings.HasSuffix(strings.ToLower(name), ending) && r.has(module) {
			_, status, err := r.open(name, Picture, false)
			return status, err
		}
	}
	return r.fail(errBadFileType, "bitmap file `%s' is of unsupported format", name), nil
}

// showTheme is what showing a menu opens: the theme, if there is a screen for it.
// What the theme needs is not modeled.
func (r *run) showTheme() error {
	theme := r.get("theme")
	if theme == "" || !r.screen() {
		return nil
	}
	loaded, err := r.loadModule("gfxmenu")
	if err != nil || !loaded {
		return err
	}
	if !strings.HasPrefix(theme, "/") && !strings.HasPrefix(theme, "(") {
		theme = r.get("prefix") + "/themes/" + theme
	}
	_, status, err := r.open(theme, Theme, false)
	if err == nil && status == ok {
		r.doubt(fmt.Sprintf("which pictures and fonts the theme %s opens is not modeled", theme), 9)
	}
	return err
}

var keyOptions = []option{{long: "shift", short: 's'}, {long: "ctrl", short: 'c'}, {long: "alt", short: 'a'}}

func cmdKeystatus(r *run, c *call) (int, error) {
	choice := []alternative{{}, {"somebody holds down a key", costQuick}}
	if len(c.given) == 0 { // whether keys can be asked for at all
		choice = []alternative{{}, {"the firmware does not tell which keys are held down", costHardware}}
		if r.choices.pick(choice...) == 0 {
			return ok, nil
		}
		return errTestFailure, nil
	}
	if r.choices.pick(choice...) == 0 {
		return errTestFailure, nil
	}
	return ok, nil
}

var sleepOptions = []option{{long: "verbose", short: 'v'}, {long: "interruptible", short: 'i'}}

func cmdSleep(r *run, c *call) (int, error) {
	if len(c.args) != 1 {
		return r.fail(errBadArgument, "one argument expected"), nil
	}
	n, _, _ := strtoul(c.args[0], 10)
	if n > 0 && c.has("interruptible") &&
		r.choices.pick(alternative{}, alternative{"somebody presses Escape", costQuick}) == 1 {
		return errTestFailure, nil
	}
	return ok, nil
}

var cpuidOptions = []option{{long: "long-mode", short: 'l'}, {long: "pae", short: 'p'}}

// cmdCPUID tells what every processor can that runs this GRUB.
func cmdCPUID(r *run, c *call) (int, error) {
	if strings.HasPrefix(r.image.target(), "x86_64") {
		return ok, nil
	}
	return r.fact(c, "")
}

var smbiosOptions = []option{
	{long: "type", short: 't', value: true, number: true}, {long: "handle", short: 'h', value: true, number: true},
	{long: "match", short: 'm', value: true, number: true}, {long: "get-byte", short: 'b', value: true, number: true},
	{long: "get-word", short: 'w', value: true, number: true}, {long: "get-dword", short: 'd', value: true, number: true},
	{long: "get-qword", short: 'q', value: true, number: true}, {long: "get-string", short: 's', value: true, number: true},
	{long: "get-uuid", short: 'u', value: true, number: true}, {long: "set", value: true}, {long: "linux"},
}

func cmdSMBIOS(r *run, c *call) (int, error) {
	key := "smbios"
	for _, o := range smbiosOptions {
		switch {
		case o.long == "set" || !c.has(o.long):
		case o.value:
			key += " --" + o.long + " " + c.value(o.long)
		default:
			key += " --" + o.long
		}
	}
	return r.answer(key, c.value("set"))
}

// fact answers a command from Options.Facts.
func (r *run) fact(c *call, variable string) (int, error) {
	return r.answer(strings.Join(append([]string{c.name}, c.args...), " "), variable)
}

func (r *run) answer(key, variable string) (int, error) {
	f, known := r.facts[key]
	if !known {
		return 0, r.lost(fmt.Sprintf("what %q answers on this machine is not known", key), 4, 8, 9)
	}
	for name, value := range f.Set {
		if err := r.set(name, value); err != nil {
			return 0, err
		}
	}
	if f.False {
		return errTestFailure, nil
	}
	if variable != "" {
		return ok, r.set(variable, f.Value)
	}
	return ok, nil
}

var gptprioOptions = []option{{short: 'd', long: "set-device", value: true}, {short: 'u', long: "set-uuid", value: true}}

// cmdGptprio is Flatcar's gptprio.next: it picks one of the partitions of the kind
// that holds /usr, by the priorities in their attributes, and counts the try down.
func cmdGptprio(r *run, c *call) (int, error) {
	if !c.has("set-device") || !c.has("set-uuid") {
		return r.fail(errInvalid, "-d and -u are required"), nil
	}
	f, known := r.facts["gptprio.next"]
	if !known {
		return 0, r.lost("which partition for /usr is next is not known (the fact \"gptprio.next\")", 4, 8, 9)
	}
	device, uuid, _ := strings.Cut(f.Value, " ")
	if err := r.set(c.value("set-device"), device); err != nil {
		return 0, err
	}
	return ok, r.set(c.value("set-uuid"), uuid)
}

var loopbackOptions = []option{{long: "delete", short: 'd'}, {long: "decompress", short: 'D'}}

// cmdLoopback opens the image of a device. What is on it the World must know.
func cmdLoopback(r *run, c *call) (int, error) {
	if len(c.args) == 0 {
		return r.fail(errBadArgument, "device name required"), nil
	}
	if c.has("delete") {
		return ok, nil
	}
	if len(c.args) < 2 {
		return r.fail(errBadArgument, "filename expected"), nil
	}
	_, status, err := r.openAs(c.args[1], Data, false, !r.image.Dialect.SkipLoopback)
	return status, err
}

// cmdCryptomount unlocks disks; the World must know what is on them.
func cmdCryptomount(r *run, _ *call) (int, error) {
	if r.choices.pick(alternative{}, alternative{"an encrypted disk is not unlocked", costHuman}) == 1 {
		return errAccessDenied, nil
	}
	return ok, nil
}

// cmdKeymap opens a keyboard layout.
func cmdKeymap(r *run, c *call) (int, error) {
	if len(c.args) == 0 {
		return r.fail(errBadArgument, "file or layout name required"), nil
	}
	name := c.args[0]
	if name != "" && strings.IndexByte("/(+", name[0]) < 0 {
		name = r.get("prefix") + "/layouts/" + name + ".gkb"
	}
	_, status, err := r.open(name, Data, false)
	return status, err
}

// cmdPlay beeps, or opens a file with a tune.
func cmdPlay(r *run, c *call) (int, error) {
	if len(c.args) == 0 {
		return r.fail(errBadArgument, "filename or tempo and notes expected"), nil
	}
	if _, rest, status := strtoul(c.args[0], 0); status == ok && rest == "" {
		return ok, nil
	}
	_, status, err := r.open(c.args[0], Data, false)
	return status, err
}

// cmdOpen is cat: it opens its file.
func cmdOpen(r *run, c *call) (int, error) {
	if len(c.args) == 0 {
		return r.fail(errBadArgument, "filename expected"), nil
	}
	_, status, err := r.open(c.args[0], Data, false)
	return status, err
}

// cmdRead waits for a line from a human.
func cmdRead(r *run, _ *call) (int, error) { return 0, r.end(AtPrompt) }
