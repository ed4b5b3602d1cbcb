package libtpms

import (
	"bytes"
	"encoding/json"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// State is what a libtpms TPM has in its NVRAM. Bytes that a field has are the
// field's own memory, and mostly secrets.
type State struct {
	Profile Profile // since libtpms 0.10; the zero value where there is none

	Persistent Persistent
	Orderly    Orderly
	Reset      *StateReset // saved by Shutdown(STATE), nil without
	Clear      *StateClear // likewise
	Indices    []NVIndex
	Objects    []Object
	MaxCount   uint64 // the largest value of any deleted counter
}

// Profile is what a libtpms TPM was restricted to.
type Profile struct {
	Name             string // "default-v1", "custom:..."
	StateFormatLevel int
	Algorithms       string
	Commands         string
	Attributes       string // "fips-host,no-sha1-signing"
}

// MaxSize is more than any state of libtpms has, in bytes.
const MaxSize = 1 << 20

var persistentAll = structure{"the permanent state of libtpms", 0xab364723, 4}

// IsState reports whether the bytes begin as a state of libtpms does.
func IsState(b []byte) bool {
	return len(b) >= 6 && bytes.Equal(b[2:6], []byte{0xab, 0x36, 0x47, 0x23})
}

// Parse reads a state to its end.
func Parse(state []byte) (*State, error) {
	r := newReader(state)
	r.in("header")
	if len(state) > MaxSize {
		r.fail("it has %d bytes, more than any state of libtpms", len(state))
	}
	s := new(State)
	version := r.header(persistentAll)
	if version >= 4 {
		s.Profile = r.profile()
	}
	r.constants()
	s.Persistent.read(r)
	s.Orderly.read(r)
	if version < 3 || s.Persistent.Shutdown == ShutdownState {
		s.Reset, s.Clear = new(StateReset), new(StateClear)
		s.Reset.read(r)
		s.Clear.read(r)
	}
	if s.Persistent.Shutdown != ShutdownState {
		s.Reset, s.Clear = nil, nil // old versions write them always
	}
	ram := r.orderlyRAM()
	s.readNVRAM(r, ram)
	r.in("end")
	r.future(version, 2)
	if magic := r.U32(); r.OK() && magic != persistentAll.magic {
		r.fail("it ends with %#08x and not with %#08x", magic, persistentAll.magic)
	}
	if r.OK() && r.Len() != 0 {
		r.fail("%d bytes follow", r.Len())
	}
	if err := r.result(); err != nil {
		return nil, err
	}
	return s, nil
}

// profile reads the counted C string with the profile.
func (r *reader) profile() (p Profile) {
	r.in("profile")
	text := r.Sized(1<<16 - 1)
	if !r.OK() || len(text) == 0 {
		return p
	}
	text, ok := bytes.CutSuffix(text, []byte{0})
	if !ok {
		r.fail("it has no end")
	}
	if err := json.Unmarshal(text, &p); err != nil {
		r.fail("it is no JSON of a profile: %w", err)
	}
	return p
}

var compileConstants = structure{"the list of constants", 0xc9ea6431, 3}

// constants passes over constants of the build that wrote the state. Those that matter
// show in the sizes of what follows.
func (r *reader) constants() {
	r.in("constants")
	version := r.header(compileConstants)
	want := uint32(88)
	if version >= 3 {
		want = 120
	}
	if n := r.U32(); r.OK() && n != want {
		r.fail("there are %d constants instead of %d", n, want)
	}
	r.Bytes(4 * int(want))
	r.future(version, 2)
}

// Shutdown says how a TPM was shut down.
type Shutdown uint8

// Kinds of Shutdown.
const (
	ShutdownNone  Shutdown = iota // not in order
	ShutdownClear                 // TPM2_Shutdown(CLEAR)
	ShutdownState                 // TPM2_Shutdown(STATE)
)

// seedSize is the size of a primary seed and of a proof, in bytes.
const seedSize = 64

// Hierarchy is a hierarchy or the lockout authorization.
type Hierarchy struct {
	Seed, Proof []byte
	SeedLevel   uint8 // "seed compat level": by which version of the derivation the seed's keys are made
	Auth        []byte
	Policy      []byte
	PolicyAlg   wire.Alg
}

// seedLevel reads by which version a seed's keys are made.
func (r *reader) seedLevel() uint8 {
	level := r.U8()
	if level > 1 {
		r.fail("the seed has compatibility level %d, and those up to 1 are known", level)
	}
	return level
}
