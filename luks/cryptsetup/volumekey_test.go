package cryptsetup

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Two ways to the key: cryptsetup writes it to a file, and here it comes in a pipe.
func TestVolumeKey(t *testing.T) {
	v, ctx := volume(t), t.Context()
	key, err := v.VolumeKey(ctx, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key")
	args := []string{"luksDump", "--dump-volume-key", "--volume-key-file", file, "--key-file", secretFile(0)}
	if _, err := v.run(ctx, "dump", call{args: args, secrets: [][]byte{passphrase}}); err != nil {
		t.Fatal(err)
	}
	if want, err := os.ReadFile(file); err != nil || !bytes.Equal(key, want) || len(key) != 64 {
		t.Errorf("%d bytes, %v: not the volume's key", len(key), err)
	}
	if _, err := v.VolumeKey(ctx, []byte("wrong")); !errors.Is(err, ErrPassphrase) {
		t.Error(err)
	}
}

func TestADumpThatIsNoKey(t *testing.T) {
	const good = "x\nMK bits:       \t16\nMK dump:\t2c \n\t\tA2 \n"
	if key, err := parseVolumeKey([]byte(good)); err != nil || string(key) != "\x2c\xa2" {
		t.Errorf("%x, %v", key, err)
	}
	for _, c := range []struct{ old, new, says string }{
		{"MK bits", "MK size", "no line \"MK bits\""},
		{"MK dump", "MK size", "no line \"MK dump\""},
		{"16", "17", "unknown size"},
		{"16", "8000000", "unknown size"},
		{"16", "8", "too long"},
		{"16", "24", "has 2 bytes of the key: want 3"},
		{"2c", "2g", "not in hex"},
		{"2c", "2c3", "not in hex"},
	} {
		_, err := parseVolumeKey([]byte(strings.Replace(good, c.old, c.new, 1)))
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "2c") {
			t.Errorf("%q for %q: %v", c.new, c.old, err)
		}
	}
}

// What a program writes beyond all measure is not kept, and no error has it.
func TestTooMuchOutput(t *testing.T) {
	v := volume(t)
	v.tool = script(t, "while echo 'MK dump: 2c 2c 2c 2c 2c'; do :; done\n")
	if _, err := v.VolumeKey(t.Context(), passphrase); err == nil || strings.Contains(err.Error(), "2c") {
		t.Error(err)
	}
}

// Open needs device-mapper, which tests do without: what cryptsetup is told is seen.
func TestOpen(t *testing.T) {
	v := volume(t)
	seen := filepath.Join(t.TempDir(), "seen")
	v.tool = script(t, "echo \"$@\" >'"+seen+"'; cat /proc/self/fd/3 >>'"+seen+"'\n")
	if err := v.Open(t.Context(), passphrase, 2, "-root", OpenOptions{ReadOnly: true, Discards: true}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(seen)
	want := "open --type luks2 --key-file /proc/self/fd/3 --key-slot 2 --readonly --allow-discards --batch-mode " + v.Path() + " -- -root\n" + string(passphrase)
	if err != nil || string(got) != want {
		t.Errorf("%q, %v: want %q", got, err, want)
	}
}

func TestPreferredKeyslotComesFirst(t *testing.T) {
	v, ctx := volume(t), t.Context()
	if _, err := v.AddKey(ctx, passphrase, []byte("another"), Quick); err != nil {
		t.Fatal(err)
	}
	if err := v.Prefer(ctx, 1); err != nil {
		t.Fatal(err)
	}
	text, err := v.Describe(ctx)
	if err != nil || strings.Count(text, "Priority:   preferred") != 1 || strings.Count(text, "Priority:   normal") != 1 {
		t.Errorf("%v\n%s", err, text)
	}
	if err := v.Prefer(ctx, 7); err == nil {
		t.Error("a keyslot that is not there was preferred")
	}
}
