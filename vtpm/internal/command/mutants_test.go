//go:build unix

package command_test

import (
	"bytes"
	"encoding/binary"
	"flag"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/command"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// mutantRounds is how often TestDifferentialMutants goes through the vectors.
var mutantRounds = flag.Int("mutants", 1, "rounds of TestDifferentialMutants")

// mutantsEach is how many mutants go before each command.
const mutantsEach = 3

// TestDifferentialMutants sends every vector's commands, and mutants of each before
// it, to our TPM and to Debian's swtpm, and compares the response codes.
func TestDifferentialMutants(t *testing.T) {
	c := newComparison(t)
	for round := range *mutantRounds {
		for _, path := range vectorFiles(t) {
			theirs := &mutants{rng: mutantStream(path, round)}
			c.play(theirs.on(nil), path)
			ours := &mutants{rng: mutantStream(path, round)}
			r := ours.on(likeSWTPM(t, 0).device)
			if err := r.play(t, path); err != nil {
				t.Fatal(err)
			}
			if err := r.Failure(); err != nil {
				t.Errorf("%s, round %d: failure mode: %v", path, round, err)
			}
			c.compareMutants(strings.TrimSuffix(strings.TrimPrefix(path, "testdata/"), ".txt"), ours, theirs)
		}
	}
	t.Logf("%d commands compared", c.compared)
}

// mutantStream is what makes a round's mutants of a vector, the same for both TPMs.
func mutantStream(path string, round int) *rand.Rand {
	h := fnv.New64()
	h.Write([]byte(path))
	return rand.New(rand.NewPCG(h.Sum64(), uint64(round)))
}

// mutants sends mutants before each command.
type mutants struct {
	rng *rand.Rand
	*recorder
	changes []int // by exchange: what mutate says
}

func (m *mutants) on(d device) *recorder {
	m.recorder = &recorder{device: d, before: m.send}
	return m.recorder
}

func (m *mutants) send(locality uint8, cmd []byte) {
	for range mutantsEach {
		mutant, changes := mutate(m.rng, cmd)
		m.changes = append(m.changes, changes)
		m.flush(m.exchange(locality, mutant), mutant)
	}
	m.changes = append(m.changes, 0) // the command itself comes next
}

// flush takes back what a mutant loaded or started: slots are few.
func (m *mutants) flush(response, mutant []byte) {
	row := commandRow(mutant)
	if row == nil || !row.Implemented() || !row.ResponseHandle() || len(response) < 14 {
		return
	}
	switch wire.HT(response[10]) {
	case wire.HTTransient, wire.HTHMACSession, wire.HTPolicySession:
		m.device.Execute(0, append([]byte("\x80\x01\x00\x00\x00\x0E\x00\x00\x01\x65"), response[10:14]...))
	}
}

// compareMutants compares response codes, until the TPMs may be in different states.
func (c *comparison) compareMutants(vector string, ours, theirs *mutants) {
	c.t.Helper()
	for i := range min(len(ours.log), len(theirs.log)) {
		e, their := ours.log[i], theirs.log[i]
		// What changes random bytes can be no change of others.
		if ours.changes[i] != theirs.changes[i] || their.response == nil {
			return
		}
		c.compared++
		if e.code() == their.code() {
			continue
		}
		if !c.known.knows(vector, e.name(), e.code(), their.code()) {
			c.different("", "mutant of "+vector, i, e, their)
		}
		if (e.code() == "TPM_RC_SUCCESS") != (their.code() == "TPM_RC_SUCCESS") {
			return
		}
	}
}

// commandRow returns the row of a command, nil for a code that is none.
func commandRow(cmd []byte) *command.Row {
	if len(cmd) < 10 {
		return nil
	}
	return command.Lookup(wire.CC(binary.BigEndian.Uint32(cmd[6:])))
}

// mutate returns cmd with one or two changes behind the header, and a header that
// fits. Bit i of changes says whether the i-th one put something else in its place.
func mutate(rng *rand.Rand, cmd []byte) (c []byte, changes int) {
	c = bytes.Clone(cmd)
	for i := range 1 + rng.IntN(2) {
		before := bytes.Clone(c)
		c = change(rng, c)
		if !bytes.Equal(c, before) {
			changes |= 1 << i
		}
	}
	binary.BigEndian.PutUint32(c[2:], uint32(len(c)))
	return c, changes
}

// change returns c with one change behind the header.
func change(rng *rand.Rand, c []byte) []byte {
	if len(c) <= 10 {
		return append(c, byte(rng.Uint32()))
	}
	at := 10 + rng.IntN(len(c)-10)
	switch rng.IntN(10) {
	case 0:
		c[at] ^= 1 << rng.IntN(8)
	case 1:
		c[at] = oneOf(rng, []byte{0, 1, 2, 0x7F, 0x80, 0xFF})
	case 2, 3, 4:
		copy(c[at:], binary.BigEndian.AppendUint16(nil, oneOf(rng, mutantNumbers16())))
	case 5, 6:
		copy(c[at:], binary.BigEndian.AppendUint32(nil, oneOf(rng, mutantNumbers32())))
	case 7:
		c = c[:at]
	case 8:
		c = append(c, make([]byte, 1+rng.IntN(4))...)
	case 9:
		c[at] += byte(1 + rng.IntN(2)*0xFE) // up or down by one
	}
	return c
}

func oneOf[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

// mutantNumbers16 and mutantNumbers32 are numbers that mean something: sizes,
// algorithms, tags; handles, attributes.
func mutantNumbers16() []uint16 {
	return []uint16{
		0, 1, 2, 4, 5, 6, 7, 8, 9, 0xA, 0xB, 0xC, 0xD, 0x10, 0x12, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x1C,
		0x20, 0x21, 0x22, 0x23, 0x25, 0x3F, 0x40, 0x41, 0x42, 0x43, 0x44, 0x80, 192, 256, 1024, 2048, 3072,
		0x8000, 0x8001, 0x8002, 0x8021, 0x8022, 0x8023, 0x8024, 0x8025, 0xFFFF,
	}
}

func mutantNumbers32() []uint32 {
	return []uint32{
		0, 1, 0x40000001, 0x40000007, 0x40000009, 0x4000000A, 0x4000000B, 0x4000000C, 0x4000000D, 0x40000110,
		0x80000000, 0x80000001, 0x02000000, 0x03000000, 0x01500001, 0x81000000, 0x81000001, 0x81800000,
		0x00030472, 0x00020002, 0x00040072, 0x7FFFFFFF, 0xFFFFFFFF,
	}
}
