package lab

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/internal/efivars"
	"github.com/bootseal/bootseal/pcr"
)

// guestReport is what guest/init answers with these files.
func guestReport(t *testing.T, files map[string]string) string {
	t.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	archive := tar.NewWriter(z)
	for name, data := range files {
		if err := archive.WriteHeader(&tar.Header{Name: name, Size: int64(len(data)), Mode: 0o644, Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(archive, data); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(packed.Bytes())
}

// talkTo has a guest that says these lines after the firmware's own output.
func talkTo(t *testing.T, lines string) (*Report, string, error) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "guest"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan string, 1)
	go func() {
		conn, err := net.Dial("unix", l.Addr().String())
		if err != nil {
			got <- err.Error()
			return
		}
		defer conn.Close()
		io.WriteString(conn, "\x1b[2JBdsDxe: starting\r\nready\r\n")
		var script [1024]byte
		n, _ := conn.Read(script[:])
		io.WriteString(conn, lines)
		got <- string(script[:n])
	}()
	r, err := talk(l, "setvar x\n")
	return r, <-got, err
}

func TestTalk(t *testing.T) {
	pcrs := "sha1 0 " + strings.Repeat("ab", 20) + "\n"
	whole := guestReport(t, map[string]string{
		"./pcrs": pcrs, "./log": "the log", "./cmdline": "ro\n", "./failed": "\n",
		"./vars/BootOrder-" + efivars.Global: "\x07\x00\x00\x00\x02\x00",
	})
	r, script, err := talkTo(t, whole[:20]+"\r\n"+whole[20:]+"\r\nend\r\n")
	if err != nil {
		t.Fatal(err)
	}
	if want := base64.StdEncoding.EncodeToString([]byte("setvar x\n")) + "\n"; script != want {
		t.Errorf("the guest got %q, want %q", script, want)
	}
	if d, _ := r.PCRs.Get(pcr.SHA1, 0); len(d) != 20 || string(r.Log) != "the log" || r.CommandLine != "ro" {
		t.Errorf("report: %+v", r)
	}
	if v, ok := r.Vars.Get("BootOrder", efivars.Global); !ok || !bytes.Equal(v, []byte{2, 0}) {
		t.Errorf("BootOrder: %x", v)
	}
}

func TestTalkToBrokenGuest(t *testing.T) {
	pcrs := "sha1 0 " + strings.Repeat("ab", 20) + "\n"
	for _, tt := range []struct{ name, lines, want string }{
		{"goes off early", "H4sI\r\n", "ended after 4 bytes"},
		{"garbage", "H4sI\r\nend\r\n", "read the guest's report"},
		{"no log", guestReport(t, map[string]string{"pcrs": pcrs, "log": ""}) + "\nend\n", "lacks"},
		{"script failed", guestReport(t, map[string]string{"failed": "dbx cannot be written; \n"}) + "\nend\n", "dbx cannot be written"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, _, err := talkTo(t, tt.lines); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}

// emptyStore is OVMF's layout with room for variables.
func emptyStore(room int) []byte {
	const volumeHeader = 72
	flash := bytes.Repeat([]byte{0xff}, volumeHeader+storeHeaderSize+room+4096)
	binary.LittleEndian.PutUint16(flash[volumeLengthAt:], volumeHeader)
	binary.LittleEndian.PutUint32(flash[volumeHeader+16:], uint32(storeHeaderSize+room))
	return flash
}

func TestAppendVariable(t *testing.T) {
	flash := emptyStore(256)
	for _, name := range []string{"MokList", "Moks"} { // the second begins at a multiple of four
		if err := appendVariable(flash, name, efivars.Shim, []byte("odd")); err != nil {
			t.Fatal(err)
		}
	}
	second := 72 + storeHeaderSize + 60 + 16 + 3 + 1
	if got := flash[second : second+4]; !bytes.Equal(got, []byte{0xaa, 0x55, 0x3f, 0}) {
		t.Errorf("the second variable begins with %x", got)
	}
	if got := flash[second+60 : second+60+10]; !bytes.Equal(got, []byte("M\x00o\x00k\x00s\x00\x00\x00")) {
		t.Errorf("the second variable's name is %q", got)
	}
	if err := appendVariable(flash, "Big", efivars.Shim, make([]byte, 200)); err == nil {
		t.Error("a variable went in that there is no room for")
	}
	if err := appendVariable(make([]byte, 100), "Any", efivars.Shim, nil); err == nil {
		t.Error("a file that is no variable store was taken")
	}
}

func TestArchive(t *testing.T) {
	files := []ArchiveFile{{"etc/a/b", []byte("text"), 0o644}, {"etc/a/c", nil, 0o755}}
	packed, err := Archive(files)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Archive(files)
	if err != nil || !bytes.Equal(packed, again) {
		t.Errorf("the same files make other bytes: %v", err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	cpio, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for rest := cpio; len(rest) >= 110; {
		var size, name int
		for _, field := range []struct {
			at   int
			into *int
		}{{54, &size}, {94, &name}} {
			for _, digit := range rest[field.at : field.at+8] {
				*field.into = *field.into<<4 | strings.IndexByte("0123456789abcdef", digit)
			}
		}
		names = append(names, string(rest[110:110+name-1]))
		rest = rest[(110+name+3)&^3:]
		rest = rest[(size+3)&^3:]
	}
	if got := strings.Join(names, " "); got != "etc etc/a etc/a/b etc/a/c TRAILER!!!" {
		t.Errorf("the archive has %s", got)
	}
}

func TestNumbersOrderKernels(t *testing.T) {
	if a, b := numbers("linux-image-6.1.0-9-cloud-amd64"), numbers("linux-image-6.1.0-54-cloud-amd64"); a[3] >= b[3] {
		t.Errorf("%v is not before %v", a, b)
	}
}
