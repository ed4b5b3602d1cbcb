package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/internal/efivars"
	"github.com/bootseal/bootseal/lab"
	"github.com/bootseal/bootseal/pcr"
)

// entry is a boot loader specification entry, type 1.
func entry(title, version, kernel, options string, initrds ...string) []byte {
	text := fmt.Sprintf("title %s\nversion %s\nlinux %s\n", title, version, kernel)
	for _, i := range initrds {
		text += "initrd " + i + "\n"
	}
	return []byte(text + "options " + options + "\n")
}

func sdbootEntries(ctx context.Context, p *parts) (scenario, error) {
	disk := files{
		"/loader/loader.conf": []byte("timeout 0\n"),
		"/old/initrd":         p.Old.Initrd, "/new/initrd": p.New.Initrd, "/extra": p.Extra,
	}
	for name, program := range map[string][]byte{"/EFI/BOOT/BOOTX64.EFI": p.Boot, "/old/linux": p.Old.Image, "/new/linux": p.New.Image} {
		var err error
		if disk[name], err = p.sign(ctx, program); err != nil {
			return scenario{}, err
		}
	}
	next, err := p.signIfThere(ctx, p.Next.Image)
	if err != nil {
		return scenario{}, err
	}
	const folder = "/loader/entries/"
	disk[folder+"debian-1.conf"] = entry("Debian", "1", "/old/linux", options, "/old/initrd")
	return scenario{
		Name: "sdboot-entries", Chain: "systemd-boot, entries, kernel; Secure Boot on with own keys", Variables: lab.SnakeoilKeys,
		Files: disk,
		Steps: append([]step{
			{Change: "nothing"},
			{Change: "a newer entry", Put: files{folder + "debian-2.conf": entry("Debian", "2", "/new/linux", options, "/new/initrd")}},
			{Change: "an entry with two initial ramdisks", Put: files{folder + "debian-3.conf": entry("Debian", "3", "/new/linux", options+"quiet", "/new/initrd", "/extra")}},
			{Change: "a newest entry with 2 tries left", Put: files{folder + "debian-4+2.conf": entry("Debian", "4", "/old/linux", options+"debug", "/old/initrd")}},
			{Change: "the second try of it"},
			{Change: "no try is left"},
			{Change: "the default by a pattern", Put: files{"/loader/loader.conf": []byte("timeout 0\ndefault debian-1*\n")}},
		}, withKernel(p.Next, step{Change: "a kernel of a newer series", Put: files{
			"/next/linux": next, "/next/initrd": p.Next.Initrd, folder + "debian-5.conf": entry("Debian", "5", "/next/linux", options, "/next/initrd"),
			"/loader/loader.conf": []byte("timeout 0\n"),
		}})...),
	}, nil
}

func ukiUnsigned(ctx context.Context, p *parts) (scenario, error) {
	images := make([][]byte, 3)
	for i, k := range []struct {
		kernel  kernel
		options string
	}{{p.Old, options}, {p.New, options}, {p.New, " \tro\tquiet console=ttyS0,115200  panic=1 no_timer_check \n"}} {
		var err error
		if images[i], err = p.uki(ctx, k.kernel, k.options); err != nil {
			return scenario{}, err
		}
	}
	return scenario{
		Name: "uki-off", Chain: "systemd-boot, unified kernel image; Secure Boot off", Variables: lab.NoKeys,
		Files: files{"/EFI/BOOT/BOOTX64.EFI": p.Boot, "/loader/loader.conf": []byte("timeout 0\n"), "/EFI/Linux/a.efi": images[0]},
		Steps: []step{
			{Change: "nothing"},
			{Change: "new kernel and initial ramdisk in the image", Put: files{"/EFI/Linux/a.efi": images[1]}},
			{Change: "another command line in the image, in white space", Put: files{"/EFI/Linux/a.efi": images[2]}},
			{Change: "a credential beside the image", Put: files{"/EFI/Linux/a.efi.extra.d/name.cred": []byte("a credential")}},
			{Change: "the image alone, as the boot program", Put: files{"/EFI/BOOT/BOOTX64.EFI": images[2]}},
		},
	}, nil
}

func ukiSigned(ctx context.Context, p *parts) (scenario, error) {
	boot, err := p.sign(ctx, p.Boot)
	if err != nil {
		return scenario{}, err
	}
	images := make([][]byte, 2)
	for i, k := range []kernel{p.Old, p.New} {
		image, err := p.uki(ctx, k, options)
		if err != nil {
			return scenario{}, err
		}
		if images[i], err = p.sign(ctx, image); err != nil {
			return scenario{}, err
		}
	}
	nobody := sha256.Sum256([]byte("a program that is not on this machine"))
	revocation, err := p.signer.Revoke(ctx, nobody[:])
	if err != nil {
		return scenario{}, err
	}
	return scenario{
		Name: "uki-on", Chain: "systemd-boot, unified kernel image; Secure Boot on with own keys", Variables: lab.SnakeoilKeys,
		Files: files{"/EFI/BOOT/BOOTX64.EFI": boot, "/loader/loader.conf": []byte("timeout 0\n"), "/EFI/Linux/a-1.efi": images[0]},
		Steps: []step{
			{Change: "nothing"},
			{Change: "a newer image beside it", Put: files{"/EFI/Linux/a-2.efi": images[1]}},
			{Change: "one more revocation (dbx)", Guest: setvar("dbx", efivars.ImageSecurity, revocation)},
			{Change: "the image alone, as the boot program", Put: files{"/EFI/BOOT/BOOTX64.EFI": images[1]}},
		},
	}, nil
}

// revoked has a boot option of its own for an image that is revoked then, so that the firmware
// falls back to the next option.
func revoked(ctx context.Context, p *parts) (scenario, error) {
	images, digests := make([][]byte, 2), make([][]byte, 2)
	for i, k := range []kernel{p.Old, p.New} {
		image, err := p.uki(ctx, k, options)
		if err != nil {
			return scenario{}, err
		}
		if images[i], err = p.sign(ctx, image); err != nil {
			return scenario{}, err
		}
		file, err := bootchain.MeasureFile("image.efi", bytes.NewReader(images[i]), nil)
		if err != nil {
			return scenario{}, err
		}
		digests[i] = file.Program.Authenticode[pcr.SHA256]
	}
	option, err := lab.BootOption("bootseal lab", `\EFI\lab\image.efi`)
	if err != nil {
		return scenario{}, err
	}
	revocation, err := p.signer.Revoke(ctx, digests[1])
	if err != nil {
		return scenario{}, err
	}
	return scenario{
		Name: "uki-revoked", Chain: "unified kernel image of a boot option; Secure Boot on with own keys", Variables: lab.SnakeoilKeys,
		Files: files{"/EFI/BOOT/BOOTX64.EFI": images[0], "/EFI/lab/image.efi": images[1]},
		Steps: []step{
			{Change: "a boot option for the newer image", Guest: setvar("Boot0009", efivars.Global, option) + inOrder(9, true)},
			{Change: "the newer image is revoked (dbx)", Guest: setvar("dbx", efivars.ImageSecurity, revocation)},
			{Change: "nothing, with that revocation"},
		},
	}, nil
}
