package store_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/vtpm/store"
)

// An encrypted state opens with its key and as its instance only, and the reason
// says which of them it was.
func TestKeyAndInstance(t *testing.T) {
	dir := t.TempDir()
	d := openOptions(t, dir, keyOptions)
	if err := d.Commit(map[string][]byte{"a": []byte("1")}); err != nil {
		t.Fatal(err)
	}
	d.Close()
	for _, c := range []struct {
		o    store.Options
		want string
	}{
		{store.Options{}, "no key was given"},
		{store.Options{Key: bytes.Repeat([]byte{1}, store.KeySize), Instance: "test"}, "another key"},
		{store.Options{Key: testKey, Instance: "other"}, "another instance"},
		{store.Options{Key: testKey[:16], Instance: "test"}, "16 bytes"},
	} {
		if _, err := store.OpenDirectoryOptions(dir, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one of %q", err, c.want)
		}
	}
	if records, _ := openOptions(t, dir, keyOptions).Load(); string(records["a"]) != "1" {
		t.Errorf("records %q", records)
	}
}

// The file tells neither names nor values, and not the size of a value.
func TestNothingLeaks(t *testing.T) {
	sizes := make(map[int]bool)
	for _, value := range []string{"s", strings.Repeat("secret", 60)} {
		d := newDisk()
		s := mustOpen(t, d)
		if err := s.Commit(map[string][]byte{"hierarchies": []byte(value)}); err != nil {
			t.Fatal(err)
		}
		image := d.image(stateFile)
		for _, secret := range []string{"hierarchies", "secret", string(testKey)} {
			if bytes.Contains(image, []byte(secret)) {
				t.Errorf("the file has %q", secret)
			}
		}
		sizes[bytes.LastIndexByte(image, 0xEB)] = true
	}
	if len(sizes) != 1 {
		t.Errorf("one byte and 360 take different blocks: %v", sizes)
	}
}

// No two frames have the same nonce: not in one file, not after a write that failed
// or was cut off, not when a file of the past is put back.
func TestNoncesAreNew(t *testing.T) {
	d := newDisk()
	s := mustOpen(t, d)
	commit := func(value string) {
		t.Helper()
		if err := s.Commit(map[string][]byte{"a": []byte(value)}); err != nil {
			t.Fatal(err)
		}
	}
	seen := make(map[string][]byte)
	note := func() {
		t.Helper()
		image := d.image(stateFile)
		for at := 512; at < len(image) && image[at+511] != 0; at += 512 {
			block := image[at : at+512]
			nonce := string(block[12:36])
			if old, ok := seen[nonce]; ok && !bytes.Equal(old, block) {
				t.Fatalf("nonce %x was used twice", nonce)
			}
			seen[nonce] = block
		}
	}
	commit("1")
	past := d.restart(cuts(0)[0])
	for _, value := range []string{"2", "3"} {
		d = past.restart(cuts(0)[0])
		s = mustOpen(t, d)
		commit(value)
		note()
		commit(value + " again")
		note()
	}
	if len(seen) != 5 {
		t.Errorf("%d nonces, want 5", len(seen))
	}
}

// Frames of two histories of one file do not mix, although the key and the positions
// are the same: each is bound to the ones before it.
func TestHistoriesDoNotMix(t *testing.T) {
	d := newDisk()
	if err := mustOpen(t, d).Commit(map[string][]byte{"a": []byte("1")}); err != nil {
		t.Fatal(err)
	}
	history := func(values ...string) []byte {
		d := d.restart(cuts(0)[0])
		s := mustOpen(t, d)
		for _, value := range values {
			if err := s.Commit(map[string][]byte{"a": []byte(value)}); err != nil {
				t.Fatal(err)
			}
		}
		return d.image(stateFile)
	}
	one, other := history("2", "3"), history("4", "5")
	copy(one[3*512:], other[3*512:4*512])
	if records, err := store.Read(one, keyOptions); err == nil {
		t.Errorf("accepted: %q", records)
	}
}

// A state without encryption is taken over only by who says so, because anybody could
// have put it in the place of an encrypted one.
func TestAdopt(t *testing.T) {
	for _, name := range []string{"state-1", "state-2"} {
		dir := t.TempDir()
		path := filepath.Join(dir, stateFile)
		sample, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, sample, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := store.OpenDirectoryOptions(dir, keyOptions); err == nil || !strings.Contains(err.Error(), "not encrypted") {
			t.Errorf("%s: %v", name, err)
		}
		adopt := keyOptions
		adopt.Adopt = true
		d := openOptions(t, dir, adopt)
		if err := d.Commit(map[string][]byte{"one": []byte("more")}); err != nil {
			t.Fatal(err)
		}
		d.Close()
		records, _ := openOptions(t, dir, keyOptions).Load()
		if len(records["hierarchies"]) == 0 || string(records["one"]) != "more" {
			t.Errorf("%s: %d records", name, len(records))
		}
		if image, _ := os.ReadFile(path); bytes.Contains(image, records["hierarchies"][:20]) {
			t.Errorf("%s: still in the clear", name)
		}
	}
}

// A key is 32 bytes or their hexadecimal digits, in a file that not everybody reads.
func TestKeyFromFile(t *testing.T) {
	dir := t.TempDir()
	digits := hex.EncodeToString(testKey)
	for _, c := range []struct {
		name, content string
		mode          os.FileMode
		want          string
	}{
		{"bytes", string(testKey), 0o600, ""},
		{"hex", digits, 0o440, ""},
		{"line", digits + "\n", 0o400, ""},
		{"short", digits[2:], 0o600, "32 bytes"},
		{"long", digits + "00", 0o600, "32 bytes"},
		{"words", strings.Repeat("x", 64), 0o600, "32 bytes"},
		{"empty", "", 0o600, "32 bytes"},
		{"open", digits, 0o644, "everybody"},
	} {
		path := filepath.Join(dir, c.name)
		if err := os.WriteFile(path, []byte(c.content), c.mode); err != nil {
			t.Fatal(err)
		}
		key, err := store.KeyFromFile(path)
		if c.want == "" && (err != nil || !bytes.Equal(key, testKey)) {
			t.Errorf("%s: key %x, %v", c.name, key, err)
		}
		if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	if key, err := store.KeyFromCredential("hex"); err != nil || !bytes.Equal(key, testKey) {
		t.Errorf("credential: %x, %v", key, err)
	}
	for _, name := range []string{"", "..", "../" + filepath.Base(dir) + "/hex", "none"} {
		if _, err := store.KeyFromCredential(name); err == nil {
			t.Errorf("credential %q was found", name)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if _, err := store.KeyFromCredential("hex"); err == nil || !strings.Contains(err.Error(), "systemd") {
		t.Errorf("without systemd: %v", err)
	}
}

// A closed state gives and takes nothing.
func TestClosed(t *testing.T) {
	d := open(t, t.TempDir())
	d.Close()
	if _, err := d.Load(); err == nil {
		t.Error("loaded")
	}
	if err := d.Commit(map[string][]byte{"a": {}}); err == nil {
		t.Error("committed")
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
