package fat

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// openFile is a file that is being read.
type openFile struct {
	fs       *FS
	entry    *entry
	clusters []uint32
	at       int64
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.entry, nil }
func (f *openFile) Close() error               { return nil }

func (f *openFile) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p, f.at)
	f.at += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// ReadAt reads pieces that lie one after the other at once.
func (f *openFile) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read at %d", off)
	}
	done := 0
	for done < len(p) && off < f.entry.size {
		i, inside := int(off/f.fs.clusterSize), off%f.fs.clusterSize
		last := i
		for last+1 < len(f.clusters) && f.clusters[last+1] == f.clusters[last]+1 {
			last++
		}
		n := min(int64(len(p)-done), f.entry.size-off, int64(last-i+1)*f.fs.clusterSize-inside)
		got, err := f.fs.r.ReadAt(p[done:done+int(n)], f.fs.clusterAt(f.clusters[i])+inside)
		done += got
		off += int64(got)
		if int64(got) < n {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return done, err
		}
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}
