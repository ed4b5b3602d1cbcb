package bootchain

import (
	"testing"

	"github.com/bootseal/bootseal/bootchain/grub"
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
