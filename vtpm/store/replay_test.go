package store_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/vtpm/store"
)

const stateFile = "state"

// commits plays commits of one block and of several, and returns the state file and
// the records after each.
func commits(t testing.TB, n int) (image []byte, states []map[string][]byte) {
	t.Helper()
	d := newDisk()
	h := newHistory(mustOpen(t, d))
	for i := range n {
		size := 20 + i%3*700
		if err := h.Commit(map[string][]byte{fmt.Sprint("record ", i%3): bytes.Repeat([]byte{byte(i + 1)}, size)}); err != nil {
			t.Fatal(err)
		}
	}
	return d.image(stateFile), h.states
}

// FuzzDamage changes any bytes of a good state file. What is accepted is never
// anything but the last state, or the one before it when the change is in the last
// frame, where it may look like a write that was cut off. So a damaged middle is
// refused, never skipped.
func FuzzDamage(f *testing.F) {
	image, states := commits(f, 6)
	last := states[len(states)-1]
	before := states[len(states)-2]
	end := bytes.LastIndexByte(image, 0xEB) + 1
	const lastFrame = 4 * 512 // blocks of the last commit: 1420 bytes
	for _, at := range []int{0, 22, 30, 512, 519, 522, 1023, 1024, end - lastFrame, end - 512, end - 1, end} {
		f.Add(at, []byte{1})
		f.Add(at, make([]byte, 512))
		f.Add(at, []byte("bootseal vTPM state 1\n"))
	}
	f.Add(512, image[1024:1536])
	f.Fuzz(func(t *testing.T, at int, change []byte) {
		if at < 0 || at >= len(image) {
			return
		}
		bad := bytes.Clone(image)
		copy(bad[at:], change)
		records, err := store.Read(bad, keyOptions)
		switch {
		case err != nil && bytes.Equal(bad, image):
			t.Fatalf("refused: %v", err)
		case err != nil || same(records, last):
		case at+len(change) <= end-lastFrame || !same(records, before):
			t.Fatalf("a change of %d bytes at %d was accepted", len(change), at)
		}
	})
}

// FuzzRead reads any bytes as a state file: no panic, and no state without records'
// authentication.
func FuzzRead(f *testing.F) {
	image, _ := commits(f, 3)
	f.Add(image)
	for _, name := range []string{"state-1", "state-2", "state-2-encrypted", "state-2-counted"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(_ *testing.T, b []byte) {
		for _, o := range []store.Options{{}, keyOptions, {Key: testKey, Adopt: true}} {
			_, _ = store.Read(b, o)
		}
	})
}

// A frame opens where it was written only: not at another position, not in another
// file, not when one before it is left out.
func TestFramesStayInPlace(t *testing.T) {
	image, _ := commits(t, 6)
	other, _ := commits(t, 6)
	block := func(b []byte, n int) []byte { return b[n*512 : (n+1)*512] }
	// Blocks 2, 3 and 4 are frames 2 and 3 of the file, blocks 1 is frame 1.
	for name, change := range map[string]func(b []byte){
		"block of another file":   func(b []byte) { copy(block(b, 2), block(other, 2)) },
		"header of another file":  func(b []byte) { copy(block(b, 0), block(other, 0)) },
		"blocks exchanged":        func(b []byte) { copy(block(b, 1), block(image, 2)); copy(block(b, 2), block(image, 1)) },
		"frame left out":          func(b []byte) { copy(b[512:], image[1024:]) },
		"frame repeated":          func(b []byte) { copy(b[1024:], image[512:]) },
		"middle block erased":     func(b []byte) { clear(block(b, 2)) },
		"first frame erased":      func(b []byte) { clear(block(b, 1)) },
		"all frames erased":       func(b []byte) { clear(b[512:]) },
		"something behind a hole": func(b []byte) { b[len(b)-1] = 0xEB },
	} {
		bad := bytes.Clone(image)
		change(bad)
		if _, err := store.Read(bad, keyOptions); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// States of earlier versions are read, and are of this version after a Commit.
func TestUpgrade(t *testing.T) {
	for name, o := range map[string]store.Options{
		"state-1":           {},
		"state-2":           {},
		"state-2-encrypted": keyOptions,
		"state-2-counted":   counted(&tally{count: store.Count{Value: 2, InUse: true}}),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			sample, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, stateFile), sample, 0o600); err != nil {
				t.Fatal(err)
			}
			d := openOptions(t, dir, o)
			before, _ := d.Load()
			if len(before["hierarchies"]) == 0 {
				t.Error("there are no seeds")
			}
			before["one"] = []byte("more")
			if err := d.Commit(map[string][]byte{"one": []byte("more")}); err != nil {
				t.Fatal(err)
			}
			d.Close()
			if after, _ := openOptions(t, dir, o).Load(); !same(before, after) {
				t.Error("the records changed")
			}
			now, err := os.ReadFile(filepath.Join(dir, stateFile))
			if err != nil || !bytes.HasPrefix(now, []byte("bootseal vTPM state 2\n")) {
				t.Errorf("the state begins with %.25q: %v", now, err)
			}
		})
	}
}

func openOptions(t testing.TB, dir string, o store.Options) *store.Directory {
	t.Helper()
	d, err := store.OpenDirectoryOptions(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// Later versions are refused by name, not as damage.
func TestLaterVersion(t *testing.T) {
	image, _ := commits(t, 1)
	later := bytes.Replace(image, []byte("state 2"), []byte("state 3"), 1)
	if _, err := store.Read(later, keyOptions); err == nil || !strings.Contains(err.Error(), "version") {
		t.Errorf("version 3: %v", err)
	}
}

// Files are replaced when they are full, and keep all that counts.
func TestJournalIsReplaced(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	want := map[string][]byte{"kept": []byte("value")}
	if err := d.Commit(want); err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		change := map[string][]byte{"counter": []byte(fmt.Sprint(i))}
		if err := d.Commit(change); err != nil {
			t.Fatal(err)
		}
		maps.Copy(want, change)
	}
	d.Close()
	if have, _ := open(t, dir).Load(); !same(have, want) {
		t.Errorf("records %q, want %q", have, want)
	}
	if info, err := os.Stat(filepath.Join(dir, stateFile)); err != nil || info.Size() > 256<<10 || info.Mode().Perm() != 0o600 {
		t.Errorf("state file: %v, %v", info, err)
	}
}
