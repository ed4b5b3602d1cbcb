package ext4

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

const (
	extentMagic = 0xF30A
	extentSize  = 12
	maxDepth    = 5
	maxRuns     = 1 << 20
	unwritten   = 0x8000 // lengths above it are of blocks that read as zeros
)

// run is a range of a file's blocks that lie one after the other; from is 0 for a
// hole.
type run struct{ first, count, from uint64 }

// openFile is a file that is being read.
type openFile struct {
	fs    *FS
	inode *inode
	runs  []run // in the order of the file, holes left out
	at    int64
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.inode, nil }
func (f *openFile) Close() error               { return nil }

// locate reads where the file's blocks are.
func (f *openFile) locate() error {
	n := f.inode
	switch {
	case n.flags&flagInline != 0:
		if n.size > int64(len(n.block)) {
			return errors.New("contents beside the inode are not understood")
		}
		return nil
	case n.flags&flagExtents != 0:
		return f.extents(n.block[:], maxDepth)
	}
	return f.indirect()
}

// extents reads a node of the tree.
func (f *openFile) extents(b []byte, depth int) error {
	le := binary.LittleEndian
	if le.Uint16(b) != extentMagic || int(le.Uint16(b[6:])) > depth {
		return errors.New("not a tree of extents")
	}
	count, level := int(le.Uint16(b[2:])), int(le.Uint16(b[6:]))
	if count > len(b)/extentSize-1 {
		return fmt.Errorf("%d extents in %d bytes", count, len(b))
	}
	for i := range count {
		e := b[extentSize*(i+1):]
		if level > 0 {
			at := uint64(le.Uint32(e[4:])) | uint64(le.Uint16(e[8:]))<<32
			node, err := f.block(at)
			if err != nil {
				return err
			}
			if int(le.Uint16(node[6:])) != level-1 {
				return errors.New("a tree of extents that does not end")
			}
			if err := f.extents(node, level-1); err != nil {
				return err
			}
			continue
		}
		length := uint64(le.Uint16(e[4:]))
		from := uint64(le.Uint32(e[8:])) | uint64(le.Uint16(e[6:]))<<32
		if length > unwritten {
			continue
		}
		if err := f.add(run{uint64(le.Uint32(e)), length, from}); err != nil {
			return err
		}
	}
	return nil
}

// add adds a run behind the others.
func (f *openFile) add(r run) error {
	if r.from+r.count > f.fs.blocks {
		return fmt.Errorf("blocks %d to %d of %d", r.from, r.from+r.count, f.fs.blocks)
	}
	if k := len(f.runs) - 1; k >= 0 {
		last := &f.runs[k]
		if r.first < last.first+last.count {
			return errors.New("extents overlap")
		}
		if r.first == last.first+last.count && r.from == last.from+last.count {
			last.count += r.count
			return nil
		}
	}
	if len(f.runs) >= maxRuns {
		return fmt.Errorf("more than %d extents", maxRuns)
	}
	f.runs = append(f.runs, r)
	return nil
}

func (f *openFile) block(at uint64) ([]byte, error) {
	if at >= f.fs.blocks {
		return nil, fmt.Errorf("block %d of %d", at, f.fs.blocks)
	}
	b := make([]byte, f.fs.blockSize)
	return b, f.fs.readAt(b, int64(at)*f.fs.blockSize)
}

// indirect reads the map of ext2: twelve blocks, then blocks of blocks.
func (f *openFile) indirect() error {
	le := binary.LittleEndian
	need := uint64((f.inode.size + f.fs.blockSize - 1) / f.fs.blockSize)
	next := uint64(0)
	var walk func(at uint64, level int) error
	walk = func(at uint64, level int) error {
		per := uint64(f.fs.blockSize / 4)
		span := uint64(1)
		for range level {
			span *= per
		}
		if next >= need || at == 0 {
			next += span
			return nil
		}
		if level == 0 {
			next++
			return f.add(run{next - 1, 1, at})
		}
		b, err := f.block(at)
		if err != nil {
			return err
		}
		for ; len(b) >= 4 && next < need; b = b[4:] {
			if err := walk(uint64(le.Uint32(b)), level-1); err != nil {
				return err
			}
		}
		return nil
	}
	for i := range 15 {
		if err := walk(uint64(le.Uint32(f.inode.block[4*i:])), max(0, i-11)); err != nil {
			return err
		}
	}
	return nil
}

func (f *openFile) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p, f.at)
	f.at += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// ReadAt reads from the runs, and zeros from holes.
func (f *openFile) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read at %d", off)
	}
	done := 0
	for done < len(p) && off < f.inode.size {
		n, err := f.readPiece(p[done:min(int64(len(p)), int64(done)+f.inode.size-off)], off)
		done += n
		off += int64(n)
		if err != nil {
			return done, err
		}
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

func (f *openFile) readPiece(p []byte, off int64) (int, error) {
	if f.inode.flags&flagInline != 0 {
		return copy(p, f.inode.block[off:f.inode.size]), nil
	}
	block := uint64(off / f.fs.blockSize)
	low, high := 0, len(f.runs)
	for low < high { // the first run that ends behind the block
		if mid := (low + high) / 2; f.runs[mid].first+f.runs[mid].count <= block {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low == len(f.runs) {
		clear(p)
		return len(p), nil
	}
	r := f.runs[low]
	if block < r.first {
		n := min(int64(len(p)), int64(r.first)*f.fs.blockSize-off)
		clear(p[:n])
		return int(n), nil
	}
	inside := off - int64(r.first)*f.fs.blockSize
	n := min(int64(len(p)), int64(r.count)*f.fs.blockSize-inside)
	return int(n), f.fs.readAt(p[:n], int64(r.from)*f.fs.blockSize+inside)
}
