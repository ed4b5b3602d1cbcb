package grub

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// These tests run scripts in the real GRUB, built as a program for Linux, and hold
// what it prints against what Run prints.

// emu runs one grub.cfg in grub-emu and returns what it printed.
func emu(t *testing.T, dir, cfg string) string {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "grub.cfg"), []byte(cfg), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "grub-emu", "-d", dir, "-r", "host").CombinedOutput()
	if ctx.Err() != nil {
		return "does not end: " + string(out)
	}
	if err != nil {
		t.Fatalf("grub-emu: %v\n%s\n%s", err, cfg, out)
	}
	return string(out)
}

var escapes = regexp.MustCompile("\x1b\\[[0-9;]*[a-zA-Z]")

// printed leaves what scripts print: no escape sequences, no messages of GRUB's.
// Line ends go, too, as GRUB breaks long lines.
func printed(s string) string {
	s = escapes.ReplaceAllString(strings.ReplaceAll(s, "\r", ""), "")
	var sb strings.Builder
	for line := range strings.Lines(s) {
		line = strings.TrimSuffix(line, "\n")
		if line == "Welcome to GRUB!" || strings.HasPrefix(line, "error: ") || strings.HasPrefix(line, "  Booting `") ||
			strings.HasPrefix(line, "   Falling back to `") || strings.HasPrefix(line, "Press any key") {
			continue
		}
		sb.WriteString(line)
	}
	return sb.String()
}

// samePrinted compares our output with GRUB's, which drops a blank where it
// breaks a line.
func samePrinted(ours, theirs string) bool {
	a, b := printed(ours), printed(theirs)
	for line := range strings.Lines(ours) {
		if len(line) > 78 {
			return strings.ReplaceAll(a, " ", "") == strings.ReplaceAll(b, " ", "")
		}
	}
	return a == b
}

// ours runs the same grub.cfg with Run.
func ours(t *testing.T, dir, cfg string) Outcome {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "grub.cfg"), []byte(cfg), 0o600); err != nil {
		t.Fatal(err)
	}
	w := Disks{{Name: "host", Files: os.DirFS("/"), Ordered: true}}
	i := &Image{Binary: Binary{Dialect: Debian, Prefix: dir}, Device: "host", CPU: "x86_64", Platform: "emu"}
	out, err := Run(w, i, Options{MaxOutcomes: 1})
	if err != nil {
		t.Fatal(err)
	}
	return out[0]
}

// compareWithGRUB compares scripts that end by themselves.
func compareWithGRUB(t *testing.T, scripts func(yield func(string) bool)) {
	if _, err := exec.LookPath("grub-emu"); err != nil {
		t.Skip("grub-emu is not installed (Debian's package grub-emu)")
	}
	dir, err := os.MkdirTemp("/tmp", "g")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.MkdirAll(dir+"/d/e", 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"f": "text", "empty": "", "d/one.x": "1", "d/e/two.x": "2", "d/a b": "3",
		"inc": "echo included $config_file\nset inner=1\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ran, differ := 0, 0
	for cfg := range scripts {
		cfg = preamble + strings.ReplaceAll(cfg, "%D", dir) + "\nhalt\n"
		o := ours(t, dir, cfg)
		if o.End != Off {
			continue // the real one would wait for somebody
		}
		ran++
		if want := emu(t, dir, cfg); !samePrinted(o.Output, want) {
			if differ++; differ <= 10 {
				t.Errorf("the script\n%s\nprints %q, in GRUB %q", cfg, printed(o.Output), printed(want))
			}
		}
	}
	t.Logf("%d scripts, %d differ", ran, differ)
	if ran == 0 {
		t.Error("no script ran")
	}
}

const preamble = `function show { for a in "$@"; do echo "<$a>"; done; echo "#$#"; }
`

// Each of these shows one rule of the language.
func TestRulesAgainstGRUB(t *testing.T) {
	compareWithGRUB(t, func(yield func(string) bool) {
		for _, s := range rules {
			if !yield(s) {
				return
			}
		}
	})
}

var rules = []string{
	// Words and quotes.
	`show a b  c`, `show 'a b' "c d" e\ f`, `show "" '' x`, `show a''b "c"'d'e`, `show \a \\ \' \"`, `show "\a \\ \" \$ \n"`,
	"show a\\\nb", "show a \\\n b", "show \"a\\\nb\"", "show 'a\\\nb'", "show \"two\nlines\"", "show 'a\nb' c",
	`show a#b #c`, "# comment\nshow a # b\n", `show a;show b`, `show a; show b;`, "show a\n\n\nshow b", `show $`, `show a$ b`, `show "a$"`,
	`show a}`, `show {a}`, `show a{b`, `show a|b`, `show a&&b`, `show <a`, `show [ a ]`, `show [[ a`, `show a=b c=d`, `show !`, `show a!b`,
	`show if then fi`, `show function`, `show ~ % ^ @ : ,`, `show -n --x`, "show a\tb", `show *`, `show ? a*b`, `show "*" '?' \*`,
	// Variables.
	`x=1; show $x ${x} "$x" '$x' a${x}b a$xb`, `x="a b"; show $x "$x" y$x"z"`, `x=; show $x "$x" a$x`, `show $unset "$unset" "a$unset" $unset"b"`,
	`x=" a  b "; show $x "$x"`, `x='a\b'; show $x "$x"`, `x='a\*b'; show $x "$x"`, `x='\?'; show $x "$x"`, `x=*; show $x "$x"`,
	`set x=1 y=2; show $x $y`, `set x; show $?`, `set =1; show $?`, `x=1; unset x; show "$x"`, `1=2; show "$1"`, `_a1=x; show $_a1 ${_a1}`,
	`x=a=b; show $x`, `show ${x`, `show ${} `, `show "$x$y"`, `set x=a; set x=$x$x; show $x`, `a.b=1; show ${a.b}`, `x=$'a'; show $x`,
	`x="'"; show $x`, `x='"'; show $x "$x"`, `x='$y'; y=1; show $x`, `show $$`, `show $x$`,
	// Messages.
	`x=1; show $"a $x b"`, `show $"a\"b" $"a\\b" $"\$x"`, `show $"${x}y" $"a$"`, "show $\"a\nb\"", `show $"$?"`, `show $"a*b"`, `show $""`, `x=1; show \ $"m $x"`, `show a\*$"m"`,
	// Positional parameters.
	`function f { show $1 "$2" $3 $#; }; f a "b c"`, `function f { show $*; }; f "a b" c`, `function f { show "$*"; }; f "a b" c`,
	`function f { show "$@"; }; f "a b" c`, `function f { show $@; }; f "a b" c`, `function f { show x"$@"y; }; f a b`, `function f { show "$@"; }; f`,
	`function f { show x"$*"y; }; f`, `function f { shift; show "$@"; }; f a b c`, `function f { shift 2; show "$@"; }; f a b c`,
	`function f { shift 5; show "$?" "$@"; }; f a`, `function f { setparams x y; show "$@"; }; f a b c`, `function f { shift; setparams x; show "$@"; }; f a b`,
	`show "$1" "$#" "$@"`, `function f { show "$10" "${1}0" "$0"; }; f a b`, `function f { show "$@" "$#"; }; f "" a ""`,
	`function f { for i; do show $i; done; }; f a`, `function f { show $"$# $1"; }; f a b`,
	// Status.
	`true; show $?`, `false; show $?`, `! true; show $?`, `! false; show $?`, `nosuch; show $?`, `! nosuch; show $?`, `x=1; show $?`,
	`function f { return 3; }; f; show $?`, `function f { false; return; }; f; show $?`, `function f { true; }; f; show $?`,
	`function f { return; echo no; }; f; show end`, `function f { return x; }; f; show $?`, `return; show a`, `if nosuch; then show y; else show n; fi`,
	`! ! true; show $?`, `!; show $?`, `set x=1; show $?; insmod nosuch; show $?`, `function f { return 0x10; }; f; show $?`,
	// Conditions.
	`if true; then show y; fi`, `if false; then show y; else show n; fi`, `if false; then show a; elif true; then show b; else show c; fi`,
	"if true\nthen\nshow a\nfi", "if true; then\n\nshow a\n\nelse\nshow b\nfi", `if true; then; show a; fi`, `if true then show a; fi`, `if true; then fi`,
	`if ! true; then show a; else show b; fi`, `if true; false; then show a; else show b; fi`, `if [ a = a ]; then show y; fi`, `if true; then show a; fi; show b`,
	`if true; then show a; fi show b`, `if true; then show a; else; show b; fi`, `fi`, `then show a`, `else`, "if true; then\nshow a\n}\nshow b\nfi",
	`if true; then if false; then show a; else show b; fi; else show c; fi`, `if; then show a; fi`,
	// Loops.
	`for i in a b c; do show $i; done`, `for i in; do show $i; done; show e`, `x="a b"; for i in $x "$x"; do show $i; done`, `for i in a b; do show $i; break; done`,
	`for i in a b c; do if [ $i = b ]; then continue; fi; show $i; done`, `for i in a b; do for j in 1 2; do show $i$j; break 2; done; done`,
	`for i in a b; do for j in 1 2; do show $i$j; continue 2; done; done`, `for i in a b; do for j in 1 2; do break 9; done; show no; done; show e`,
	`break; show a`, `for i in a; do break 0; show $?; done`, `for i in a; do break x; show $?; done`, "for i in a b\ndo\nshow $i\ndone",
	`for i in do done in; do show $i; done`, `for do in a; do show x; done`, `for 1 in a; do show x; done`, `for i in a b; do show $i; done; show $i`,
	`x=aaa; while [ "$x" != a ]; do if [ "$x" = aaa ]; then x=aa; else x=a; fi; show $x; done`, `x=; until [ "$x" = aa ]; do x=a$x; show $x; done`,
	`while false; do show no; done; show $?`, `while true; do break; done; show $?`, `until true; do show no; done; show $?`,
	`for i in a b c; do show $i; false; done; show $?`, `function f { for i in a b; do return 4; done; }; f; show $?`, `function f { while true; do return 5; done; }; f; show $?`,
	`for i in a b; do function f { show x; }; done; f`, `for i in a b c; do true; continue; show no; done; show $i`,
	`for i in a b; do eval break; show no; done; show e`, `function f { break; show in; }; for i in a b; do f; show $i; done`,
	// Functions.
	`function f { show a; }; f; f`, "function f\n{\nshow a\n}\nf", `function f { show 1; }; function f { show 2; }; f`, `function f { g; }; function g { show g; }; f`,
	`f; function f { show a; }; f`, `function f { function g { show g; }; }; show $?`, `function f { show a }; f`, `function f { }; show a`, `function a-b { show a; }`,
	`function f { f2=1; }; f; show $f2`, `function f { function_x=1; show "$1"; }; f "$@"`, `function if { show a; }`, `function f { echo a; echo b; }; f x`,
	`function echo { show no; }; echo a`, `function f { if [ "$1" = x ]; then return 1; fi; f x; show $?; }; f`, "function f {\n# comment\nshow a # b\n}\nf",
	// Tests.
	`[ ]; show $?`, `[ a ]; show $?`, `[ "" ]; show $?`, `[ a = a ]; show $?`, `[ a == b ]; show $?`, `[ a != b ]; show $?`, `[ a < b ]; show $?`, `[ a \< b ]; show $?`,
	`[ a ">" b ]; show $?`, `[ 2 -gt 10 ]; show $?`, `[ 10 -ge 10 ]; show $?`, `[ -1 -lt 0 ]; show $?`, `[ 0x10 -eq 16 ]; show $?`, `[ 010 -eq 8 ]; show $?`, `[ a -eq 0 ]; show $?`,
	`[ 3a -eq 3 ]; show $?`, `[ 4294967296 -eq 0 ]; show $?`, `[ 99999999999999999999 -gt 1 ]; show $?`, `[ v-2 -plt v-11 ]; show $?`, `[ v-11 -pgt v-2 ]; show $?`, `[ a -plt b ]; show $?`, `[ x -pgt x ]; show $?`,
	`[ -z "" ]; show $?`, `[ -n "" ]; show $?`, `[ -n a -a -z b ]; show $?`, `[ -n a -o -z b ]; show $?`, `[ ! a ]; show $?`, `[ ! -z a ]; show $?`, `[ ! a = b ]; show $?`,
	`[ ( a ) ]; show $?`, `[ ( a = b ) -o c ]; show $?`, `[ ! ( a = a -a b = b ) ]; show $?`, `[ a -a ( b = c -o d ) ]; show $?`, `[ a ) b ]; show $?`, `[ ( a ]; show $?`, `[ a b c ]; show $?`,
	`[ "" -o "" -o a ]; show $?`, `[ a -o "" -a "" ]; show $?`, `[ "" -a a -o b ]; show $?`, `[ = ]; show $?`, `[ -n ]; show $?`, `[ -z ]; show $?`, `[ ! ]; show $?`, `[ a = ]; show $?`, `[ = a ]; show $?`,
	`test a = a; show $?`, `test a = a ]; show $?`, `[ a = a; show $?`, `[ -a ]; show $?`, `[ -o ]; show $?`, `[ a -ne b ]; show $?`, `[ 1 -le 1 -a 2 -ne 2 ]; show $?`, `[ "$x" = "" ]; show $?`, `[ $x = a ]; show $?`, `[ x$x = x ]; show $?`,
	`[ -f %D/f ]; show $?`, `[ -e %D/d ]; show $?`, `[ -d %D/d ]; show $?`, `[ -f %D/d ]; show $?`, `[ -d %D/f ]; show $?`, `[ -s %D/f ]; show $?`, `[ -s %D/empty ]; show $?`, `[ -s %D/none ]; show $?`,
	`[ -e (host)%D/f ]; show $?`, `[ -e (nosuch)%D/f ]; show $?`, `[ -e %D/d/ ]; show $?`, `[ -e %D//f ]; show $?`, `[ -e %D/../g ]; show $?`, `[ %D/none -ot %D/f ]; show $?`, `[ %D/f -nt %D/none ]; show $?`,
	// Wildcards.
	`show %D/d/*.x`, `show %D/d/one.?`, `show %D/*/one.x`, `show %D/*/e/two.x`, `show %D/d/none*`, `show "%D/d/*.x"`, `show %D/d/\*.x`, `x=%D/d/*.x; show $x "$x"`, `show (host)%D/d/o*`, `show %D/d/one.*x`,
	`show %D/*/*/two.x`, `show %D/d/[o]ne.x`, `show %D/d/a*`, `for f in %D/d/o*.x; do show $f; done`, `show d/*.x`, `show %D/d*/one.x`, `show %D/x*/one.x`, `show %D/d/?ne.x`, `set p=%D/d; show $p/o* "$p"/o*`,
	// Expressions.
	`regexp a abc; show $?`, `regexp ^b abc; show $?`, `regexp --set x 'a(.)c' abc; show $x`, `regexp --set 1:x --set 2:y '(a)(b)?' ac; show "$x" "$y"`, `regexp '[[:digit:]]+' a1; show $?`,
	`regexp -s x '(b+)' abbb; show $x`, `regexp --set=x '^(.*)-(.*)$' a-b-c; show $x`, `regexp --set 2:x '^(a|ab)(c|bcd)' abcd; show $x`, `regexp 'a\.b' a.b; show $?`, `regexp '[\.]' '\'; show $?`, `regexp a; show $?`,
	`regexp --set 0:x 'b.' abc; show $x`, `regexp --set 9:x a a; show "$x"`, `regexp 'a{2}' aa; show $?`, `regexp --set x '([^/]*)$' /a/b; show $x`,
	// Other commands.
	`eval "show a; show b"`, `eval show '"a b"'`, `eval 'x=1'; show $x`, `eval; show $?`, `eval false; show $?`, `eval 'if true; then show a; fi'`, `eval 'show a
show b'`, `eval "}"; show $?`, `eval "show 'a"; show $?`,
	`echo -e 'a\nb\\c\qd'; echo -x y; echo -- -n z; echo a -n`, `echo -n -e a; echo b`, `echo -ne 'x\n'`, `echo -e 'a\cb'; echo c`, `echo "-n" q`,
	`source %D/inc; show $inner "$config_file"`, `. %D/inc; show $inner`, `configfile %D/inc; show "$inner"`, `source %D/none; show $?`, `source; show $?`, `x=1; export x; configfile %D/inc; show $x`,
	`export; show $?`, `export q; show "$q"`, `unset; show $?`, `true a b; show $?`, `clear`, `sleep 0; show $?`, `sleep; show $?`,
	`search --file --set=x %D/f; show $x`, `search.file %D/f x; show $x`, `search --nosuch a; show $?`, `menuentry; show $?`, `menuentry a; show $?`, `menuentry a { }; show $?`,
	// Errors end a logical line, and the next one is run.
	"show a; }; show b\nshow c", "if true; then show a; )\nfi\nshow c", "show a\nshow 'b\nshow c'\nshow d", "menuentry x {\nshow (a\n}\nshow c", ";show a\nshow b", "show a;;show b\nshow c", "function f { show a\nshow b", "{ show a; }\nshow b", "show a ;\nshow b", "if true; then\nshow a;\n;\nfi\nshow b",
}

// Menus: which entry runs, with which variables.
func TestMenusAgainstGRUB(t *testing.T) {
	const entries = `
set timeout=0
menuentry 'A>x' --id a --class c { show a "$@" "$chosen" "$default" "$timeout"; X=1; halt
}
submenu 'S' --id s extra {
  show in "$default" "$chosen" "$timeout" "$V" "$E"
  menuentry 'B' { show b "$1" "$chosen" "$default"; halt
  }
  submenu T {
    menuentry 'D' --id d more "args 2" { show d "$@" "$chosen"; halt
    }
  }
}
menuentry 'C' "p q" { show c "$@" "$chosen"; %R
}
menuentry 'F' { show f "$chosen" "$fallback"; halt
}
`
	compareWithGRUB(t, func(yield func(string) bool) {
		for _, first := range []string{"", "set default=0", "set default=1", "set default=2", "set default=3", "set default=9", "set default=-1", "set default=a",
			"set default='A>>x'", "set default='A>x'", "set default=s", "set default=S", "set default='s>B'", "set default='1>0'", "set default='1>1>0'", "set default='S>T>d'",
			"set default='S>T>D'", "set default='1>1>d'", "set default='s>9'", "set default='1x'", "set default='C>'", "set default=' 2'", "set default=0x2", "set default=''",
			"V=1\nE=2\nexport E\nset default=1", "set fallback=3\nset default=2", "set fallback='x'\nset default=0", "set default='s>nosuch'", "set default='A'"} {
			for _, end := range []string{"halt", "false", "true"} {
				if !yield(first + strings.ReplaceAll(entries, "%R", end) + "\nset end=1\nmenuentry end { halt; }\nif false; then\n") {
					return
				}
			}
		}
	})
}

// generator makes scripts at random that end.
type generator struct {
	*rand.Rand
	depth int
	calls bool // functions may be called
	odd   int  // of 100 words, how many are likely to be syntax errors
}

func (g *generator) pick(s ...string) string { return s[g.IntN(len(s))] }

func (g *generator) word() string {
	var sb strings.Builder
	for range 1 + g.IntN(3) {
		if g.IntN(100) < g.odd {
			sb.WriteString(g.pick(`"`, "'", "$", "{", "}", ";", "<", "|", "#", "[[", "\n", "&", "${", "\\"))
			continue
		}
		sb.WriteString(g.pick("a", "b", "1", "-n", "=", `\ `, `\\`, `\*`, "$x", "${y}", `"$x"`, `"$y z"`, "'$x'", `""`, "''",
			`"a  b"`, `$"m $x"`, "$?", `"$@"`, "$*", "$1", "$#", "\\\n", "*", "?", "/", "(", ")", "[", "]", "!", "in", "do", "fi", "~", `"\\$'\""`, "x#y"))
	}
	return sb.String()
}

func (g *generator) words() string {
	var list []string
	for range 1 + g.IntN(4) {
		list = append(list, g.word())
	}
	return strings.Join(list, " ")
}

func (g *generator) condition() string {
	term := func() string {
		return g.pick("true", "false", "nosuch", `[ "$x" = a ]`, `[ $x = a ]`, "[ "+g.word()+" ]", `[ -n "$y" -a ! a = b ]`, "[ $# -gt 1 ]", `[ "$x" -lt 5 -o "$y" ]`,
			"[ "+g.pick("3", "x", "-2", "0x1f", `"$y"`)+" "+g.pick("-eq", "-ne", "-lt", "-plt", "-pgt", "=", "!=", ">=", "-ge")+" "+g.pick("3", "007", "b", "-2", `"$x"`)+" ]",
			"test "+g.words())
	}
	return g.pick("", "", "! ") + term()
}

func (g *generator) command() string {
	if g.depth++; g.depth > 4 {
		g.depth--
		return "show " + g.words()
	}
	defer func() { g.depth-- }()
	end := func() string { return g.pick("; ", "\n", " ;\n", "\n\n", "\n# c\n") }
	switch g.IntN(14) {
	case 0:
		return "if " + g.condition() + end() + "then " + g.list() + end() + "fi"
	case 1:
		return "if " + g.condition() + end() + "then\n" + g.list() + end() + "else " + g.list() + end() + "fi"
	case 2:
		return "if " + g.condition() + "; then " + g.list() + end() + "elif " + g.condition() + "; then " + g.list() + "; else\n" + g.list() + "\nfi"
	case 3:
		return "for " + g.pick("x", "i") + " in " + g.words() + end() + "do " + g.list() + end() + "done"
	case 4:
		return "for i in " + g.words() + "; do " + g.list() + "; " + g.pick("break", "continue", "break 2", "continue 2", "return 2") + "; " + g.list() + "; done"
	case 5:
		return g.pick("x", "y", "set x", "set y") + "=" + g.word()
	case 6:
		if g.calls {
			return g.pick("f", "g") + " " + g.words()
		}
	case 7:
		return "shift " + g.pick("", "1", "2")
	case 8:
		return "setparams " + g.words()
	case 9:
		return g.condition()
	case 10:
		return "eval " + g.words()
	}
	return "show " + g.words()
}

func (g *generator) list() string {
	var list []string
	for range 1 + g.IntN(2) {
		list = append(list, g.command())
	}
	return strings.Join(list, g.pick("; ", "\n"))
}

func (g *generator) script() string {
	var sb strings.Builder
	g.odd, g.calls = 2*g.IntN(2), false
	for _, f := range []string{"f", "g"} {
		fmt.Fprintf(&sb, "function %s { %s; show \"$@\"; }\n", f, g.list())
	}
	g.calls = true
	for range 2 + g.IntN(4) {
		sb.WriteString(g.command() + "\n")
	}
	return sb.String()
}

func TestRandomScriptsAgainstGRUB(t *testing.T) {
	n := 150
	if s := os.Getenv("GRUB_SCRIPTS"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	if testing.Short() {
		n = 50
	}
	g := &generator{Rand: rand.New(rand.NewPCG(1, 2))}
	compareWithGRUB(t, func(yield func(string) bool) {
		for range n {
			if !yield(g.script()) {
				return
			}
		}
	})
}
