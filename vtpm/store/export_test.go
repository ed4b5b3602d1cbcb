package store

import "io"

// What a test's own disk needs.
type (
	Files = files
	File  = file
)

// OpenFiles opens the state on a test's disk, with small files, so that they are
// replaced often.
func OpenFiles(dir Files, o Options) (*Directory, error) {
	o.leastSize = 8 << 10
	return openFiles(dir, io.NopCloser(nil), o)
}

// Read returns the records in a state file.
func Read(data []byte, o Options) (map[string][]byte, error) {
	found, err := read(data, o)
	return found.records, err
}

// Datasync is what the benchmark compares with.
var Datasync = datasync
