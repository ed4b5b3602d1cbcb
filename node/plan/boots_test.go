package plan_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/node/plan"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
)

func choose(t *testing.T, p *predict.Prediction) plan.Choice {
	t.Helper()
	c, err := plan.Choose(p, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestBoots(t *testing.T) {
	p := prediction(t, machine(t, shimGRUB, "manifest-56.json"))
	second := p.Paths[0]
	second.Name = "another load option that leads to the same"
	halts := p.Paths[0]
	halts.Name, halts.Halts = "a broken one", "the firmware refuses it"
	unknown := p.Paths[0]
	unknown.Name, unknown.PCRs = "an unclear one", p.Paths[0].PCRs.Clone()
	forget(unknown.PCRs, 8)
	p.Paths = append(p.Paths, second, halts, unknown)
	boots, left := plan.Boots(p, choose(t, p))
	if len(boots) != 1 || boots[0].Label != p.Paths[0].Name || boots[0].Entry != "Debian GNU/Linux, with Linux 6.1.0-56-cloud-amd64" {
		t.Fatalf("boots %+v", boots)
	}
	for _, i := range []int{4, 7, 8, 9, 14} {
		if want, _ := p.Paths[0].PCRs.Get(pcr.SHA256, i); !boots[0].PCRs[i].Equal(want) {
			t.Errorf("PCR %d is %s, want %s", i, boots[0].PCRs[i], want)
		}
	}
	if len(boots[0].PCRs) != 5 || len(boots[0].Events) != pcr.SHA256.Size() {
		t.Errorf("%d PCRs, events %s", len(boots[0].PCRs), boots[0].Events)
	}
	if len(left) != 2 || left[0].Reason != "it does not boot: the firmware refuses it" || !strings.HasPrefix(left[1].Reason, "PCR 8 cannot be predicted") {
		t.Errorf("left %+v", left)
	}
}

// The events of two boots differ where their PCRs do.
func TestEvents(t *testing.T) {
	digest := func(manifest string) pcr.Digest {
		p := prediction(t, machine(t, shimGRUB, manifest))
		boots, _ := plan.Boots(p, choose(t, p))
		return boots[0].Events
	}
	old, upgraded := digest("manifest-54.json"), digest("manifest-56.json")
	if bytes.Equal(old, upgraded) || !bytes.Equal(old, digest("manifest-54.json")) {
		t.Errorf("%s and %s", old, upgraded)
	}
}

// Tokens were made when a unified kernel image booted; now GRUB does, whose initial
// ramdisk PCR 4 says nothing of.
func TestBootsCoverTheInitrd(t *testing.T) {
	p := prediction(t, machine(t, shimGRUB, "manifest-56.json"))
	c := plan.Keep(pcr.BankSelection{Bank: pcr.SHA256, PCRs: pcr.Select(4, 7, 11)}, machine(t, uki, "manifest-54.json").Log, plan.Options{})
	boots, left := plan.Boots(p, c)
	if len(left) != 0 || len(boots) != 1 || len(boots[0].PCRs) != 4 || boots[0].PCRs[9] == nil {
		t.Errorf("boots %+v, left %v", boots, left)
	}
	stub := prediction(t, machine(t, efistub, "manifest-56.json"))
	if boots, left = plan.Boots(stub, c); len(boots) != 0 || len(left) != 1 || !strings.Contains(left[0].Reason, "initial ramdisk is not measured") {
		t.Errorf("boots %+v, left %v", boots, left)
	}
}

func TestLabel(t *testing.T) {
	for in, want := range map[string]string{
		"Debian":                      "Debian",
		"a\x1b[2Jb\xff":               "a\uFFFD[2Jb\uFFFD",
		strings.Repeat("é", 64):       strings.Repeat("é", 64),
		strings.Repeat("x", 129):      strings.Repeat("x", 125) + "…",
		"x" + strings.Repeat("é", 64): "x" + strings.Repeat("é", 62) + "…",
	} {
		if got := plan.Label(in); got != want || len(got) > 128 {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// systemd goes on extending PCR 11 after the volume was opened.
func TestRunning(t *testing.T) {
	m := machine(t, uki, "manifest-54.json")
	logged, err := m.Log.Replay()
	if err != nil {
		t.Fatal(err)
	}
	at, _ := logged.Get(pcr.SHA256, 11)
	entered, err := pcr.Extend(pcr.SHA256, at, pcr.SHA256.Sum([]byte("enter-initrd")))
	if err != nil {
		t.Fatal(err)
	}
	ready, err := pcr.Extend(pcr.SHA256, entered, pcr.SHA256.Sum([]byte("leave-initrd")))
	if err != nil {
		t.Fatal(err)
	}
	now := pcr.Values{pcr.SHA256: logged.Clone()[pcr.SHA256]}
	now.Set(pcr.SHA256, 11, ready)
	for _, want := range []pcr.Digest{ready, at, entered} {
		found := false
		for _, v := range plan.Running(now, m.Log) {
			got, _ := v.Get(pcr.SHA256, 11)
			four, _ := v.Get(pcr.SHA256, 4)
			found = found || got.Equal(want) && four.Equal(now[pcr.SHA256][4])
		}
		if !found {
			t.Errorf("no values with PCR 11 %s", want)
		}
	}
	if n := len(plan.Running(now, nil)); n != 1 {
		t.Errorf("without a log: %d", n)
	}
}
