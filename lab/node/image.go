package main

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/lab"
)

// The node's disk: an EFI system partition, /boot, and the root in LUKS2, whose UUIDs are always
// the same, so that the same packages make the same boot.
const (
	espUUID  = "CAFE-0002"
	bootUUID = "b0070000-0000-4000-8000-000000000001"
	rootUUID = "b0070000-0000-4000-8000-000000000002"
	luksUUID = "b0070000-0000-4000-8000-000000000003"

	mib = 1 << 20
	// In MiB: where partitions begin and how long they are. The last one has 32 MiB more than
	// its file system: cryptsetup wants that much to encrypt what is there, and half of it is
	// the header.
	espAt, espLength   = 1, 64
	bootAt, bootLength = 65, 256
	rootAt, rootLength = 321, 1200
	diskLength         = rootAt + rootLength + 1

	// Passphrase opens the disk before a node is enrolled.
	passphrase = "lab"
)

//go:embed guest
var guest embed.FS

// contentKey is what a product of the cache is named by: the hash of all that it is made of.
func contentKey(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:8])
}

func guestFile(name string) string {
	data, err := guest.ReadFile("guest/" + name)
	if err != nil {
		panic(err) // it is embedded
	}
	return string(data)
}

// image returns the disk of a node that was never booted, made where the cache has none of
// these packages and of these files.
func (l *laboratory) image(ctx context.Context, r *release) (string, error) {
	uris, err := r.apt.URIs(ctx, append(r.packagesOf(r.Old), r.Packages...)...)
	if err != nil {
		return "", err
	}
	parts := []string{uris, guestFile("customize"), guestFile("agent"), fmt.Sprint(diskLength, rootLength), rootUUID}
	if r.Customize != "" {
		parts = append(parts, guestFile(r.Customize))
	}
	dir := filepath.Join(l.cache, "disk-"+contentKey(parts...))
	path := filepath.Join(dir, firstDiskFile)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	work, err := lab.NewFolder(l.cache)
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	l.say("make the node's root of packages of " + r.Name + ": a minute or two")
	if err := debootstrap(ctx, r, work); err != nil {
		return "", err
	}
	l.say("put it into LUKS2, on a disk")
	made := filepath.Join(work, "made")
	if err := os.Mkdir(made, 0o755); err != nil {
		return "", err
	}
	if err := makeDisk(ctx, r, work, filepath.Join(made, firstDiskFile)); err != nil {
		return "", err
	}
	return path, l.intoCache(made, dir)
}

// debootstrap makes work/root.tar.
func debootstrap(ctx context.Context, r *release, work string) error {
	packages := append(r.packagesOf(r.Old), r.Packages...)
	slices.Sort(packages)
	args := []string{"--quiet", "--variant=minbase", "--include=" + strings.Join(packages, ","),
		"--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=path-exclude=/usr/share/doc/*",
		"--customize-hook=upload " + filepath.Join(work, "agent") + " /usr/local/sbin/lab-agent"}
	if r.keyring != "" {
		// Apt's own user cannot look into root's cache.
		args = append(args, "--keyring="+r.keyring, `--aptopt=APT::Sandbox::User "root"`)
	}
	for _, name := range []string{"agent", "customize", r.Customize} {
		if name == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(work, name), []byte(guestFile(name)), 0o755); err != nil {
			return err
		}
		if name != "agent" {
			args = append(args, "--customize-hook=copy-in "+filepath.Join(work, name)+" /tmp",
				fmt.Sprintf(`--customize-hook=chroot "$1" /tmp/%s %s %s %s`, name, luksUUID, bootUUID, espUUID),
				fmt.Sprintf(`--customize-hook=rm "$1/tmp/%s"`, name))
		}
	}
	_, err := run(ctx, "mmdebstrap", append(args, r.Suite, filepath.Join(work, "root.tar"))...)
	return err
}

// makeDisk makes a disk of work/root.tar. Fakeroot keeps owners and device nodes without root,
// and cryptsetup encrypts a file without device-mapper.
func makeDisk(ctx context.Context, r *release, work, disk string) error {
	in := func(name string) string { return filepath.Join(work, name) }
	unpack := fmt.Sprintf(`set -e; cd %s; mkdir root; tar -C root -xf root.tar; rm root.tar
mkdir -p root/boot/grub root/boot/efi; mv root/boot boot; mkdir -p root/boot; cp grub.cfg boot/grub/
mke2fs -q -t ext4 -U %s -d boot boot.img %dM
mke2fs -q -t ext4 -U %s -d root root.img %dM`, work, bootUUID, bootLength, rootUUID, rootLength-32)
	menu := fmt.Sprintf("linux /vmlinuz-%[1]s root=/dev/mapper/cryptroot ro console=ttyS0,115200 quiet\ninitrd /initrd.img-%[1]s\nboot\n", r.Old)
	if err := os.WriteFile(in("grub.cfg"), []byte(menu), 0o644); err != nil {
		return err
	}
	if _, err := run(ctx, "fakeroot", "sh", "-c", unpack); err != nil {
		return err
	}
	if err := makeESP(ctx, r, in("root"), in("esp.img")); err != nil {
		return err
	}
	if err := encrypt(ctx, in("root.img"), luksUUID, passphrase); err != nil {
		return err
	}
	if err := os.WriteFile(disk, nil, 0o644); err != nil {
		return err
	}
	if err := os.Truncate(disk, diskLength*mib); err != nil {
		return err
	}
	args := []string{"-o", "-U", "AAAAAAAA-BBBB-4CCC-8DDD-FFFFFFFFFFFF"}
	for i, p := range []struct {
		at, length       int
		kind, name, file string
	}{
		{espAt, espLength, "ef00", "ESP", "esp.img"},
		{bootAt, bootLength, "8300", "boot", "boot.img"},
		{rootAt, rootLength, "8309", "root", "root.img"},
	} {
		args = append(args, "-n", fmt.Sprintf("%d:%dM:+%dM", i+1, p.at, p.length), "-t", fmt.Sprintf("%d:%s", i+1, p.kind),
			"-c", fmt.Sprintf("%d:%s", i+1, p.name), "-u", fmt.Sprintf("%d:11111111-2222-4333-8444-66666666666%d", i+1, i+1))
		if err := copyInto(disk, int64(p.at)*mib, in(p.file)); err != nil {
			return err
		}
	}
	_, err := run(ctx, "sgdisk", append(args, disk)...)
	return err
}

// makeESP makes an EFI system partition as grub-install does, without its boot option: the
// firmware finds shim in the folder for disks that move.
func makeESP(ctx context.Context, r *release, root, image string) error {
	if _, err := run(ctx, "mkfs.fat", "-C", "-F", "32", "-i", strings.ReplaceAll(espUUID, "-", ""), "-n", "ESP", image, fmt.Sprint(espLength<<10)); err != nil {
		return err
	}
	config := image + ".cfg"
	text := fmt.Sprintf("search.fs_uuid %s root\nset prefix=($root)'/grub'\nconfigfile $prefix/grub.cfg\n", bootUUID)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return err
	}
	if _, err := run(ctx, "mmd", "-i", image, "::/EFI", "::/EFI/BOOT", "::/EFI/"+r.Folder); err != nil {
		return err
	}
	shims := filepath.Join(root, "usr/lib/shim")
	shim, grub := filepath.Join(shims, r.Shim), filepath.Join(root, "usr/lib/grub/x86_64-efi-signed")
	for _, f := range [][2]string{
		{shim, "BOOT/BOOTX64.EFI"}, {grub + "/grubx64.efi.signed", "BOOT/grubx64.efi"},
		{shim, r.Folder + "/shimx64.efi"}, {grub + "/grubx64.efi.signed", r.Folder + "/grubx64.efi"},
		{filepath.Join(shims, r.MokManager), r.Folder + "/mmx64.efi"}, {config, r.Folder + "/grub.cfg"},
	} {
		if _, err := run(ctx, "mcopy", "-i", image, f[0], "::/EFI/"+f[1]); err != nil {
			return err
		}
	}
	return nil
}

// encrypt makes a file system, with 32 MiB behind it for the header, a LUKS2 volume in place. The
// key derivation is quick: in the node it runs on an emulated processor.
func encrypt(ctx context.Context, image, uuid, passphrase string) error {
	info, err := os.Stat(image)
	if err != nil {
		return err
	}
	if err := os.Truncate(image, info.Size()+32*mib); err != nil {
		return err
	}
	c := exec.CommandContext(ctx, "cryptsetup", "reencrypt", "--encrypt", "--type", "luks2", "--batch-mode", "--reduce-device-size", "32M",
		"--cipher", "aes-xts-plain64", "--key-size", "256", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000",
		"--uuid", uuid, "--key-file", "-", image)
	c.Stdin = strings.NewReader(passphrase)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("encrypt the node's root: %w: %s", err, out)
	}
	return nil
}

// copyInto copies a file into a disk, without its holes.
func copyInto(disk string, at int64, file string) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(disk, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer out.Close()
	block, empty := make([]byte, mib), make([]byte, mib)
	for {
		n, err := io.ReadFull(in, block)
		if n > 0 && string(block[:n]) != string(empty[:n]) {
			if _, err := out.WriteAt(block[:n], at); err != nil {
				return err
			}
		}
		at += int64(n)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return out.Close()
		}
		if err != nil {
			return err
		}
	}
}

// run runs a program, and has the end of what it wrote in the error.
func run(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		text := strings.TrimSpace(string(out))
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, text[max(0, len(text)-500):])
	}
	return string(out), nil
}
