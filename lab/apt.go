package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// Apt looks packages up and fetches them. The zero Apt has the sources and lists of this machine.
type Apt struct{ flags []string }

// CloudKernel and CloudFlavor name Debian's kernels for virtual machines.
const (
	CloudKernel = "linux-image-cloud-amd64"
	CloudFlavor = "cloud-amd64"
)

// ErrNoArchive is the error where a distribution's archive does not answer.
var ErrNoArchive = errors.New("its archive cannot be reached")

// outOfReach is what apt says of a network without the archive.
var outOfReach = regexp.MustCompile(`(?m)^E: Failed to fetch`)

// unsigned is what it says of lists that are not of whom they should be.
var unsigned = regexp.MustCompile(`GPG error|NO_PUBKEY|BADSIG|EXPKEYSIG|is not signed`)

// SuiteApt returns an apt for a suite of Debian or Ubuntu ("noble"): that of this machine where
// it is of this suite, or else one with the lists that the suite's mirrors have now, in a new
// folder. Mmdebstrap knows the mirrors. The keyring is a file with the archive's keys, or "" for
// those that this machine has. The error is [ErrNoArchive] where no mirror answers.
func SuiteApt(ctx context.Context, dir, suite, keyring string) (Apt, error) {
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return Apt{}, err
	}
	if regexp.MustCompile(`(?m)^VERSION_CODENAME="?` + regexp.QuoteMeta(suite) + `"?$`).Match(release) {
		return Apt{}, nil
	}
	args := []string{"--mode=chrootless", "--variant=custom", "--skip=cleanup/apt", "--verbose",
		`--aptopt=Acquire::Retries "1"`, `--aptopt=Acquire::http::Timeout "20"`}
	flags := []string{"-o", "Dir=" + dir, "-o", "APT::Architecture=amd64"}
	if keyring != "" {
		args = append(args, "--keyring="+keyring)
		flags = append(flags, "-o", "Dir::Etc::Trusted="+keyring)
	}
	// Nothing is installed: the folder has apt's sources and lists, and no system.
	out, err := exec.CommandContext(ctx, "mmdebstrap", append(args, suite, dir)...).CombinedOutput()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return Apt{}, fmt.Errorf("look up the packages of %s (install mmdebstrap): %w", suite, err)
	case err != nil && outOfReach.Match(out) && !unsigned.Match(out):
		return Apt{}, fmt.Errorf("look up the packages of %s: %w: %s", suite, ErrNoArchive, aptComplaint(string(out)))
	case err != nil:
		return Apt{}, fmt.Errorf("look up the packages of %s: %w: %s", suite, err, aptComplaint(string(out)))
	}
	return Apt{flags}, nil
}

var complaint = regexp.MustCompile(`(?m)^E: (.*)$`)

// aptComplaint is the first sentence in which apt or mmdebstrap says what is wrong.
func aptComplaint(out string) string {
	if m := complaint.FindStringSubmatch(out); m != nil {
		return strings.TrimSpace(m[1])
	}
	return strings.TrimSpace(out[max(0, len(out)-200):])
}

// found is where a package is: 'URL' FILE SIZE HASH, as apt prints it.
type found struct{ file, rest string }

func (a Apt) find(ctx context.Context, name string) (found, error) {
	uri, err := a.URIs(ctx, name)
	if err != nil {
		return found{}, err
	}
	fields := strings.Fields(uri)
	if len(fields) < 4 || !strings.Contains(fields[1], "_") {
		return found{}, fmt.Errorf("look up the package %s: apt-get answers %q", name, uri)
	}
	return found{fields[1], strings.Join(fields[2:], " ")}, nil
}

// URIs are lines with the address, file name, size and hash of each package, as "apt-get download
// --print-uris" prints them.
func (a Apt) URIs(ctx context.Context, names ...string) (string, error) {
	c := exec.CommandContext(ctx, "apt-get", append(append(a.flags[:len(a.flags):len(a.flags)], "download", "--print-uris"), names...)...)
	c.Dir = "/" // of a file that lies in the folder apt-get prints nothing
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("look up the package %s (run apt-get update?): %w", strings.Join(names, ", "), err)
	}
	return string(out), nil
}

// Download returns the file of a package of the version that apt would install, in the folder. One
// that is there is not fetched again.
func (a Apt) Download(ctx context.Context, folder, name string) (string, error) {
	f, err := a.find(ctx, name)
	if err != nil {
		return "", err
	}
	file := filepath.Join(folder, f.file)
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	c := exec.CommandContext(ctx, "apt-get", append(a.flags[:len(a.flags):len(a.flags)], "download", "-q", name)...)
	c.Dir = folder
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("download the package %s: %w: %s", name, err, out)
	}
	return file, nil
}

func (a Apt) cache(ctx context.Context, args ...string) (string, error) {
	return output(ctx, "apt-cache", append(a.flags[:len(a.flags):len(a.flags)], args...)...)
}
