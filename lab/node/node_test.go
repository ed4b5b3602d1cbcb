package main

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestConsole(t *testing.T) {
	var log bytes.Buffer
	var heard []string
	c := &console{log: &log, bell: new(bell)}
	c.heard = func(line string, _ time.Duration) { heard = append(heard, line) }
	// As GRUB and askpass write: colors, a cursor that is sent about, and a prompt without an end.
	for _, piece := range []string{"\x1b[2J\x1b[01;01HBds", "Dxe: starting\r\n\x1b[0", "m\x1b[10;5HWelcome\r\n\x00Recovery key for root: "} {
		if _, err := c.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"BdsDxe: starting", "Welcome"}; strings.Join(heard, "|") != strings.Join(want, "|") {
		t.Errorf("lines %q, want %q", heard, want)
	}
	if found, ok := c.find(regexp.MustCompile("Wel.*")); !ok || found != "Welcome" {
		t.Errorf("found %q, %v", found, ok)
	}
	if _, ok := c.find(regexp.MustCompile("BdsDxe")); ok {
		t.Error("what lies before what was found was found again")
	}
	if asked := prompt.FindString(c.unread()); asked != "Recovery key for root: " {
		t.Errorf("the prompt is %q", asked)
	}
	for text, want := range map[string]bool{
		"Please unlock disk cryptroot: ": true, "x\nPIN for root (Enter alone: recovery key): ": true,
		"bootseal: root: opened by the recovery key (what to do:": false,
	} {
		if got := prompt.MatchString(text); got != want {
			t.Errorf("%q asks for a key: %v", text, got)
		}
	}
	if !strings.HasPrefix(log.String(), "\x1b[2J") {
		t.Error("the log lacks what came")
	}
}

func TestAgent(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "agent"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a := &agent{bell: new(bell), answers: make(map[int]answer)}
	go a.serve(l)
	node, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	say := func(line string, until func() bool) {
		t.Helper()
		for io.WriteString(node, line+"\n"); ; {
			rung := a.bell.next()
			if until() {
				return
			}
			<-rung
		}
	}
	say("ready 1234", func() bool { return a.bootCount() == 1 })
	number, err := a.send("echo hello")
	if err != nil || number != 1 {
		t.Fatalf("number %d, %v", number, err)
	}
	var got [100]byte
	n, _ := node.Read(got[:])
	if want := "1 " + base64.StdEncoding.EncodeToString([]byte("echo hello")) + "\n"; string(got[:n]) != want {
		t.Errorf("the node got %q, want %q", got[:n], want)
	}
	var out answer
	say("garbage\ndone x 0 - -\ndone 1 3 aGVsbG8K -", func() (ok bool) { out, ok = a.answer(1); return ok })
	if want := (answer{3, "hello\n", ""}); out != want {
		t.Errorf("answer %+v, want %+v", out, want)
	}
}

// TestScenarios reads each script as the engine does: a command that there is, a first sentence,
// a state that another script saves.
func TestScenarios(t *testing.T) {
	all, err := allScenarios()
	if err != nil || len(all) == 0 {
		t.Fatalf("%d scenarios, %v", len(all), err)
	}
	known := (&laboratory{}).commands()
	builtin := regexp.MustCompile(`^(cp|cmp|exec|stdout|stderr|grep|env|exists|mkdir|rm)$`)
	for _, s := range all {
		if s.Title == "" {
			t.Errorf("%s: the first line is no sentence that says what happens", s.Name)
		}
		script, _, _ := strings.Cut(s.text, "\n-- ")
		for line := range strings.Lines(script) {
			words := strings.Fields(strings.TrimPrefix(line, "!"))
			if len(words) == 0 || strings.HasPrefix(words[0], "#") {
				continue
			}
			if known[words[0]] == nil && !builtin.MatchString(words[0]) {
				t.Errorf("%s: no command is named %q", s.Name, words[0])
			}
		}
		if state := s.word("from"); distributionOf(state) == nil {
			if _, err := maker(state); err != nil {
				t.Errorf("%s: %v", s.Name, err)
			}
		}
	}
}

func TestNewScenario(t *testing.T) {
	s := newScenario("x", "# It opens. Again and\n# again.\n# quick\nfrom enrolled\nboot\nsave it\n# quick\n")
	if s.Title != "It opens" || !s.Quick || s.word("from") != "enrolled" || s.word("save") != "it" || s.uses("unpack") {
		t.Errorf("%+v", s)
	}
	if s := newScenario("x", "boot\n# quick\n"); s.Quick || s.word("from") != "" {
		t.Errorf("%+v", s)
	}
}

func TestSentence(t *testing.T) {
	r := &recorder{}
	r.run(func() { r.Log("> opened"); r.Fatal("FAIL: /tmp/x/upgrade.txt:7: the disk did not open by itself") })
	if got, want := r.sentence(), "upgrade.txt:7: the disk did not open by itself"; got != want || !r.failed {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestSideBySide(t *testing.T) {
	columns := []*column{{title: "left", lines: []string{"a", strings.Repeat("b", 30)}}, {title: "right", lines: []string{"1", "2", "3", "4"}}}
	rows := sideBySide(columns, 43, 5)
	want := []string{
		"left                │ right",
		strings.Repeat("─", 19) + " │ " + strings.Repeat("─", 19),
		"a                   │ 2",
		strings.Repeat("b", 19) + " │ 3",
		"  " + strings.Repeat("b", 11) + strings.Repeat(" ", 6) + " │ 4",
	}
	for i := range want {
		if strings.ReplaceAll(rows[i], " ", "") != strings.ReplaceAll(want[i], " ", "") {
			t.Errorf("row %d is %q, want %q", i, rows[i], want[i])
		}
	}
	if got := shortened("a b c", 4); got != "a b …" {
		t.Errorf("%q", got)
	}
	if got := printable("a\x1b[2Jb\x00\ufffd"); got != "a[2Jb" {
		t.Errorf("%q", got)
	}
}

// What the lab says of a scenario is in its column, and what it does for all in each.
func TestNote(t *testing.T) {
	b := newBesides(nil, []scenario{{Name: "a"}, {Name: "b"}})
	b.note("build the package")
	b.note("a: passed, 1 s")
	b.note("c: saves what b begins with")
	var got []string
	for _, c := range b.columns {
		got = append(got, strings.Join(c.lines, "|"))
	}
	want := []string{"· build the package|· a: passed, 1 s|· c: saves what b begins with", "· build the package|· c: saves what b begins with"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestPicture(t *testing.T) {
	svg := picture([]*column{{title: "a: <b> & c", verdict: "as told", lines: []string{"$ x </text>", "bootseal: PCR 4"}}})
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// Nothing is fetched from another distribution's archive unless somebody asks for it.
func TestForeign(t *testing.T) {
	l := &laboratory{work: t.TempDir()}
	for _, d := range distributions {
		if d.Keys == (keyring{}) {
			continue
		}
		_, err := l.open(t.Context(), &d)
		if !skips(err) || !errors.Is(err, errForeign) {
			t.Errorf("%s: %v", d.Name, err)
		}
	}
}

func TestMakersFirst(t *testing.T) {
	chosen := []scenario{{text: "boot\n"}, {text: "boot\nsave a\n"}, {text: "cut\n"}, {text: "save b\n"}}
	if got := makersFirst(chosen); !slices.Equal(got, []int{1, 3, 0, 2}) {
		t.Errorf("%v", got)
	}
}
