package etcd

import (
	"bytes"
	"testing"
)

var fuzzKey = bytes.Repeat([]byte{7}, 32)

// FuzzHead reads any bytes as a head. What is accepted was sealed: no byte of it can be
// another. (Which head that is differs from process to process, and fuzzing has several.)
func FuzzHead(f *testing.F) {
	wrapper, err := wrapping(fuzzKey)
	if err != nil {
		f.Fatal(err)
	}
	g, err := newGeneration("vm0", wrapper)
	if err != nil {
		f.Fatal(err)
	}
	g.chunks = 1
	_, g = g.frame([]byte("changes"))
	head := g.head()
	if len(head) != headSize {
		f.Fatalf("a head of %d bytes, want %d", len(head), headSize)
	}
	f.Add(head)
	f.Add([]byte(magic))
	f.Add(head[:len(head)-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.Clone(b)
		_, err := openHead("vm0", b, wrapper)
		if err != nil {
			if bytes.Equal(b, head) {
				t.Fatal(err)
			}
			return
		}
		for i := range b {
			b[i] ^= 1
			if _, err := openHead("vm0", b, wrapper); err == nil {
				t.Fatalf("%x: byte %d can be another", b, i)
			}
			b[i] ^= 1
		}
	})
}

// A head is of one state, and a frame of one place: nobody can move them.
func TestPlaces(t *testing.T) {
	wrapper, err := wrapping(fuzzKey)
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGeneration("vm0", wrapper)
	if err != nil {
		t.Fatal(err)
	}
	g.chunks = 1
	if _, err := openHead("vm1", g.head(), wrapper); err == nil {
		t.Error("a head was taken for another state's")
	}
	first, behind := g.frame([]byte("1"))
	second, _ := behind.frame([]byte("2"))
	fork, forked := g.frame([]byte("1"))
	if _, _, err := g.openFrame(second); err == nil {
		t.Error("a frame was left out")
	}
	if _, _, err := behind.openFrame(first); err == nil {
		t.Error("a frame was repeated")
	}
	if _, _, err := forked.openFrame(second); err == nil {
		t.Error("a frame was accepted behind the one of another history")
	}
	if text, next, err := g.openFrame(fork); err != nil || string(text) != "1" || next.frames != 1 {
		t.Errorf("%q, %v", text, err)
	}
	if len(first) != len(second) || len(first)%16 != (nonceSize+tagSize+padding)%16 {
		t.Errorf("frames of %d and %d bytes", len(first), len(second))
	}
	if _, err := g.openChunk(1, g.chunk(0, nil)); err == nil {
		t.Error("a chunk was moved")
	}
	if _, _, err := g.openFrame(g.chunk(1, nil)); err == nil {
		t.Error("a chunk was taken for a frame")
	}
}
