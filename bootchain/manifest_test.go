package bootchain_test

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/pcr"
)

func TestMeasure(t *testing.T) {
	large := strings.Repeat("#\n", 1<<20)
	m, err := bootchain.Measure(fstest.MapFS{
		"EFI/debian/grub.cfg": {Data: []byte("set timeout=0\n")},
		"boot/initrd.img":     {Data: []byte{1}},
		"boot/large.cfg":      {Data: []byte(large)},
		"boot/latin1.cfg":     {Data: []byte("echo \xe9\n")},
		"boot/no.efi":         {Data: []byte("MZ but no program")},
		"boot/broken.efi":     {Data: broken()},
		"boot/empty":          {},
		"boot/nowhere":        {Data: []byte("gone"), Mode: fs.ModeSymlink},
	}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Files) != 7 {
		t.Errorf("%d files, want 7: no link to nowhere", len(m.Files))
	}
	if f := m.Files["/EFI/debian/grub.cfg"]; f.Text != "set timeout=0\n" || f.Size != 14 || f.Program != nil {
		t.Errorf("grub.cfg: %+v", f)
	}
	if f := m.Files["/boot/large.cfg"]; f.Text != "" || f.Size != int64(len(large)) {
		t.Errorf("a large script: %d bytes of text, size %d", len(f.Text), f.Size)
	}
	if f := m.Files["/boot/latin1.cfg"]; f.Text != "" {
		t.Errorf("JSON cannot carry the text %q", f.Text)
	}
	if f := m.Files["/boot/no.efi"]; f.Program != nil {
		t.Errorf("a file that begins like a program is one: %+v", f.Program)
	}
	if f := m.Files["/boot/broken.efi"]; f.Program == nil || f.Program.Problem == "" {
		t.Errorf("a broken program: %+v", f.Program)
	}
	if got, want := m.Files["/boot/empty"].Digests[pcr.SHA256], pcr.SHA256.Sum(); !bytes.Equal(got, want) {
		t.Errorf("an empty file: %v, want %v", got, want)
	}
	if err := (bootchain.Manifest{Volumes: []bootchain.Volume{m}}).Check(); err != nil {
		t.Error(err)
	}
}

// broken is a program with a header and nothing else.
func broken() []byte {
	b := make([]byte, 128)
	copy(b, "MZ")
	b[0x3c] = 64
	copy(b[64:], "PE\x00\x00")
	return b
}

// A file without random access is measured as one with it.
func TestMeasureStream(t *testing.T) {
	direct, err := bootchain.MeasureFile("x.efi", bytes.NewReader(broken()), nil)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := bootchain.MeasureFile("x.efi", io.MultiReader(bytes.NewReader(broken())), nil)
	if err != nil || !reflect.DeepEqual(direct, stream) {
		t.Errorf("%+v, want %+v, %v", stream, direct, err)
	}
}

// A manifest is the same after a way through JSON.
func TestManifestJSON(t *testing.T) {
	b, err := boots.Load(boots.Upgraded)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(b.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	got, err := bootchain.ReadManifest(bytes.NewReader(data))
	if err != nil || !reflect.DeepEqual(got, b.Manifest) {
		t.Errorf("another manifest comes back, %v", err)
	}
}

func TestReadManifestErrors(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", "read manifest: unexpected end"},
		{"{}", "no volumes"},
		{`{"volumes":[{"files":{},"joined":{"/a+/b":{"sha256":"00"}}}]}`, "/a+/b: sha256 digest of 1 bytes"},
		{`{"volumes":[{"files":{},"packed":{"/a":{"archives":[{"name":"x","pcr":4}]}}}]}`, "in PCR 4"},
		{`{"volumes":[{"files":{"/a":{"digests":{"sha256":"00"}}}}]}`, "/a: sha256 digest of 1 bytes"},
		{`{"volumes":[{"files":{"/a":{}}}]}`, "/a: no digests"},
		{`{"volumes":[{"files":{"a":{"digests":{"sha1":"` + strings.Repeat("00", 20) + `"}}}}]}`, "does not begin with a slash"},
		{`{"volumes":[{"files":{"/a":{"text":"x","digests":{"sha1":"` + strings.Repeat("00", 20) + `"}}}}]}`, "not that of the text"},
	} {
		if _, err := bootchain.ReadManifest(strings.NewReader(test.text)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.text, err, test.want)
		}
	}
}
