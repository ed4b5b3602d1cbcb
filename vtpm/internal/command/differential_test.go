//go:build unix

package command_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// divergence is a known difference between our answer and swtpm's.
type divergence struct {
	Vector  string `json:"vector,omitempty"`  // COMMAND/NAME; empty: mutants of any vector
	Command string `json:"command,omitempty"` // empty: any, for mutants
	// The response codes, empty for any. Two that are the same say that other bytes
	// differ.
	Ours  string `json:"ours,omitempty"`
	SWTPM string `json:"swtpm,omitempty"`
	// Sometimes: it depends on how fast time goes by.
	Sometimes bool   `json:"sometimes,omitempty"`
	Reason    string `json:"reason"`
	Source    string `json:"source"` // where the reason can be checked
}

// ended is what stands in place of a response code when swtpm ended.
const ended = "swtpm ended"

// divergences are the known differences, and which of them were met.
type divergences struct {
	list []divergence
	met  []bool
}

func readDivergences(t *testing.T) *divergences {
	t.Helper()
	data, err := os.ReadFile("testdata/divergences.json")
	if err != nil {
		t.Fatal(err)
	}
	d := new(divergences)
	if err := json.Unmarshal(data, &d.list); err != nil {
		t.Fatal(err)
	}
	for _, known := range d.list {
		if known.Command == "" && known.Vector != "" || known.Reason == "" || known.Source == "" {
			t.Errorf("divergences.json: %+v has no command, reason or source", known)
		}
	}
	d.met = make([]bool, len(d.list))
	return d
}

// knows reports whether the difference is listed. One of a vector is only listed
// for its vector, one of a mutant is listed for any.
func (d *divergences) knows(vector, command, ours, swtpm string) bool {
	found := false
	for i, known := range d.list {
		if known.Vector == vector && (known.Command == "" || known.Command == command) &&
			(known.Ours == "" || known.Ours == ours) && (known.SWTPM == "" || known.SWTPM == swtpm) {
			d.met[i], found = true, true
		}
	}
	return found
}

// exchange is a command and its response, nil when the TPM ended instead.
type exchange struct{ command, response []byte }

// code returns the response code as a text.
func (e exchange) code() string {
	if e.response == nil {
		return ended
	}
	if rc := responseCode(e.response); rc != wire.RCSuccess {
		return rc.Error()
	}
	return "TPM_RC_SUCCESS"
}

func (e exchange) name() string {
	if row := commandRow(e.command); row != nil {
		return row.Name
	}
	return "no command"
}

// recorder is a device that keeps what went through it.
type recorder struct {
	device
	before func(locality uint8, cmd []byte) // nil, or what to do before each command
	log    []exchange
}

func (r *recorder) Execute(locality uint8, cmd []byte) []byte {
	if r.before != nil {
		r.before(locality, cmd)
	}
	return r.exchange(locality, cmd)
}

func (r *recorder) exchange(locality uint8, cmd []byte) []byte {
	r.log = append(r.log, exchange{command: bytes.Clone(cmd)})
	response := r.device.Execute(locality, cmd)
	r.log[len(r.log)-1].response = bytes.Clone(response)
	return response
}

// elsewhere is the test of a vector that is run to see what it does: that it does
// something else than it says ends the vector, not the test.
type elsewhere struct{ testing.TB }

// errElsewhere ends the vector.
var errElsewhere = errors.New("the vector expects something else")

func (elsewhere) Fatalf(string, ...any) { panic(errElsewhere) }
func (elsewhere) Errorf(string, ...any) {}
func (elsewhere) Helper()               {}

// play runs a vector as far as it goes on the device. The error is swtpm's.
func (r *recorder) play(t *testing.T, path string) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case swtpmError:
			err = p.error
		default:
			if p != errElsewhere {
				panic(p)
			}
		}
	}()
	v := &vector{t: elsewhere{t}, tpm: r, vars: make(map[string][]byte), checked: true}
	v.runFile(path)
	return nil
}

// likeSWTPM returns one of our TPMs with swtpm's limits. What is random, and how
// fast time goes by, depends on the variant.
func likeSWTPM(t *testing.T, variant byte) *recorder {
	t.Helper()
	tpm := vtpmtest.OpenOptions(t, vtpm.Options{Profile: vtpm.Libtpms(), Entropy: rand.NewChaCha8([32]byte{variant})})
	r := &recorder{device: tpm}
	if variant > 0 {
		pace := rand.New(rand.NewPCG(uint64(variant), 0))
		r.before = func(uint8, []byte) { tpm.Advance(time.Duration(pace.IntN(2000)) * time.Millisecond) }
	}
	return r
}

// comparison compares us with swtpm.
type comparison struct {
	t     *testing.T
	swtpm *swtpm
	known *divergences

	compared, unsupported int // commands, and vectors
}

func newComparison(t *testing.T) *comparison {
	t.Helper()
	c := &comparison{t: t, swtpm: startSWTPM(t), known: readDivergences(t)}
	c.swtpm.Reset()
	// TPM_PT_FIRMWARE_VERSION_1 tells versions of libtpms apart.
	response := c.swtpm.Execute(0, []byte("\x80\x01\x00\x00\x00\x16\x00\x00\x01\x7A\x00\x00\x00\x06\x00\x00\x01\x0B\x00\x00\x00\x01"))
	if version := response[len(response)-4:]; !bytes.Equal(version, []byte{0x20, 0x19, 0x10, 0x23}) {
		t.Skipf("divergences.json is for libtpms 0.9, whose firmware version is 20191023; this one has %x", version)
	}
	return c
}

// play runs something on swtpm from a new state, and starts it again if it ended.
// It returns nil when swtpm has no way to do it.
func (c *comparison) play(r *recorder, path string) []exchange {
	c.swtpm.Reset()
	r.device = c.swtpm
	switch err := r.play(c.t, path); {
	case errors.Is(err, errUnsupported):
		c.unsupported++
		return nil
	case err != nil:
		c.swtpm = startSWTPM(c.t)
	}
	return r.log
}

// different says what is different, unless it is known.
func (c *comparison) different(vector, mutantOf string, step int, ours, theirs exchange) {
	c.t.Helper()
	if c.known.knows(vector, ours.name(), ours.code(), theirs.code()) {
		return
	}
	c.t.Errorf("%s, command %d: %s: ours %s, swtpm's %s\ncommand %x\nours    %x\nswtpm's %x",
		vector+mutantOf, step, ours.name(), ours.code(), theirs.code(), ours.command, ours.response, theirs.response)
}

// TestDifferential runs every vector on our TPM and on Debian's swtpm, and compares
// the responses byte for byte, but for those bytes that are not the same in each of
// our own runs. What differs is right or wrong in testdata/divergences.json.
func TestDifferential(t *testing.T) {
	c := newComparison(t)
	for _, path := range vectorFiles(t) {
		vector := strings.TrimSuffix(strings.TrimPrefix(path, "testdata/"), ".txt")
		theirs := c.play(new(recorder), path)
		if theirs == nil {
			continue
		}
		var ours [4][]exchange
		for i := range ours {
			r := likeSWTPM(t, byte(i))
			if err := r.play(t, path); err != nil {
				t.Fatal(err)
			}
			ours[i] = r.log
		}
		c.compare(vector, ours[:], theirs)
	}
	for i, known := range c.known.list {
		if known.Vector != "" && !known.Sometimes && !c.known.met[i] {
			t.Errorf("divergences.json: %s, %s is no difference any more", known.Vector, known.Command)
		}
	}
	t.Logf("%d commands compared; %d vectors are not for swtpm, which moves no clock and has no physical presence", c.compared, c.unsupported)
}

// compare compares the responses up to the first code that differs.
func (c *comparison) compare(vector string, ours [][]exchange, theirs []exchange) {
	c.t.Helper()
	for i, e := range ours[0] {
		if i == len(theirs) {
			return
		}
		c.compared++
		switch {
		case e.code() != theirs[i].code():
			c.different(vector, "", i, e, theirs[i])
			return
		case isContext(e):
		case !sameBytes(ours, i, theirs[i].response):
			c.different(vector, "", i, e, theirs[i])
		}
	}
}

// isContext reports whether it is TPM2_ContextSave, whose response is the
// implementation's own.
func isContext(e exchange) bool { return e.name() == "TPM2_ContextSave" }

// sameBytes reports whether swtpm's i-th response is one of ours, but for what is
// not the same in all of ours and for the number of a transient handle.
func sameBytes(ours [][]exchange, i int, theirs []byte) bool {
	first := ours[0][i].response
	for _, log := range ours {
		if i >= len(log) || len(log[i].response) != len(first) {
			return true // its length is random
		}
	}
	if len(theirs) != len(first) {
		return false
	}
	row := commandRow(ours[0][i].command)
	for at := range first {
		if row != nil && row.ResponseHandle() && at >= 10 && at < 14 && first[10] == byte(wire.HTTransient) {
			continue
		}
		steady := true
		for _, log := range ours {
			steady = steady && log[i].response[at] == first[at]
		}
		if steady && theirs[at] != first[at] {
			return false
		}
	}
	return true
}
