package lab

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// The layout of an Image: the EFI system partition, and room for more behind it.
const (
	imageSize  = 136 << 20
	espStart   = 1 << 20
	espSize    = 128 << 20
	sectorSize = 512
)

// ESPUUID is the UUID of the file system of an Image's EFI system partition, as GRUB and
// systemd-boot search for it.
const ESPUUID = "CAFE-0001"

// ESPPartition is the UUID of that partition in the GPT.
const ESPPartition = "11111111-2222-4333-8444-555555555555"

// Image is a disk image: a GPT with an EFI system partition.
type Image struct{ Path string }

// CreateImage makes an image with these files, by their path on the EFI system partition. The
// same files make the same file system but for times.
func CreateImage(ctx context.Context, path string, files map[string][]byte) (Image, error) {
	i := Image{path}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		return i, err
	}
	if err := os.Truncate(path, imageSize); err != nil {
		return i, err
	}
	if err := i.Partition(ctx, "-o", "-U", "AAAAAAAA-BBBB-4CCC-8DDD-EEEEEEEEEEEE",
		"-n", fmt.Sprintf("1:%d:%d", espStart/sectorSize, (espStart+espSize)/sectorSize-1), "-t", "1:ef00",
		"-u", "1:"+ESPPartition, "-c", "1:ESP"); err != nil {
		return i, err
	}
	if _, err := run(ctx, "mkfs.fat", "-F", "32", "-i", strings.ReplaceAll(ESPUUID, "-", ""), "-n", "ESP",
		"--offset", fmt.Sprint(espStart/sectorSize), path, fmt.Sprint(espSize>>10)); err != nil {
		return i, err
	}
	return i, i.Put(ctx, files)
}

// Partition runs sgdisk on the image: "-n", "2:0:+1M".
func (i Image) Partition(ctx context.Context, args ...string) error {
	_, err := run(ctx, "sgdisk", append(args, i.Path)...)
	return err
}

// Put writes files to the EFI system partition, over those that are there.
func (i Image) Put(ctx context.Context, files map[string][]byte) error {
	made := make(map[string]bool)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := i.makeFolders(ctx, path.Dir(name), made); err != nil {
			return err
		}
		copying := exec.CommandContext(ctx, "mcopy", "-o", "-i", i.esp(), "-", "::"+name)
		copying.Stdin = bytes.NewReader(files[name])
		if out, err := copying.CombinedOutput(); err != nil {
			return fmt.Errorf("write %s to %s: %w: %s", name, filepath.Base(i.Path), err, out)
		}
	}
	return nil
}

// makeFolders makes a folder and those above it where they are missing.
func (i Image) makeFolders(ctx context.Context, folder string, made map[string]bool) error {
	if folder == "/" || folder == "." || made[folder] {
		return nil
	}
	if err := i.makeFolders(ctx, path.Dir(folder), made); err != nil {
		return err
	}
	made[folder] = true
	if exec.CommandContext(ctx, "mdir", "-i", i.esp(), "::"+folder).Run() == nil {
		return nil
	}
	_, err := run(ctx, "mmd", "-i", i.esp(), "::"+folder)
	return err
}

// Remove removes files from the EFI system partition.
func (i Image) Remove(ctx context.Context, names ...string) error {
	for _, name := range names {
		if _, err := run(ctx, "mdel", "-i", i.esp(), "::"+name); err != nil {
			return err
		}
	}
	return nil
}

// esp is the partition in mtools' words.
func (i Image) esp() string { return fmt.Sprintf("%s@@%d", i.Path, espStart) }
