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

// NewFolder makes a folder in a cache for what is being made, or is going: what is done gets its
// place by a rename.
func NewFolder(cache string) (string, error) {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	return os.MkdirTemp(cache, "new-")
}
