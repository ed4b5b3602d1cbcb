// Package gztest reads samples of tests that are kept packed.
package gztest

import (
	"compress/gzip"
	"io"
	"os"
	"testing"
)

// Read returns what a file in gzip's format holds.
func Read(t testing.TB, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
