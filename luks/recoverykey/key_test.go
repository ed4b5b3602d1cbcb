package recoverykey

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// real is a key that systemd-cryptenroll 252 made.
const real = "ticvbtjf-kkuuiedv-nkhjnicf-tvdurtlu-rbdtrvlb-ktdlbujg-flcgudig-gjgfllih"

func TestNew(t *testing.T) {
	k := New()
	text := string(k.Passphrase())
	if len(text) != len(real) {
		t.Errorf("%d bytes", len(text))
	}
	for i, c := range text {
		if (c == '-') != (real[i] == '-') || c != '-' && !strings.ContainsRune(alphabet, c) {
			t.Errorf("%q at place %d", c, i)
		}
	}
	again, err := Parse([]byte(text))
	if err != nil || *again != *k {
		t.Errorf("%v", err)
	}
	if *New() == *k {
		t.Error("two keys are the same")
	}
	if k.Clear(); *k != (Key{}) {
		t.Error("it is not cleared")
	}
}

func TestParseTakesWhatPeopleType(t *testing.T) {
	for _, text := range []string{
		real, strings.ToUpper(real), strings.ReplaceAll(real, "-", ""), strings.ReplaceAll(real, "-", " "), real + "\n",
	} {
		if k, err := Parse([]byte(text)); err != nil || string(k.Passphrase()) != real {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ text, says string }{
		{"", "there are 0 letters, want 64"},
		{real[:70], "there are 63 letters, want 64"},
		{real + "c", "there are more than 64 letters"},
		{"a" + real[1:], "the character at place 1 is none of them"},
		{"\xff" + real[1:], "the character at place 1"},
	} {
		_, err := Parse([]byte(c.text))
		if !errors.Is(err, ErrNotKey) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %v", c.text, err)
		}
		if c.text != "" && strings.Contains(err.Error(), "icvbtjf") {
			t.Errorf("the error has the key in it: %v", err)
		}
	}
}

func TestKeysStayOutOfMessages(t *testing.T) {
	k, err := Parse([]byte(real))
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%v %s %+v %#v", k, k, k, k); strings.Contains(text, "icvb") {
		t.Error(text)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(real))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := Parse(text)
		if err != nil {
			return
		}
		if again, err := Parse(k.Passphrase()); err != nil || !bytes.Equal(again[:], k[:]) {
			t.Error(err)
		}
	})
}
