package grub

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

var searchOptions = []option{
	{long: "file", short: 'f'}, {long: "label", short: 'l'}, {long: "fs-uuid", short: 'u'},
	{long: "part-label", short: 'L'}, {long: "part-uuid", short: 'U'}, {long: "disk-uuid"},
	{long: "set", short: 's', value: true, optional: true},
	{long: "no-floppy", short: 'n'}, {long: "efidisk-only"}, {long: "cryptodisk-only"}, {long: "root-dev-only", short: 'r'},
	{long: "hint", short: 'h', value: true, repeat: true}, {long: "hint-ieee1275", value: true, repeat: true},
	{long: "hint-bios", value: true, repeat: true}, {long: "hint-baremetal", value: true, repeat: true},
	{long: "hint-efi", value: true, repeat: true}, {long: "hint-arc", value: true, repeat: true},
}

var searchKinds = []struct {
	option string
	by     By
}{{"label", ByLabel}, {"fs-uuid", ByFSUUID}, {"part-label", ByPartLabel}, {"part-uuid", ByPartUUID},
	{"disk-uuid", ByDiskUUID}, {"file", ByFile}}

// cmdSearch is search with options.
func cmdSearch(r *run, c *call) (int, error) {
	args := c.args
	for len(args) > 0 && strings.HasPrefix(args[0], "--hint-") { // of other platforms
		args = args[1:]
	}
	variable := ""
	if c.has("set") {
		if variable = c.value("set"); variable == "" {
			variable = "root"
		}
	}
	q := Query{NoFloppy: c.has("no-floppy"), EFIDiskOnly: c.has("efidisk-only"), RootDiskOnly: c.has("root-dev-only"),
		Root: r.get("root")}
	switch {
	case len(args) > 0:
		q.Key = args[0]
	case c.value("set") != "":
		q.Key, variable = c.value("set"), "root"
	default:
		return r.fail(errBadArgument, "one argument expected"), nil
	}
	q.Hints = append(append(append(q.Hints, c.given["hint"]...), c.given["hint-"+r.hintName()]...), c.given["hint-baremetal"]...)
	if c.has("cryptodisk-only") {
		return 0, r.lost("which encrypted disks there are is not known", 4, 8, 9)
	}
	for _, k := range searchKinds {
		if c.has(k.option) {
			q.By = k.by
			return r.search(q, variable)
		}
	}
	return r.fail(errInvalid, "unspecified search type"), nil
}

func (r *run) hintName() string {
	if strings.HasSuffix(r.image.target(), "-pc") {
		return "bios"
	}
	return "efi"
}

// cmdSearchOld is search.fs_uuid, search.fs_label and search.file: KEY [VARIABLE] [HINTS].
func cmdSearchOld(r *run, c *call) (int, error) {
	if len(c.args) == 0 {
		return r.fail(errBadArgument, "one argument expected"), nil
	}
	by := map[string]By{"search.fs_uuid": ByFSUUID, "search.fs_label": ByLabel, "search.file": ByFile}[c.name]
	q := Query{By: by, Key: c.args[0], Root: r.get("root")}
	variable := ""
	if len(c.args) > 1 {
		variable, q.Hints = c.args[1], c.args[2:]
	}
	return r.search(q, variable)
}

func (r *run) search(q Query, variable string) (int, error) {
	device, err := r.world.Search(q)
	switch {
	case errors.Is(err, ErrUnknown):
		return 0, r.lost(fmt.Sprintf("which device %s has is not known", q), 4, 8, 9)
	case notThere(err):
		if err := r.loadFileSystems(); err != nil {
			return 0, err
		}
		return r.fail(errFileNotFound, "no such device: %s", q.Key), nil
	case err != nil:
		return 0, fmt.Errorf("search for %s: %w", q, err)
	}
	if q.By == ByFile { // found by opening it
		if _, _, err := r.open(File{device, q.Key}.String(), Data, true); err != nil {
			return 0, err
		}
		if variable == "" {
			r.doubt(fmt.Sprintf("%s is opened on all devices that have it", q.Key), 9)
		}
	}
	if variable == "" {
		return ok, nil
	}
	return ok, r.set(variable, device)
}

// String describes what is searched for.
func (q Query) String() string {
	what := map[By]string{ByFSUUID: "the file system UUID", ByLabel: "the label", ByFile: "the file", ByPartUUID: "the partition UUID",
		ByPartLabel: "the partition label", ByDiskUUID: "the disk UUID"}[q.By]
	return what + " " + q.Key
}

var probeOptions = []option{{long: "set", short: 's', value: true}, {long: "driver", short: 'd'}, {long: "partmap", short: 'p'},
	{long: "fs", short: 'f'}, {long: "fs-uuid", short: 'u'}, {long: "label", short: 'l'}, {long: "part-uuid"}}

func cmdProbe(r *run, c *call) (int, error) {
	if len(c.args) == 0 {
		return r.fail(errBadArgument, "device name required"), nil
	}
	name := c.args[0]
	if strings.HasPrefix(name, "(") && strings.HasSuffix(name, ")") {
		name = name[1 : len(name)-1]
	}
	d, err := r.world.Device(name)
	switch {
	case errors.Is(err, ErrUnknown):
		return 0, r.lost(fmt.Sprintf("nothing is known about the device %s", name), 4, 8, 9)
	case notThere(err):
		return r.fail(errUnknownDevice, "disk `%s' not found", name), nil
	case err != nil:
		return 0, fmt.Errorf("look at %s: %w", name, err)
	}
	for _, p := range []struct{ option, value string }{{"driver", d.Driver}, {"partmap", d.PartMap}, {"part-uuid", d.PartUUID},
		{"fs", d.FS}, {"fs-uuid", d.FSUUID}, {"label", d.Label}} {
		if !c.has(p.option) {
			continue
		}
		if p.value == "" && p.option != "label" {
			return 0, r.lost(fmt.Sprintf("the %s of %s is not known", p.option, name), 4, 8, 9)
		}
		if c.has("set") {
			return ok, r.set(c.value("set"), p.value)
		}
		r.print(p.value)
		return ok, nil
	}
	return r.fail(errBadArgument, "unrecognised target"), nil
}

func cmdRegexp(r *run, c *call) (int, error) {
	if len(c.args) != 2 {
		return r.fail(errBadArgument, "two arguments expected"), nil
	}
	re, err := compileExtended(c.args[0])
	if err != nil {
		return 0, r.lost(fmt.Sprintf("the regular expression %q is not understood", c.args[0]), 4, 8, 9)
	}
	if err := r.charge(len(c.args[1])); err != nil {
		return 0, err
	}
	m := re.FindStringSubmatch(c.args[1])
	if m == nil {
		return errTestFailure, nil
	}
	at := re.FindStringSubmatchIndex(c.args[1])
	for _, v := range c.given["set"] {
		n, name := uint64(1), v
		if num, rest, found := strings.Cut(v, ":"); found {
			var tail string
			if n, tail, _ = strtoul(num, 10); tail != "" {
				return r.fail(errBadArgument, "invalid variable name format %s", v), nil
			}
			name = rest
		}
		var err error
		if n >= uint64(len(m)) || at[2*n] < 0 {
			err = r.unset(name)
		} else {
			err = r.set(name, m[n])
		}
		if err != nil {
			return 0, err
		}
	}
	return ok, nil
}

const maxPattern = 1000

// compileExtended compiles a POSIX extended regular expression. In its brackets a
// backslash is a character like others.
func compileExtended(s string) (*regexp.Regexp, error) {
	if len(s) > maxPattern {
		return nil, errors.New("the pattern is too long")
	}
	var sb strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			sb.WriteString(s[i : i+2])
			i++
			continue
		}
		if s[i] != '[' {
			sb.WriteByte(s[i])
			continue
		}
		end := bracketEnd(s, i)
		sb.WriteString(strings.ReplaceAll(s[i:end], `\`, `\\`))
		i = end - 1
	}
	return regexp.CompilePOSIX(sb.String())
}

// bracketEnd returns the index behind a bracket expression: a ] that comes first
// is part of it, and so are classes like [:alpha:].
func bracketEnd(s string, i int) int {
	i++
	if i < len(s) && s[i] == '^' {
		i++
	}
	if i < len(s) && s[i] == ']' {
		i++
	}
	for i < len(s) && s[i] != ']' {
		if strings.HasPrefix(s[i:], "[:") {
			if n := strings.Index(s[i:], ":]"); n >= 0 {
				i += n + 1
			}
		}
		i++
	}
	return min(i+1, len(s))
}
