package libtpms

import "github.com/bootseal/bootseal/vtpm/internal/wire"

// Orderly is ORDERLY_DATA. Times are in milliseconds.
type Orderly struct {
	Clock     uint64
	ClockSafe bool

	// Since when the next failure heals, since when lockoutAuth waits, and when the
	// Shutdown was, all by the TPM's Time. They may be negative as an int64.
	SelfHealTimer, LockoutTimer, Time uint64
}

var (
	orderlyData = structure{"ORDERLY_DATA", 0x56657887, 2}
	drbgState   = structure{"DRBG_STATE", 0x6fe83ea1, 2}
)

func (o *Orderly) read(r *reader) {
	r.in("orderly data")
	version := r.header(orderlyData)
	o.Clock = r.U64()
	o.ClockSafe = r.boolean()
	r.drbg()
	r.block(func() {
		o.SelfHealTimer = r.U64()
		o.LockoutTimer = r.U64()
		o.Time = r.U64()
	})
	r.future(version, 2)
}

// drbg passes over the state of libtpms' random numbers: ours come from the operating
// system.
func (r *reader) drbg() {
	version := r.header(drbgState)
	r.U64()
	r.U32()
	clear(r.Sized(256)) // the DRBG's key and counter
	r.Bytes(4 * int(r.U16()))
	r.future(version, 2)
}

// StateReset is STATE_RESET_DATA, what Shutdown(STATE) saves for Restart and Resume.
// What belongs to commits of ECC keys is left out.
type StateReset struct {
	Null            Hierarchy // a seed and a proof only
	ClearCount      uint32
	ObjectContextID uint64
	SavedSessions   int // contexts of sessions outside of the TPM
	ContextCounter  uint64
	AuditDigest     []byte
	RestartCount    uint32
	PCRCounter      uint32
	PendingCommits  int // first steps of ECDAA or two-phase key exchange without the second
}

var stateReset = structure{"STATE_RESET_DATA", 0x01102332, 4}

// sessions is the number of sessions that can be active.
const sessions = 64

func (s *StateReset) read(r *reader) {
	r.in("state of a TPM Restart")
	version := r.header(stateReset)
	s.Null.Proof = r.exactly("a proof", seedSize)
	s.Null.Seed = r.exactly("a primary seed", seedSize)
	s.ClearCount = r.U32()
	s.ObjectContextID = r.U64()
	s.readSessions(r, version)
	s.ContextCounter = r.U64()
	s.AuditDigest = r.Sized(wire.MaxDigest)
	s.RestartCount = r.U32()
	s.PCRCounter = r.U32()
	r.block(func() { s.readCommits(r) })
	if version >= 2 {
		r.block(func() {
			if version >= 3 {
				s.Null.SeedLevel = r.seedLevel()
				r.block(func() {})
			}
		})
	}
}

// readSessions counts the sessions whose contexts are outside. Each has a number that
// is neither free (0) nor the slot of a loaded one (up to 3).
func (s *StateReset) readSessions(r *reader, version uint16) {
	const loaded = 3
	r.array("session contexts", sessions)
	for range sessions {
		context := uint16(0)
		if version >= 4 {
			context = r.U16()
		} else {
			context = uint16(r.U8())
		}
		if context > loaded {
			s.SavedSessions++
		}
	}
	if version >= 4 {
		if mask := r.U16(); r.OK() && mask != 0xFFFF && mask != 0x00FF {
			r.fail("the mask of session contexts is %#04x", mask)
		}
	}
}

func (s *StateReset) readCommits(r *reader) {
	r.U64()
	clear(r.Sized(wire.MaxDigest))
	for _, b := range r.Sized(256) {
		for ; b != 0; b &= b - 1 {
			s.PendingCommits++
		}
	}
}

// StateClear is STATE_CLEAR_DATA, what Shutdown(STATE) saves for Resume.
type StateClear struct {
	OwnerEnabled, EndorsementEnabled, PlatformNVEnabled bool
	Platform                                            Hierarchy // an authorization only
	PCRs                                                []PCRBank
	PCRAuth                                             []byte // of the PCRs of the dynamic OS
}

// PCRBank has the saved values of a bank, PCRs 0 to 15.
type PCRBank struct {
	Alg    wire.Alg
	Values [savedPCRs][]byte
}

const savedPCRs = 16

var (
	stateClear   = structure{"STATE_CLEAR_DATA", 0x98897667, 2}
	pcrSave      = structure{"PCR_SAVE", 0x7372eabc, 2}
	pcrAuthValue = structure{"PCR_AUTHVALUE", 0x6be82eaf, 2}
)

func (s *StateClear) read(r *reader) {
	r.in("state of a TPM Resume")
	version := r.header(stateClear)
	s.OwnerEnabled = r.boolean()
	s.EndorsementEnabled = r.boolean()
	s.PlatformNVEnabled = r.boolean()
	s.Platform.PolicyAlg = wire.Alg(r.U16())
	s.Platform.Policy = r.Sized(wire.MaxDigest)
	s.Platform.Auth = r.Sized(wire.MaxDigest)
	s.readPCRs(r)
	auth := r.header(pcrAuthValue)
	r.array("authorizations of PCRs", 1)
	s.PCRAuth = r.Sized(wire.MaxDigest)
	r.future(auth, 2)
	r.future(version, 2)
}

func (s *StateClear) readPCRs(r *reader) {
	version := r.header(pcrSave)
	r.array("saved PCRs", savedPCRs)
	sizes := map[wire.Alg]int{wire.AlgSHA1: 20, wire.AlgSHA256: 32, wire.AlgSHA384: 48, wire.AlgSHA512: 64}
	for alg := wire.Alg(r.U16()); r.OK() && alg != wire.AlgNull; alg = wire.Alg(r.U16()) {
		size := sizes[alg]
		if size == 0 {
			r.fail("there is no PCR bank of %v", alg)
		}
		delete(sizes, alg) // once is enough
		r.array("the bytes of a PCR bank", savedPCRs*size)
		bank := PCRBank{Alg: alg}
		for i := range bank.Values {
			bank.Values[i] = r.Bytes(size)
		}
		s.PCRs = append(s.PCRs, bank)
	}
	r.future(version, 2)
}
