package grub

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

// machine is a world of one file system, hd0,gpt1 with the UUID CAFE-0001.
func machine(files map[string]string) Disks {
	fs := make(fstest.MapFS)
	for name, text := range files {
		fs[strings.TrimPrefix(name, "/")] = &fstest.MapFile{Data: []byte(text)}
	}
	return Disks{{Name: "hd0"}, {Name: "hd0,gpt1", Device: Device{FSUUID: "CAFE-0001", FS: "ext2", PartMap: "gpt"}, Files: fs, Ordered: true}}
}

// image is a GRUB that runs (hd0,gpt1)/boot/grub/grub.cfg and has all modules.
func image() *Image {
	return &Image{Binary: Binary{Dialect: Debian, Prefix: "/boot/grub"}, Device: "hd0,gpt1", Folder: "/EFI/debian"}
}

// outcomes runs grub.cfg on a machine with some files.
func outcomes(t testing.TB, cfg string, files map[string]string) []Outcome {
	t.Helper()
	all := map[string]string{"/boot/grub/grub.cfg": cfg, "/k": "kernel", "/i": "initrd"}
	for name, text := range files {
		all[name] = text
	}
	out, err := Run(machine(all), image(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// measured lists an outcome's effects, a line each.
func (o *Outcome) measured() string {
	var sb strings.Builder
	for i := range o.Effects {
		e := &o.Effects[i]
		mark := map[Kind]string{KernelCmdline: " cmdline", ModuleCmdline: " module"}[e.Kind]
		fmt.Fprintf(&sb, "%d%s %s\n", e.PCR(), mark, e.Text)
	}
	return sb.String()
}

func TestBoot(t *testing.T) {
	cfg := "set timeout=0\nmenuentry 'A' --unrestricted {\n\tlinux /k a=b \"c d\"\n\tinitrd /i\n}\n"
	o := outcomes(t, cfg, nil)[0]
	const want = `9 (hd0,gpt1)/boot/grub/grub.cfg
8 set timeout=0
8 menuentry A --unrestricted {
	linux /k a=b "c d"
	initrd /i
}
8 setparams A
8 linux /k a=b c d
9 /k
8 cmdline /k a=b "c d"
8 initrd /i
9 /i
`
	if got := o.measured(); got != want || o.End != Booted {
		t.Errorf("it %s and measures\n%swant\n%s", o.End, got, want)
	}
}
