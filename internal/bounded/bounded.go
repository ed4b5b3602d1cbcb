// Package bounded reads files that others may have made too large.
package bounded

import (
	"fmt"
	"io"
	"os"
)

// ReadFile reads a file of at most so many bytes. Of a larger one nothing is returned, and nothing
// stays in memory: it may be a key.
func ReadFile(name string, most int) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, int64(most)+1))
	if err == nil && len(data) > most {
		err = fmt.Errorf("%s has more than %d bytes", name, most)
	}
	if err != nil {
		clear(data)
		return nil, err
	}
	return data, nil
}
