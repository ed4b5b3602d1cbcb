package matrix

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// row is a boot whose PCRs are all right, but for those that are given otherwise.
func row(change string, others map[int]Cell) Row {
	r := Row{Change: change, Seconds: 12.3, Path: "Boot0001", PCRs: make(map[string]Cell)}
	for _, i := range compared {
		r.PCRs[strconv.Itoa(i)] = Right
	}
	for i, c := range others {
		r.PCRs[strconv.Itoa(i)] = c
		if c == Unknown {
			r.Doubts = append(r.Doubts, "PCR "+strconv.Itoa(i)+": who knows")
		} else {
			r.What, r.Kept = "PCR "+strconv.Itoa(i)+": something else", "kept/x-2"
		}
	}
	return r
}

// run is a run of one chain with a version of shim.
func run(name, shim string, rows ...Row) *Report {
	return &Report{Scenarios: []Chain{{Name: name, Chain: "shim, " + name, Versions: []Version{{"shim", shim}, {"qemu", "7"}}, Rows: rows}}}
}

// newLedger returns the path of an empty ledger.
func newLedger(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "boots.json")
	if err := os.WriteFile(path, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func record(t *testing.T, path string, found *Report) (grew bool) {
	t.Helper()
	grew, err := Record(path, "lab/predict", found)
	if err != nil {
		t.Fatal(err)
	}
	return grew
}

// known is the ledger in short: "change: what is unknown; sets".
func known(t *testing.T, path string) string {
	t.Helper()
	l, err := ReadLedger(path)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, h := range l.Chains {
		for _, s := range h.Rows {
			line := h.Name + " " + s.Change + ": "
			for _, i := range s.Unknown {
				line += strconv.Itoa(i) + "? "
			}
			lines = append(lines, line+"in "+ranges(s.With))
		}
	}
	return strings.Join(lines, "\n")
}

func TestRecord(t *testing.T) {
	unknown9 := map[int]Cell{9: Unknown}
	for _, tt := range []struct {
		name  string
		runs  []*Report
		want  []string
		still bool // the last run is nothing new
	}{
		{"a run", []*Report{run("x", "1", row("a", nil), row("b", unknown9))}, []string{"x a: in 1", "x b: 9? in 1"}, false},
		{"the same again, at another speed", []*Report{run("x", "1", row("a", nil)), run("x", "1", func() Row { r := row("a", nil); r.Seconds++; return r }())},
			[]string{"x a: in 1"}, true},
		{"the same versions, and more is known", []*Report{run("x", "1", row("a", unknown9)), run("x", "1", row("a", nil))},
			[]string{"x a: in 1"}, false},
		{"a newer version", []*Report{run("x", "1", row("a", nil)), run("x", "2", row("a", nil))}, []string{"x a: in 1, 2"}, false},
		{"a newer version, and the older again", []*Report{run("x", "1", row("a", nil)), run("x", "2", row("a", nil)), run("x", "1", row("a", nil))},
			[]string{"x a: in 1, 2"}, true},
		{"less is known of a newer version", []*Report{run("x", "1", row("a", nil), row("b", nil)), run("x", "2", row("a", unknown9), row("b", nil))},
			[]string{"x a: in 1", "x a: 9? in 2", "x b: in 1, 2"}, false},
		{"of that version more is known later", []*Report{run("x", "1", row("a", nil)), run("x", "2", row("a", unknown9)), run("x", "2", row("a", nil))},
			[]string{"x a: in 1, 2"}, false},
		{"another chain", []*Report{run("y", "1", row("a", nil)), run("x", "1", row("a", nil))}, []string{"x a: in 1", "y a: in 1"}, false},
		{"a run that did not come to its end", []*Report{run("x", "1", row("a", nil), row("b", nil), row("c", nil)), run("x", "2", row("a", nil))},
			[]string{"x a: in 1, 2", "x b: in 1", "x c: in 1"}, false},
		{"a new change between others", []*Report{run("x", "1", row("a", nil), row("c", nil)), run("x", "1", row("a", nil), row("b", nil), row("c", nil))},
			[]string{"x a: in 1", "x b: in 1", "x c: in 1"}, false},
		{"a change that is made twice", []*Report{run("x", "1", row("a", nil), row("b", nil), row("a", nil)), run("x", "1", row("a", unknown9), row("b", nil), row("a", nil))},
			[]string{"x a: in 1", "x a: 9? in 1", "x b: in 1"}, false},
		{"a story without a prediction", []*Report{run("x", "1", row("a", nil)), run("y", "2")}, []string{"x a: in 1"}, true},
		{"what is wrong is not recorded", []*Report{run("x", "1", row("a", nil), row("b", map[int]Cell{4: Wrong}), row("c", nil))},
			[]string{"x a: in 1", "x c: in 1"}, false},
		{"nor does it change what is known", []*Report{run("x", "1", row("a", nil), row("b", nil), row("c", nil)), run("x", "2", row("a", nil), row("b", map[int]Cell{4: Wrong}), row("c", nil))},
			[]string{"x a: in 1, 2", "x b: in 1", "x c: in 1, 2"}, false},
		{"all is wrong", []*Report{run("x", "1", row("a", nil)), run("x", "2", row("a", map[int]Cell{4: Wrong}))}, []string{"x a: in 1"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := newLedger(t)
			grew := false
			for _, r := range tt.runs {
				grew = record(t, path, r)
			}
			if got, want := known(t, path), strings.Join(tt.want, "\n"); got != want || grew == tt.still {
				t.Errorf("grew: %v; got\n%s\nwant\n%s", grew, got, want)
			}
		})
	}
}

// Programs have chains of the same name, and a run that finds nothing new does not touch the file.
func TestRecordOfPrograms(t *testing.T) {
	path := newLedger(t)
	record(t, path, run("x", "1", row("a", nil)))
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	record(t, path, run("x", "1", row("a", nil)))
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("the file was written anew: %v", err)
	}
	if _, err := Record(path, "lab/node", run("x", "1", row("b", nil))); err != nil {
		t.Fatal(err)
	}
	if got, want := known(t, path), "x b: in 1\nx a: in 1"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The file is for people who look at its changes: a row a line, and no times.
func TestLedgerFile(t *testing.T) {
	path := newLedger(t)
	record(t, path, run("x", "1~2", row("a <b>", nil), row("b\n", map[int]Cell{9: Unknown})))
	record(t, path, run("y", "2", row("a", nil)))
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := `{
"versions": [
{"qemu":"7","shim":"1~2"},
{"qemu":"7","shim":"2"}
],
"chains": [
{"program":"lab/predict","name":"x","chain":"shim, x","rows":[
{"change":"a <b>","right":[0,1,2,3,4,5,6,7,8,9,11,12,13,14],"with":[1]},
{"change":"b\n","right":[0,1,2,3,4,5,6,7,8,11,12,13,14],"unknown":[9],"doubts":["PCR 9: who knows"],"with":[1]}
]},
{"program":"lab/predict","name":"y","chain":"shim, y","rows":[
{"change":"a","right":[0,1,2,3,4,5,6,7,8,9,11,12,13,14],"with":[2]}
]}
]
}
`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A file that no run wrote is refused, and stays as it is.
func TestLedgerRefuses(t *testing.T) {
	ledger := func(rows string) string {
		return `{"versions":[{"shim":"1"}],"chains":[{"program":"p","name":"x","chain":"c","rows":[` + rows + `]}]}`
	}
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "EOF"},
		{"cut off", `{"versions":[{"sh`, "unexpected EOF"},
		{"a conflict of git", "{\n<<<<<<< HEAD\n", "invalid character '<'"},
		{"two at once", "{}{}", "there is more behind its end"},
		{"a field of another version", `{"boots":[]}`, `unknown field "boots"`},
		{"no package", `{"versions":[{}]}`, "versions 1 have no package"},
		{"a chain twice", `{"chains":[{"program":"p","name":"x"},{"program":"p","name":"x"}]}`, `"x" of "p" is there twice`},
		{"a chain without a name", `{"chains":[{"program":"p"}]}`, "lacks its name"},
		{"a row twice", ledger(`{"change":"a","right":[1],"with":[1]},{"change":"a","right":[1],"with":[1]}`), `"a" is there twice`},
		{"no change", ledger(`{"right":[1],"with":[1]}`), "lacks the change"},
		{"no PCR", ledger(`{"change":"a","with":[1]}`), "its PCRs"},
		{"a wrong PCR", ledger(`{"change":"a","right":[1],"wrong":[2],"with":[1]}`), `unknown field "wrong"`},
		{"right and unknown", ledger(`{"change":"a","right":[1],"unknown":[1],"with":[1]}`), "a PCR is there twice"},
		{"out of order", ledger(`{"change":"a","right":[2,1],"with":[1]}`), "out of order"},
		{"a PCR of nobody", ledger(`{"change":"a","right":[10],"with":[1]}`), "PCRs [10]: boots are compared in [0 1"},
		{"no versions", ledger(`{"change":"a","right":[1]}`), "it is of versions []"},
		{"versions that are not there", ledger(`{"change":"a","right":[1],"with":[1,2]}`), "it is of versions [1 2], and there are 1 to 1"},
		{"versions before the first", ledger(`{"change":"a","right":[1],"with":[0]}`), "it is of versions [0]"},
		{"too large", "{}" + strings.Repeat(" ", maxLedger), "more than 8388608 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "boots.json")
			if err := os.WriteFile(path, []byte(tt.text), 0o644); err != nil {
				t.Fatal(err)
			}
			grew, err := Record(path, "lab/predict", run("x", "1", row("a", nil)))
			if err == nil || grew || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("%v, %v; want %q", grew, err, tt.want)
			}
			if after, err := os.ReadFile(path); err != nil || string(after) != tt.text {
				t.Errorf("the file is changed: %q, %v", after[:min(100, len(after))], err)
			}
		})
	}
}

// A path that was mistyped does not begin another ledger.
func TestLedgerMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "boots.json")
	_, err := Record(path, "lab/predict", run("x", "1", row("a", nil)))
	if err == nil || !strings.Contains(err.Error(), "a new one begins as a file with {} in it") {
		t.Error(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file was made: %v", err)
	}
}

// What could not be read again is not written.
func TestRecordChecks(t *testing.T) {
	path := newLedger(t)
	if grew, err := Record(path, "lab/predict", run("x", "1", Row{Change: "a"})); err == nil || grew {
		t.Errorf("a row without PCRs: %v, %v", grew, err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != "{}" {
		t.Errorf("the file is %q, %v", after, err)
	}
}

func TestPrintLedger(t *testing.T) {
	path := newLedger(t)
	for _, shim := range []string{"1~1-1~1", "2", "3", "4"} {
		record(t, path, run("x", shim, row("a|b", nil)))
	}
	record(t, path, run("x", "6", row("a|b", map[int]Cell{9: Unknown})))
	l, err := ReadLedger(path)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	l.Print(&out)
	want := `
## shim, x

| x: change | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 11 | 12 | 13 | 14 | versions |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
| a\|b | yes | yes | yes | yes | yes | yes | yes | yes | yes | yes | yes | yes | yes | yes | 1–4 |
| a\|b | yes | yes | yes | yes | yes | yes | yes | yes | yes | ? | yes | yes | yes | yes | 5 |

a\|b:

- unknown, PCR 9: who knows

## Versions of these boots

| package | version | in |
|---|---|---|
| qemu | 7 | 1–5 |
| shim | 1\~1-1\~1 | 1 |
| shim | 2 | 2 |
| shim | 3 | 3 |
| shim | 4 | 4 |
| shim | 6 | 5 |
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// A text from a log or a file stays in its cell.
func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"a\nb|c":              `a` + "\ufffd" + `b\|c`,
		`\EFI\debian`:         `\\EFI\\debian`,
		"<script> `x` [y](z)": "\\<script> \\`x\\` \\[y](z)",
		"two spaces  ":        "two spaces",
	} {
		if got := plain(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func TestRanges(t *testing.T) {
	for want, numbers := range map[string][]int{"": nil, "1": {1}, "1, 2": {1, 2}, "1–3, 5": {1, 2, 3, 5}, "2, 4–6": {2, 4, 5, 6}} {
		if got := ranges(numbers); got != want {
			t.Errorf("%v became %q, want %q", numbers, got, want)
		}
	}
}
