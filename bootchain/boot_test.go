package bootchain_test

import (
	"slices"
	"testing"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/internal/efivars"
	"github.com/bootseal/bootseal/pcr"
)

// The recorded chain has four programs, and each event belongs to one of them.
func TestRecognize(t *testing.T) {
	recording, err := boots.Load(boots.Second)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bootchain.Recognize(recording.Log)
	if err != nil {
		t.Fatal(err)
	}
	want := []bootchain.Component{
		{Stage: eventlog.Firmware},
		{Stage: eventlog.Shim, Path: "/EFI/BOOT/BOOTX64.EFI", Loaded: []int{27}},
		{Stage: eventlog.GRUB, Path: "/EFI/BOOT/grubx64.efi", Loaded: []int{33}},
		{Stage: eventlog.Kernel, Loaded: []int{54, 55}}, // shim measured it twice
	}
	if len(b.Components) != len(want) {
		t.Fatalf("%d programs, want %d: %+v", len(b.Components), len(want), b.Components)
	}
	var events []int
	for i, c := range b.Components {
		if c.Stage != want[i].Stage || c.Path != want[i].Path || !slices.Equal(c.Loaded, want[i].Loaded) {
			t.Errorf("program %d is %s %q, loaded by %v; want %+v", i, c.Stage, c.Path, c.Loaded, want[i])
		}
		events = append(events, c.Events...)
	}
	slices.Sort(events)
	if len(slices.Compact(events)) != len(recording.Log.Events) {
		t.Errorf("%d events belong to programs, of %d", len(events), len(recording.Log.Events))
	}
	if _, err := bootchain.Recognize(&eventlog.Log{}); err == nil {
		t.Error("a log without events is a boot")
	}
}

// A log and variables that anybody can have written lead to no panic, and events
// are either known or leave their PCR in doubt.
func FuzzPaths(f *testing.F) {
	from, err := boots.Load(boots.Second)
	if err != nil {
		f.Fatal(err)
	}
	to, err := boots.Load(boots.Upgraded)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint16(38), "grub_cmd: source (hd0,gpt1)/EFI/debian/grub.cfg\x00", uint8(8), "Boot0002", []byte{1, 0, 0, 0})
	f.Add(uint16(54), "/boot/vmlinuz\x00", uint8(9), "BootOrder", []byte{2, 0, 3})
	f.Add(uint16(33), "", uint8(4), "MokListRT", []byte{})
	f.Fuzz(func(t *testing.T, at uint16, data string, index uint8, name string, value []byte) {
		l := from.Log.Clone()
		i := int(at) % len(l.Events)
		l.Events[i].Data, l.Events[i].PCR = []byte(data), int(index)%pcr.Count
		vars := efivars.Set{"BootOrder-" + efivars.Global: {2, 0}}
		for _, vendor := range []string{efivars.Global, efivars.Shim, efivars.ImageSecurity, efivars.Loader} {
			vars[name+"-"+vendor] = value
		}
		paths, err := bootchain.Machine{Log: l, Files: to.Manifest, Vars: vars}.Paths()
		if err != nil {
			return
		}
		for _, p := range paths {
			for _, e := range p.Events {
				known := e.Confidence != bootchain.Unknown
				if known != (e.Digests != nil) || e.Reason == "" {
					t.Errorf("event from %d: confidence %s, digests %v, reason %q", e.Baseline, e.Confidence, e.Digests, e.Reason)
				}
				doubted := slices.ContainsFunc(p.Doubts, func(d bootchain.Doubt) bool { return d.PCR == e.PCR })
				if !known && !doubted {
					t.Errorf("an unknown event leaves PCR %d without doubt", e.PCR)
				}
			}
		}
	})
}
