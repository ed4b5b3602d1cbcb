package bootchain

import (
	"errors"
	"strings"
	"testing"
)

// run runs one script as GRUB's main configuration.
func runScript(text string) (*grubRun, error) {
	g := &grubRun{devices: map[string]string{"CAFE-0001": "hd0,gpt1"}, script: func(f grubFile) (string, error) {
		if f.path != "/grub.cfg" {
			return "", errors.New("no such script")
		}
		return text, nil
	}}
	return g, g.boot("(hd0,gpt1)/grub.cfg", true)
}

// measured lists what a run measures, a line each: PCR 8 as "8 text".
func (g *grubRun) measured() string {
	var sb strings.Builder
	for _, e := range g.effects {
		switch e.kind {
		case ranCommand:
			sb.WriteString("8 " + e.text + "\n")
		case setCmdline:
			sb.WriteString("8 cmdline " + e.text + "\n")
		case readScript, readData:
			sb.WriteString("9 " + e.text + "\n")
		case gotKernel:
			sb.WriteString("4 " + e.file.device + e.file.path + "\n")
		}
	}
	return sb.String()
}

const entry = "menuentry 'A' {\nlinux /k a=b\n}\n"

func TestRun(t *testing.T) {
	for _, test := range []struct{ why, script, want string }{
		{"words are joined by one space, blanks and comments go",
			"# comment\nset timeout=0;set  default=\"0\"\n" + entry,
			"9 (hd0,gpt1)/grub.cfg\n8 set timeout=0\n8 set default=0\n8 menuentry A {\nlinux /k a=b\n}\n8 setparams A\n8 linux /k a=b\n9 /k\n4 /k\n8 cmdline /k a=b\n"},
		{"variables are replaced, in strings too",
			"set timeout=0\nsearch --no-floppy --fs-uuid --set=root CAFE-0001\nset prefix=($root)/x\nmenuentry \"$prefix y\" {\nlinux ${prefix}/k\ninitrd /i1 /i2\n}",
			"9 (hd0,gpt1)/grub.cfg\n8 set timeout=0\n8 search --no-floppy --fs-uuid --set=root CAFE-0001\n8 set prefix=(hd0,gpt1)/x\n" +
				"8 menuentry (hd0,gpt1)/x y {\nlinux ${prefix}/k\ninitrd /i1 /i2\n}\n8 setparams (hd0,gpt1)/x y\n8 linux (hd0,gpt1)/x/k\n" +
				"9 (hd0,gpt1)/x/k\n4 hd0,gpt1/x/k\n8 cmdline (hd0,gpt1)/x/k\n8 initrd /i1 /i2\n9 /i1\n9 /i2\n"},
		{"the default entry is booted, all are measured",
			"default=1\ntimeout=5\n" + entry + "menuentry 'B' --id b --unrestricted { linux /l\n}\n",
			"9 (hd0,gpt1)/grub.cfg\n8 default=1\n8 timeout=5\n8 menuentry A {\nlinux /k a=b\n}\n8 menuentry B --id b --unrestricted { linux /l\n}\n" +
				"8 setparams B\n8 linux /l\n9 /l\n4 /l\n8 cmdline /l\n"},
	} {
		g, err := runScript(test.script)
		if err != nil {
			t.Errorf("%s: %v", test.why, err)
		} else if got := g.measured(); got != test.want {
			t.Errorf("%s: measures\n%swant\n%s", test.why, got, test.want)
		}
	}
}

// Whatever is not understood ends the run, with its place.
func TestRunRefuses(t *testing.T) {
	const begin = "set timeout=0\n"
	for _, test := range []struct{ script, want string }{
		{begin + "if [ a ]; then\nfi\n" + entry, `/grub.cfg line 2: "if" is not understood yet`},
		{begin + "[ a ]\n" + entry, `line 2: the command "[" is not understood yet`},
		{begin + "function f {\n}\n" + entry, `line 2: "function"`},
		{begin + "load_env\n" + entry, `line 2: the command "load_env"`},
		{begin + "submenu 'x' {\n" + entry + "}\n", `line 2: "submenu" with a block`},
		{begin + "echo a\\ b\n" + entry, `line 2: '\\' is not understood yet`},
		{begin + "echo \"a\\\"\"\n" + entry, `line 2: '\\' in a string`},
		{begin + "echo *\n" + entry, `line 2: '*' is not understood yet`},
		{begin + "echo a | b\n" + entry, `'|' is not understood yet`},
		{begin + "echo $1\n" + entry, "line 2: only variables with a name"},
		{begin + "echo ${a\n" + entry, "a brace is missing"},
		{begin + "echo $unset\n" + entry, "the value of $unset is not known"},
		{begin + "set default='a b'\necho $default\n" + entry, "line 3: $default would be split"},
		{begin + "set theme=/x\n" + entry, `setting the variable "theme"`},
		{begin + "set a\n" + entry, "set is understood with one assignment"},
		{begin + "set default=saved\n" + entry, `default="saved"`},
		{begin + "set default=+0\n" + entry, `default="+0"`},
		{begin + "set default=1\n" + entry, "default=1, and the menu has 1 entries"},
		{entry, "no timeout is set"},
		{begin, "default=0, and the menu has 0 entries"},
		{begin + "menuentry 'x' {\n}\n", "line 2: the menu entry loads no kernel"},
		{begin + "menuentry 'x' --users u {\n}\n", "menuentry --users"},
		{begin + "menuentry 'x' --class\n", "menuentry is understood with a title and a block"},
		{begin + "menuentry 'x' { echo a }\n", `'}' is not understood yet`},
		{begin + "menuentry 'x' {\nlinux /k # no\n}\n", "line 3: a comment in a block"},
		{begin + "menuentry 'x' {\n", "a block has no end"},
		{begin + "menuentry 'x' {\n} y\n", "something follows a block"},
		{begin + "menuentry 'x' {a\n}\n", `'a' after a brace`},
		{begin + "menuentry 'x' {\nlinux /k 'a b'\n}\n", "quotes in a kernel's command line"},
		{begin + "menuentry 'x' {\nlinux k\n}\n", `"k" is not understood as a file`},
		{begin + "menuentry 'x' {\ninitrd /i\n}\n", "initrd is understood with files, after linux"},
		{begin + "menuentry 'x' {\nconfigfile /grub.cfg\n}\n", "configfile is understood"},
		{begin + "linux /k\n", "linux is understood with a kernel, in a menu entry"},
		{begin + "search --label x --set=root\n", "search --label is not understood yet"},
		{begin + "search --fs-uuid --set=root CAFE-0002\n", "did not search for the file system CAFE-0002"},
		{begin + "echo 'a\n", "a quote has no end"},
		{begin + "echo \"a\n", "a quote has no end"},
		{"set timeout=0\r\n", `'\r' is not understood yet`},
		{"echo a\x00\n", `'\x00' is not understood yet`},
		{"configfile (hd0,gpt1)/grub.cfg\n", "more than 64 scripts"},
		{"source /other\n", "no such script"},
		{"source relative\n", `"relative" is not understood as a file`},
		{strings.Repeat("menuentry a {\n", 20), "nested too deeply"},
		{strings.Repeat("echo\n", 10001), "more than 10000 commands"},
	} {
		_, err := runScript(test.script)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.60q: error %v, want %q", test.script, err, test.want)
		}
	}
}

// A configuration of its own keeps root and prefix, and nothing else.
func TestConfigfileContext(t *testing.T) {
	g := &grubRun{vars: map[string]string{"root": "hd0", "prefix": "(hd0)/x", "timeout": "0"}, menu: make([]command, 2)}
	g.enterContext()
	if len(g.menu) != 0 || len(g.vars) != 2 || g.vars["root"] == "" || g.vars["prefix"] == "" {
		t.Errorf("menu %v, variables %v", g.menu, g.vars)
	}
}

// Any script ends, in an error that names the script or in a boot.
func FuzzGRUBScript(f *testing.F) {
	f.Add("set timeout=0\n" + entry)
	f.Add("search --no-floppy --fs-uuid --set=root CAFE-0001\nset prefix=($root)'/boot/grub'\nconfigfile $prefix/grub.cfg\n")
	f.Add("set timeout=0;default=\"0\" # x\nmenuentry \"A ${root}\" --class b { linux /k\ninitrd /i\n}")
	f.Add("source (hd0,gpt1)/grub.cfg")
	f.Fuzz(func(t *testing.T, script string) {
		g, err := runScript(script)
		if err == nil && !g.kernel {
			t.Error("a run that loads no kernel succeeds")
		}
		var refused *scriptError
		var search *needsDevice
		if err != nil && !errors.As(err, &refused) && !errors.As(err, &search) {
			t.Errorf("unexpected error %v", err)
		}
		again, _ := runScript(script)
		if g.measured() != again.measured() {
			t.Error("two runs differ")
		}
	})
}
