package record_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/vtpm/store/internal/record"
)

// FuzzRecords: what decodes is what encodes to the same bytes.
func FuzzRecords(f *testing.F) {
	for _, records := range []map[string][]byte{{}, {"a": {}, "b": nil}, {"": []byte("x"), "counters": make([]byte, 40)}} {
		b, err := record.Encode(records)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		records, err := record.Decode(b)
		if err != nil {
			return
		}
		if again, err := record.Encode(records); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x became %x, %v", b, again, err)
		}
	})
}

// Different keeps apart what is empty and what is gone, and leaves out what is the same.
func TestDifferent(t *testing.T) {
	records := map[string][]byte{"same": []byte("1"), "other": []byte("1"), "gone": []byte("1"), "empty": {}}
	changes := record.Different(records, map[string][]byte{
		"same": []byte("1"), "other": []byte("2"), "gone": nil, "empty": {}, "new": {}, "nothing": nil,
	})
	if len(changes) != 3 || string(changes["other"]) != "2" || changes["new"] == nil {
		t.Fatalf("changes %q", changes)
	}
	old := records["other"]
	record.Apply(records, changes)
	if len(records) != 4 || string(records["other"]) != "2" || records["new"] == nil || records["gone"] != nil {
		t.Errorf("records %q", records)
	}
	if old[0] != 0 {
		t.Error("the old value was not erased")
	}
}

// What is no record is refused, and so is a name that is too long.
func TestLimits(t *testing.T) {
	if _, err := record.Encode(map[string][]byte{strings.Repeat("n", 1<<16): nil}); err == nil {
		t.Error("a name of 65536 bytes was encoded")
	}
	for _, bad := range []string{"\x00", "\x00\x01a", "\x00\x01a\x00\x00\x00\x01", "\x00\x01b\x00\x00\x00\x00\x00\x01a\x00\x00\x00\x00"} {
		if records, err := record.Decode([]byte(bad)); err == nil {
			t.Errorf("%q: %q", bad, records)
		}
	}
}
