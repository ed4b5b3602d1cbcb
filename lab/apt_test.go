package lab

import (
	"slices"
	"testing"
)

func TestKernelsAmong(t *testing.T) {
	debian := []string{
		"linux-image-6.12.117+deb13-cloud-amd64", "linux-image-6.12.115+deb13.1-cloud-amd64", "linux-image-6.12.96+deb13-cloud-amd64",
		"linux-image-6.12.115+deb13-cloud-amd64", "linux-image-6.12.117+deb13-cloud-amd64-unsigned", "linux-image-cloud-amd64",
	}
	want := []string{
		"linux-image-6.12.96+deb13-cloud-amd64", "linux-image-6.12.115+deb13-cloud-amd64",
		"linux-image-6.12.115+deb13.1-cloud-amd64", "linux-image-6.12.117+deb13-cloud-amd64",
	}
	if got := kernelsAmong(debian, CloudFlavor); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	ubuntu := []string{"linux-image-6.8.0-100-generic", "linux-image-6.8.0-31-generic", "linux-image-6.8.0-1007-azure"}
	if got := kernelsAmong(ubuntu, "generic"); !slices.Equal(got, []string{"linux-image-6.8.0-31-generic", "linux-image-6.8.0-100-generic"}) {
		t.Errorf("%q", got)
	}
}

// An archive that does not answer is a reason to skip, one that somebody else signed is not.
func TestOutOfReach(t *testing.T) {
	const silent = "Err:1 http://mirror noble InRelease\n  Could not connect to mirror\nE: Failed to fetch http://mirror/x  Could not connect\nE: mmdebstrap failed to run\n"
	const unknown = "W: GPG error: http://mirror noble InRelease: ... NO_PUBKEY 871920D1991BC93C\nE: The repository 'http://mirror noble InRelease' is not signed.\n"
	if !outOfReach.MatchString(silent) || unsigned.MatchString(silent) || !unsigned.MatchString(unknown) || outOfReach.MatchString(unknown) {
		t.Error("the two were not told apart")
	}
	if got := aptComplaint(silent); got != "Failed to fetch http://mirror/x  Could not connect" {
		t.Errorf("%q", got)
	}
}
