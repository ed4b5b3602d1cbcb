package pcrsig

import (
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/pcr"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustParse(t testing.TB, text []byte) File {
	t.Helper()
	f, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func signer(t testing.TB) (*Key, Signer) {
	t.Helper()
	k, s, err := ParsePrivateKey(read(t, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return k, s
}

// What systemd-measure writes is read, verified, signed again and written again, to the
// byte.
func TestSystemd(t *testing.T) {
	text := read(t, "systemd252.json")
	f := mustParse(t, text)
	k, sign := signer(t)
	again := make(File)
	if len(f) != 1 || len(f[pcr.SHA256]) != 4 {
		t.Fatalf("%v: want SHA-256's, one for each phase", f)
	}
	for _, s := range f[pcr.SHA256] {
		if s.PCRs != pcr.Select(11) || s.Key != k.Fingerprint() {
			t.Errorf("%+v", s)
		}
		if err := k.Verify(&s); err != nil {
			t.Error(err)
		}
		ours, err := Sign(k, sign, s.PCRs, s.Policy)
		if err != nil {
			t.Fatal(err)
		}
		again.Add(pcr.SHA256, ours)
		if found := f.Find(pcr.SHA256, s.PCRs, s.Key, s.Policy); len(found) != 1 || !reflect.DeepEqual(found[0], s) {
			t.Errorf("found %v", found)
		}
	}
	for why, f := range map[string]File{"as read": f, "signed again": again} {
		if out, err := f.Bytes(); err != nil || !bytes.Equal(out, text) {
			t.Errorf("%s: %v\n%s", why, err, out)
		}
	}
}

func TestAdd(t *testing.T) {
	k, sign := signer(t)
	one, err := Sign(k, sign, pcr.Select(11), make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	other := one
	other.PCRs = pcr.Select(11, 12)
	f := File{}
	if n := f.Add(pcr.SHA256, one, other, one); n != 2 || len(f[pcr.SHA256]) != 2 {
		t.Errorf("%d added, %v", n, f)
	}
	if n := f.Add(pcr.SHA384, one); n != 1 {
		t.Error("another bank's entry counts as the same")
	}
	for why, found := range map[string][]Signature{
		"another bank":   f.Find(pcr.SHA1, one.PCRs, one.Key, one.Policy),
		"other PCRs":     f.Find(pcr.SHA256, pcr.Select(12), one.Key, one.Policy),
		"another key":    f.Find(pcr.SHA256, one.PCRs, Fingerprint{}, one.Policy),
		"another policy": f.Find(pcr.SHA256, one.PCRs, one.Key, bytes.Repeat([]byte{1}, 32)),
	} {
		if len(found) != 0 {
			t.Errorf("%s: found %v", why, found)
		}
	}
}

// A field of a newer systemd outlives a merge.
func TestUnknownFieldsStay(t *testing.T) {
	const text = `{"sha256":[{"new":[1],"pcrs":[11],"pkfp":"` + sixtyFour + `","pol":"` + sixtyFour + `","sig":"AAAA"}]}` + "\n"
	f := mustParse(t, []byte(text))
	if out, err := f.Bytes(); err != nil || string(out) != text {
		t.Errorf("%s, %v", out, err)
	}
}

const sixtyFour = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestParseRefuses(t *testing.T) {
	good := `{"pcrs":[11],"pkfp":"` + sixtyFour + `","pol":"` + sixtyFour + `","sig":"AAAA"}`
	mustParse(t, []byte(`{"sha256":[`+good+`]}`))
	for _, c := range []struct{ why, text, says string }{
		{"nothing", ``, "not the JSON"},
		{"another shape", `[]`, "not the JSON"},
		{"a bank that nobody has", `{"md5":[]}`, `unknown PCR bank "md5"`},
		{"one bank in two spellings", `{"sha256":[],"SHA256":[]}`, "comes twice"},
		{"two files", `{} {}`, "something follows"},
		{"a PCR too many", `{"sha256":[` + strings.Replace(good, "11", "24", 1) + `]}`, "entry 0: field \"pcrs\": PCR 24"},
		{"half a fingerprint", `{"sha256":[` + strings.Replace(good, `p":"01`, `p":"`, 1) + `]}`, `field "pkfp"`},
		{"a policy that is no hex", `{"sha256":[` + strings.Replace(good, `l":"01`, `l":"xx`, 1) + `]}`, `field "pol"`},
		{"no signature", `{"sha256":[` + good + `,` + strings.Replace(good, "AAAA", "", 1) + `]}`, `entry 1: field "sig"`},
		{"a huge signature", `{"sha256":[` + strings.Replace(good, "AAAA", strings.Repeat("AAAA", 200), 1) + `]}`, "600 bytes"},
		{"a huge file", strings.Repeat(" ", MaxFile+1), "want at most"},
	} {
		if _, err := Parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.why, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(read(f, "systemd252.json"))
	f.Add([]byte(`{"sha256":[{"pcrs":[11],"pkfp":"` + sixtyFour + `","pol":"` + sixtyFour + `","sig":"AAAA"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := Parse(text)
		if err != nil {
			return
		}
		out, err := file.Bytes()
		if err != nil {
			return // escaping may make it longer than it may be
		}
		back := mustParse(t, out)
		for bank, all := range file {
			if len(back[bank]) != len(all) {
				t.Fatalf("%s: %d entries became %d", bank, len(all), len(back[bank]))
			}
			for i, s := range all {
				if b := back[bank][i]; !s.same(b) || !bytes.Equal(s.Sig, b.Sig) {
					t.Errorf("%s: %+v became %+v", bank, s, b)
				}
			}
		}
	})
}

func FuzzParseKey(f *testing.F) {
	f.Add(string(read(f, "public.pem")))
	f.Fuzz(func(t *testing.T, text string) {
		k, err := ParseKey(text)
		if err != nil {
			return
		}
		same, err := NewKey(k.Public)
		if err != nil || same.Fingerprint() != k.Fingerprint() {
			t.Errorf("%v", err)
		}
	})
}
