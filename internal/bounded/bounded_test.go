package bounded

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := ReadFile(name, 5); err != nil || string(data) != "12345" {
		t.Errorf("%q, %v", data, err)
	}
	if data, err := ReadFile(name, 4); data != nil || err == nil || !strings.Contains(err.Error(), name+" has more than 4 bytes") {
		t.Errorf("a larger one: %q, %v", data, err)
	}
	for _, other := range []string{name + "none", filepath.Dir(name)} {
		if _, err := ReadFile(other, 5); err == nil {
			t.Errorf("%s was read", other)
		}
	}
}
