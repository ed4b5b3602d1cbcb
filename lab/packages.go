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
func Unpack(ctx context.Context, cache, name string) (Package, error) {
	uri, err := output(ctx, "apt-get", "download", "--print-uris", name)
	if err != nil {
		return Package{}, fmt.Errorf("look up the package %s (run apt-get update?): %w", name, err)
	}
	fields := strings.Fields(uri) // 'URL' FILE SIZE HASH
	if len(fields) < 4 {
		return Package{}, fmt.Errorf("look up the package %s: apt-get answers %q", name, uri)
	}
	version := strings.ReplaceAll(strings.Split(fields[1], "_")[1], "%3a", ":")
	key := sha256.Sum256([]byte(strings.Join(fields[1:], " ")))
	p := Package{Name: name, Version: version, Root: filepath.Join(cache, fmt.Sprintf("%s-%x", name, key[:8]))}
	if _, err := os.Stat(p.Root); err == nil {
		return p, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return p, err
	}
	work, err := os.MkdirTemp(cache, "new-")
	if err != nil {
		return p, err
	}
	defer os.RemoveAll(work)
	download := exec.CommandContext(ctx, "apt-get", "download", "-q", name)
	download.Dir = work
	if out, err := download.CombinedOutput(); err != nil {
		return p, fmt.Errorf("download the package %s: %w: %s", name, err, out)
	}
	debs, err := filepath.Glob(filepath.Join(work, "*.deb"))
	if err != nil || len(debs) != 1 {
		return p, fmt.Errorf("download the package %s: there are %d files", name, len(debs))
	}
	root := filepath.Join(work, "root")
	if _, err := run(ctx, "dpkg", "-x", debs[0], root); err != nil {
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
func CandidateVersions(ctx context.Context, names ...string) (map[string]string, error) {
	text, err := output(ctx, "apt-cache", append([]string{"show", "--no-all-versions"}, names...)...)
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

var cloudKernel = regexp.MustCompile(`^linux-image-([0-9]+\.[0-9]+\.[0-9].*)-cloud-amd64$`)

// CloudKernels returns the packages of the signed cloud kernels that apt knows of a series
// ("6.1."), or of all (""), the oldest first.
func CloudKernels(ctx context.Context, series string) ([]string, error) {
	names, err := output(ctx, "apt-cache", "pkgnames", "linux-image-"+series)
	if err != nil {
		return nil, fmt.Errorf("list the kernels: %w", err)
	}
	kernels := slices.DeleteFunc(strings.Fields(names), func(n string) bool { return !cloudKernel.MatchString(n) })
	slices.SortFunc(kernels, func(a, b string) int { return slices.Compare(numbers(a), numbers(b)) })
	return kernels, nil
}

// KernelSeries is the series of the distribution's cloud kernel: "6.1.".
func KernelSeries(ctx context.Context) (string, error) {
	out, err := output(ctx, "apt-cache", "depends", "linux-image-cloud-amd64")
	if err != nil {
		return "", fmt.Errorf("look up the cloud kernel: %w", err)
	}
	m := regexp.MustCompile(`linux-image-([0-9]+\.[0-9]+\.)`).FindStringSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("look up the cloud kernel: apt-cache answers %q (run apt-get update?)", out)
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
