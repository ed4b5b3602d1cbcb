package luks

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/pcr"
)

func bootToken() *Boot {
	return &Boot{Keyslots: []int{1}, Paths: []Path{{
		Token: 3, Label: "Debian, kernel 6.1.0-56", Bank: pcr.SHA256,
		PCRs:   map[int]pcr.Digest{7: pcr.SHA256.Sum([]byte("7")), 4: pcr.SHA256.Sum([]byte("4"))},
		Events: pcr.SHA256.Sum([]byte("events")),
	}}}
}

func TestBoot(t *testing.T) {
	want := bootToken()
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	const shape = `{"type":"bootseal","keyslots":["1"],"version":1,"paths":[{"token":3,"label":"Debian, kernel 6.1.0-56","bank":"sha256","pcrs":{"4":"SyJ3d9TdH8Y`
	if !strings.HasPrefix(string(text), shape) {
		t.Errorf("%s", text)
	}
	got, err := ParseToken(0, text)
	if err != nil || !reflect.DeepEqual(got, Token(want)) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestParseBootRefuses(t *testing.T) {
	text, err := json.Marshal(bootToken())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, to, says string }{
		{`"version":1`, `"version":2`, `field "version": 2: want 1; a newer bootseal wrote it`},
		{`"version":1`, `"version":1,"extra":1`, `field "extra": it is not known`},
		{`"token":3`, `"token":32`, `field "paths": 0: field "token": 32: want 0 to 31`},
		{`Debian,`, `Debian\u001b[2J,`, `field "label": "Debian\x1b[2J, kernel 6.1.0-56": want at most 128 bytes that can be printed`},
		{`Debian,`, strings.Repeat("x", 128), `: want at most 128 bytes that can be printed`},
		{`"bank":"sha256"`, `"bank":"sha1"`, `field "events": 32 bytes: want 20`},
		{`"4":"`, `"24":"`, `field "pcrs": PCR 24`},
		{`"4":"`, `"4":"AAAA`, `field "pcrs": PCR 4 with 35 bytes`},
		{`"pcrs":{`, `"pcrs":{"x":"",`, `field "pcrs": "x": want a number`},
		{`"paths":[{`, `"paths":[{"token":3,"label":"","bank":"sha256","pcrs":{}},{`, `token 3 comes twice`},
	} {
		bad := strings.Replace(string(text), c.from, c.to, 1)
		if bad == string(text) {
			t.Errorf("%s is not in the token", c.from)
		}
		if _, err := ParseToken(0, []byte(bad)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %s", c.to, err, c.says)
		}
	}
}
