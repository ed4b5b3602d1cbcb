package expect

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/pcr"
)

const uuid = "0a1b2c3d-1111-4222-8333-444455556666"

// recorded is what the log of a real boot says of the PCRs that keys are sealed to.
func recorded(t testing.TB) Boot {
	t.Helper()
	b, err := boots.Load(boots.Second)
	if err != nil {
		t.Fatal(err)
	}
	values := map[int]pcr.Digest{}
	for _, i := range []int{4, 7, 8, 9, 14} {
		values[i], _ = b.PCRs.Get(pcr.SHA256, i)
	}
	return New("Debian, kernel 54", pcr.SHA256, values, b.Log)
}

// The events of each PCR lead to its value.
func TestEventsLeadToValues(t *testing.T) {
	b := recorded(t)
	at := map[int]pcr.Digest{}
	for i := range b.PCRs {
		at[i] = pcr.Reset(pcr.SHA256, i, 0)
	}
	for _, e := range b.Events {
		next, err := pcr.Extend(pcr.SHA256, at[e.PCR], e.Digest)
		if err != nil || e.Description == "" {
			t.Fatalf("%+v: %v", e, err)
		}
		at[e.PCR] = next
	}
	if !reflect.DeepEqual(at, b.PCRs) {
		t.Errorf("have %v, want %v", at, b.PCRs)
	}
}

func TestWriteAndRead(t *testing.T) {
	root, want := t.TempDir(), []Boot{recorded(t)}
	if _, err := Read(root, uuid); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before: %v", err)
	}
	for _, first := range []bool{true, false} {
		written, err := Write(root, uuid, want)
		if err != nil || written != first {
			t.Errorf("written %v, %v", written, err)
		}
	}
	got, err := Read(root, uuid)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	info, err := os.Stat(filepath.Join(root, "bootseal", uuid+".json"))
	if err != nil || info.Size() > 16<<10 {
		t.Errorf("%v, %v", info, err)
	}
	for range 2 {
		if err := Remove(root, uuid); err != nil {
			t.Error(err)
		}
	}
	if _, err := Read(root, uuid); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after: %v", err)
	}
}

// A boot partition that cannot be written to, here because a file is where the folder
// should be.
func TestWriteRefused(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "bootseal"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(root, uuid, nil); err == nil || !strings.Contains(err.Error(), root) {
		t.Error(err)
	}
	if _, err := Write(root, "../x", nil); err == nil {
		t.Error("a path was taken for a UUID")
	}
}

func packed(t testing.TB, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestParseRefuses(t *testing.T) {
	for text, says := range map[string]string{
		`{}`:                                    "cannot unmarshal object",
		`[{"label":"x"}]`:                       "boot 0: bank 0x0000 is not known",
		`[{"bank":"sha256","pcrs":{"4":"00"}}]`: "PCR 4 with 1 bytes",
		`[{"bank":"sha256","pcrs":{},"events":[{"pcr":24}]}]`:                 "event 0: PCR 24",
		`[{"bank":"sha256","label":"` + strings.Repeat("x", 1025) + `"}]`:     "a label of 1025 bytes",
		"[" + strings.Repeat(`{"bank":"sha256"},`, 64) + `{"bank":"sha256"}]`: "65 boots: want at most 64",
		strings.Repeat(" ", maxText+1):                                        "more than 16 MiB",
	} {
		if _, err := Parse(bytes.NewReader(packed(t, text))); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.60s: %v, want %q", text, err, says)
		}
	}
	if _, err := Parse(strings.NewReader("no gzip")); err == nil {
		t.Error("what is no gzip was read")
	}
	whole := packed(t, `[{"bank":"sha256","pcrs":{},"events":[]}]`)
	if _, err := Parse(bytes.NewReader(whole[:len(whole)-9])); err == nil {
		t.Error("a file that ends early was read")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`[{"label":"a","bank":"sha1","pcrs":{"4":"0000000000000000000000000000000000000000"},"events":[{"pcr":4,"type":"EV_IPL","digest":"0000000000000000000000000000000000000000","description":"x"}]}]`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := Parse(bytes.NewReader(packed(t, string(text))))
		if err != nil {
			return
		}
		again, err := pack(got)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		same, err := Parse(bytes.NewReader(again))
		if err != nil || len(same) != len(got) {
			t.Errorf("%+v, %v: want %+v", same, err, got)
		}
	})
}
