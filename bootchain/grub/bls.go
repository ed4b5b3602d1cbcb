package grub

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// bls is a boot loader entry of Fedora's blscfg (the Boot Loader Specification's
// type 1, in /loader/entries).
type bls struct {
	name    string // the file's, without .conf
	keys    []Variable
	visible bool // there is a menu entry for it
}

func (b *bls) value(key string) (string, bool) {
	for _, v := range b.keys {
		if v.Name == key {
			return v.Value, true
		}
	}
	return "", false
}

func (b *bls) values(key string) []string {
	var out []string
	for _, v := range b.keys {
		if v.Name == key {
			out = append(out, v.Value)
		}
	}
	return out
}

// cmdBLS makes menu entries of boot loader entries: of all, of the default or the
// other ones, of one by name, or of a folder or a file.
func cmdBLS(r *run, c *call) (int, error) {
	if !r.image.Dialect.RedHat && r.image.Modules != nil && !r.has("blscfg") {
		return 0, r.lost("upstream's blscfg is not modeled", 4, 8, 9)
	}
	path, id := "", ""
	def, others := true, true
	if len(c.args) == 1 {
		switch arg := c.args[0]; {
		case arg == "default":
			others = false
		case arg == "non-default":
			def = false
		case strings.HasPrefix(arg, "("):
			path = arg
		default:
			id, def, others = arg, false, false
		}
	}
	if status, done, err := r.loadBLS(path); err != nil || status != ok || done {
		return status, err
	}
	want, _ := r.lookup("default")
	for i, b := range r.entries {
		is := b.isDefault(want, i)
		if b.visible || !(def && is || others && !is || id != "" && id == b.name) {
			continue
		}
		b.visible = true
		if err := r.addBLS(b); err != nil {
			return 0, err
		}
	}
	if r.image.Dialect.TPM202 { // RHEL 8 forgets the entries
		r.entries = nil
	}
	return ok, nil
}

// isDefault reports whether $default names an entry: by file name, title or index.
func (b *bls) isDefault(want string, index int) bool {
	if want == "" {
		return false
	}
	if title, titled := b.value("title"); want == b.name || titled && want == title {
		return true
	}
	n, status := strtol(want, 0)
	return status == ok && int64(int32(n)) == int64(index)
}

// loadBLS reads entries. done is set if that was all: a single file.
func (r *run) loadBLS(path string) (status int, done bool, err error) {
	device, dir, given := r.get("root"), "", false
	switch {
	case strings.HasSuffix(path, ".conf"):
		return r.readBLS(path, strings.TrimSuffix(path[strings.LastIndexByte(path, '/')+1:], ".conf"))
	case path != "":
		var found bool
		if device, dir, found = strings.Cut(path[1:], ")"); !found {
			return r.fail(errBadArgument, "Filepath isn't correct"), true, nil
		}
		given = true
	}
	if !given {
		if dir = "/loader/entries/"; r.get("blsdir") != "" {
			dir = r.get("blsdir")
		}
	}
	names, ordered, err := r.listBLS(File{device, dir})
	if notThere(err) && !given {
		dir = "/boot/loader/entries/"
		names, ordered, err = r.listBLS(File{device, dir})
	}
	switch {
	case errors.Is(err, ErrUnknown):
		return 0, false, r.lost(fmt.Sprintf("what the folder (%s)%s contains is not known", device, dir), 4, 8, 9)
	case notThere(err):
		return ok, false, nil
	case err != nil:
		return 0, false, fmt.Errorf("list (%s)%s: %w", device, dir, err)
	}
	if len(names) > 1 && !ordered {
		r.doubt(fmt.Sprintf("the order in which the file system lists (%s)%s is not known", device, dir), 9)
	}
	for _, n := range names {
		if _, _, err := r.readBLS(fmt.Sprintf("(%s)%s/%s", device, dir, n), strings.TrimSuffix(n, ".conf")); err != nil {
			return 0, false, err
		}
	}
	return ok, false, nil
}

func (r *run) listBLS(dir File) (names []string, ordered bool, err error) {
	dir.Path = "/" + strings.Trim(clean(dir.Path), "/")
	list, ordered, err := r.readDir(dir)
	for _, i := range list {
		if !strings.HasPrefix(i.Name, ".") && len(i.Name) > 5 && strings.HasSuffix(i.Name, ".conf") {
			names = append(names, i.Name)
		}
	}
	return names, ordered, err
}

// readBLS reads an entry and puts it in its place: the newest first.
func (r *run) readBLS(path, name string) (status int, done bool, err error) {
	o, status, err := r.open(path, Entry, false)
	if err != nil || status != ok {
		return status, true, err
	}
	text, err := r.text(o)
	if err != nil {
		return 0, true, err
	}
	b := &bls{name: name}
	for line := range strings.Lines(strings.ReplaceAll(text, "\r", "")) {
		line = strings.TrimLeft(strings.TrimSuffix(line, "\n"), " \t")
		if strings.HasPrefix(line, "#") {
			continue
		}
		at := strings.IndexByte(line, ' ')
		if at < 0 {
			at = strings.IndexByte(line, '\t')
		}
		if at < 0 || at == len(line)-1 {
			break // GRUB ignores what follows, too
		}
		b.keys = append(b.keys, Variable{line[:at], strings.TrimLeft(line[at:], " \t")})
	}
	for i, have := range r.entries {
		switch order := compareNVR(b.name, have.name); {
		case order == 0:
			return ok, true, nil
		case order > 0:
			r.entries = slices.Insert(r.entries, i, b)
			return ok, true, nil
		}
	}
	r.entries = append(r.entries, b)
	return ok, true, nil
}

// addBLS adds the menu entry for an entry.
func (r *run) addBLS(b *bls) error {
	linux, has := b.value("linux")
	if !has {
		return nil
	}
	title, titled := b.value("title")
	if !titled {
		title = linux
	}
	value, has := b.value("options")
	options := ""
	if has {
		options = r.expandBLS(value)
	}
	if options == "" {
		options = r.expandBLS(r.get("default_kernelopts"))
	}
	var sb strings.Builder
	gfx := "set gfxpayload=keep\n"
	if r.image.Dialect.TPM202 {
		gfx = "set gfx_payload=keep\n"
	} else if r.get("save_default") == "true" {
		sb.WriteString("savedefault\n")
	}
	sb.WriteString("load_video\n" + gfx + "insmod gzio\nlinux ($root)" + linux)
	if options != "" {
		sb.WriteString(" " + options)
	}
	sb.WriteString("\n" + r.initrdBLS(b, linux) + r.devicetreeBLS(b, linux))
	e := &menuEntry{title: title, id: strings.TrimSuffix(b.name, ".conf"), source: sb.String(), script: "boot loader entry " + b.name, line: 1}
	e.args = append([]string{title}, b.values("grub_arg")...)
	if users, has := b.value("grub_users"); has {
		e.restricted, e.users = true, r.expandBLS(users)
	}
	_, err := r.addEntry(e)
	return err
}

func (r *run) initrdBLS(b *bls, linux string) string {
	initrds := b.values("initrd")
	early, hasEarly := r.lookup("early_initrd")
	if !hasEarly && len(initrds) == 0 || r.image.Dialect.TPM202 && len(initrds) == 0 {
		return ""
	}
	var sb strings.Builder
	sb.WriteString("initrd")
	if r.image.Dialect.TPM202 {
		sb.WriteByte(' ')
	} else if hasEarly {
		at := linux
		if len(initrds) > 0 {
			at = initrds[0]
		}
		dir := at[:strings.LastIndexByte(at, '/')+1]
		for name := range strings.SplitSeq(early, " ") {
			sb.WriteString(" ($root)" + dir + name)
		}
	}
	for _, name := range initrds {
		sb.WriteString(" ($root)" + name)
	}
	return sb.String() + "\n"
}

func (r *run) devicetreeBLS(b *bls, linux string) string {
	if r.image.Dialect.TPM202 {
		return ""
	}
	if v, has := b.value("devicetree"); has {
		if v = r.expandBLS(v); v != "" {
			return "devicetree ($root)" + v + "\n"
		}
	}
	if v := r.expandBLS(r.get("devicetree")); v != "" {
		return "devicetree ($root)" + linux[:strings.LastIndexByte(linux, '/')+1] + v + "\n"
	}
	return ""
}

// expandBLS puts variables into a value. It follows GRUB's expand_val with its
// quirks: a blank goes before and comes after a variable, and a part of one
// character before a variable is lost.
func (r *run) expandBLS(s string) string {
	var sb strings.Builder
	start, end, isVar := 0, 0, false
	add := func() {
		part := s[min(start, len(s)):max(min(start, len(s)), min(end+1, len(s)))]
		if !isVar {
			sb.WriteString(part)
		} else if v, set := r.lookup(part); set {
			sb.WriteString(v + " ")
		}
	}
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '$' && (r.image.Dialect.TPM202 || s[end] != '\\'):
			if start != end {
				add()
			}
			isVar, start = true, i+1
		case isVar && !nameStart(s[i]) && !digit(s[i]):
			add()
			isVar, start = false, i
			if s[i] == ' ' {
				start++
			}
		}
		end = i
	}
	if start != end {
		add()
	}
	return sb.String()
}

// compareNVR compares two names of the form name-version-release.
func compareNVR(a, b string) int {
	x, y := splitNVR(a), splitNVR(b)
	for i := range x {
		if order := compareVersions(x[i], y[i]); order != 0 {
			return order
		}
	}
	return 0
}

// splitNVR splits at the last two dashes. With one dash there is no release, and
// with none only a name.
func splitNVR(s string) [3]string {
	rest, release, hasRelease := cutLast(s)
	name, version, hasVersion := cutLast(rest)
	switch {
	case !hasRelease:
		return [3]string{s}
	case !hasVersion:
		return [3]string{rest, release}
	}
	return [3]string{name, version, release}
}

func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndexByte(s, '-')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

func alphanumeric(b byte) bool { return digit(b) || nameStart(b) && b != '_' }

// compareVersions is rpm's comparison: runs of digits and of letters, a ~ sorts
// before everything, a + after the end.
func compareVersions(a, b string) int {
	if a == b {
		return 0
	}
	skip := func(s string) string {
		for s != "" && !alphanumeric(s[0]) && s[0] != '~' && s[0] != '+' {
			s = s[1:]
		}
		return s
	}
	for a != "" || b != "" {
		a, b = skip(a), skip(b)
		if order, both := compareMark(a, b, '~'); order != 0 {
			return order
		} else if both {
			a, b = a[1:], b[1:]
			continue
		}
		if order, both := compareMark(a, b, '+'); order != 0 {
			return order
		} else if both {
			a, b = a[1:], b[1:]
			continue
		}
		if a == "" || b == "" {
			break
		}
		var x, y string
		x, a = segment(a, digit(a[0]))
		y, b = segment(b, digit(x[0]))
		switch {
		case y == "" && digit(x[0]):
			return 1
		case y == "":
			return -1
		}
		if digit(x[0]) {
			x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if len(x) != len(y) {
				return sign(len(x) - len(y))
			}
		}
		if order := strings.Compare(x, y); order != 0 {
			return order
		}
	}
	return sign(len(a) - len(b))
}

// compareMark compares where one of ~ and + begins a version.
func compareMark(a, b string, mark byte) (order int, both bool) {
	inA, inB := a != "" && a[0] == mark, b != "" && b[0] == mark
	switch {
	case inA && inB:
		return 0, true
	case !inA && !inB:
		return 0, false
	case mark == '+' && a == "":
		return -1, false
	case mark == '+' && b == "":
		return 1, false
	case inA:
		return -1, false
	}
	return 1, false
}

// segment cuts off the digits or letters that s begins with.
func segment(s string, digits bool) (head, rest string) {
	i := 0
	for i < len(s) && (digits && digit(s[i]) || !digits && alphanumeric(s[i]) && !digit(s[i])) {
		i++
	}
	return s[:i], s[i:]
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}
