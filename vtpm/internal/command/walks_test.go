//go:build unix

package command_test

import (
	"bytes"
	"encoding/binary"
	"flag"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// walkRounds is how many walks TestDifferentialWalks takes.
var walkRounds = flag.Int("walks", 12, "walks of TestDifferentialWalks")

// walkLength is how many vectors a walk is.
const walkLength = 12

// TestDifferentialWalks runs vectors one after the other on the same TPM, with
// power cuts, resumes and restarts between them, on ours and on Debian's swtpm.
// What one leaves behind shows in the next, and in what the TPM says of itself.
func TestDifferentialWalks(t *testing.T) {
	c := newComparison(t)
	paths := c.walkable()
	for round := range *walkRounds {
		theirs := c.walk(&recorder{device: c.swtpm}, paths, round)
		var ours [3][]exchange
		for i := range ours {
			ours[i] = c.walk(likeSWTPM(t, byte(i)), paths, round)
		}
		c.compareWalk(round, ours[:], theirs)
	}
	t.Logf("%d commands compared", c.compared)
}

// walkable returns the vectors that swtpm can run and answers alike. Where the
// numbers of sessions or objects that fit matter, a walk has others.
func (c *comparison) walkable() []string {
	return slices.DeleteFunc(vectorFiles(c.t), func(path string) bool {
		text, err := os.ReadFile(path)
		if err != nil {
			c.t.Fatal(err)
		}
		for _, word := range []string{"\nadvance ", "\npresence ", "TPM2_ClockSet", "TPM2_CertifyX509", "TPM2_EC_Ephemeral", "TPM2_IncrementalSelfTest"} {
			if bytes.Contains(text, []byte(word)) {
				return true
			}
		}
		name := strings.TrimSuffix(strings.TrimPrefix(path, "testdata/"), ".txt")
		return slices.ContainsFunc(c.known.list, func(d divergence) bool { return d.Vector == name })
	})
}

// walk takes one walk: the same for every device.
func (c *comparison) walk(r *recorder, paths []string, round int) []exchange {
	rng := rand.New(rand.NewPCG(uint64(round), 0))
	if r.device == c.swtpm {
		c.swtpm.Reset()
	}
	for range walkLength {
		if err := r.play(c.t, oneOf(rng, paths)); err != nil {
			c.t.Fatal(err)
		}
		r.pause(rng.IntN(6))
	}
	return r.log
}

// pause shuts the TPM down in one of the ways that there are, or not, and asks it
// what is left.
func (r *recorder) pause(kind int) {
	const (
		clearState = iota
		keepState
	)
	run := func(cc wire.CC, params ...uint32) {
		cmd := binary.BigEndian.AppendUint32([]byte{0x80, 0x01, 0, 0, 0, 0}, uint32(cc))
		for _, p := range params {
			cmd = binary.BigEndian.AppendUint32(cmd, p)
		}
		binary.BigEndian.PutUint32(cmd[2:], uint32(len(cmd)))
		r.Execute(0, cmd)
	}
	power := func(shutdown, startup int) {
		if shutdown >= 0 {
			r.Execute(0, []byte{0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x45, 0, byte(shutdown)})
		}
		r.Init()
		r.Execute(0, []byte{0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, byte(startup)})
	}
	switch kind {
	case 0:
		power(-1, clearState)
	case 1:
		power(clearState, clearState)
	case 2:
		power(keepState, clearState)
	case 3, 4:
		power(keepState, keepState)
	}
	// Slots are few.
	for i := range uint32(3) {
		for _, first := range []uint32{0x80000000, 0x02000000, 0x03000000} {
			run(wire.CCFlushContext, first+i)
		}
	}
	const handles, properties = 1, 6
	run(wire.CCGetCapability, handles, 0x01000000, 64)
	run(wire.CCGetCapability, handles, 0x81000000, 64)
	run(wire.CCGetCapability, properties, 0x200, 2) // TPM_PT_PERMANENT, TPM_PT_STARTUP_CLEAR
	run(wire.CCReadClock)
	run(wire.CCPCRRead, 1, 0x000B03FF, 0xFFFF0000)
}

// compareWalk compares the responses up to the first difference.
func (c *comparison) compareWalk(round int, ours [][]exchange, theirs []exchange) {
	c.t.Helper()
	for i, e := range ours[0] {
		if i == len(theirs) || e.name() != theirs[i].name() {
			return
		}
		c.compared++
		if e.code() == theirs[i].code() && (isContext(e) || sameCounters(e, theirs[i]) || sameBytes(ours, i, theirs[i].response)) {
			continue
		}
		if !c.known.knows("", e.name(), e.code(), theirs[i].code()) {
			c.t.Logf("walk %d", round)
			c.different("", "a walk", i, e, theirs[i])
		}
		return
	}
}

// sameCounters reports whether it is TPM2_ReadClock with the same counters and the
// same safe flag, which come behind Time and Clock: swtpm's time goes by.
func sameCounters(ours, theirs exchange) bool {
	const counters = 10 + 8 + 8
	return ours.name() == "TPM2_ReadClock" && len(ours.response) > counters &&
		len(theirs.response) > counters && bytes.Equal(ours.response[counters:], theirs.response[counters:])
}
