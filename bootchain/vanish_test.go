package bootchain_test

import (
	"errors"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/pcr"
)

// vanishing is a volume from which a file goes when it is opened for the n-th time.
type vanishing struct {
	fstest.MapFS
	name string
	n    int
}

func (v *vanishing) Open(name string) (fs.File, error) {
	if name == v.name {
		if v.n--; v.n <= 0 {
			delete(v.MapFS, name)
		}
	}
	return v.MapFS.Open(name)
}

// While a node is measured, its package manager works.
func TestMeasureWhatGoes(t *testing.T) {
	for _, c := range []struct {
		what, name string
		n          int
	}{
		{"a temporary file, before it is read", "boot/initrd.img.new", 1},
		{"an initial ramdisk, before it is read as one of a list", "boot/microcode.img", 2},
	} {
		volume := &vanishing{MapFS: fstest.MapFS{
			"boot/vmlinuz":        {Data: []byte("kernel")},
			"boot/initrd.img":     {Data: []byte("initrd")},
			"boot/initrd.img.new": {Data: []byte("new")},
			"boot/microcode.img":  {Data: []byte("microcode")},
			"boot/grub/grub.cfg":  {Data: []byte("linux /boot/vmlinuz\ninitrd /boot/microcode.img /boot/initrd.img\n")},
		}, name: c.name, n: c.n}
		got, err := bootchain.Measure(volume, []pcr.Bank{pcr.SHA256}, nil)
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		if _, ok := got.Files["/"+c.name]; ok || len(got.Files) != 4 {
			t.Errorf("%s: %d files, that one among them: %v", c.what, len(got.Files), ok)
		}
	}
}

// A file that is listed and never there is an error, and no endless search.
func TestMeasureWhatIsNeverThere(t *testing.T) {
	opened := 0
	volume := listed{fstest.MapFS{"boot/vmlinuz": {Data: []byte("kernel")}}, &opened}
	if _, err := bootchain.Measure(volume, nil, nil); !errors.Is(err, fs.ErrNotExist) || opened != 3 {
		t.Errorf("after %d tries: %v", opened, err)
	}
}

type listed struct {
	fstest.MapFS
	opened *int
}

func (l listed) Open(name string) (fs.File, error) {
	if name == "boot/vmlinuz" {
		*l.opened++
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return l.MapFS.Open(name)
}
