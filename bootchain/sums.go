package bootchain

import (
	"hash"
	"io"
	"sync"

	"github.com/bootseal/bootseal/pcr"
)

// sums hash the same bytes in several banks, at the same time: a kernel is read
// once, and takes as long as the slowest algorithm.
type sums map[pcr.Bank]hash.Hash

func newSums(banks []pcr.Bank) sums {
	s := make(sums)
	for _, b := range banks {
		if b.Available() {
			s[b] = b.New()
		}
	}
	return s
}

// pieceSize is large enough that starting the hashes does not count.
const (
	pieceSize = 256 << 10
	alone     = 16 << 10 // bytes below which one after the other is faster
)

// Write hashes p in all banks.
func (s sums) Write(p []byte) (int, error) {
	if len(p) < alone {
		for _, h := range s {
			h.Write(p)
		}
		return len(p), nil
	}
	var wg sync.WaitGroup
	for _, h := range s {
		wg.Go(func() { h.Write(p) })
	}
	wg.Wait()
	return len(p), nil
}

// read hashes all of r and returns its size.
func (s sums) read(r io.Reader) (int64, error) {
	var total int64
	buf := make([]byte, pieceSize)
	for {
		n, err := io.ReadFull(r, buf)
		s.Write(buf[:n])
		total += int64(n)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// ReadFrom lets [io.Copy] read in large pieces.
func (s sums) ReadFrom(r io.Reader) (int64, error) { return s.read(r) }

func (s sums) digests() map[pcr.Bank]pcr.Digest {
	out := make(map[pcr.Bank]pcr.Digest)
	for b, h := range s {
		out[b] = h.Sum(nil)
	}
	return out
}

// sum returns the digests of data.
func sum(banks []pcr.Bank, data ...[]byte) map[pcr.Bank]pcr.Digest {
	out := make(map[pcr.Bank]pcr.Digest)
	for _, b := range banks {
		if b.Available() {
			out[b] = b.Sum(data...)
		}
	}
	return out
}
