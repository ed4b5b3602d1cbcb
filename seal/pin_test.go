package seal

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
)

// systemd's own vectors for the first step of its PIN derivation: they are what
// fixes the iteration count.
func TestPINIterationsAreSystemds(t *testing.T) {
	for _, v := range []struct{ pin, salt, want string }{
		{"foopass", "0123456789012345", "cbea27239a6599f68c2654805c6361d2910a603fc2f5f0ab558b46076093abcb"},
		{"foopass", "mysa\x00lt", "7c24b44d3011532487562410ba9ff24ebbf503562bb1a1928b5f3202231f79e6"},
		{"\x00pass", "0123456789012345", "8a9a479a91222f56294f2600e7b3eb636d51f26017082070828fa3d7be2bd55d"},
	} {
		got, err := pbkdf2.Key(sha256.New, v.pin, []byte(v.salt), pinIterations, sha256.Size)
		if err != nil {
			t.Fatal(err)
		}
		if hex.EncodeToString(got) != v.want {
			t.Errorf("%q: have %x, want %s", v.pin, got, v.want)
		}
	}
}

func TestPINAuth(t *testing.T) {
	for _, v := range []struct{ why, pin, salt, want string }{
		{"salted: the base64 of systemd's first vector, hashed", "foopass", "0123456789012345",
			sum("y+onI5plmfaMJlSAXGNh0pEKYD/C9fCrVYtGB2CTq8s=")},
		{"unsalted: hashed as it is", "1234", "", sum("1234")},
		{"trailing zero bytes are no part of an authValue", "pin 21", "", strings.TrimSuffix(sum("pin 21"), "00")},
		{"zero bytes inside are", "pin 7", "", sum("pin 7")},
	} {
		got, err := pinAuth([]byte(v.pin), []byte(v.salt))
		if err != nil {
			t.Fatal(err)
		}
		if hex.EncodeToString(got) != v.want {
			t.Errorf("%s: have %x, want %s", v.why, got, v.want)
		}
	}
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}
