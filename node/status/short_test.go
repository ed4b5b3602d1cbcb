package status

import "testing"

// Of two ways with the same entry the title says what tells them apart.
func TestTitle(t *testing.T) {
	const entry = "Debian GNU/Linux, with Linux 6.1.0-56"
	for _, c := range []struct {
		name, entry string
		conditions  []string
		want        string
	}{
		{"Boot0004 debian, shim, GRUB, " + entry + ", Linux 6.1.0-56", entry, nil, entry},
		{"Boot0004 debian, shim, GRUB, " + entry + ", if recordfail is 1 in (hd0,gpt2)/grub/grubenv, Linux 6.1.0-56", entry,
			[]string{"recordfail is 1 in (hd0,gpt2)/grub/grubenv"}, entry + ", if recordfail is 1 in (hd0,gpt2)/grub/grubenv"},
		{"Boot0004 debian, shim, GRUB, Firmware, if a is 1, b is 2", "Firmware", []string{"a is 1", "b is 2"}, "Firmware, if a is 1, b is 2"},
		{"fallback, shim, GRUB, Linux 6.1.0-56", "", nil, "Linux 6.1.0-56"},
	} {
		w := Way{Name: c.name, Entry: c.entry, If: c.conditions}
		if got := w.Title(); got != c.want {
			t.Errorf("%s: %q: want %q", c.name, got, c.want)
		}
	}
}

func TestShort(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"Boot0002 UEFI Misc Device, shim, GRUB, Debian GNU/Linux, with Linux 6.1.0-56, Linux 6.1.0-56", "Debian GNU/Linux, with Linux 6.1.0-56"},
		{"Boot0003 debian, shim, GRUB, Debian GNU/Linux, Linux 6.1.0-56", "Debian GNU/Linux, Linux 6.1.0-56"},
		{"Boot0002 UEFI Misc Device, systemd-boot, entry debian-56.conf, Linux 6.1.0-56", "entry debian-56.conf, Linux 6.1.0-56"},
		{"fallback, unified kernel image /EFI/BOOT/BOOTX64.EFI, Linux 6.1.0-56", "unified kernel image /EFI/BOOT/BOOTX64.EFI, Linux 6.1.0-56"},
		{"Boot0099 Linux EFI stub, Linux 6.1.0-56", "Linux 6.1.0-56"},
		{"Boot0001 shim", "Boot0001 shim"},
		{"kernel 54", "kernel 54"},
		{"", ""},
	} {
		if got := short(c.name); got != c.want {
			t.Errorf("%s: %q: want %q", c.name, got, c.want)
		}
	}
}
