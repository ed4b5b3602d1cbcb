package bootchain

import "testing"

// What systemd makes of white space differs from release to release. 252.39 was seen to drop
// it at the end.
func TestBuiltInOptions(t *testing.T) {
	for _, tt := range []struct {
		section string
		version version
		want    string
		certain bool
	}{
		{"ro quiet", version{252}, "ro quiet", true},
		{"ro quiet\x00garbage", version{252}, "ro quiet", true},
		{"ro quiet \n", version{252, 39}, "ro quiet", true},
		{"ro quiet\n", version{252, 4}, "ro quiet", false},
		{"ro\tquiet", version{252, 4}, "ro quiet", false},
		{"ro\tquiet\n", version{253}, "ro quiet", true},
		{" ro quiet", version{254}, "ro quiet", false},
		{" \tro quiet\n", version{255}, "ro quiet", true},
	} {
		got, certain := builtInOptions([]byte(tt.section), tt.version)
		if got != tt.want || certain != tt.certain {
			t.Errorf("%q in %s: %q, certain %v; want %q, %v", tt.section, tt.version, got, certain, tt.want, tt.certain)
		}
	}
}
