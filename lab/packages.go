package lab

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Package is an unpacked Debian package.
type Package struct {
	Name, Version string
	Root          string // the folder that it was unpacked to
}

// Unpack returns a package of the version that apt would install, unpacked below the cache. A
// package that is there already by its hash is not fetched again.
func (a Apt) Unpack(ctx context.Context, cache, name string) (Package, error) {
	f, err := a.find(ctx, name)
	if err != nil {
		return Package{}, err
	}
	version := strings.ReplaceAll(strings.Split(f.file, "_")[1], "%3a", ":")
	key := sha256.Sum256([]byte(f.file + " " + f.rest))
	p := Package{Name: name, Version: version, Root: filepath.Join(cache, fmt.Sprintf("%s-%x", name, key[:8]))}
	if _, err := os.Stat(p.Root); err == nil {
		return p, nil
	}
	work, err := NewFolder(cache)
	if err != nil {
		return p, err
	}
	defer os.RemoveAll(work)
	deb, err := a.Download(ctx, work, name)
	if err != nil {
		return p, err
	}
	root := filepath.Join(work, "root")
	if _, err := run(ctx, "dpkg", "-x", deb, root); err != nil {
		return p, err
	}
	if err := os.Rename(root, p.Root); err != nil && !os.IsExist(err) {
		return p, err
	}
	return p, nil
}

// InstalledVersion is the version of a package that is installed here.
func InstalledVersion(ctx context.Context, name string) (string, error) {
	v, err := output(ctx, "dpkg-query", "-W", "-f", "${Version}", name)
	if err != nil {
		return "", fmt.Errorf("the package %s is not installed: %w", name, err)
	}
	return strings.TrimSpace(v), nil
}

// CandidateVersions are the versions of packages that apt would install.
func (a Apt) CandidateVersions(ctx context.Context, names ...string) (map[string]string, error) {
	text, err := a.cache(ctx, append([]string{"show", "--no-all-versions"}, names...)...)
	if err != nil {
		return nil, fmt.Errorf("look up versions of packages (run apt-get update?): %w", err)
	}
	out := make(map[string]string)
	for _, m := range regexp.MustCompile(`(?m)^Package: (.*)\n(?:.+\n)*?Version: (.*)$`).FindAllStringSubmatch(text, -1) {
		out[m[1]] = m[2]
	}
	for _, name := range names {
		if out[name] == "" {
			return nil, fmt.Errorf("look up the package %s: apt knows no version (run apt-get update?)", name)
		}
	}
	return out, nil
}

// Kernels returns the packages of the signed kernels of a flavor ("cloud-amd64") that apt knows
// of a series ("6.1."), or of all (""), the oldest first.
func (a Apt) Kernels(ctx context.Context, flavor, series string) ([]string, error) {
	names, err := a.cache(ctx, "pkgnames", "linux-image-"+series)
	if err != nil {
		return nil, fmt.Errorf("list the kernels: %w", err)
	}
	return kernelsAmong(strings.Fields(names), flavor), nil
}

// kernelsAmong drops what is no signed kernel of the flavor, and sorts the others by their versions.
func kernelsAmong(names []string, flavor string) []string {
	kernel := regexp.MustCompile(`^linux-image-([0-9]+\.[0-9]+\.[0-9].*)-` + regexp.QuoteMeta(flavor) + "$")
	version := func(name string) []int { return numbers(kernel.FindStringSubmatch(name)[1]) }
	names = slices.DeleteFunc(names, func(n string) bool { return !kernel.MatchString(n) })
	slices.SortFunc(names, func(a, b string) int { return slices.Compare(version(a), version(b)) })
	return names
}

// KernelSeries is the series ("6.1.") of the kernel that a package without a version of its own
// stands for ("linux-image-cloud-amd64").
func (a Apt) KernelSeries(ctx context.Context, name string) (string, error) {
	out, err := a.cache(ctx, "depends", name)
	if err != nil {
		return "", fmt.Errorf("look up the kernel of %s: %w", name, err)
	}
	m := regexp.MustCompile(`linux-image-([0-9]+\.[0-9]+\.)`).FindStringSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("look up the kernel of %s: apt-cache answers %q (run apt-get update?)", name, out)
	}
	return m[1], nil
}

var digits = regexp.MustCompile(`[0-9]+`)

// numbers orders versions that differ in their numbers only.
func numbers(s string) []int {
	var out []int
	for _, d := range digits.FindAllString(s, -1) {
		n, _ := strconv.Atoi(d) // of digits only; one that is too long is the largest
		out = append(out, n)
	}
	return out
}

// output is what a program writes to its standard output.
func output(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return string(out), nil
}
