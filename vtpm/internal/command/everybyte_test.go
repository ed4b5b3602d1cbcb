package command_test

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// TestEveryByte changes every byte of the last command of every vector, in a few
// ways each. Whatever that makes of the command, the answer is one of a TPM.
func TestEveryByte(t *testing.T) {
	folders := make(map[string][]string)
	for _, path := range vectorFiles(t) {
		folder := filepath.Base(filepath.Dir(path))
		folders[folder] = append(folders[folder], path)
	}
	for folder, paths := range folders {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			for _, path := range paths {
				everyByte(t, path)
			}
		})
	}
}

// replays is how often a vector's preparations are repeated because a changed
// command succeeded, or too many authorizations failed. After that the changes meet
// what the others left behind.
const replays = 12

func everyByte(t *testing.T, path string) {
	v := newVector(t)
	v.runFile(path)
	last := len(v.steps) - 1
	for last >= 0 && v.steps[last].kind != stepCommand {
		last--
	}
	if last < 0 {
		return
	}
	replay := func() *vtpmtest.TPM {
		p := vtpmtest.Open(t)
		for _, s := range v.steps[:last] {
			s.do(p)
		}
		return p
	}
	p, left, values := replay(), replays, 5
	if slices.ContainsFunc(v.steps[:last], func(s step) bool { return makesRSA(s.data) }) {
		left, values = 1, 1 // RSA takes time
	}
	for i, old := range v.steps[last].data {
		for _, b := range otherBytes(old, values) {
			s := v.steps[last]
			s.data = bytes.Clone(s.data)
			s.data[i] = b
			if makesRSA(s.data) {
				continue
			}
			response := s.do(p)
			if err := p.Failure(); err != nil {
				t.Fatalf("%s: byte %d is %#x: %x: failure mode: %v", path, i, b, s.data, err)
			}
			if err := wellFormed(s.data, response); err != nil {
				t.Fatalf("%s: byte %d is %#x: %x: %v", path, i, b, s.data, err)
			}
			if rc := responseCode(response); left > 0 && (rc == wire.RCSuccess || rc == wire.RCLockout) {
				p = replay()
				left--
			}
		}
	}
}

// otherBytes returns up to n bytes that are not b: its complement, near ones, and
// the extremes.
func otherBytes(b byte, n int) []byte {
	var other []byte
	for _, x := range []byte{^b, b + 1, b ^ 0x80, 0, 0xFF} {
		if x != b && !slices.Contains(other, x) && len(other) < n {
			other = append(other, x)
		}
	}
	return other
}

func responseCode(response []byte) wire.RC {
	r := wire.NewReader(response, wire.DefaultLimits())
	r.Bytes(6)
	return wire.RC(r.U32())
}
