package main

import (
	"fmt"
	"strings"

	"github.com/bootseal/bootseal/internal/efivars"
	"github.com/bootseal/bootseal/lab"
)

// options are a kernel's command line, which ends the machine if the guest's init does. On a busy
// host without KVM the kernel's check of its timer fails now and then.
const options = "ro console=ttyS0,115200 panic=1 no_timer_check "

// grubDisk is shim, GRUB and its first script, which leads to /boot/grub/grub.cfg.
func grubDisk(p *parts, more files) files {
	disk := files{
		"/EFI/BOOT/BOOTX64.EFI": p.Shim,
		"/EFI/BOOT/grubx64.efi": p.GRUB,
		"/EFI/debian/grub.cfg": []byte("search.fs_uuid " + lab.ESPUUID + " root\n" +
			"set prefix=($root)'/boot/grub'\nconfigfile $prefix/grub.cfg\n"),
		"/boot/vmlinuz-old": p.Old.Image, "/boot/initrd-old": p.Old.Initrd,
		"/boot/vmlinuz-new": p.New.Image, "/boot/initrd-new": p.New.Initrd,
		"/boot/extra.img": p.Extra,
	}
	for name, data := range more {
		disk[name] = data
	}
	return disk
}

// plainGRUB is the least that boots one kernel.
func plainGRUB(kernel, options string, initrds ...string) []byte {
	return fmt.Appendf(nil, "set timeout=0\nmenuentry 'Debian GNU/Linux' {\n\tlinux /boot/vmlinuz-%s %s\n\tinitrd %s\n}\n",
		kernel, options, strings.Join(initrds, " "))
}

func grubFiles(p *parts) scenario {
	const cfg = "/boot/grub/grub.cfg"
	return scenario{
		Name: "grub-files", Chain: "shim, GRUB, kernel; Secure Boot on", Variables: lab.MicrosoftKeys,
		Files: grubDisk(p, files{cfg: plainGRUB("old", options, "/boot/initrd-old")}),
		Steps: append([]step{
			{Change: "nothing"},
			{Change: "another command line", Put: files{cfg: plainGRUB("old", options+`quiet root=/dev/vda2 "note=a b"`, "/boot/initrd-old")}},
			{Change: "new kernel and initial ramdisk", Put: files{cfg: plainGRUB("new", options, "/boot/initrd-new")}},
			{Change: "two initial ramdisks", Put: files{cfg: plainGRUB("new", options, "/boot/extra.img", "/boot/initrd-new")}},
		}, withKernel(p.Next, step{Change: "a kernel of a newer series", Put: files{
			cfg: plainGRUB("next", options, "/boot/initrd-next"), "/boot/vmlinuz-next": p.Next.Image, "/boot/initrd-next": p.Next.Initrd,
		}})...),
	}
}

func grubFirmware(p *parts) (scenario, error) {
	option, err := lab.BootOption("bootseal lab", `\EFI\debian\shimx64.efi`)
	if err != nil {
		return scenario{}, err
	}
	first, err := lab.BootOption("bootseal lab, first", `\EFI\debian\shimx64.efi`)
	if err != nil {
		return scenario{}, err
	}
	certificate, err := lab.SnakeoilCertificate()
	if err != nil {
		return scenario{}, err
	}
	return scenario{
		Name: "grub-firmware", Chain: "shim, GRUB, kernel; Secure Boot on; what is not a file", Variables: lab.MicrosoftKeys,
		Files: grubDisk(p, files{
			"/boot/grub/grub.cfg":         plainGRUB("old", options, "/boot/initrd-old"),
			"/EFI/debian/shimx64.efi":     p.Shim,
			"/EFI/debian/grubx64.efi":     p.GRUB,
			"/EFI/debian/unused-file.txt": []byte("nobody reads this\n"),
		}),
		Steps: []step{
			{Change: "one more partition", Partition: []string{"-n", "2:0:+1M", "-t", "2:8300", "-u", "2:66666666-2222-4333-8444-555555555552"}},
			{Change: "that partition has a name", Partition: []string{"-c", "2:state"}},
			{Change: "one more boot option, the last", Guest: setvar("Boot0009", efivars.Global, option) + inOrder(9, false)},
			{Change: "one more boot option, the first, with another path", Guest: setvar("Boot000A", efivars.Global, first) + inOrder(10, true)},
			{Change: "a key is enrolled in shim (MOK)", Enroll: certificate},
			{Change: "nothing, with that key"},
		},
	}, nil
}

// grubenv is an environment block, which has 1024 bytes.
func grubenv(variables ...string) []byte {
	text := "# GRUB Environment Block\n"
	for _, v := range variables {
		text += v + "\n"
	}
	return []byte(text + strings.Repeat("#", 1024-len(text)))
}

// menu is a script of the shape that grub-mkconfig writes with GRUB_DEFAULT=saved,
// GRUB_SAVEDEFAULT=true, and Ubuntu's recordfail.
func menu(defaultEntry string) []byte {
	entry := func(indent, title, id, kernel string) string {
		lines := []string{
			fmt.Sprintf("menuentry '%s' --class debian --class gnu-linux --class os $menuentry_id_option '%s' {", title, id),
			"\trecordfail", "\tsavedefault", "\tload_video", "\tinsmod gzio",
			"\tif [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi",
			"\tinsmod part_gpt", "\tinsmod fat",
			"\tsearch --no-floppy --fs-uuid --set=root " + lab.ESPUUID,
			"\techo\t'Loading Linux " + kernel + " ...'",
			"\tlinux\t/boot/vmlinuz-" + kernel + " " + options + " quiet",
			"\techo\t'Loading initial ramdisk ...'",
			"\tinitrd\t/boot/initrd-" + kernel,
			"}",
		}
		return indent + strings.Join(lines, "\n"+indent) + "\n"
	}
	return []byte(`if [ -s $prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="` + defaultEntry + `"
fi

if [ x"${feature_menuentry_id}" = xy ]; then
  menuentry_id_option="--id"
else
  menuentry_id_option=""
fi
export menuentry_id_option

if [ "${prev_saved_entry}" ]; then
  set saved_entry="${prev_saved_entry}"
  save_env saved_entry
  set prev_saved_entry=
  save_env prev_saved_entry
  set boot_once=true
fi

function savedefault {
  if [ -z "${boot_once}" ]; then
    saved_entry="${chosen}"
    save_env saved_entry
  fi
}
function recordfail {
  set recordfail=1
  if [ -n "${have_grubenv}" ]; then if [ -z "${boot_once}" ]; then save_env recordfail; fi; fi
}
function load_video {
  if [ x$feature_all_video_module = xy ]; then
    insmod all_video
  else
    insmod efi_gop
    insmod efi_uga
  fi
}
if [ "${recordfail}" = 1 ] ; then
  set timeout=1
else
  if [ x$feature_timeout_style = xy ] ; then
    set timeout_style=hidden
    set timeout=0
  else
    set timeout=0
  fi
fi
` + entry("", "Debian GNU/Linux", "gnulinux-simple", "new") +
		"submenu 'Advanced options for Debian GNU/Linux' $menuentry_id_option 'gnulinux-advanced' {\n" +
		entry("\t", "Debian GNU/Linux, with Linux new", "gnulinux-new", "new") +
		entry("\t", "Debian GNU/Linux, with Linux old", "gnulinux-old", "old") + "}\n")
}

func grubMenu(p *parts) scenario {
	const cfg, env = "/boot/grub/grub.cfg", "/boot/grub/grubenv"
	return scenario{
		Name: "grub-menu", Chain: "shim, GRUB with a menu of grub-mkconfig, kernel; Secure Boot on", Variables: lab.MicrosoftKeys,
		Files: grubDisk(p, files{cfg: menu("${saved_entry}"), env: grubenv()}),
		Steps: []step{
			{Change: "the boot before is not recorded as good (recordfail)"},
			{Change: "it is recorded as good", Put: files{env: grubenv("saved_entry=gnulinux-simple")}},
			{Change: "an entry of the submenu is saved", Put: files{env: grubenv("saved_entry=gnulinux-advanced>gnulinux-old")}},
			{Change: "one boot of another entry (grub-reboot)", Put: files{env: grubenv("saved_entry=gnulinux-advanced>gnulinux-old", "next_entry=gnulinux-simple")}},
			{Change: "back to the saved entry, as GRUB left the block"},
			{Change: "the default by number", Put: files{cfg: menu("1>0"), env: grubenv()}},
			{Change: "no environment block", Remove: []string{env}},
		},
	}
}
