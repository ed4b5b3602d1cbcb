package archive_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm/server/host"
	"github.com/bootseal/bootseal/vtpm/server/host/archive"
)

var (
	sample = &host.Archive{
		Version: 1, Name: "vm0", Profile: "pcclient", Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Manufactured: []byte(`{"ek":1}`), State: []byte("the TPM's secrets"),
	}
	byKey        = archive.Secret{Key: bytes.Repeat([]byte{7}, 32)}
	byPassphrase = archive.Secret{Passphrase: []byte("correct horse battery staple")}
)

func TestSealOpen(t *testing.T) {
	for _, secret := range []archive.Secret{byKey, byPassphrase} {
		file, err := archive.Seal(sample, secret)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(file, []byte("secrets")) || bytes.Contains(file, []byte("vm0")) {
			t.Error("the file can be read")
		}
		again, err := archive.Seal(sample, secret)
		if err != nil || bytes.Equal(file, again) {
			t.Error("two files of one archive are the same")
		}
		if a, err := archive.Open(file, secret); err != nil || !reflect.DeepEqual(a, sample) {
			t.Errorf("%+v, %v", a, err)
		}
	}
}

// Not a bit of the file can be changed, and it cannot be cut.
func TestChangedFile(t *testing.T) {
	file, err := archive.Seal(sample, byKey)
	if err != nil {
		t.Fatal(err)
	}
	for at := range file {
		changed := bytes.Clone(file)
		changed[at] ^= 1
		if _, err := archive.Open(changed, byKey); err == nil {
			t.Errorf("opened with byte %d changed", at)
		}
		if _, err := archive.Open(file[:at], byKey); err == nil {
			t.Errorf("opened when cut to %d bytes", at)
		}
	}
	if _, err := archive.Open(append(file, 0), byKey); !errors.Is(err, archive.ErrSecret) {
		t.Errorf("with a byte more: %v", err)
	}
}

func TestSecrets(t *testing.T) {
	file, err := archive.Seal(sample, byKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		secret archive.Secret
		want   string
	}{
		{archive.Secret{Key: bytes.Repeat([]byte{8}, 32)}, "another key"},
		{byPassphrase, "with a key, not a passphrase"},
		{archive.Secret{}, "a key of 0 bytes"},
		{archive.Secret{Key: make([]byte, 15)}, "a key of 15 bytes"},
		{archive.Secret{Key: byKey.Key, Passphrase: byPassphrase.Passphrase}, "one of them"},
	} {
		if _, err := archive.Open(file, c.secret); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.want, err)
		}
	}
	if _, err := archive.Seal(sample, archive.Secret{Key: make([]byte, 15)}); err == nil {
		t.Error("sealed with a short key")
	}
}

// A file cannot make its reader compute for hours or take all memory.
func TestHostileParameters(t *testing.T) {
	file, err := archive.Seal(sample, byPassphrase)
	if err != nil {
		t.Fatal(err)
	}
	for at, value := range map[int]byte{24: 1, 28: 1, 32: 255} { // passes, memory, threads
		hostile := bytes.Clone(file)
		hostile[at] = value
		if _, err := archive.Open(hostile, byPassphrase); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("byte %d: %v", at, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	file, err := archive.Seal(sample, byKey)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Add(file[:60])
	f.Add([]byte("bootseal vTPM export 1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := archive.Open(b, byKey)
		if err == nil && !reflect.DeepEqual(a, sample) {
			t.Errorf("another archive: %+v", a)
		}
	})
}
