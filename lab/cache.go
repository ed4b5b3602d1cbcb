package lab

import (
	"fmt"
	"os"
	"path/filepath"
)

// Cache is where the lab keeps what it has unpacked and made: the folder that somebody
// named, or else one in the user's cache.
func Cache(named string) (string, error) {
	if named != "" {
		return named, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%w; name a folder with -cache", err)
	}
	return filepath.Join(dir, "bootseal", "lab"), nil
}
