package cryptsetup

import (
	"slices"
	"strings"
	"testing"
)

// A volume in the middle of being encrypted anew says so, and is left alone.
func TestAVolumeThatIsBeingReencrypted(t *testing.T) {
	v := volume(t)
	args := []string{"reencrypt", "--init-only", "--force-offline-reencrypt", "--resilience", "checksum", "--key-file", secretFile(0)}
	args = append(args, Quick.args()[:4]...)
	if _, err := v.run(t.Context(), "start to reencrypt", call{args: args, secrets: [][]byte{passphrase}}); err != nil {
		t.Fatal(err)
	}
	got := header(t, v).Metadata.Config.Requirements.Mandatory
	if !slices.ContainsFunc(got, func(s string) bool {
		return strings.HasPrefix(s, "online-reencrypt") || strings.HasPrefix(s, "offline-reencrypt")
	}) {
		t.Errorf("requirements %q", got)
	}
	if _, err := v.AddKey(t.Context(), passphrase, []byte("another"), Quick); err == nil {
		t.Error("a key was added")
	}
}
