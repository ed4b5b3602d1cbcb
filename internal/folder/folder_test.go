package folder

import (
	"errors"
	"io"
	"testing"
	"testing/fstest"
)

// A folder is listed in pages of any size, and then at its end.
func TestPages(t *testing.T) {
	fsys := fstest.MapFS{"d/a": {}, "d/b": {}, "d/c": {}}
	d := Open(fsys, "d")
	var names string
	for _, n := range []int{2, 2} {
		list, err := d.ReadDir(n)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			names += e.Name()
		}
	}
	if _, err := d.ReadDir(1); names != "abc" || !errors.Is(err, io.EOF) {
		t.Errorf("listed %q, then %v", names, err)
	}
	if list, err := d.ReadDir(-1); len(list) != 0 || err != nil {
		t.Errorf("%d entries behind the end: %v", len(list), err)
	}
	if _, err := Open(fsys, "none").ReadDir(-1); err == nil {
		t.Error("what is not there was listed")
	}
	if _, err := d.Read(nil); err == nil {
		t.Error("a folder was read")
	}
}
