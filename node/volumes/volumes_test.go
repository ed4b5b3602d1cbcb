package volumes

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/bootseal/bootseal/pcr"
)

const (
	uuid  = "0a1b2c3d-1111-4222-8333-444455556666"
	other = "ffffffff-1111-4222-8333-444455556666"
)

// The values are openssl's, over the string that systemd builds:
// printf %s 'cryptsetup:a\x3ab\x5cc\xc3\xa9:UUID' | openssl dgst -sha256 -mac HMAC -macopt hexkey:KEY
func TestMeasurementIsSystemds(t *testing.T) {
	key := make([]byte, 64)
	for i := range key {
		key[i] = byte(i)
	}
	for _, c := range []struct {
		bank       pcr.Bank
		name, want string
	}{
		{pcr.SHA256, "root", "ed73eac15f624c8ca9e79d48485e9798ccf78bb0943eb22ce2664d51c6a44dae"},
		{pcr.SHA1, "root", "14e67239d5aa32983b335b35d9ab3cb496402020"},
		{pcr.SHA384, "root", "45030c6d46ec5fcd9b272559915944ad495b5c645d42c99e4e109805109c5fa9790ed8903bdb644d520825d7f2c5c4d9"},
		{pcr.SHA512, "root", "ac71ea6f376264a8f75c674921bd6505bcd449fe7354a10c35f2a442cf72155b812a27a86629121ff257fcdcffee0094094bfe0449f0c24a82cff771928719bf"},
		{pcr.SHA256, `a:b\cé`, "a56a7a94f37de8e212759466ad0e61f8f8c3d81feec5a06510afe3318716dc1b"},
	} {
		got, err := Measurement(c.bank, key, c.name, uuid)
		if err != nil || got.String() != c.want {
			t.Errorf("%s of %q: %s, %v: want %s", c.bank, c.name, got, err, c.want)
		}
	}
	if got := Identify(key, "root", uuid); got.String() != "ed73eac15f624c8ca9e79d48485e9798ccf78bb0943eb22ce2664d51c6a44dae" {
		t.Errorf("identity %s", got)
	}
	if _, err := Measurement(pcr.SM3, key, "root", uuid); err == nil {
		t.Error("measured with a hash that is not there")
	}
}

func TestIdentitiesDifferByKeyNameAndUUID(t *testing.T) {
	key := bytes.Repeat([]byte{1}, 64)
	base := Identify(key, "root", uuid)
	if !base.Equal(Identify(key, "root", uuid)) {
		t.Error("an identity differs from itself")
	}
	for what, i := range map[string]Identity{
		"key": Identify(bytes.Repeat([]byte{2}, 64), "root", uuid), "name": Identify(key, "data", uuid), "UUID": Identify(key, "root", other),
	} {
		if base.Equal(i) {
			t.Errorf("the %s does not count", what)
		}
	}
}

func sample() *List {
	return &List{Volumes: []Volume{
		{UUID: uuid, Name: "root", Identity: Identity{1, 2, 3}, Parent: append([]byte{0, 0x0B}, make([]byte, 32)...), Root: true},
		{UUID: other, Name: "data", Identity: Identity{4}},
	}}
}

func TestListIsReadAsWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "volumes.json")
	if l, err := Read(path); err != nil || len(l.Volumes) != 0 {
		t.Errorf("no file: %v, %v", l, err)
	}
	want := sample()
	if err := want.Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if v, ok := got.Find(strings.ToUpper(uuid)); !ok || v.Name != "root" {
		t.Errorf("%v", v)
	}
	if v, ok := got.Named("data"); !ok || v.UUID != other {
		t.Errorf("%v", v)
	}
	got.Put(Volume{UUID: uuid, Name: "other"})
	if v, _ := got.Find(uuid); v.Name != "other" || len(got.Volumes) != 2 || got.Volumes[0].UUID != uuid {
		t.Errorf("%v", got)
	}
	if !got.Remove(uuid) || got.Remove(uuid) || len(got.Volumes) != 1 {
		t.Errorf("%v", got)
	}
}

func TestListIsRefused(t *testing.T) {
	good, err := sample().Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, says string }{
		{`"version": 1`, `"version": 2`, "a newer bootseal wrote it"},
		{`"version": 1`, `"version": 1, "version": 1`, "comes twice"},
		{`"version": 1`, `"Version": 1`, `"Version": it is not known`},
		{`"version": 1`, `"ver` + "\u017f" + `ion": 1`, "it is not known"},
		{`"version": 1`, `"version": 1, "more": 1`, `unknown field "more"`},
		{uuid, "..", "that is no UUID"},
		{uuid, strings.ToUpper(uuid), "it is not known"},
		{`"root"`, `"a/b"`, `field "name"`},
		{`"root"`, `""`, `field "name"`},
		{`"root"`, `"data"`, "have the same name"},
		{`"identity": "01`, `"identity": "0`, "want 32 bytes in hex"},
		{`"parent": "000b`, `"parent": "0`, "not a TPM Name"},
		{`"name": "root",`, ``, `field "name"`},
		{"}\n", "} {}", "something follows"},
	} {
		text := strings.Replace(string(good), c.old, c.new, 1)
		if text == string(good) {
			t.Fatalf("%q is not in the sample", c.old)
		}
		if c.old == "}\n" {
			text = string(good) + "{}"
		}
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q for %q: %v: want %q", c.new, c.old, err, c.says)
		}
	}
	missing := strings.Replace(string(good), `"identity": "`+(Identity{4}).String()+`"`, `"parent": ""`, 1)
	if _, err := Parse([]byte(missing)); err == nil || !strings.Contains(err.Error(), `"identity": it is missing`) {
		t.Error(err)
	}
	if _, err := Parse([]byte(strings.Repeat("[", 1<<20))); err == nil || !strings.Contains(err.Error(), "too deep") {
		t.Error(err)
	}
	if _, err := Parse(make([]byte, maxSize+1)); err == nil || !strings.Contains(err.Error(), "want at most") {
		t.Error(err)
	}
	if err := (&List{Volumes: []Volume{{UUID: "x"}}}).Write(filepath.Join(t.TempDir(), "l")); err == nil {
		t.Error("a list that cannot be read was written")
	}
}

func TestNote(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bootseal")
	if _, err := ReadNote(dir, uuid); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	token := 3
	want := &Note{
		UUID: uuid, Name: "root", Device: "/dev/sda3", Time: time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC), By: ByToken, Token: &token,
		Label: "Debian", Identity: "same", Measured: true,
		Differences: []Difference{{Bank: pcr.SHA256, PCR: 4, Have: make([]byte, 32), Want: make([]byte, 32), Event: "GRUB"}},
	}
	if err := want.Write(dir); err != nil {
		t.Fatal(err)
	}
	got, err := ReadNote(dir, uuid)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := os.Rename(filepath.Join(dir, uuid+".json"), filepath.Join(dir, other+".json")); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadNote(dir, other); err == nil || !strings.Contains(err.Error(), "another volume") {
		t.Error(err)
	}
	for _, text := range []string{`{}`, `{"by":"token"}`, `{"by":"magic"}`, `null`, `[]`} {
		if _, err := ParseNote([]byte(text)); err == nil {
			t.Errorf("%s was read", text)
		}
	}
	if _, err := ReadNote(dir, "../x"); err == nil {
		t.Error("a path was taken for a UUID")
	}
}

func FuzzParse(f *testing.F) {
	good, err := sample().Bytes()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"version":1,"volumes":{"` + uuid + `":{"name":"r","identity":"` + hex.EncodeToString(make([]byte, 32)) + `"}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := Parse(text)
		if err != nil {
			return
		}
		again, err := l.Bytes()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if m, err := Parse(again); err != nil || !reflect.DeepEqual(l, m) {
			t.Errorf("%+v, %v: want %+v", m, err, l)
		}
	})
}

func FuzzParseNote(f *testing.F) {
	f.Add([]byte(`{"uuid":"` + uuid + `","by":"recovery-key","why":"pcrs","differences":[{"bank":"sha256","pcr":4,"have":"00","want":"01"}]}`))
	f.Fuzz(func(_ *testing.T, text []byte) { _, _ = ParseNote(text) })
}
