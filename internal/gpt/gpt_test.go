package gpt_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/internal/gpt"
)

// sectors are the first of a recorded machine's disk.
func sectors(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("../../bootchain/testdata/chains/a-shim-grub-sb/gpt.bin")
	if err != nil {
		t.Fatal(err)
	}
	return append(data, make([]byte, 34*512-len(data))...)
}

// The bytes are those that the firmware of that machine measured.
func TestMeasured(t *testing.T) {
	table, err := gpt.Read(bytes.NewReader(sectors(t)))
	if err != nil {
		t.Fatal(err)
	}
	if p := table.Partitions; len(p) != 1 || p[0].Number != 1 || p[0].Name != "ESP" || p[0].First != 2048 {
		t.Errorf("partitions are %+v", p)
	}
	log, err := os.ReadFile("../../eventlog/testdata/boots/a-shim-grub-sb/2-k54-second/eventlog.bin")
	if err != nil {
		t.Fatal(err)
	}
	if digest := sha256.Sum256(table.Measured()); !bytes.Contains(log, digest[:]) {
		t.Errorf("the log has no event with the digest %x", digest)
	}
}

func TestErrors(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(b []byte)
		want   string
	}{
		{"another header", func(b []byte) { b[512+60]++ }, "header's checksum"},
		{"another entry", func(b []byte) { b[1024+100]++ }, "entries' checksum"},
		{"a header of 512 bytes", func(b []byte) { b[512+13] = 2 }, "header of 604 bytes"},
	} {
		data := sectors(t)
		test.change(data)
		if _, err := gpt.Read(bytes.NewReader(data)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
	if _, err := gpt.Read(bytes.NewReader(make([]byte, 8192))); !errors.Is(err, gpt.ErrNone) {
		t.Error(err)
	}
	if _, err := gpt.Read(bytes.NewReader(sectors(t)[:1024])); err == nil {
		t.Error("a table without entries is read")
	}
}

func FuzzRead(f *testing.F) {
	base := sectors(f)
	f.Add(uint16(512+80), []byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, at uint16, change []byte) {
		data := bytes.Clone(base)
		copy(data[int(at)%len(data):], change)
		if table, err := gpt.Read(bytes.NewReader(data)); err == nil {
			_ = fmt.Sprint(len(table.Measured()), table.Partitions)
		}
	})
}
