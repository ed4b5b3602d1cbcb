package swtpmstate_test

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/swtpmstate"
)

// convert is what an import does with a file that swtpm has not encrypted.
func convert(t testing.TB, file []byte) (*vtpm.Moved, error) {
	t.Helper()
	state, err := swtpmstate.Permanent(file, swtpmstate.Keys{})
	if err != nil {
		return nil, err
	}
	moved, err := vtpm.FromLibtpms(state, vtpm.PCClient())
	if err != nil && strings.Contains(err.Error(), "panic") {
		t.Errorf("%v", err)
	}
	return moved, err
}

// resized sets the sizes that a file has of itself, so that what is wrong is inside.
func resized(file []byte) []byte {
	const header, item = 10, 6
	file = bytes.Clone(file)
	binary.BigEndian.PutUint32(file[6:], uint32(len(file)))
	binary.BigEndian.PutUint32(file[header+2:], uint32(len(file)-header-item))
	return file
}

// TestTruncated: a file that ends anywhere before its end is refused, as is one that
// says that this is its end, and one with something behind its end.
func TestTruncated(t *testing.T) {
	for _, dir := range slices.Concat(samples(t, "plain"), samples(t, "asleep")) {
		file, _ := readSample(t, dir)
		for n := range file {
			if _, err := convert(t, file[:n]); err == nil {
				t.Errorf("%d of %d bytes are a state", n, len(file))
			}
			if n < 16 {
				continue
			}
			if _, err := convert(t, resized(file[:n])); err == nil {
				t.Errorf("%d of %d bytes that say so are a state", n, len(file))
			}
		}
		if _, err := convert(t, append(file, 0)); err == nil {
			t.Error("a byte more is a state")
		}
		if _, err := convert(t, resized(append(file, 0))); err == nil || !strings.Contains(err.Error(), "1 bytes follow") {
			t.Errorf("a byte more: %v", err)
		}
	}
}

// TestEveryByte changes bytes one at a time. What then is still a state must start.
func TestEveryByte(t *testing.T) {
	for kind, step := range map[string]int{"plain": 29, "asleep": 1, "old-seeds": 1} {
		for _, dir := range samples(t, kind) {
			file, _ := readSample(t, dir)
			for i := 0; i < len(file); i += step {
				for _, change := range []byte{0x01, 0xFF} {
					changed := bytes.Clone(file)
					changed[i] ^= change
					moved, err := convert(t, changed)
					if err != nil {
						continue
					}
					store := make(memory)
					if err := moved.Fill(store); err != nil {
						t.Fatal(err)
					}
					tpm, err := vtpm.New(vtpm.Options{Store: store})
					if err != nil {
						t.Errorf("%s, byte %d ^ %#x: %v", filepath.Base(dir), i, change, err)
						continue
					}
					if _, err := (tpm2.Startup{StartupType: tpm2.TPMSUClear}).Execute(tpm); err != nil {
						t.Errorf("%s, byte %d ^ %#x: Startup: %v", filepath.Base(dir), i, change, err)
					}
				}
			}
		}
	}
}

// TestRefused: each with its reason.
func TestRefused(t *testing.T) {
	file, _ := readSample(t, samples(t, "plain")[0])
	state := must(swtpmstate.Permanent(file, swtpmstate.Keys{}))(t)
	replaced := func(old, new string) []byte {
		t.Helper()
		if bytes.Count(state, []byte(old)) == 0 {
			t.Fatalf("%x is not there", old)
		}
		return bytes.Replace(state, []byte(old), []byte(new), 1)
	}
	asleep, _ := readSample(t, samples(t, "asleep")[0])
	level := []byte("\x01\x00\x04\x01\x01\x00\x00") // of the null hierarchy's seed, in a block
	if bytes.Count(asleep, level) != 1 {
		t.Fatal("the level of the null seed is not found")
	}
	asleep = bytes.Replace(asleep, level, []byte("\x01\x00\x04\x00\x01\x00\x00"), 1)
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"that sleeps on an old seed", asleep, "start it with swtpm, and shut it down"},
		{"empty", nil, "it is empty"},
		{"huge", make([]byte, swtpmstate.MaxSize+1), "more than any state of swtpm"},
		{"of no program", []byte("#!/bin/sh, and more"), "does not begin as a state of swtpm"},
		{"of a newer swtpm", []byte{3, 3, 0, 10, 0, 0, 0, 0, 0, 10}, "version 3 of swtpm's format"},
		{"of a TPM 1.2", resized(append(bytes.Clone(file[:16]), 0, 1, 2, 3, 4, 5, 6, 7)), "no permanent state of a TPM 2.0"},
		{"of a newer libtpms", replaced("\x00\x04\xab\x36\x47\x23\x00\x04", "\x00\x09\xab\x36\x47\x23\x00\x09"), "version 9, and those up to 4 are known"},
		{"with other constants", replaced("\xc9\xea\x64\x31\x00\x01\x00\x00\x00\x78", "\xc9\xea\x64\x31\x00\x01\x7f\xff\xff\xff"), "2147483647 constants instead of 120"},
		{"with a seed of a later level", replaced("\x01\x00\x06\x01\x01\x01\x01\x00\x00", "\x01\x00\x06\x02\x01\x01\x01\x00\x00"), "compatibility level 2"},
		{"with an addition", replaced("\x01\x00\x06\x01\x01\x01\x01\x00\x00", "\x01\x00\x06\x01\x01\x01\x01\xff\xff"), "a newer libtpms wrote it"},
	} {
		_, err := convert(t, c.file)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("a state %s: %v", c.name, err)
		}
	}
}

// TestLinear opens a file of swtpm's file:// backend, and none that lies about its parts.
func TestLinear(t *testing.T) {
	file, f := readSample(t, samples(t, "plain")[0])
	frame := func(offset, size uint32) []byte {
		b := binary.LittleEndian.AppendUint64(nil, 0x737774706d6c696e)
		b = append(b, 1, 0)
		b = binary.LittleEndian.AppendUint16(b, 192)
		for _, n := range []uint32{offset, size, 4096} {
			b = binary.LittleEndian.AppendUint32(b, n)
		}
		return append(append(b, make([]byte, 192-len(b))...), file...)
	}
	good := frame(192, uint32(len(file)))
	tpm := moveIn(t, good, swtpmstate.Keys{}, vtpm.PCClient())
	must(tpm2.Startup{StartupType: tpm2.TPMSUClear}.Execute(tpm))(t)
	verify(t, tpm, f)
	for name, bad := range map[string][]byte{
		"cut": good[:100], "before": frame(100, 100), "beyond": frame(192, uint32(len(file)+1)),
		"overflow": frame(0xFFFFFFFF, 2), "none": frame(0, 0),
	} {
		if _, err := convert(t, bad); err == nil {
			t.Errorf("%s: a state", name)
		}
	}
}

// FuzzImport: no bytes break the import, and what moves in starts.
func FuzzImport(f *testing.F) {
	for _, kind := range []string{"old-seeds", "asleep", "exotic", "migration"} {
		for _, dir := range samples(f, kind) {
			file, _ := readSample(f, dir)
			f.Add(file)
		}
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if len(file) > 1<<16 {
			return
		}
		if len(file) > 16 && file[0] == 2 {
			file = resized(file)
		}
		moved, err := convert(t, file)
		if err != nil {
			return
		}
		store := make(memory)
		if err := moved.Fill(store); err != nil {
			t.Fatal(err)
		}
		tpm, err := vtpm.New(vtpm.Options{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (tpm2.Startup{StartupType: tpm2.TPMSUClear}).Execute(tpm); err != nil {
			t.Fatal(err)
		}
	})
}
