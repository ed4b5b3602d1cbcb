package eventlog_test

import (
	"testing"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
)

// story builds a log from steps and returns what its programs are.
func programs(steps ...func(l *eventlog.Log)) []eventlog.Stage {
	l := eventlog.New(pcr.SHA256)
	for _, s := range steps {
		s(l)
	}
	var out []eventlog.Stage
	for _, a := range eventlog.Stages(l) {
		if a.Loads != "" {
			out = append(out, a.Loads)
		}
	}
	return out
}

func program(file string) func(l *eventlog.Log) {
	var path []byte
	if file != "" {
		path = nodes(node(4, 4, utf16le(file+"\x00")...))
	}
	return func(l *eventlog.Log) { l.Measure(4, eventlog.EFIBootApplication, image(path), []byte(file)) }
}

func ipl(index int, text string) func(l *eventlog.Log) {
	return func(l *eventlog.Log) { l.Measure(index, eventlog.IPL, []byte(text+"\x00"), []byte(text)) }
}

func ipl16(index int, text string) func(l *eventlog.Log) {
	return func(l *eventlog.Log) { l.Measure(index, eventlog.IPL, utf16le(text+"\x00"), utf16le(text)) }
}

func tagged(index int, id ...byte) func(l *eventlog.Log) {
	return func(l *eventlog.Log) { l.Measure(index, eventlog.EventTag, append(id, 0, 0, 0, 0), []byte("file")) }
}

func action(text string) func(l *eventlog.Log) {
	return func(l *eventlog.Log) { l.Measure(4, eventlog.EFIAction, []byte(text), []byte(text)) }
}

// Chains that the recorded boots do not have.
func TestStagesOfOtherChains(t *testing.T) {
	const (
		shim, grub, sdboot, stub = eventlog.Shim, eventlog.GRUB, eventlog.SystemdBoot, eventlog.SystemdStub
		kernel, unknown          = eventlog.Kernel, eventlog.Unknown
	)
	loadOptions, loaderConf := []byte{0xed, 0x22, 0x3b, 0x8f}, []byte{0x2a, 0x58, 0xbc, 0xf5}
	for _, c := range []struct {
		name  string
		steps []func(l *eventlog.Log)
		want  []eventlog.Stage
	}{
		{"shim 16 loads further files first", []func(*eventlog.Log){program(`\EFI\BOOT\BOOTX64.EFI`), program(`\EFI\BOOT\revocations.efi`),
			ipl(14, "MokList"), program(`\EFI\BOOT\g.efi`), ipl(8, "grub_cmd: ls")}, []eventlog.Stage{shim, unknown, grub}},
		{"GRUB starts the kernel through the firmware", []func(*eventlog.Log){program(`\a.efi`), ipl(8, "grub_cmd: ls"),
			program(`\b`), tagged(9, loadOptions...)}, []eventlog.Stage{grub, kernel}},
		{"GRUB starts another GRUB", []func(*eventlog.Log){program(`\a.efi`), ipl(8, "grub_cmd: chainloader /grubx64.efi"),
			program(`\EFI\grubx64.efi`), ipl(8, "grub_cmd: ls")}, []eventlog.Stage{grub, grub}},
		{"GRUB starts Windows", []func(*eventlog.Log){program(`\a.efi`), ipl(8, "grub_cmd: ls"),
			program(`\EFI\Microsoft\Boot\bootmgfw.efi`)}, []eventlog.Stage{grub, unknown}},
		{"systemd-boot starts a unified kernel image", []func(*eventlog.Log){program(`\a.efi`), tagged(5, loaderConf...),
			program(`\EFI\Linux\x.efi`), ipl16(11, ".linux"), program("")}, []eventlog.Stage{sdboot, stub, kernel}},
		{"shim starts systemd-boot", []func(*eventlog.Log){program(`\shimx64.efi`), ipl(14, "MokList"), program(`\x.efi`),
			program(`\y`), ipl16(12, "quiet"), tagged(9, loadOptions...)}, []eventlog.Stage{shim, sdboot, kernel}},
		{"a first boot entry fails", []func(*eventlog.Log){program(`\shimx64.efi`), ipl(14, "MokList"),
			action("Returning from EFI Application from Boot Option"), action("Calling EFI Application from Boot Option"),
			program(`\b.efi`), ipl16(11, ".linux")}, []eventlog.Stage{shim, stub}},
		{"nothing is known", []func(*eventlog.Log){program(`\x.efi`)}, []eventlog.Stage{unknown}},
	} {
		got := programs(c.steps...)
		if len(got) != len(c.want) {
			t.Errorf("%s: have %v, want %v", c.name, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: have %v, want %v", c.name, got, c.want)
				break
			}
		}
	}
}
