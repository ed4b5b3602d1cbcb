package pcr_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/pcr"
)

// The value that PCRs 2, 3 and 6 of nearly every machine hold: one separator of
// four zero bytes, extended once.
func TestExtendSeparator(t *testing.T) {
	got, err := pcr.Extend(pcr.SHA256, pcr.Reset(pcr.SHA256, 2, 0), pcr.SHA256.Sum(make([]byte, 4)))
	if err != nil {
		t.Fatal(err)
	}
	if want := "3d458cfe55cc03ea1f443f1562beec8df51c75e14a9fcf9a7234a13f198e7969"; got.String() != want {
		t.Errorf("have %s, want %s", got, want)
	}
}

func TestExtendRefusesWrongSizes(t *testing.T) {
	zero := make([]byte, 32)
	for _, c := range []struct {
		bank        pcr.Bank
		old, digest []byte
	}{
		{pcr.SHA256, zero, zero[:20]}, // a SHA-1 digest into the SHA-256 bank
		{pcr.SHA1, zero, zero[:20]},
		{pcr.SM3, zero, zero}, // named, but not computed
		{pcr.Bank(0x7777), nil, nil},
	} {
		if d, err := pcr.Extend(c.bank, c.old, c.digest); err == nil {
			t.Errorf("%s: have %s, want an error", c.bank, d)
		}
	}
}

func TestReset(t *testing.T) {
	for _, c := range []struct {
		index    int
		locality byte
		want     string
	}{
		{0, 0, "0000000000000000000000000000000000000000"},
		{0, 3, "0000000000000000000000000000000000000003"}, // Startup at locality 3
		{0, 4, "0000000000000000000000000000000000000004"}, // after an H-CRTM
		{1, 3, "0000000000000000000000000000000000000000"}, // the locality shows in PCR 0 only
		{16, 0, "0000000000000000000000000000000000000000"},
		{17, 0, "ffffffffffffffffffffffffffffffffffffffff"},
		{22, 0, "ffffffffffffffffffffffffffffffffffffffff"},
		{23, 0, "0000000000000000000000000000000000000000"},
	} {
		if got := pcr.Reset(pcr.SHA1, c.index, c.locality); got.String() != c.want {
			t.Errorf("PCR %d, locality %d: have %s, want %s", c.index, c.locality, got, c.want)
		}
	}
}

func TestBankNames(t *testing.T) {
	for _, b := range append(pcr.Banks(), pcr.SM3, pcr.SHA3256, pcr.SHA3384, pcr.SHA3512, pcr.Bank(0x0013)) {
		got, err := pcr.ParseBank(b.String())
		if err != nil || got != b {
			t.Errorf("%s: have %v, %v", b, got, err)
		}
		if b.Available() && len(b.Sum()) != b.Size() {
			t.Errorf("%s: hash of %d bytes, size %d", b, len(b.Sum()), b.Size())
		}
	}
	if b, err := pcr.ParseBank("SHA-256"); b != pcr.SHA256 || err != nil {
		t.Errorf("SHA-256: have %v, %v", b, err)
	}
	for _, bad := range []string{"", "md5", "sha-2", "0x", "0x12345", "0x00zz"} {
		if b, err := pcr.ParseBank(bad); err == nil {
			t.Errorf("%q: have %v, want an error", bad, b)
		}
	}
}

func TestSelection(t *testing.T) {
	for in, want := range map[string]string{
		"4,7,8-9":   "4,7-9",
		"0-23":      "0-23",
		"9, 8 ,8":   "8,9",
		"0+2+7":     "0,2,7",
		"4-4":       "4",
		"1,2,3,5,6": "1-3,5,6",
	} {
		s, err := pcr.ParseSelection(in)
		if err != nil || s.String() != want {
			t.Errorf("%q: have %v, %v; want %s", in, s, err, want)
		}
	}
	for _, bad := range []string{"", ",", "24", "-1", "9-8", "4,", "1-", "x", "4;5", "1-2-3"} {
		if s, err := pcr.ParseSelection(bad); err == nil {
			t.Errorf("%q: have %v, want an error", bad, s)
		}
	}
	if got := pcr.Selection(0).String(); got != "none" {
		t.Errorf("the empty set prints %q", got)
	}
}

func TestSelectionOctets(t *testing.T) {
	s := pcr.Select(0, 4, 7, 8, 23)
	if got := s.Octets(); string(got) != "\x91\x01\x80" {
		t.Errorf("have % x", got)
	}
	if back, err := pcr.FromOctets([]byte{0x91, 0x01, 0x80, 0}); back != s || err != nil {
		t.Errorf("have %v, %v", back, err)
	}
	if _, err := pcr.FromOctets([]byte{0, 0, 0, 1}); err == nil {
		t.Error("PCR 24: no error")
	}
}

func TestValuesFile(t *testing.T) {
	in := "# read in the initramfs\n\nSHA256 4 " + strings.Repeat("AB", 32) + "\r\nsha1 0 " + strings.Repeat("00", 20) + "\n"
	v, err := pcr.ParseValues(strings.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	want := "sha1 0 " + strings.Repeat("00", 20) + "\nsha256 4 " + strings.Repeat("ab", 32) + "\n"
	if v.String() != want {
		t.Errorf("have\n%swant\n%s", v, want)
	}
}

func TestValuesFileErrorsNameTheLine(t *testing.T) {
	ok := "sha1 0 " + strings.Repeat("00", 20) + "\n"
	for in, want := range map[string]string{
		"":                                     "no line ALG INDEX HEX found",
		"# nothing\n":                          "no line ALG INDEX HEX found",
		ok + "sha1 1\n":                        "line 2: want ALG INDEX HEX",
		ok + ok:                                "line 2: sha1 PCR 0: given twice",
		"md5 0 00\n":                           `line 1: unknown PCR bank "md5"`,
		"sha1 24 00\n":                         "line 1: 24 is not a PCR number",
		"sha1 x 00\n":                          `line 1: "x" is not a PCR number`,
		"sha1 1 00zz\n":                        "line 1: digest \"00zz\" is not hex",
		"sha256 1 00\n":                        "line 1: sha256 PCR 1: want 32 bytes, have 1",
		"sm3_256 1 00\n":                       "line 1: sm3_256 PCR 1: want 32 bytes",
		"0x7777 1 00\n":                        "line 1: bank 0x7777: unknown algorithm",
		ok + strings.Repeat("x", 10000) + "\n": "line 2: too long",
	} {
		_, err := pcr.ParseValues(strings.NewReader(in))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: have %v, want %s", in, err, want)
		}
	}
}

func TestValuesJSON(t *testing.T) {
	v := pcr.Values{}
	v.Set(pcr.SHA1, 10, make([]byte, 20))
	got, err := json.Marshal(v)
	if want := `{"sha1":{"10":"0000000000000000000000000000000000000000"}}`; err != nil || string(got) != want {
		t.Errorf("have %s, %v; want %s", got, err, want)
	}
	var back pcr.Values
	if err := json.Unmarshal(got, &back); err != nil || !back.Equal(v) {
		t.Errorf("have %v, %v", back, err)
	}
	for _, bad := range []string{`{"sha1":{"10":"00"}}`, `{"sha1":{"99":""}}`, `{"md5":{}}`} {
		if err := json.Unmarshal([]byte(bad), &back); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

// The order is by entry, then by PCR number, whatever order the caller had.
func TestComposite(t *testing.T) {
	v := pcr.Values{}
	four, seven, sha1 := pcr.SHA256.Sum([]byte("4")), pcr.SHA256.Sum([]byte("7")), pcr.SHA1.Sum([]byte("4"))
	v.Set(pcr.SHA256, 7, seven)
	v.Set(pcr.SHA256, 4, four)
	v.Set(pcr.SHA1, 4, sha1)
	got, err := pcr.Composite(pcr.SHA384, v, pcr.BankSelection{Bank: pcr.SHA256, PCRs: pcr.Select(7, 4)},
		pcr.BankSelection{Bank: pcr.SHA1, PCRs: pcr.Select(4)})
	if want := pcr.SHA384.Sum(four, seven, sha1); err != nil || !got.Equal(want) {
		t.Errorf("have %s, %v; want %s", got, err, want)
	}
	if _, err := pcr.Composite(pcr.SHA256, v, pcr.BankSelection{Bank: pcr.SHA1, PCRs: pcr.Select(5)}); err == nil {
		t.Error("a PCR without a value: no error")
	}
}

func TestCloneIsDeep(t *testing.T) {
	v := pcr.Values{pcr.SHA1: {3: make(pcr.Digest, 20)}}
	c := v.Clone()
	c[pcr.SHA1][3][0] = 1
	if v.Equal(c) || v[pcr.SHA1][3][0] != 0 {
		t.Error("the clone shares memory with the original")
	}
	if got := v.Selection(pcr.SHA1); got != pcr.Select(3) {
		t.Errorf("selection: have %v", got)
	}
}
