package state

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMake(t *testing.T) {
	root := filepath.Join(t.TempDir(), "bootseal")
	const uuid = "0f8fad5b-d9cb-469f-a165-70867728950e"
	for range 2 {
		dir, err := Make(root, uuid)
		if err != nil || dir != filepath.Join(root, uuid) {
			t.Fatalf("%s, %v", dir, err)
		}
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%v, %v", info, err)
		}
	}
}

// Whoever holds the disk writes the UUID.
func TestUUIDsThatAreNone(t *testing.T) {
	for _, uuid := range []string{"", "..", "../../etc", "0f8fad5b-d9cb-469f-a165-70867728950e/..", "0F8FAD5B-D9CB-469F-A165-70867728950E\n"} {
		if dir, err := Folder("/var/lib/bootseal", uuid); err == nil {
			t.Errorf("%q became %s", uuid, dir)
		}
	}
}
