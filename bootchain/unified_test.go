package bootchain

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
)

// What systemd-measure 252 calculated for the sections of seal/pcrsig/testdata/README.md.
func TestUnifiedPCRIsSystemdMeasures(t *testing.T) {
	key, err := os.ReadFile("../seal/pcrsig/testdata/public.pem")
	if err != nil {
		t.Fatal(err)
	}
	p := &Program{}
	for _, s := range []struct{ name, contents string }{
		{".pcrpkey", string(key)}, {".initrd", "an initial ramdisk"}, {".linux", "a kernel"}, // in any order
		{".osrel", "ID=debian\n"}, {".cmdline", "root=/dev/mapper/root"}, {".pcrsig", "not measured"}, {".splash", ""},
	} {
		p.Sections = append(p.Sections, Section{Name: s.name, Size: int64(len(s.contents)),
			Digests: map[pcr.Bank]pcr.Digest{pcr.SHA256: pcr.SHA256.Sum([]byte(s.contents))}})
	}
	words := []string{}
	for _, want := range []string{
		"677385fa95a276aa60a5b82ced669ca53508a2fb5037d6de71812a8954f1cbe0",
		"56df4f327fbb4710947f8447bf6a47c28a1ae5f7725584cf53f059bfa4d2b1e5",
		"5b8c0981af72bd8535eec8ff106d65f26905c2881b9ccf732cedcf651a8c9ef9",
		"876c234df7fe96a98609a96b225dd3211831509bbc6dfae86a7fabb080599bfe",
	} {
		words = phases()[:len(words)+1]
		if got, err := p.UnifiedPCR(pcr.SHA256, 0, words...); err != nil || got.String() != want {
			t.Errorf("%v: have %s, %v, want %s", words, got, err, want)
		}
	}
	if _, err := p.UnifiedPCR(pcr.SHA384, 0); err == nil || !strings.Contains(err.Error(), "bank sha384 is not known") {
		t.Error(err)
	}
	if _, err := p.UnifiedPCR(pcr.SHA256, 1); err == nil || !strings.Contains(err.Error(), "no profile 1") {
		t.Error(err)
	}
	if _, err := (&Program{}).UnifiedPCR(pcr.SHA256, 0); err == nil || !strings.Contains(err.Error(), "no unified kernel image") {
		t.Error(err)
	}
}

// And what a real boot's firmware log leads to.
func TestUnifiedPCROfARealBoot(t *testing.T) {
	text, err := os.ReadFile("testdata/chains/c-uki-nosb/manifest-54.json")
	if err != nil {
		t.Fatal(err)
	}
	m, err := ReadManifest(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("../eventlog/testdata/boots/c-uki-nosb/2-k54-second/eventlog.bin")
	if err != nil {
		t.Fatal(err)
	}
	log, err := eventlog.Parse(raw, eventlog.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	values, err := log.Replay()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for path, f := range m.Volumes[0].Files {
		if f.Program == nil {
			continue
		}
		for _, bank := range values.Banks() {
			want, _ := values.Get(bank, 11)
			got, err := f.Program.UnifiedPCR(bank, 0)
			if err == nil && got.Equal(want) {
				found = true
			} else if err == nil {
				t.Logf("%s: %s, the boot had %s", path, got, want)
			}
		}
	}
	if !found {
		t.Error("no image leads to the value that the boot had")
	}
}
