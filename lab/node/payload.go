package main

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bootseal/bootseal/lab"
)

// payloadSize is the size of every node's second disk: a node that was frozen with one can go on
// with another. What a story lends to its node is behind the packages.
const (
	payloadSize = 256 * mib
	lentAt      = 192 * mib
)

// prepare builds what goes into nodes of all distributions.
func (l *laboratory) prepare(ctx context.Context) error {
	var err error
	if l.cache == "" {
		if l.cache, err = defaultCache(); err != nil {
			return err
		}
	}
	if err := evict(l.cache, cacheLimit, time.Now().Add(-inUse)); err != nil {
		return err
	}
	version, err := exec.CommandContext(ctx, "qemu-system-x86_64", "--version").Output()
	if err != nil {
		return fmt.Errorf("ask QEMU for its version (install qemu-system-x86): %w", err)
	}
	l.qemu = string(version)
	if l.deb == "" {
		if l.deb, err = l.build(ctx); err != nil {
			return err
		}
	}
	l.host = filepath.Join(l.work, "host")
	_, err = run(ctx, "dpkg-deb", "--extract", l.deb, l.host)
	return err
}

// pack packs the second disk: bootseal's package and those that scenarios install.
func (l *laboratory) pack(ctx context.Context, r *release) error {
	files := map[string]string{"bootseal.deb": l.deb}
	if r.Greeting != "" {
		changed, err := l.changedGRUB(ctx, r)
		if err != nil {
			return err
		}
		files["grub-changed.efi"] = changed
	}
	fetch := func(name, as string) error {
		file, err := r.apt.Download(ctx, filepath.Join(l.cache, debsFolder), name)
		files[as] = file
		return err
	}
	for i, name := range r.packagesOf(r.New) {
		as := "kernel.deb"
		if i > 0 {
			as = "kernel-" + strings.TrimSuffix(strings.TrimPrefix(r.Parts[i], "linux-"), "-") + ".deb"
		}
		if err := fetch(name, as); err != nil {
			return err
		}
	}
	for folder, names := range r.More {
		for _, name := range names {
			if err := fetch(name, folder+"/"+name+".deb"); err != nil {
				return err
			}
		}
	}
	var err error
	r.payload = filepath.Join(l.work, "payload-"+r.Suite+".tar")
	r.payloadKey, err = pack(r.payload, files)
	return err
}

// build makes bootseal's package of this checkout. The same sources make the same bytes, of
// whatever commit, so that nodes which were saved with them are good.
func (l *laboratory) build(ctx context.Context) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find bootseal's sources (run this in a checkout): %w", err)
	}
	l.say("build bootseal's Debian package")
	dir := filepath.Join(l.work, "deb")
	c := exec.CommandContext(ctx, "packaging/deb", dir)
	c.Dir = strings.TrimSpace(string(root))
	c.Env = append(os.Environ(), "VERSION=0~lab", "SOURCE_DATE_EPOCH=1700000000", "COMPRESSION=gzip", "GOFLAGS=-buildvcs=false",
		"DEB_BUILD_OPTIONS=nodoc") // a run may change docs/accuracy.md
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build bootseal's Debian package: %w: %s", err, out)
	}
	debs, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(debs) != 1 {
		return "", fmt.Errorf("build bootseal's Debian package: there are %d files", len(debs))
	}
	return debs[0], nil
}

func defaultCache() (string, error) {
	dir, err := lab.Cache("")
	return filepath.Join(dir, "node"), err
}

// makeSecondDisk gives the node a second disk of its own, with the packages.
func (n *node) makeSecondDisk() error {
	disk := filepath.Join(n.dir, secondFile)
	if err := os.WriteFile(disk, nil, 0o644); err != nil {
		return err
	}
	if err := copyInto(disk, 0, n.payload); err != nil {
		return err
	}
	return os.Truncate(disk, payloadSize)
}

// lend writes to the node's second disk, where it can read it while it is up.
func (n *node) lend(data string) error {
	if len(data) > payloadSize-lentAt {
		return fmt.Errorf("it has %d bytes, and at most %d fit", len(data), payloadSize-lentAt)
	}
	f, err := os.OpenFile(filepath.Join(n.dir, secondFile), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(data), lentAt)
	return errors.Join(err, f.Close())
}

// pack makes the disk, and returns the hash of what is on it.
func pack(path string, files map[string]string) (string, error) {
	out, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer out.Close()
	hash := sha256.New()
	w := tar.NewWriter(io.MultiWriter(out, hash))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := packFile(w, name, files[name]); err != nil {
			return "", err
		}
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	info, err := out.Stat()
	if err != nil {
		return "", err
	}
	if info.Size() > lentAt {
		return "", fmt.Errorf("the packages on the nodes' second disk have %d bytes, more than %d", info.Size(), lentAt)
	}
	return hex.EncodeToString(hash.Sum(nil)[:8]), out.Truncate(payloadSize)
}

func packFile(w *tar.Writer, name, path string) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: info.Size(), Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	_, err = io.Copy(w, in)
	return err
}
