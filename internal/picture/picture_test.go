package picture_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/internal/picture"
	"github.com/bootseal/bootseal/predict"
)

func load(t testing.TB, name boots.Name) *boots.Boot {
	t.Helper()
	b, err := boots.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// wellFormed fails for what no XML parser reads, and returns the text.
func wellFormed(t testing.TB, svg []byte) string {
	t.Helper()
	text := ""
	for dec := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return text
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		if c, ok := token.(xml.CharData); ok {
			text += string(c) + "\n"
		}
	}
}

// A log shows its programs, a comparison marks what moved, a prediction says why.
func TestPictures(t *testing.T) {
	old, upgraded := load(t, boots.Second), load(t, boots.Upgraded)
	plain := picture.Boot("A boot", old.Log)
	text := wellFormed(t, plain)
	for _, want := range []string{"A boot", "Shim", "GRUB", "Linux kernel", "/EFI/BOOT/grubx64.efi"} {
		if !strings.Contains(text, want) {
			t.Errorf("the picture of a boot lacks %q", want)
		}
	}
	if bytes.Contains(plain, []byte(`class="dot moved"`)) {
		t.Error("something moved in a boot alone")
	}
	d, err := eventlog.Compare(old.Log, upgraded.Log)
	if err != nil {
		t.Fatal(err)
	}
	diff := picture.Diff("Two boots", old.Log, upgraded.Log, d)
	if text := wellFormed(t, diff); !strings.Contains(text, "kernel 6.1.0-54-cloud-amd64 to 6.1.0-56") ||
		!strings.Contains(text, "11 events differ, PCRs 4,8,9") || !bytes.Contains(diff, []byte(`class="dot moved"`)) {
		t.Errorf("the picture of an upgrade has\n%s", text)
	}
	p, err := predict.Next(predict.Input{Machine: bootchain.Machine{Log: old.Log, Files: upgraded.Manifest}})
	if err != nil {
		t.Fatal(err)
	}
	if text := wellFormed(t, picture.Path(&p.Paths[0])); !strings.Contains(text, "The next boot") {
		t.Errorf("the picture of a prediction has\n%s", text)
	}
}

// Whatever a log says, the picture stays one.
func FuzzPicture(f *testing.F) {
	b := load(f, boots.Second)
	f.Add(uint16(33), "</text><script>\x00\xff")
	f.Add(uint16(46), "grub_cmd: menuentry <&>\"'\x00")
	f.Fuzz(func(t *testing.T, at uint16, data string) {
		l := b.Log.Clone()
		l.Events[int(at)%len(l.Events)].Data = []byte(data)
		wellFormed(t, picture.Boot(data, l))
	})
}
