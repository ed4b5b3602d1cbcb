package plan_test

import (
	"strings"
	"testing"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/node/plan"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
)

// Words of a kernel's command line that end in a root shell at the console.
func TestAsksForShell(t *testing.T) {
	for line, want := range map[string]string{
		"/vmlinuz root=/dev/mapper/root ro quiet":               "",
		"/vmlinuz ro single":                                    "single", // GRUB's "recovery mode" on Debian
		"/vmlinuz ro recovery nomodeset":                        "recovery",
		"/vmlinuz ro init=/bin/sh":                              "init=/bin/sh",
		"/vmlinuz ro init=/sbin/init":                           "",
		"/vmlinuz ro rdinit=/bin/busybox":                       "rdinit=/bin/busybox",
		"/vmlinuz ro break=premount":                            "break=premount",
		"/vmlinuz ro rd.break":                                  "rd.break",
		"/vmlinuz ro rd.shell=0 rd.emergency=reboot panic=30":   "",
		"/vmlinuz ro 1":                                         "1",
		"/vmlinuz ro -b":                                        "-b",
		"/vmlinuz ro systemd.unit=rescue.target":                "systemd.unit=rescue.target",
		"/vmlinuz ro systemd.unit=multi-user.target":            "",
		"/vmlinuz ro rd.systemd.unit=emergency.target":          "rd.systemd.unit=emergency.target",
		"/vmlinuz ro systemd.debug-shell":                       "systemd.debug-shell",
		"/vmlinuz ro systemd.debug_shell=1":                     "systemd.debug_shell=1",
		"/vmlinuz ro systemd.setenv=SYSTEMD_SULOGIN_FORCE=1":    "systemd.setenv=SYSTEMD_SULOGIN_FORCE=1",
		"/vmlinuz ro \"init=/bin/bash\"":                        "\"init=/bin/bash\"",
		"/vmlinuz-single root=/dev/singles ro s=1.example s390": "",
	} {
		log := &eventlog.Log{Events: []eventlog.Event{commandLine(line)}}
		if got := plan.AsksForShell(log); got != want {
			t.Errorf("%s: have %q, want %q", line, got, want)
		}
	}
}

func commandLine(line string) eventlog.Event {
	return eventlog.Event{PCR: 8, Type: eventlog.IPL, Data: []byte("kernel_cmdline: " + line + "\x00"),
		Digests: map[pcr.Bank]pcr.Digest{pcr.SHA256: pcr.SHA256.Sum([]byte(line))}}
}

// The menu's recovery mode opens no disk, unless somebody says so.
func TestBootsWithoutShell(t *testing.T) {
	p := prediction(t, machine(t, shimGRUB, "manifest-56.json"))
	recovery := p.Paths[0]
	recovery.Name, recovery.PCRs = "Debian GNU/Linux (recovery mode)", p.Paths[0].PCRs.Clone()
	recovery.PCRs.Set(pcr.SHA256, 8, pcr.SHA256.Sum([]byte("another command line")))
	recovery.Events = nil
	for _, e := range p.Paths[0].Events {
		if data, ok := strings.CutSuffix(string(e.Data), "\x00"); ok && strings.HasPrefix(data, "kernel_cmdline: ") {
			e.Data = []byte(data + " single\x00")
		}
		recovery.Events = append(recovery.Events, e)
	}
	p = &predict.Prediction{Paths: []predict.Path{p.Paths[0], recovery}}
	boots, left := plan.Boots(p, choose(t, p))
	if len(boots) != 1 || len(left) != 1 || !strings.Contains(left[0].Reason, `"single" in its command line`) {
		t.Errorf("boots %v, left %v", boots, left)
	}
	c, err := plan.Choose(p, plan.Options{AllowShell: true})
	if err != nil {
		t.Fatal(err)
	}
	if boots, left = plan.Boots(p, c); len(boots) != 2 || len(left) != 0 {
		t.Errorf("allowed: boots %v, left %v", boots, left)
	}
}
