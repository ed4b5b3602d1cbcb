package unlock

import (
	"strings"
	"testing"
)

func TestConsoleFitsAndSteersNothing(t *testing.T) {
	var b strings.Builder
	c := NewConsole(&b)
	c.Say("a \x1b[2J\x9b31m é\u202e\nlabel %s", strings.Repeat("word ", 40))
	c.Detail("%s", strings.Repeat("x", 500))
	c.Say("")
	for line := range strings.Lines(b.String()) {
		if len(line) > columns+1 || !strings.HasPrefix(line, "bootseal: ") {
			t.Errorf("%d columns: %q", len(line)-1, line)
		}
		for _, r := range strings.TrimSuffix(line, "\n") {
			if r < ' ' || r >= 0x7F {
				t.Errorf("%q has %q", line, r)
			}
		}
	}
	if !strings.HasPrefix(b.String(), "bootseal: a ?[2J?31m ??") {
		t.Errorf("%q", b.String())
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"one two three", 7, "one two|three"},
		{"one two three four", 7, "one two|three|four"},
		{"one two three", 13, "one two three"},
		{"abcdefghij k", 8, "abc... k"},
		{"  ", 8, ""},
	} {
		if got := strings.Join(wrap(c.text, c.n), "|"); got != c.want {
			t.Errorf("%q in %d: %q: want %q", c.text, c.n, got, c.want)
		}
	}
}

func FuzzConsole(f *testing.F) {
	f.Add("a label\nof two lines")
	f.Fuzz(func(t *testing.T, text string) {
		var b strings.Builder
		NewConsole(&b).Detail("%s", text)
		for line := range strings.Lines(b.String()) {
			if len(line) > columns+1 || strings.ContainsFunc(line[:len(line)-1], func(r rune) bool { return r < ' ' || r >= 0x7F }) {
				t.Errorf("%q", line)
			}
		}
	})
}
