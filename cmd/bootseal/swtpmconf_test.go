package main

import (
	"maps"
	"strings"
	"testing"
)

// A configuration as swtpm_setup reads it.
func TestParseSwtpmConf(t *testing.T) {
	env := func(name string) string { return map[string]string{"HOME": "/home/u", "${HOME}": "no"}[name] }
	for text, want := range map[string]map[string]string{
		"":                                {},
		"a = b":                           {"a": "b"},
		"a=b # c\n# d = e\nf\n":           {"a": "b"},
		"a = 1\na = 2":                    {"a": "1"},
		"dir = ${HOME}/ca\n":              {"dir": "/home/u/ca"},
		"x = ${NONE}y${HOME}":             {"x": "y/home/u"},
		"open = ${HOME":                   {"open": "${HOME"},
		"money = $5":                      {"money": "$5"},
		"nested = ${${HOME}}":             {"nested": "}"},
		`profile = {"Name":"default-v1"}`: {"profile": `{"Name":"default-v1"}`},
		"crlf = x\r\n":                    {"crlf": "x"},
	} {
		if have := parseSwtpmConf(text, env); !maps.Equal(have, want) {
			t.Errorf("%q: %q, want %q", text, have, want)
		}
	}
}

// No file makes it fail, and values have no line breaks and no comments.
func FuzzParseSwtpmConf(f *testing.F) {
	f.Add("a = ${HOME}\nb=c#d")
	f.Fuzz(func(t *testing.T, text string) {
		for key, value := range parseSwtpmConf(text, func(string) string { return "" }) {
			if strings.ContainsAny(key+value, "\n#") {
				t.Errorf("%q = %q", key, value)
			}
		}
	})
}
