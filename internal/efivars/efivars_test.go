package efivars_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/bootseal/bootseal/internal/efivars"
)

const (
	bootOrder = "BootOrder-8be4df61-93ca-11d2-aa0d-00e098032b8c"
	attrs     = "\x07\x00\x00\x00"
)

// A folder of efivarfs and a dump of it lead to the same variables.
func TestReadAndParse(t *testing.T) {
	folder := fstest.MapFS{
		bootOrder:                  {Data: []byte(attrs + "\x01\x00")},
		strings.ToUpper(bootOrder): {Data: []byte(attrs)},
		"README":                   {Data: []byte("no variable")},
		"short-8be4df61-93ca-11d2-aa0d-00e098032b8c": {Data: []byte("abc")},
	}
	s, err := efivars.Read(folder)
	if err != nil || len(s) != 2 {
		t.Fatalf("%v, %v: want two variables", s, err)
	}
	if v, ok := s.Get("BootOrder", efivars.Global); !ok || string(v) != "\x01\x00" {
		t.Errorf("BootOrder is %x, %t", v, ok)
	}
	var dump bytes.Buffer
	if err := s.Dump(&dump); err != nil {
		t.Fatal(err)
	}
	again, err := efivars.Parse(&dump)
	if err != nil || fmt.Sprint(again) != fmt.Sprint(s) {
		t.Errorf("%v comes back as %v, %v", s, again, err)
	}
}

func TestErrors(t *testing.T) {
	if _, err := efivars.Read(fstest.MapFS{}); err == nil || !strings.Contains(err.Error(), "there are none") {
		t.Errorf("an empty folder: %v", err)
	}
	large := fstest.MapFS{bootOrder: {Data: make([]byte, 2<<20)}}
	if _, err := efivars.Read(large); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a variable of 2 MiB: %v", err)
	}
	for _, test := range []struct{ text, want string }{
		{"", "read EFI variables: "},
		{`{"BootOrder": "07000000"}`, "is not a name and a GUID"},
		{`{"` + bootOrder + `": "0700"}`, "fewer than its attributes"},
		{`{"` + bootOrder + `": "07x"}`, "read EFI variable BootOrder"},
	} {
		if _, err := efivars.Parse(strings.NewReader(test.text)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.text, err, test.want)
		}
	}
}

// An update is appended without the entries that are there already, with or
// without its header.
func TestAppend(t *testing.T) {
	owner := make([]byte, 16)
	a, b := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	first, both := efivars.HashList(owner, a), append(efivars.HashList(owner, a), efivars.HashList(owner, b)...)
	header := append(make([]byte, 16), 24, 0, 0, 0, 0, 2, 0xf1, 0x0e)
	header = append(header, make([]byte, 16)...)
	for name, update := range map[string][]byte{"plain": both, "signed": append(header, both...)} {
		got, err := efivars.Append(first, update)
		if err != nil || !bytes.Equal(got, both) {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
	if _, err := efivars.Append(first, []byte("no list")); err == nil {
		t.Error("an update that is no list is appended")
	}
	entries, err := efivars.Entries(both)
	if err != nil || len(entries) != 2 || entries[1].Kind != efivars.SHA256 || !bytes.Equal(entries[1].Data(), b) {
		t.Errorf("%v, %v", entries, err)
	}
}

func FuzzEntries(f *testing.F) {
	f.Add(efivars.HashList(make([]byte, 16), make([]byte, 32)), []byte{})
	f.Add([]byte{}, efivars.CertificateList([16]byte{}, []byte{0x30, 0x82, 0, 0}))
	f.Fuzz(func(t *testing.T, list, update []byte) {
		entries, _ := efivars.Entries(list)
		for _, e := range entries {
			_ = e.Data()
		}
		out, err := efivars.Append(list, update)
		if err == nil && !bytes.HasPrefix(out, list) {
			t.Errorf("%s loses what was there: %s", hex.EncodeToString(update), hex.EncodeToString(out))
		}
		if err == nil {
			if _, err := efivars.Entries(out); err != nil {
				t.Errorf("the result is no list: %v", err)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"` + bootOrder + `": "070000000100"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = efivars.Parse(bytes.NewReader(data))
	})
}
