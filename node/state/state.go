// Package state is the folder in which bootseal keeps what belongs to a node's volumes:
// a folder for each, named by its UUID, for root alone.
package state

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/bootseal/bootseal/internal/atomicfile"
)

// Default is the folder where nobody names another.
const Default = "/var/lib/bootseal"

// uuidPattern is how cryptsetup writes UUIDs. A header's is any text: whoever holds the
// disk could write a path into it.
var uuidPattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// CheckUUID refuses a UUID that is none: it is to be a file's name.
func CheckUUID(uuid string) error {
	if !uuidPattern.MatchString(uuid) {
		return fmt.Errorf("the volume's UUID is %q, which is none: give it one with cryptsetup luksUUID", uuid)
	}
	return nil
}

// Folder is the path of a volume's folder, which may not be there yet.
func Folder(root, uuid string) (string, error) {
	if err := CheckUUID(uuid); err != nil {
		return "", err
	}
	return filepath.Join(root, uuid), nil
}

// Make makes a volume's folder where it is missing, and returns its path.
func Make(root, uuid string) (string, error) {
	dir, err := Folder(root, uuid)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the state folder: %w", err)
	}
	for _, d := range []string{dir, root, filepath.Dir(root)} {
		if err := atomicfile.SyncDir(d); err != nil {
			return "", fmt.Errorf("make the state folder: %w", err)
		}
	}
	return dir, nil
}
