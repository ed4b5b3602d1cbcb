package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	"github.com/bootseal/bootseal/lab"
	"github.com/bootseal/bootseal/lab/matrix"
)

// distribution is what a node is made of.
type distribution struct {
	Name  string
	State string // of its disk that was never booted: a story begins "from" it
	Suite string // of its archive
	// Keys is where the keys of its archive come from, where this machine does not have them.
	Keys keyring

	Kernel   string   // the package that stands for its newest kernel
	Flavor   string   // how the names of its kernels end
	Parts    []string // the packages of a kernel, without its version; the first is the image
	Packages []string // of a node, beside the essential ones and the kernel
	// Shim and MokManager are its files below /usr/lib/shim.
	Shim, MokManager string
	Folder           string // in which its boot loaders are on the EFI system partition
	Greeting         string // of its GRUB, which a scenario changes, or ""
	// Customize is the script of guest for what is not as in Debian 12, or "".
	Customize string
	// More are packages that scenarios install, by their folder on the second disk.
	More map[string][]string
}

// keyring is a file in a package of another distribution, whose archive is trusted for it.
type keyring struct{ Of, Package, File string }

// everywhere are packages of every node.
var everywhere = []string{
	"cryptsetup-initramfs", "dbus", "dosfstools", "e2fsprogs", "efibootmgr", "grub-efi-amd64-bin",
	"grub-efi-amd64-signed", "grub2-common", "initramfs-tools", "kmod", "shim-signed", "systemd-sysv", "udev", "zstd",
}

// libtss2 is what systemd's token plug-in loads when it is there. Debian 12 has older names.
var libtss2 = []string{"libtss2-esys-3.0.2-0t64", "libtss2-mu-4.0.1-0t64", "libtss2-rc0t64", "libtss2-tcti-device0t64"}

// distributions are in the order in which a report has them.
var distributions = []distribution{
	{
		Name: "Debian 12", State: "image", Suite: "bookworm",
		Kernel: lab.CloudKernel, Flavor: lab.CloudFlavor, Parts: []string{"linux-image-"},
		Packages: slices.Concat([]string{"busybox"}, everywhere,
			[]string{"libtss2-esys-3.0.2-0", "libtss2-mu0", "libtss2-rc0", "libtss2-tcti-device0"}),
		Shim: "shimx64.efi.signed", MokManager: "mmx64.efi.signed", Folder: "debian", Greeting: "Welcome to GRUB!",
		More: map[string][]string{"dracut": {"dracut-core", "cpio", "kpartx"}},
	},
	{
		Name: "Debian 13", State: "debian13-image", Suite: "trixie",
		Kernel: lab.CloudKernel, Flavor: lab.CloudFlavor, Parts: []string{"linux-image-"},
		Packages: slices.Concat([]string{"busybox", "systemd-cryptsetup"}, everywhere, libtss2),
		Shim:     "shimx64.efi.signed", MokManager: "mmx64.efi.signed", Folder: "debian",
	},
	{
		Name: "Ubuntu 24.04", State: "ubuntu-image", Suite: "noble",
		Keys:   keyring{Of: "trixie", Package: "ubuntu-keyring", File: "usr/share/keyrings/ubuntu-archive-keyring.gpg"},
		Kernel: "linux-image-virtual", Flavor: "generic", Parts: []string{"linux-image-", "linux-modules-"},
		Packages: slices.Concat(everywhere, libtss2),
		// What is named .signed is a link of the node's alternatives.
		Shim: "shimx64.efi.signed.latest", MokManager: "mmx64.efi", Folder: "ubuntu", Customize: "customize-ubuntu",
	},
}

// distributionOf returns the distribution whose disk that was never booted is the state, or nil.
func distributionOf(state string) *distribution {
	at := slices.IndexFunc(distributions, func(d distribution) bool { return d.State == state })
	if at < 0 {
		return nil
	}
	return &distributions[at]
}

// packagesOf are the packages of a kernel.
func (d *distribution) packagesOf(kernel string) []string {
	out := make([]string, len(d.Parts))
	for i, part := range d.Parts {
		out[i] = part + kernel
	}
	return out
}

// release is a distribution as its archive has it today, with what the lab has taken from there.
type release struct {
	*distribution
	apt     lab.Apt
	keyring string // a file, or "": this machine knows the archive's keys
	// Old and New are the versions of its two newest kernels, the older one of which nodes have.
	Old, New string

	disk       string // of a node that was never booted
	payload    string // the second disk of every node
	payloadKey string
	// versions are of all that its nodes boot with. They are looked up once, for the first story.
	versions func() ([]matrix.Version, error)
}

// errForeign is the error of a distribution whose archive this machine's administrators have not
// set up, where nobody has asked for it.
var errForeign = errors.New("its packages are in another distribution's archive: -foreign fetches them")

// skips reports whether a story of a distribution that opens with the error is not told, and has
// not failed either.
func skips(err error) bool { return errors.Is(err, lab.ErrNoArchive) || errors.Is(err, errForeign) }

// open looks up what the distribution's archive has. The error is lab.ErrNoArchive where it does
// not answer.
func (l *laboratory) open(ctx context.Context, d *distribution) (*release, error) {
	r := &release{distribution: d}
	r.versions = sync.OnceValues(func() ([]matrix.Version, error) { return r.findVersions(ctx) })
	if d.Keys != (keyring{}) {
		if !l.foreign {
			return nil, fmt.Errorf("%s: %w", d.Name, errForeign)
		}
		keys, err := lab.SuiteApt(ctx, filepath.Join(l.work, "apt-keys-"+d.Suite), d.Keys.Of, "")
		if err != nil {
			return nil, err
		}
		p, err := keys.Unpack(ctx, l.cache, d.Keys.Package)
		if err != nil {
			return nil, err
		}
		r.keyring = filepath.Join(p.Root, d.Keys.File)
	}
	var err error
	if r.apt, err = lab.SuiteApt(ctx, filepath.Join(l.work, "apt-"+d.Suite), d.Suite, r.keyring); err != nil {
		return nil, err
	}
	if err := r.findKernels(ctx); err != nil {
		return nil, err
	}
	if r.disk, err = l.image(ctx, r); err != nil {
		return nil, err
	}
	return r, l.pack(ctx, r)
}

// findKernels finds the two newest of the distribution's signed kernels.
func (r *release) findKernels(ctx context.Context) error {
	series, err := r.apt.KernelSeries(ctx, r.Kernel)
	if err != nil {
		return err
	}
	all, err := r.apt.Kernels(ctx, r.Flavor, series)
	if err != nil {
		return err
	}
	if len(all) < 2 {
		return fmt.Errorf("apt knows %d kernels %s*-%s of %s, and an upgrade needs two", len(all), series, r.Flavor, r.Name)
	}
	r.Old, r.New = all[len(all)-2][len(r.Parts[0]):], all[len(all)-1][len(r.Parts[0]):]
	return nil
}

// findVersions looks up packages of this machine, and those in the node.
func (r *release) findVersions(ctx context.Context) ([]matrix.Version, error) {
	var out []matrix.Version
	for _, name := range []string{"qemu-system-x86", "ovmf", "mmdebstrap", "cryptsetup-bin", "swtpm", "systemd-boot-efi"} {
		v, err := lab.InstalledVersion(ctx, name)
		if err != nil {
			return nil, err
		}
		out = append(out, matrix.Version{Package: name, Version: v})
	}
	inside := []string{r.Parts[0] + r.Old, r.Parts[0] + r.New}
	inside = append(inside, r.Packages...)
	candidates, err := r.apt.CandidateVersions(ctx, inside...)
	if err != nil {
		return nil, err
	}
	for _, name := range inside {
		out = append(out, matrix.Version{Package: name, Version: candidates[name]})
	}
	return out, nil
}
