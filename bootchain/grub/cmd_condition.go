package grub

import (
	"strconv"
	"strings"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// strtol is strtoul with a sign.
func strtol(s string, base int) (n int64, status int) {
	if strings.HasPrefix(s, "-") {
		u, _, status := strtoul(s[1:], base)
		return -int64(u), status
	}
	u, _, status := strtoul(s, base)
	return int64(u), status
}

// condition evaluates what stands between [ and ] (GRUB's commands/test.c): terms
// are joined by "and" unless -o stands between them.
type condition struct {
	r     *run
	args  []string
	depth int
	err   error
}

const maxConditionDepth = 100

func cmdTest(r *run, c *call) (int, error) {
	args := c.args
	if n := len(args); n > 0 && args[n-1] == "]" {
		args = args[:n-1]
	}
	t := condition{r: r, args: args}
	val := t.parse()
	if t.err != nil {
		return 0, t.err
	}
	if val {
		return ok, nil
	}
	return errTestFailure, nil
}

func (t *condition) parse() bool {
	or, and, invert := false, true, false
	update := func(val bool) {
		and = and && val != invert
		invert = false
	}
	for len(t.args) > 0 && t.err == nil {
		if n, val := t.term(); n > 0 {
			t.args = t.args[n:]
			update(val)
			continue
		}
		arg := t.args[0]
		t.args = t.args[1:]
		switch arg {
		case ")":
			if t.depth > 0 {
				t.depth--
			}
			return or || and
		case "(":
			if t.depth++; t.depth > maxConditionDepth {
				t.depth--
				return or || and
			}
			update(t.parse())
		case "!":
			invert = !invert
		case "-a":
		case "-o":
			or, and = or || and, true
		default:
			update(arg != "")
		}
	}
	return or || and
}

// term evaluates a test of three or two arguments, and returns how many it took.
func (t *condition) term() (n int, val bool) {
	if len(t.args) >= 3 {
		a, op, b := t.args[0], t.args[1], t.args[2]
		if val, is := compareStrings(a, op, b); is {
			return 3, val
		}
		if val, is := compareNumbers(a, op, b); is {
			return 3, val
		}
		if strings.HasPrefix(op, "-nt") || strings.HasPrefix(op, "-ot") {
			return 3, t.newer(a, op, b)
		}
	}
	if len(t.args) < 2 {
		return 0, false
	}
	switch arg := t.args[1]; t.args[0] {
	case "-d":
		info, there := t.info(arg)
		return 2, there && (info.Dir || info.Name == "") // or it is not known
	case "-e":
		_, there := t.info(arg)
		return 2, there
	case "-f":
		info, there := t.info(arg)
		return 2, there && !info.Dir
	case "-s":
		return 2, t.notEmpty(arg)
	case "-n":
		return 2, arg != ""
	case "-z":
		return 2, arg == ""
	}
	return 0, false
}

func compareStrings(a, op, b string) (val, is bool) {
	switch op {
	case "=", "==":
		return a == b, true
	case "!=":
		return a != b, true
	case "<":
		return a < b, true
	case "<=":
		return a <= b, true
	case ">":
		return a > b, true
	case ">=":
		return a >= b, true
	}
	return false, false
}

func compareNumbers(a, op, b string) (val, is bool) {
	if op == "-pgt" || op == "-plt" {
		return comparePrefixed(a, op, b), true
	}
	x, _ := strtol(a, 0)
	y, _ := strtol(b, 0)
	x, y = int64(int32(x)), int64(int32(y)) // GRUB's function returns an int
	switch op {
	case "-eq":
		return x == y, true
	case "-ge":
		return x >= y, true
	case "-gt":
		return x > y, true
	case "-le":
		return x <= y, true
	case "-lt":
		return x < y, true
	case "-ne":
		return x != y, true
	}
	return false, false
}

// comparePrefixed compares numbers behind a common prefix: vmlinuz-2 and
// vmlinuz-11.
func comparePrefixed(a, op, b string) bool {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	i--
	for i > 0 && i < len(a) && digit(a[i]) {
		i--
	}
	i++
	x, _, _ := strtoul(a[min(i, len(a)):], 0)
	y, _, _ := strtoul(b[min(i, len(b)):], 0)
	if op == "-pgt" {
		return x > y
	}
	return x < y
}

// info looks a file or folder up without opening it.
func (t *condition) info(name string) (Info, bool) {
	f, status := t.r.resolve(name)
	if status != ok {
		return Info{}, false
	}
	f.Path = strings.TrimRight(f.Path, "/")
	if f.Path == "" {
		f.Path = "/"
	}
	info, there, err := t.r.stat(f, true)
	if err != nil {
		t.err = err
	}
	return info, there
}

// notEmpty opens a file, so that it is measured.
func (t *condition) notEmpty(name string) bool {
	o, status, err := t.r.open(name, Data, true)
	if err != nil {
		t.err = err
	}
	if status != ok || err != nil {
		return false
	}
	if b, changed := t.r.blocks[o.file]; changed {
		return len(b) > 0
	}
	return o.info.Size != 0
}

// newer compares times of modification; a number after -nt or -ot is added to
// the first.
func (t *condition) newer(a, op, b string) bool {
	x, thereX := t.info(a)
	y, thereY := t.info(b)
	bias, _ := strtol(op[3:], 0)
	dated := thereX && thereY && !x.Mtime.IsZero() && !y.Mtime.IsZero()
	first, second := x.Mtime.Unix()+bias, y.Mtime.Unix()
	if strings.HasPrefix(op, "-nt") {
		return thereX && !thereY || dated && first > second
	}
	return !thereX && thereY || dated && first < second
}
