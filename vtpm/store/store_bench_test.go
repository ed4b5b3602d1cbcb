package store_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm/store"
)

// counterRecord is of the size of an NV counter's record.
const counterRecord = 64

// bareWriter writes a block to a file that was written before, and syncs it: what a
// durable commit costs at least on this file system.
func bareWriter(b *testing.B) func(i int) {
	b.Helper()
	const blocks = 250
	f, err := os.Create(filepath.Join(b.TempDir(), "bare"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	if _, err := f.Write(make([]byte, blocks*sector)); err != nil {
		b.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	block := make([]byte, sector)
	return func(i int) {
		binary.BigEndian.PutUint64(block, uint64(i))
		if _, err := f.WriteAt(block, int64(i%blocks)*sector); err != nil {
			b.Fatal(err)
		}
		if err := store.Datasync(f); err != nil {
			b.Fatal(err)
		}
	}
}

// committer commits a counter to a state of a common size.
func committer(b *testing.B, o store.Options) func(i int) {
	b.Helper()
	d := openOptions(b, b.TempDir(), o)
	if err := d.Commit(map[string][]byte{"hierarchies": make([]byte, 600), "object/81000001": make([]byte, 1200), "nv/01c00002": make([]byte, 1500)}); err != nil {
		b.Fatal(err)
	}
	value := make([]byte, counterRecord)
	return func(i int) {
		binary.BigEndian.PutUint64(value, uint64(i+1))
		if err := d.Commit(map[string][]byte{"nv/01800001": value}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBareWrite(b *testing.B) {
	write := bareWriter(b)
	for i := 0; b.Loop(); i++ {
		write(i)
	}
}

// BenchmarkCommit includes that the file is replaced when it is full.
func BenchmarkCommit(b *testing.B) {
	for name, o := range map[string]store.Options{"clear": {}, "encrypted": keyOptions} {
		b.Run(name, func(b *testing.B) {
			commit := committer(b, o)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				commit(i)
			}
		})
	}
}

// BenchmarkCommitOverBare takes turns, so that both see the same disk, and reports
// how much longer a commit takes than a bare write and sync.
func BenchmarkCommitOverBare(b *testing.B) {
	write, commit := bareWriter(b), committer(b, keyOptions)
	var bare, whole time.Duration
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		write(i)
		middle := time.Now()
		commit(i)
		bare, whole = bare+middle.Sub(start), whole+time.Since(middle)
	}
	b.ReportMetric(float64(whole)/float64(bare), "commit/bare")
}

// BenchmarkNVIncrement is the whole command, durable.
func BenchmarkNVIncrement(b *testing.B) {
	m, err := powerOn(openOptions(b, b.TempDir(), keyOptions))
	if err != nil {
		b.Fatal(err)
	}
	if err := m.define(counterIndex, 1, 8, "", ""); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := m.increment(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	d := openOptions(b, dir, keyOptions)
	for i := range 100 {
		if err := d.Commit(map[string][]byte{"counter": {byte(i), 1}}); err != nil {
			b.Fatal(err)
		}
	}
	d.Close()
	for b.Loop() {
		openOptions(b, dir, keyOptions).Close()
	}
}
