package grub

import (
	"fmt"
	"strconv"
	"strings"
)

// menu is what menuentry and submenu fill (GRUB's normal/menu.c).
type menu struct{ entries []*menuEntry }

type menuEntry struct {
	title, id string
	args      []string // $1, ...: the title and what follows it
	source    string
	submenu   bool
	// restricted entries want a user who is one of users, or a superuser.
	restricted bool
	users      string
	script     string // where it was defined
	line       int
}

// addEntry appends an entry to the menu of the context.
func (r *run) addEntry(e *menuEntry) (int, error) {
	if r.ctx.menu == nil {
		return r.fail(errMenu, "no menu context"), nil
	}
	if e.id == "" {
		e.id = e.title
	}
	r.ctx.menu.entries = append(r.ctx.menu.entries, e)
	return ok, nil
}

// showMenu shows a menu until something boots or somebody leaves it (GRUB's
// grub_show_menu). auto is set for a submenu that was entered without a human.
func (r *run) showMenu(m *menu, nested, auto bool) error {
	for {
		n, unattended, err := r.runMenu(m, nested)
		if err != nil || n < 0 {
			return err
		}
		e := m.entries[n]
		if unattended {
			err = r.withFallback(m, e)
		} else {
			_, err = r.runEntry(e, false)
		}
		if err != nil {
			return err
		}
		if auto {
			return nil
		}
		if r.exited > 0 {
			return nil
		}
	}
}

// runMenu chooses an entry (GRUB's run_menu); -1 leaves a submenu.
func (r *run) runMenu(m *menu, nested bool) (n int, unattended bool, err error) {
	if err := r.tick(); err != nil {
		return 0, false, err
	}
	def := r.entryNumber(m)
	if def < 0 || def >= len(m.entries) {
		def = 0
	}
	timeout, err := r.timeout()
	if err != nil {
		return 0, false, err
	}
	style := r.get("timeout_style")
	hidden := timeout >= 0 && (style == "hidden" || style == "countdown")
	if hidden || timeout < 0 {
		if err := r.unset("timeout_style"); err != nil {
			return 0, false, err
		}
	}
	if !hidden && timeout == 0 { // nothing is shown, no key is read
		return def, true, nil
	}
	n = r.pickEntry(m, def, timeout)
	if timeout >= 0 {
		if err := r.unset("timeout"); err != nil {
			return 0, false, err
		}
	}
	if !hidden || n >= 0 {
		if err := r.showTheme(); err != nil {
			return 0, false, err
		}
	}
	switch {
	case n == len(m.entries): // nobody is there to choose
		return 0, false, r.end(AtMenu)
	case n < 0:
		return def, true, nil
	case !hidden && timeout > 0: // a key was pressed
		err = r.unset("fallback")
	}
	return n, false, err
}

// Picked is the reason ([Outcome].Because) for what a menu's entry does that somebody picks.
func Picked(title string) string { return fmt.Sprintf("somebody picks %q in the menu", title) }

// pickEntry returns the entry that a human picks, -1 if the time runs out and the
// default entry is booted, len(entries) if GRUB waits for a human who does not
// come.
func (r *run) pickEntry(m *menu, def, timeout int) int {
	human := costHuman
	if timeout == 0 {
		human = costQuick
	}
	const most = 64 // entries that are tried
	var all []alternative
	values := make([]int, 0, len(m.entries)+1)
	if timeout >= 0 {
		all, values = append(all, alternative{}), append(values, -1)
	} else {
		all, values = append(all, alternative{}), append(values, len(m.entries))
	}
	for i, e := range m.entries {
		if i >= most {
			break
		}
		if i == def && timeout >= 0 {
			continue
		}
		cost := human
		if timeout < 0 && i == def {
			cost = 1
		}
		all = append(all, alternative{Picked(e.title), cost})
		values = append(values, i)
	}
	return values[r.choices.pick(all...)]
}

// timeout returns $timeout, -1 if there is none or it is no number.
func (r *run) timeout() (int, error) {
	v, set := r.lookup("timeout")
	if !set {
		return -1, nil
	}
	n, _, err := strtoul(v, 0)
	if err != ok {
		return -1, r.unset("timeout")
	}
	return int(int32(n)), nil
}

// entryNumber returns the index of the entry that $default names, or -1.
func (r *run) entryNumber(m *menu) int {
	v, set := r.lookup("default")
	if !set {
		return -1
	}
	if r.image.Dialect.RedHat {
		n, rest := r.entryRedHat(m, v)
		if rest != "" {
			return -1
		}
		return n
	}
	n, _, status := strtoul(v, 0)
	switch status {
	case ok:
		return int(int32(n))
	case errBadNumber:
		for i, e := range m.entries {
			if entryEqual(e.title, v) || entryEqual(e.id, v) {
				return i
			}
		}
	}
	return -1
}

// entryEqual compares a title or an id with the first level of a specification
// like "Advanced options>Linux 6.1". A > in a title is doubled there.
func entryEqual(id, spec string) bool {
	level, _ := splitSpec(spec)
	return id == strings.ReplaceAll(level, ">>", ">")
}

// splitSpec cuts a specification after its first level.
func splitSpec(spec string) (level, rest string) {
	for i := 0; i < len(spec); i++ {
		if spec[i] != '>' {
			continue
		}
		if i+1 < len(spec) && spec[i+1] == '>' {
			i++
			continue
		}
		return spec[:i], spec[i+1:]
	}
	return spec, ""
}

// entryRedHat is how Fedora and RHEL look up an entry: by id up to a blank, by
// title, by number. rest is what follows.
func (r *run) entryRedHat(m *menu, v string) (n int, rest string) {
	l := strings.IndexFunc(v, isSpace)
	if l < 0 {
		l = len(v)
	}
	for i, e := range m.entries {
		if e.id != "" && entryEqual(e.id, v[:l]) {
			return i, v[l:]
		}
	}
	for i, e := range m.entries {
		if e.title != "" && entryEqual(e.title, v) {
			return i, ""
		}
	}
	num, tail, status := strtoul(v, 0)
	if status != ok || tail != "" && !isSpace(rune(tail[0])) {
		return -1, ""
	}
	return int(int32(num)), tail
}

// withFallback runs the default entry, and those of $fallback if it returns.
func (r *run) withFallback(m *menu, e *menuEntry) error {
	for {
		status, err := r.runEntry(e, true)
		if err != nil || r.image.Dialect.RedHat && status == ok {
			return err
		}
		n, err := r.nextFallback(m)
		if err != nil || n < 0 {
			return err
		}
		if n >= len(m.entries) {
			return r.lost("$fallback names an entry that is not there, which makes GRUB crash", 4, 8, 9)
		}
		e = m.entries[n]
	}
}

// nextFallback takes the first entry off $fallback.
func (r *run) nextFallback(m *menu) (int, error) {
	v, set := r.lookup("fallback")
	if !set {
		return -1, nil
	}
	var n int
	var tail string
	if r.image.Dialect.RedHat {
		if n, tail = r.entryRedHat(m, v); tail != "" && !isSpace(rune(tail[0])) {
			n = -1
		}
	} else {
		num, rest, status := strtoul(v, 0)
		if n, tail = int(int32(num)), rest; status != ok {
			n = -1
		}
	}
	tail = strings.TrimLeftFunc(tail, isSpace)
	if n < 0 || r.image.Dialect.RedHat && tail == "" {
		return n, r.unset("fallback")
	}
	return n, r.set("fallback", tail)
}

// runEntry runs a menu entry (GRUB's grub_menu_execute_entry). It returns the
// status of its commands.
func (r *run) runEntry(e *menuEntry, auto bool) (int, error) {
	if err := r.authenticate(e); err != nil {
		return 0, err
	}
	chosen, hadChosen := r.lookup("chosen")
	def, hadDefault := r.lookup("default")
	titles := r.out.Titles
	r.out.Titles = append(titles[:len(titles):len(titles)], e.title)
	if e.submenu {
		r.openContext(false)
		r.ctx.menu = &menu{}
		if auto {
			if err := r.set("timeout", "0"); err != nil {
				return 0, err
			}
		}
	}
	path := strings.ReplaceAll(e.id, ">", ">>")
	if hadChosen {
		path = chosen + ">" + path
	}
	r.global("chosen", path)
	r.out.ID = path
	if _, rest := splitSpec(def); rest != "" {
		if err := r.set("default", rest); err != nil {
			return 0, err
		}
	} else if !r.image.Dialect.RedHat {
		if err := r.unset("default"); err != nil {
			return 0, err
		}
	}
	status, err := r.runBody(e)
	if err != nil {
		return 0, err
	}
	if status == ok || !r.image.Dialect.RedHat {
		if r.out.Boot.Command != "" {
			return 0, r.end(Booted)
		}
	}
	if e.submenu {
		if m := r.ctx.menu; m != nil && len(m.entries) > 0 {
			if err := r.showMenu(m, true, auto); err != nil {
				return 0, err
			}
		}
		r.closeContext()
	}
	r.out.Titles = titles
	if err := r.restore("chosen", chosen, hadChosen); err != nil {
		return 0, err
	}
	if err := r.restore("default", def, hadDefault); err != nil {
		return 0, err
	}
	return status, r.unset("timeout")
}

// authenticate asks for a password where an entry wants a user.
func (r *run) authenticate(e *menuEntry) error {
	if _, protected := r.lookup("superusers"); !e.restricted || !protected || r.authenticated {
		return nil
	}
	if r.choices.pick(alternative{}, alternative{"somebody enters a password", costHuman}) == 0 {
		return r.end(AtMenu)
	}
	r.authenticated = true
	return nil
}

func (r *run) runBody(e *menuEntry) (int, error) {
	old := r.scope
	r.scope = &scope{args: e.args}
	l := textLines(e.script, e.source, e.line-1)
	l.floor = e.line // of the line that GRUB puts before the body
	status, err := r.source(l)
	r.scope = old
	return status, err
}

// setparams is the command that a menu entry's body begins with: its arguments,
// quoted.
func setparams(args []string) string {
	var sb strings.Builder
	sb.WriteString("setparams")
	for _, a := range args {
		sb.WriteString(" '" + strings.ReplaceAll(a, "'", `'\''`) + "'")
	}
	return sb.String() + "\n"
}

// strtoul reads a number as GRUB does: blanks, 0x and 0 as prefixes if base is 0.
func strtoul(s string, base int) (n uint64, rest string, status int) {
	s = strings.TrimLeftFunc(s, isSpace)
	if strings.HasPrefix(s, "0x") && (base == 0 || base == 16) {
		base, s = 16, s[2:]
	} else if base == 0 && len(s) > 1 && s[0] == '0' && s[1] >= '0' && s[1] <= '7' {
		base = 8
	}
	if base == 0 {
		base = 10
	}
	i := 0
	for i < len(s) {
		d, err := strconv.ParseUint(s[i:i+1], 36, 8)
		if err != nil || d >= uint64(base) {
			break
		}
		if n > (^uint64(0)-d)/uint64(base) {
			return ^uint64(0), s[i:], errOutOfRange
		}
		n = n*uint64(base) + d
		i++
	}
	if i == 0 {
		return 0, s, errBadNumber
	}
	return n, s[i:], ok
}
