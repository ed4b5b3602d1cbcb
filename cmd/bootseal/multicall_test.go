package main

import (
	"slices"
	"testing"
)

// Programs that start swtpm start bootseal through a link.
func TestVerbOf(t *testing.T) {
	for _, c := range []struct{ argv, want []string }{
		{[]string{"bootseal", "pcrs"}, []string{"pcrs"}},
		{[]string{"/usr/bin/swtpm", "socket", "--tpm2"}, []string{"vtpm", "socket", "--tpm2"}},
		{[]string{"swtpm", "--version"}, []string{"version", "--swtpm"}},
		{[]string{"swtpm", "socket", "--version"}, []string{"version", "--swtpm"}},
		{[]string{"swtpm_ioctl", "--version"}, []string{"version", "--swtpm"}},
		{[]string{"swtpm_ioctl", "--unix", "s", "-c"}, []string{"vtpm", "ioctl", "--unix", "s", "-c"}},
		{[]string{"/usr/bin/swtpm_setup", "--tpm2"}, []string{"vtpm", "setup", "--tpm2"}},
		{[]string{"swtpm_setup", "--version"}, []string{"version", "--swtpm"}},
	} {
		if have := verbOf(c.argv); !slices.Equal(have, c.want) {
			t.Errorf("%q: %q, want %q", c.argv, have, c.want)
		}
	}
}
