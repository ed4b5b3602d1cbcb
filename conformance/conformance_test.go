package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A test with subtests fails because of them: only they are results. A package
// that does not compile is a result itself.
func TestReadEvents(t *testing.T) {
	const events = `
{"Action":"output","Package":"github.com/o/m/p","Test":"TestA/sub","Output":"    a_test.go:1: the reason\n"}
{"Action":"output","Package":"github.com/o/m/p","Test":"TestA/sub","Output":"--- FAIL: TestA/sub\n"}
{"Action":"fail","Package":"github.com/o/m/p","Test":"TestA/sub"}
{"Action":"fail","Package":"github.com/o/m/p","Test":"TestA"}
{"Action":"pass","Package":"github.com/o/m/p","Test":"TestB"}
{"Action":"output","Package":"github.com/o/m/p","Test":"TestC","Output":"    c_test.go:1: no device\n"}
{"Action":"skip","Package":"github.com/o/m/p","Test":"TestC"}
{"Action":"fail","Package":"github.com/o/m/p"}
{"Action":"output","Package":"github.com/o/m/q","Output":"q.go:1: syntax error\n"}
{"Action":"fail","Package":"github.com/o/m/q"}
{"Action":"pass","Package":"github.com/o/m/r"}`
	results, err := readEvents(strings.NewReader(events))
	if err != nil {
		t.Fatal(err)
	}
	want := []result{
		{"p/TestA/sub", failed, "a_test.go:1: the reason"},
		{name: "p/TestB"},
		{"p/TestC", skipped, "c_test.go:1: no device"},
		{"q", failed, "q.go:1: syntax error"},
	}
	if !slices.Equal(results, want) {
		t.Errorf("%+v, want %+v", results, want)
	}
}

// A script's lines are its checks.
func TestReadChecks(t *testing.T) {
	results, err := readChecks(strings.NewReader("ok a: one\nnot ok a: two # a reason\nskip b: three # no way\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []result{{name: "a: one"}, {"a: two", failed, "a reason"}, {"b: three", skipped, "no way"}}
	if !slices.Equal(results, want) {
		t.Errorf("%+v, want %+v", results, want)
	}
}

// What fails must be known, and what is known must fail.
func TestJudge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "suite.txt")
	const list = "# a comment\n\nknown: its reason\ngone: its reason\n?network: there is none\n"
	if err := os.WriteFile(path, []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	known, err := readKnown(path)
	if err != nil {
		t.Fatal(err)
	}
	r := judge("suite", []result{{"known", failed, ""}, {"new", failed, "oh"}, {name: "gone"}, {name: "network"}}, known)
	if len(r.fresh) != 1 || r.fresh[0].name != "new" || !slices.Equal(r.stale, []string{"gone"}) || !r.unexpected() {
		t.Errorf("fresh %v, stale %v", r.fresh, r.stale)
	}
	var out bytes.Buffer
	r.print(&out, false)
	if !strings.HasPrefix(out.String(), "suite: 2 passed, 2 failed (1 of them known), 0 skipped\n") {
		t.Error(out.String())
	}
	if r := judge("suite", nil, nil); !r.unexpected() {
		t.Error("a suite without results is as expected")
	}
}

// A list that says no reason is refused; no list is an empty one.
func TestKnownNeedReasons(t *testing.T) {
	path := filepath.Join(t.TempDir(), "suite.txt")
	if known, err := readKnown(path); len(known) != 0 || err != nil {
		t.Errorf("no list: %v, %v", known, err)
	}
	if err := os.WriteFile(path, []byte("name\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readKnown(path); err == nil {
		t.Error("a name without a reason is taken")
	}
}
