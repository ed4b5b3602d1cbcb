package plan_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/node/plan"
	"github.com/bootseal/bootseal/pcr"
)

// The PCRs follow from the programs that boot the machine.
func TestChoose(t *testing.T) {
	for _, c := range []struct {
		chain string
		allow bool
		want  pcr.Selection
	}{
		{shimGRUB, false, pcr.Select(4, 7, 8, 9, 14)},
		{uki, false, pcr.Select(4, 7, 9, 11, 12)},
		{sdboot, false, pcr.Select(4, 7, 9, 12)},
		{efistub, true, pcr.Select(4, 7, 9)},
	} {
		got, err := plan.Choose(prediction(t, machine(t, c.chain, "manifest-56.json")), plan.Options{AllowUnmeasuredInitrd: c.allow})
		if err != nil || got.PCRs != c.want || got.Bank != pcr.SHA256 || len(got.Left) != 0 {
			t.Errorf("%s: %s of %s, left %v, %v: want %s", c.chain, got.PCRs, got.Bank, got.Left, err, c.want)
		}
		if len(got.Reasons) != got.PCRs.Len() {
			t.Errorf("%s: %d reasons for %d PCRs", c.chain, len(got.Reasons), got.PCRs.Len())
		}
		for _, r := range got.Reasons {
			if r.Reason == "" {
				t.Errorf("%s: PCR %d without a reason", c.chain, r.PCR)
			}
		}
	}
}

func TestChooseRefuses(t *testing.T) {
	grub := prediction(t, machine(t, shimGRUB, "manifest-56.json"))
	for _, c := range []struct {
		name string
		o    plan.Options
		says string
	}{
		{"PCR 1", plan.Options{PCRs: pcr.Select(1, 7)}, "never seal to PCR 1: the firmware's settings"},
		{"PCR 5", plan.Options{PCRs: pcr.Select(5)}, "never seal to PCR 5"},
		{"PCR 10", plan.Options{PCRs: pcr.Select(10)}, "never seal to PCR 10"},
		{"no PCR with the initrd", plan.Options{PCRs: pcr.Select(4, 7)}, "not measured"},
		{"a bank that is not there", plan.Options{Bank: pcr.SM3}, "bank sm3_256 is not predicted"},
	} {
		if _, err := plan.Choose(grub, c.o); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
	if c, err := plan.Choose(grub, plan.Options{PCRs: pcr.Select(4, 7), AllowUnmeasuredInitrd: true}); err != nil || c.PCRs != pcr.Select(4, 7) {
		t.Errorf("allowed: %s, %v", c.PCRs, err)
	}
	// The kernel's EFI stub read the initial ramdisk itself, by initrd= in its command line.
	if _, err := plan.Choose(prediction(t, machine(t, efistub, "manifest-56.json")), plan.Options{}); !errors.Is(err, plan.ErrUnmeasured) {
		t.Errorf("EFI stub: %v", err)
	}
}

// SHA-1 is taken only where it is asked for.
func TestChooseBank(t *testing.T) {
	m := machine(t, shimGRUB, "manifest-56.json")
	m.Banks = []pcr.Bank{pcr.SHA1}
	if _, err := plan.Choose(prediction(t, m), plan.Options{}); err == nil || !strings.Contains(err.Error(), "turn on SHA-256") {
		t.Error(err)
	}
	if c, err := plan.Choose(prediction(t, m), plan.Options{Bank: pcr.SHA1}); err != nil || c.Bank != pcr.SHA1 {
		t.Errorf("%s, %v", c.Bank, err)
	}
	m.Banks = []pcr.Bank{pcr.SHA1, pcr.SHA384, pcr.SHA512}
	if c, err := plan.Choose(prediction(t, m), plan.Options{}); err != nil || c.Bank != pcr.SHA384 {
		t.Errorf("%s, %v", c.Bank, err)
	}
}

// A PCR that cannot be told is left out with the reason; without those that cover the
// initial ramdisk there is nothing to seal to.
func TestChooseLeavesOutUnknown(t *testing.T) {
	p := prediction(t, machine(t, shimGRUB, "manifest-56.json"))
	forget(p.Paths[0].PCRs, 8)
	c, err := plan.Choose(p, plan.Options{})
	if err != nil || c.PCRs != pcr.Select(4, 7, 9, 14) || len(c.Left) != 1 || c.Left[0].PCR != 8 {
		t.Errorf("%s, left %v, %v", c.PCRs, c.Left, err)
	}
	forget(p.Paths[0].PCRs, 9)
	if _, err := plan.Choose(p, plan.Options{}); !errors.Is(err, plan.ErrUnmeasured) {
		t.Error(err)
	}
}

func forget(v pcr.Values, index int) {
	for _, b := range v.Banks() {
		delete(v[b], index)
	}
}

// Reseal keeps what was chosen at first.
func TestKeep(t *testing.T) {
	grub, stub := machine(t, shimGRUB, "manifest-56.json"), machine(t, efistub, "manifest-56.json")
	for _, c := range []struct {
		name   string
		pcrs   pcr.Selection
		log    *eventlog.Log
		initrd bool
	}{
		{"the initrd is covered", pcr.Select(4, 7, 9), grub.Log, true},
		{"somebody chose not to", pcr.Select(7), grub.Log, false},
		{"it cannot be", pcr.Select(4, 7, 9), stub.Log, false},
		{"no log", pcr.Select(7), nil, true},
	} {
		got := plan.Keep(pcr.BankSelection{Bank: pcr.SHA256, PCRs: c.pcrs}, c.log, plan.Options{})
		if got.PCRs != c.pcrs || got.Initrd != c.initrd {
			t.Errorf("%s: %s, initrd %v", c.name, got.PCRs, got.Initrd)
		}
	}
}
