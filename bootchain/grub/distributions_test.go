package grub

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// envBlock is an environment block of 1,024 bytes.
func envBlock(lines ...string) string {
	s := envSignature
	for _, l := range lines {
		s += l + "\n"
	}
	return s + strings.Repeat("#", 1024-len(s))
}

// story tells outcomes shortly: cost, entry, reasons, and what is booted.
func story(out []Outcome) string {
	var sb strings.Builder
	for _, o := range out {
		fmt.Fprintf(&sb, "%d %s %q %s", o.Cost, o.End, strings.Join(o.Titles, ">"), o.Boot.Image.Path)
		if len(o.Because) > 0 {
			fmt.Fprintf(&sb, " because %s", strings.Join(o.Because, "; "))
		}
		sb.WriteByte('\n')
	}
	return sb.String()
}

func hasCommand(o *Outcome, text string) bool {
	return slices.ContainsFunc(o.Effects, func(e Effect) bool { return e.Kind == Command && e.Text == text })
}

// Ubuntu shows its menu after a boot that failed: recordfail is saved before the
// kernel is started, and the system takes it away.
func TestUbuntu(t *testing.T) {
	const cfg = `if [ -s $prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="0"
fi
function recordfail {
  set recordfail=1
  if [ -n "${have_grubenv}" ]; then if [ -z "${boot_once}" ]; then save_env recordfail; fi; fi
}
if [ "${recordfail}" = 1 ] ; then
  set timeout=30
else
  set timeout_style=hidden
  set timeout=0
fi
menuentry 'Ubuntu' --id simple --unrestricted {
	recordfail
	linux /vmlinuz root=/dev/vda1
}
submenu 'Advanced options' --id advanced {
	menuentry 'Ubuntu, with Linux 6.8' --id new { recordfail
	linux /vmlinuz-6.8
	}
	menuentry 'Ubuntu, with Linux 6.5' --id old { recordfail
	linux /vmlinuz-6.5
	}
}
`
	files := map[string]string{"/boot/grub/grubenv": envBlock(), "/vmlinuz": "k", "/vmlinuz-6.8": "k", "/vmlinuz-6.5": "k"}
	out := outcomes(t, cfg, files)
	const want = `0 boots "Ubuntu" /vmlinuz
2 boots "Ubuntu" /vmlinuz because recordfail is 1 in (hd0,gpt1)/boot/grub/grubenv
4 waits in a menu "Advanced options"  because somebody picks "Advanced options" in the menu
4 waits in a menu "Advanced options"  because recordfail is 1 in (hd0,gpt1)/boot/grub/grubenv; somebody picks "Advanced options" in the menu
5 boots "Advanced options>Ubuntu, with Linux 6.8" /vmlinuz-6.8 because somebody picks "Advanced options" in the menu; somebody picks "Ubuntu, with Linux 6.8" in the menu
5 boots "Advanced options>Ubuntu, with Linux 6.8" /vmlinuz-6.8 because recordfail is 1 in (hd0,gpt1)/boot/grub/grubenv; somebody picks "Advanced options" in the menu; somebody picks "Ubuntu, with Linux 6.8" in the menu
6 boots "Advanced options>Ubuntu, with Linux 6.5" /vmlinuz-6.5 because somebody picks "Advanced options" in the menu; somebody picks "Ubuntu, with Linux 6.5" in the menu
6 boots "Advanced options>Ubuntu, with Linux 6.5" /vmlinuz-6.5 because recordfail is 1 in (hd0,gpt1)/boot/grub/grubenv; somebody picks "Advanced options" in the menu; somebody picks "Ubuntu, with Linux 6.5" in the menu
`
	if got := story(out); got != want {
		t.Errorf("outcomes\n%swant\n%s", got, want)
	}
	if !hasCommand(&out[1], "set timeout=30") || hasCommand(&out[0], "set timeout=30") {
		t.Error("the timeout after a failure is not the one of recordfail")
	}
	left, _ := ParseEnvironment(out[0].Environment[File{"hd0,gpt1", "/boot/grub/grubenv"}])
	if len(left) != 1 || left[0] != (Variable{"recordfail", "1"}) {
		t.Errorf("GRUB leaves %v", left)
	}
	// grub-reboot: next_entry is used once, and saved as empty.
	files["/boot/grub/grubenv"] = envBlock("next_entry=advanced>old")
	out = outcomes(t, cfg, files)
	if out[0].Boot.Image.Path != "/vmlinuz-6.5" || out[0].ID != "advanced>old" {
		t.Errorf("next_entry boots %v (%s)", out[0].Boot, out[0].ID)
	}
	if i := slices.IndexFunc(out, func(o Outcome) bool { return o.Cost == costFailure && o.Boot.Image.Path == "/vmlinuz" }); i < 0 {
		t.Errorf("no outcome boots the usual entry after that:\n%s", story(out))
	}
}

// A default that is saved again changes nothing, so that there is no other outcome
// for a boot that ended early.
func TestSavedAgain(t *testing.T) {
	const cfg = "load_env\nset timeout=0\nmenuentry A --unrestricted {\nsaved_entry=$chosen\nsave_env saved_entry\nlinux /k\n}\n"
	out := outcomes(t, cfg, map[string]string{"/boot/grub/grubenv": envBlock("saved_entry=A")})
	if len(out) != 1 || len(out[0].Environment) != 0 {
		t.Errorf("saved again: %s", story(out))
	}
	out = outcomes(t, cfg, map[string]string{"/boot/grub/grubenv": envBlock("saved_entry=B")})
	if len(out) != 2 || len(out[0].Environment) != 1 {
		t.Errorf("another one saved: %s", story(out))
	}
}

// Fedora has boot loader entries, and its menu hides after a boot that succeeded.
func TestFedora(t *testing.T) {
	const cfg = `set pager=1
if [ -f ${config_directory}/grubenv ]; then
  load_env -f ${config_directory}/grubenv
elif [ -s $prefix/grubenv ]; then
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="${saved_entry}"
fi
function load_video {
  insmod all_video
}
insmod blscfg
blscfg
if [ "${boot_success}" = "1" -o "${boot_indeterminate}" = "1" ]; then
  set last_boot_ok=1
else
  set last_boot_ok=0
fi
if [ "${boot_indeterminate}" ]; then
  set boot_indeterminate=0
fi
save_env boot_indeterminate
if [ "${menu_auto_hide}" = 1 -a "${last_boot_ok}" = "1" ]; then
  set menu_hide_ok=1
else
  set menu_hide_ok=0
fi
if [ x$feature_timeout_style = xy ] ; then
  if [ "${menu_hide_ok}" = "1" ]; then
    set timeout_style=hidden
    set timeout=1
  else
    set timeout=5
  fi
fi
`
	entry := func(version string) string {
		return "title Fedora Linux (" + version + ") 44\nversion " + version + "\nlinux /vmlinuz-" + version + "\ninitrd /initramfs-" + version +
			".img $tuned_initrd\noptions root=/dev/mapper/f ro $kernelopts quiet\ngrub_users $grub_users\ngrub_arg --unrestricted\ngrub_class fedora\n"
	}
	files := map[string]string{"/boot/grub/grub.cfg": cfg, "/boot/grub/grubenv": envBlock("saved_entry=id-6.9.0-1", "menu_auto_hide=1", "boot_success=1", "kernelopts=a=b"),
		"/loader/entries/id-6.10.0-1.conf": entry("6.10.0-1"), "/loader/entries/id-6.9.0-1.conf": entry("6.9.0-1"), "/loader/entries/id-0-rescue.conf": entry("0-rescue")}
	for _, v := range []string{"6.10.0-1", "6.9.0-1", "0-rescue"} {
		files["/vmlinuz-"+v], files["/initramfs-"+v+".img"] = "k", "i"
	}
	i := image()
	i.Dialect = Fedora
	out, err := Run(machine(files), i, Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := &out[0]
	var opened []string
	for _, e := range o.Effects {
		if e.Kind == Opened {
			opened = append(opened, e.Text)
		}
	}
	const dir = "(hd0,gpt1)/loader/entries//"
	if want := []string{"(hd0,gpt1)/boot/grub/grub.cfg", "(hd0,gpt1)/boot/grub/grub.cfg", "(hd0,gpt1)/boot/grub/grubenv", dir + "id-0-rescue.conf", dir + "id-6.10.0-1.conf",
		dir + "id-6.9.0-1.conf", "(hd0,gpt1)/vmlinuz-6.9.0-1", "(hd0,gpt1)/initramfs-6.9.0-1.img"}; !slices.Equal(opened, want) {
		t.Errorf("it opens %q, want %q", opened, want)
	}
	if want := "(hd0,gpt1)/vmlinuz-6.9.0-1 root=/dev/mapper/f ro a=b quiet"; o.Boot.Cmdline != want {
		t.Errorf("command line %q, want %q", o.Boot.Cmdline, want)
	}
	if hasCommand(o, "setparams Fedora Linux (6.9.0-1) 44") || !hasCommand(o, "set timeout=1") {
		t.Error("an entry of blscfg begins with setparams, or the menu is not hidden")
	}
	failed := slices.IndexFunc(out, func(o Outcome) bool {
		return slices.Contains(o.Because, "boot_success is 0 in (hd0,gpt1)/boot/grub/grubenv")
	})
	if failed < 0 || !hasCommand(&out[failed], "set timeout=5") {
		t.Errorf("no outcome for a boot that failed:\n%s", story(out))
	}
	// The newest kernel is the first entry, by version and not by name.
	files["/boot/grub/grubenv"] = envBlock("saved_entry=0")
	if out, err = Run(machine(files), i, Options{}); err != nil || out[0].Boot.Image.Path != "/vmlinuz-6.10.0-1" {
		t.Errorf("entry 0 boots %v, %v", out[0].Boot, err)
	}
}

// openSUSE on btrfs cannot write grubenv, and shows a theme.
func TestSUSE(t *testing.T) {
	const cfg = `set btrfs_relative_path="y"
export btrfs_relative_path
if [ -f ${config_directory}/grubenv ]; then
  load_env -f ${config_directory}/grubenv
elif [ -s $prefix/grubenv ]; then
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="${saved_entry}"
fi
function savedefault {
  if [ -z "${boot_once}" ]; then
    saved_entry="${chosen}"
    save_env saved_entry
  fi
}
if [ -f /boot/grub2/themes/openSUSE/theme.txt ]; then
  loadfont (${root})/boot/grub2/themes/openSUSE/DejaVuSans12.pf2
  insmod gfxmenu
  set theme=($root)/boot/grub2/themes/openSUSE/theme.txt
  export theme
fi
terminal_output gfxterm
set timeout=8
menuentry 'openSUSE Leap'  --class opensuse --class os $menuentry_id_option 'gnulinux-simple-x' {
	savedefault
	linux	/boot/vmlinuz-6.4.0-default root=UUID=x  ${extra_cmdline} splash=silent
	initrd	/boot/initrd-6.4.0-default
}
if [ -f "/.snapshots/grub-snapshot.cfg" ]; then
  source "/.snapshots/grub-snapshot.cfg"
fi
`
	files := map[string]string{"/boot/grub/grub.cfg": cfg, "/boot/grub/grubenv": envBlock(), "/boot/grub2/themes/openSUSE/theme.txt": "x",
		"/boot/grub2/themes/openSUSE/DejaVuSans12.pf2": "f", "/boot/vmlinuz-6.4.0-default": "k", "/boot/initrd-6.4.0-default": "i"}
	w := machine(files)
	w[1].FS = "btrfs"
	i := image()
	i.Dialect = SUSE
	out, err := Run(w, i, Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := &out[0]
	if o.End != Booted || len(o.Environment) != 0 || o.Boot.Cmdline != "/boot/vmlinuz-6.4.0-default root=UUID=x splash=silent" {
		t.Errorf("it %s %v, environment %v", o.End, o.Boot, o.Environment)
	}
	if len(o.Doubts) != 1 || !slices.Equal(o.Doubts[0].PCRs, []int{9}) || !strings.Contains(o.Doubts[0].Reason, "theme") {
		t.Errorf("doubts %v", o.Doubts)
	}
	if out, err = Run(w, i, Options{MaxOutcomes: 64}); err != nil || !slices.ContainsFunc(out, func(o Outcome) bool {
		return slices.Contains(o.Because, "there is no graphical screen") && len(o.Doubts) == 0
	}) {
		t.Error("no outcome without a screen", err)
	}
}

// Flatcar picks one of two partitions for /usr; its forks measure as of old.
func TestFlatcar(t *testing.T) {
	const cfg = `set timeout=1
set default="flatcar"
set linux_console=""
set first_boot=""
search --no-floppy --set first_boot --disk-uuid 00000000-0000-0000-0000-000000000001
if [ -n "$first_boot" ]; then
    set first_boot="flatcar.first_boot=detected"
fi
set oem_id=""
search --no-floppy --part-label OEM --set oem --hint "$root"
if [ -n "$oem" -a -f "($oem)/grub.cfg" ]; then
    source "($oem)/grub.cfg"
fi
function gptprio {
    gptprio.next -d usr -u usr_uuid
    if [ "$?" -ne 0 -o -z "$usr_uuid" ]; then
        echo; echo "Reading or updating the GPT failed!"
    fi
    set gptprio_cmdline="mount.usr=PARTUUID=$usr_uuid"
    if [ "$usr_uuid" = "7130c94a-213a-4e5a-8e26-6cce9662f132" ]; then
        set gptprio_kernel="/flatcar/vmlinuz-a"
    else
        set gptprio_kernel="/flatcar/vmlinuz-b"
    fi
}
menuentry "Flatcar default" --id=flatcar --unrestricted {
   gptprio
   linuxefi $gptprio_kernel $gptprio_cmdline $linux_append $first_boot
}
menuentry "Flatcar USR-A" --id=flatcar-a {
   linuxefi /flatcar/vmlinuz-a mount.usr=PARTLABEL=USR-A
}
`
	files := map[string]string{"/boot/grub/grub.cfg": cfg, "/flatcar/vmlinuz-a": "a", "/flatcar/vmlinuz-b": "b"}
	w := append(machine(files), Disk{Name: "hd0,gpt6", PartLabel: "OEM", Files: machine(map[string]string{"/grub.cfg": "set linux_append=\"flatcar.autologin\"\n"})[1].Files})
	i := image()
	i.Dialect = CoreOS
	fact := map[string]Fact{"gptprio.next": {Value: "hd0,gpt4 e03dd35c-7c2d-4a47-b3fe-27f15780a57c"}}
	out, err := Run(w, i, Options{Facts: fact})
	if err != nil {
		t.Fatal(err)
	}
	o := &out[0]
	if want := "/flatcar/vmlinuz-b mount.usr=PARTUUID=e03dd35c-7c2d-4a47-b3fe-27f15780a57c flatcar.autologin"; o.Boot.Cmdline != want {
		t.Errorf("command line %q, want %q", o.Boot.Cmdline, want)
	}
	data, hashed := i.Dialect.Event(&o.Effects[0])
	if string(data) != "grub_cmd set timeout=1\x00" || string(hashed) != "set timeout=1\x00" {
		t.Errorf("the first event is %q, of %q", data, hashed)
	}
	kernel := slices.IndexFunc(o.Effects, func(e Effect) bool { return e.Kind == Opened })
	if e := &o.Effects[kernel]; e.Text != "grub_linuxefi Kernel" || e.File.Path != "/flatcar/vmlinuz-b" {
		t.Errorf("the first file is %+v", e)
	}
	// Without the fact all is lost from there on, and it is said why.
	out, err = Run(w, i, Options{})
	if err != nil || out[0].End != Lost || !strings.Contains(out[0].Doubts[0].Reason, "gptprio.next") {
		t.Errorf("without the fact: %v, %v", out[0].Doubts, err)
	}
}
