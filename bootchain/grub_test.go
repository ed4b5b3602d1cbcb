package bootchain

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/bootchain/grub"
	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/efivars"
	"github.com/bootseal/bootseal/pcr"
)

// What a script does may come from the environment block, once that was read: where one of the
// two is new, another command is no wonder.
func TestSourceOfGRUBCommand(t *testing.T) {
	p := &grubPlay{self: run{path: "/EFI/debian/grubx64.efi"}}
	script := &grub.Effect{Script: "(hd0,gpt1)/boot/grub/grub.cfg"}
	if got := p.sourceOf(script); got != "/boot/grub/grub.cfg" {
		t.Errorf("before the environment block was read: %s", got)
	}
	p.environment = "/boot/grub/grubenv"
	if got := p.sourceOf(script); got != "/boot/grub/grub.cfg, /boot/grub/grubenv" {
		t.Errorf("after the environment block was read: %s", got)
	}
	if got := p.sourceOf(&grub.Effect{}); got != "/EFI/debian/grubx64.efi" {
		t.Errorf("built in: %s", got)
	}
}

// Ubuntu waits in its menu only after a boot that failed. That is when somebody picks the oldest of
// three kernels, and that has to be among the ways that are looked at.
func TestOldKernelAfterFailedBoot(t *testing.T) {
	var menu strings.Builder
	menu.WriteString(`load_env
function recordfail {
  set recordfail=1
  save_env recordfail
}
if [ "${recordfail}" = 1 ]; then set timeout=30; else set timeout_style=hidden; set timeout=0; fi
menuentry 'Ubuntu' { recordfail
  linux /vmlinuz-3
}
submenu 'Advanced options' {
`)
	for n := 3; n > 0; n-- {
		fmt.Fprintf(&menu, "menuentry 'Linux %[1]d' { recordfail\n linux /vmlinuz-%[1]d\n}\nmenuentry 'Linux %[1]d (recovery mode)' { recordfail\n linux /vmlinuz-%[1]d recovery\n}\n", n)
	}
	menu.WriteString("}\nif fwsetup --is-supported; then\nmenuentry 'UEFI Firmware Settings' {\n fwsetup\n}\nfi\n")
	environment := "# GRUB Environment Block\n"
	environment += strings.Repeat("#", 1024-len(environment))
	v := &Volume{FS: "ext4", Files: map[string]File{
		"/grub/grub.cfg": {Size: int64(menu.Len()), Text: menu.String()}, "/grub/grubenv": {Size: 1024, Text: environment},
		"/vmlinuz-1": {Size: 1}, "/vmlinuz-2": {Size: 1}, "/vmlinuz-3": {Size: 1},
	}}
	w := &walk{vars: variables{set: make(efivars.Set)}}
	w.vars.set.Put("OsIndicationsSupported", efivars.Global, []byte{toSetup, 0, 0, 0, 0, 0, 0, 0})
	image := &grub.Image{Binary: grub.Binary{Dialect: grub.Ubuntu, Prefix: "/grub"}, Device: "hd0,gpt2", Folder: "/EFI/ubuntu"}
	out, err := grub.Run(&grubWorld{[]*Volume{v}, []string{"hd0,gpt2"}}, image, grub.Options{MaxOutcomes: maxGRUBOutcomes, Facts: w.grubFacts()})
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, o := range out {
		because := strings.Join(o.Because, ", ")
		found = found || o.Boot.Cmdline == "/vmlinuz-1" && strings.HasPrefix(because, "recordfail is 1")
		if strings.Contains(because, "setup") && !strings.Contains(because, "picks") {
			t.Errorf("the variables say that there is a setup, and yet: %s", because)
		}
	}
	if !found {
		t.Errorf("of %d ways none boots the oldest kernel after a boot that failed", len(out))
	}
}

// That somebody picks an entry is in its title. What else it depends on tells it from another one.
func TestUnpicked(t *testing.T) {
	const entry = "Debian GNU/Linux, with Linux 6.1.0-56"
	picks := []string{`somebody picks "More" in the menu`, `somebody picks "` + entry + `" in the menu`}
	for _, c := range []struct {
		titles, because []string
		want            string
	}{
		{[]string{"More", entry}, picks, ""},
		{[]string{"More", entry}, []string{"a is 1", picks[1]}, "a is 1"},
		{[]string{entry}, picks, picks[0]}, // another one
		{nil, nil, ""},
	} {
		if got := strings.Join(unpicked(&grub.Outcome{Titles: c.titles, Because: c.because}), ", "); got != c.want {
			t.Errorf("%q of %q: %q: want %q", c.because, c.titles, got, c.want)
		}
	}
}

// After an upgrade no way leads to what the log has. That the environment block of a way after a
// failed boot is not in the log is no doubt about it: it is that way's assumption.
func TestAssumedEnvironment(t *testing.T) {
	digest := func(text string) map[pcr.Bank]pcr.Digest {
		return map[pcr.Bank]pcr.Digest{pcr.SHA256: pcr.SHA256.Sum([]byte(text))}
	}
	read := eventlog.Event{PCR: 9, Type: eventlog.IPL, Digests: digest("good"), Data: []byte("(hd0,gpt2)/grub/grubenv\x00")}
	log := &eventlog.Log{Events: []eventlog.Event{read}}
	files := Manifest{Volumes: []Volume{{Files: map[string]File{"/grub/grubenv": {Size: 4, Digests: digest("good")}}}}}
	k := &known{Machine: Machine{Log: log, Files: files}, base: &Boot{Log: log, explained: eventlog.Explain(log)}, banks: []pcr.Bank{pcr.SHA256}}
	for _, c := range []struct {
		because []string
		doubted bool
	}{{nil, true}, {[]string{"recordfail is 1"}, false}} {
		world := &grubWorld{[]*Volume{&files.Volumes[0]}, []string{"hd0,gpt2"}}
		p := &grubPlay{walk: &walk{known: k}, world: world, image: &grub.Image{}, outcome: &grub.Outcome{Because: c.because}}
		p.effect(&grub.Effect{Kind: grub.Opened, Role: grub.Environment, File: grub.File{Device: "hd0,gpt2", Path: "/grub/grubenv"},
			Text: "(hd0,gpt2)/grub/grubenv", Contents: []byte("fail")})
		if reason := k.unexplained(&p.path, 9); (reason != "") != c.doubted {
			t.Errorf("%q: doubt %q", c.because, reason)
		}
	}
}
