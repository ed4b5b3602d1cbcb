package status_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/internal/lukstest"
	"github.com/bootseal/bootseal/node/status"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// values are PCRs 4 and 7 of a boot.
func values(kernel string) pcr.Values {
	v := pcr.Values{}
	v.Set(pcr.SHA256, 4, pcr.SHA256.Sum([]byte(kernel)))
	v.Set(pcr.SHA256, 7, pcr.SHA256.Sum([]byte("Secure Boot")))
	return v
}

func path(kernel string) predict.Path { return predict.Path{Name: kernel, PCRs: values(kernel)} }

func prediction(paths ...predict.Path) *predict.Prediction { return &predict.Prediction{Paths: paths} }

// volume is sealed to the boots of some kernels.
func volume(t *testing.T, pin string, kernels ...string) *status.Volume {
	t.Helper()
	var boots []lukstest.Boot
	for _, k := range kernels {
		boots = append(boots, lukstest.Boot{Label: k, Values: values(k)})
	}
	h, err := lukstest.Enrolled(vtpmtest.Open(t), lukstest.Options{UUID: uuid, PCRs: pcr.BankSelection{Bank: pcr.SHA256, PCRs: pcr.Select(4, 7)}, PIN: pin}, boots...)
	if err != nil {
		t.Fatal(err)
	}
	v := status.ReadVolume("/dev/sda3", bytes.NewReader(h.Bytes()))
	return &v
}

func TestForesee(t *testing.T) {
	doubtful := path("54")
	delete(doubtful.PCRs[pcr.SHA256], 4)
	doubtful.Unknown, doubtful.Doubts = []int{4}, []bootchain.Doubt{{PCR: 4, Reason: "the boot loader is not known"}}
	elsewhere := doubtful
	elsewhere.PCRs = values("")
	delete(elsewhere.PCRs[pcr.SHA256], 4)
	elsewhere.PCRs.Set(pcr.SHA256, 7, pcr.SHA256.Sum([]byte("no Secure Boot")))
	for _, c := range []struct {
		name    string
		volume  *status.Volume
		path    predict.Path
		outcome status.Outcome
		tokens  []int
		why     string
	}{
		{"the first of two boots", volume(t, "", "54", "56"), path("54"), status.Opens, []int{0}, ""},
		{"the second", volume(t, "", "54", "56"), path("56"), status.Opens, []int{1}, ""},
		{"one that nobody sealed to", volume(t, "", "54", "56"), path("57"), status.Refuses, nil, `the nearest is token 0, "54"`},
		{"no token", volume(t, ""), path("54"), status.Refuses, nil, "no token that a TPM is asked for"},
		{"a PCR that cannot be told", volume(t, "", "54"), doubtful, status.Untold, nil, "PCR 4: the boot loader is not known"},
		{"the same, when another PCR says no already", volume(t, "", "54"), elsewhere, status.Refuses, nil, "no token is for this boot"},
		{"a way that halts", volume(t, "", "54"), predict.Path{Halts: "the kernel is not there"}, status.Halts, nil, "the kernel is not there"},
		{"a bank that the prediction does not have", volume(t, "", "54"), predict.Path{PCRs: pcr.Values{}}, status.Untold, nil, "sha256 PCR 4,7"},
	} {
		w := status.Foresee(prediction(c.path), c.volume)[0]
		if w.Outcome != c.outcome || !slices.Equal(w.Tokens, c.tokens) || !strings.Contains(strings.Join(w.Why, "; "), c.why) {
			t.Errorf("%s: %+v", c.name, w)
		}
	}
	if w := status.Foresee(prediction(path("54")), volume(t, "1234", "54"))[0]; !w.PIN || w.Label != "54" {
		t.Errorf("with a PIN: %+v", w)
	}
	v := volume(t, "", "54")
	v.Refused = map[int]string{0: "this TPM did not make it"}
	if w := status.Foresee(prediction(path("54")), v)[0]; w.Outcome != status.Refuses || !strings.Contains(w.Why[0], "this TPM did not make it") {
		t.Errorf("a token that the TPM does not take: %+v", w)
	}
}

// The default is the first way that does not halt.
func TestForeseeDefault(t *testing.T) {
	ways := status.Foresee(prediction(predict.Path{Halts: "gone"}, path("54"), path("56")), volume(t, "", "54"))
	if ways[0].Default || !ways[1].Default || ways[2].Default {
		t.Errorf("%+v", ways)
	}
}

// Which ways may rely on what somebody types.
func TestCheck(t *testing.T) {
	opens, refuses, untold, halts := status.Way{Outcome: status.Opens, Tokens: []int{0}}, status.Way{Outcome: status.Refuses},
		status.Way{Outcome: status.Untold}, status.Way{Outcome: status.Halts}
	first := func(w status.Way) status.Way { w.Default = true; return w }
	others, recovery, none := status.FallbackOthers, status.FallbackRecovery, status.FallbackNone
	for _, c := range []struct {
		name    string
		ways    []status.Way
		allowed status.Fallback
		key     bool // there is one to type
		want    status.Verdict
	}{
		{"opens", []status.Way{first(opens)}, others, true, status.OK},
		{"the default does not open", []status.Way{first(refuses)}, others, true, status.Bad},
		{"the default may rely on the recovery key", []status.Way{first(refuses)}, recovery, true, status.Warn},
		{"but there is none", []status.Way{first(refuses)}, recovery, false, status.Bad},
		{"another way relies on it", []status.Way{first(opens), refuses}, others, true, status.Warn},
		{"another way relies on a key that is not there", []status.Way{first(opens), refuses}, others, false, status.Bad},
		{"no way may rely on it", []status.Way{first(opens), refuses}, none, true, status.Bad},
		{"the default cannot be told", []status.Way{first(untold)}, others, true, status.Unknown},
		{"the default cannot be told, and may be typed", []status.Way{first(untold)}, recovery, true, status.Warn},
		{"another way cannot be told", []status.Way{first(opens), untold}, others, true, status.Warn},
		{"another way cannot be told, and nothing opens it", []status.Way{first(opens), untold}, others, false, status.Unknown},
		{"another way halts", []status.Way{first(opens), halts}, none, true, status.OK},
		{"all ways halt", []status.Way{halts, halts}, recovery, true, status.Bad},
		{"no way", nil, others, true, status.Unknown},
	} {
		v := volume(t, "", "54")
		if !c.key {
			v.Enrollment.Recovery = nil
			for slot := range v.Enrollment.Keyslots {
				if slot != 1 {
					delete(v.Enrollment.Keyslots, slot)
				}
			}
		}
		if got := status.Check(v, c.ways, c.allowed); got.Verdict != c.want {
			t.Errorf("%s: %+v: want %s", c.name, got, c.want)
		}
	}
}

func TestParseFallback(t *testing.T) {
	for _, f := range status.Fallbacks() {
		if got, err := status.ParseFallback(string(f)); err != nil || got != f {
			t.Errorf("%s: %s, %v", f, got, err)
		}
	}
	if _, err := status.ParseFallback(""); err == nil {
		t.Error("no fallback was taken for one")
	}
}
