package enroll

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParseJournalRefuses(t *testing.T) {
	for text, says := range map[string]string{
		`{`:             "unexpected end",
		`{"version":2}`: "version 2: want 1",
		`{"version":1,"keyslots_before":[0,1],"keyslots":[1]}`: "keyslot 1 is to be new",
		`{"version":1,"keyslots":[32]}`:                        "keyslot 32",
		`{"version":1,"tokens":["00"]}`:                        "no SHA-256 digest",
		strings.Repeat(" ", maxJournal+1):                      "more than",
	} {
		if _, err := parseJournal([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.80s: %v, want %q", text, err, says)
		}
	}
}

func FuzzParseJournal(f *testing.F) {
	j := &journal{Version: 1, UUID: "0f8fad5b-d9cb-469f-a165-70867728950e", Before: []int{0}, Keyslots: []int{1, 2},
		Tokens: []digest{digestOf([]byte("a token"))}, KeyFile: "/root/key"}
	text, err := json.Marshal(j)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		j, err := parseJournal(text)
		if err != nil {
			return
		}
		again, err := json.Marshal(j)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseJournal(again); err != nil {
			t.Errorf("%s: %v", again, err)
		}
	})
}
