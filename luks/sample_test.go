package luks

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/bootseal/bootseal/internal/gztest"
)

// sample is the header of a real volume, both copies, 16 KiB each: see
// testdata/README.md.
func sample(t testing.TB) []byte {
	t.Helper()
	b := gztest.Read(t, "testdata/debian12.gz")
	if len(b) != 0x8000 {
		t.Fatalf("%d bytes", len(b))
	}
	return b
}

// sampleMetadata is what the sample's header says.
func sampleMetadata(t testing.TB) *Metadata {
	t.Helper()
	h, err := Read(bytes.NewReader(sample(t)))
	if err != nil {
		t.Fatal(err)
	}
	return h.Metadata
}

// resum makes a copy's checksum right again.
func resum(c []byte) {
	clear(c[448:512])
	sum := sha256.Sum256(c)
	copy(c[448:], sum[:])
}

// frame is a header of 16 KiB twice with the text as its metadata.
func frame(t testing.TB, text []byte) []byte {
	b := sample(t)
	for _, c := range [][]byte{b[:0x4000], b[0x4000:]} {
		clear(c[binarySize:])
		copy(c[binarySize:len(c)-1], text)
		resum(c)
	}
	return b
}

func setSeqID(c []byte, id uint64) {
	binary.BigEndian.PutUint64(c[16:], id)
	resum(c)
}
