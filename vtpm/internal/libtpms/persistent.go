package libtpms

import "github.com/bootseal/bootseal/vtpm/internal/wire"

// Persistent is PERSISTENT_DATA.
type Persistent struct {
	Owner, Endorsement, Platform Hierarchy // Platform has a seed and a proof only
	Lockout                      Hierarchy // an authorization only
	DisableClear                 bool

	TotalResetCount uint64
	ResetCount      uint32
	TimeEpoch       uint32

	PCRPolicy    []byte // of the PCRs of the dynamic OS
	PCRPolicyAlg wire.Alg
	Allocated    wire.TPMLPCRSelection // PCR banks from the next _TPM_Init on

	Presence []wire.CC // commands that need physical presence

	FailedTries, MaxTries         uint32
	RecoveryTime, LockoutRecovery uint32 // seconds
	LockoutAuthEnabled            bool

	Shutdown         Shutdown
	DAUsed           bool // not shut down in order, and an authorization was tried that counts
	HCRTM            bool // Shutdown(STATE) after an H-CRTM event
	StartupLocality3 bool // Shutdown(STATE) after Startup at locality 3

	AuditCommands []wire.CC
	AuditAlg      wire.Alg
	AuditCounter  uint64
	AlgorithmSet  uint32
}

var persistentData = structure{"PERSISTENT_DATA", 0x12213443, 5}

func (p *Persistent) read(r *reader) {
	r.in("persistent data")
	version := r.header(persistentData)
	p.readHierarchies(r)
	p.TotalResetCount = r.U64()
	p.ResetCount = r.U32()
	if !r.block(func() { p.readPCRPolicy(r) }) {
		r.fail("the policy of the PCRs is missing")
	}
	p.Allocated.Read(r.Reader)
	p.Presence = r.commands(version)
	p.FailedTries = r.U32()
	p.MaxTries = r.U32()
	p.RecoveryTime = r.U32()
	p.LockoutRecovery = r.U32()
	p.LockoutAuthEnabled = r.boolean()
	p.readShutdown(r)
	p.AuditCommands = r.commands(version)
	p.AuditAlg = wire.Alg(r.U16())
	p.AuditCounter = r.U64()
	p.AlgorithmSet = r.U32()
	r.U64() // the version of the firmware, which is libtpms'
	if n := r.U8(); r.OK() && n != 4 {
		r.fail("the epoch has %d bytes instead of 4", n)
	}
	p.TimeEpoch = r.U32()
	if version >= 2 {
		r.block(func() { p.readLater(r, version) })
	}
}

func (p *Persistent) readHierarchies(r *reader) {
	p.DisableClear = r.boolean()
	policies := []*Hierarchy{&p.Owner, &p.Endorsement, &p.Lockout}
	for _, h := range policies {
		h.PolicyAlg = wire.Alg(r.U16())
	}
	for _, h := range policies {
		h.Policy = r.Sized(wire.MaxDigest)
	}
	for _, h := range policies {
		h.Auth = r.Sized(wire.MaxDigest)
	}
	for _, h := range []*Hierarchy{&p.Endorsement, &p.Owner, &p.Platform} {
		h.Seed = r.exactly("a primary seed", seedSize)
	}
	for _, h := range []*Hierarchy{&p.Platform, &p.Owner, &p.Endorsement} {
		h.Proof = r.exactly("a proof", seedSize)
	}
}

// readLater reads what versions 3 and 4 have added.
func (p *Persistent) readLater(r *reader, version uint16) {
	if version < 3 {
		return
	}
	var active wire.TPMLPCRSelection // until the next _TPM_Init
	active.Read(r.Reader)
	there := r.block(func() {
		if version < 4 {
			return
		}
		for _, h := range []*Hierarchy{&p.Endorsement, &p.Owner, &p.Platform} {
			h.SeedLevel = r.seedLevel()
		}
		r.block(func() {})
	})
	if !there && version >= 4 {
		r.fail("the compatibility levels of the seeds are missing")
	}
}

var pcrPolicy = structure{"PCR_POLICY", 0x176be626, 2}

func (p *Persistent) readPCRPolicy(r *reader) {
	version := r.header(pcrPolicy)
	r.array("PCR policies", 1)
	p.PCRPolicyAlg = wire.Alg(r.U16())
	p.PCRPolicy = r.Sized(wire.MaxDigest)
	r.future(version, 2)
}

// Values of orderlyState beside those of TPM_SU, and the flags of the latter.
const (
	orderlyNone             = 0xFFFF
	orderlyDAUsed           = 0xFFFE
	orderlyHCRTM            = 0x8000
	orderlyStartupLocality3 = 0x4000
)

func (p *Persistent) readShutdown(r *reader) {
	switch state := r.U16(); state {
	case orderlyNone, orderlyDAUsed:
		p.DAUsed = state == orderlyDAUsed
	case uint16(wire.SUClear):
		p.Shutdown = ShutdownClear
	case uint16(wire.SUState), uint16(wire.SUState) | orderlyHCRTM, uint16(wire.SUState) | orderlyStartupLocality3:
		p.Shutdown = ShutdownState
		p.HCRTM = state&orderlyHCRTM != 0
		p.StartupLocality3 = state&orderlyStartupLocality3 != 0
	default:
		r.fail("%#04x says nothing about the last shutdown", state)
	}
}

// firstCommand is the code that bit 0 stands for in a set of commands.
const firstCommand = wire.CCNVUndefineSpaceSpecial

// commands reads a set of commands: a bit for each code from the first on, since
// version 5 of PERSISTENT_DATA. Before, there was a bit for each command that libtpms
// 0.9 has.
func (r *reader) commands(version uint16) []wire.CC {
	bits := r.Sized(128)
	var set []wire.CC
	for i := range 8 * len(bits) {
		if bits[i/8]>>(i%8)&1 == 0 {
			continue
		}
		cc, ok := firstCommand+wire.CC(i), true
		if version < 5 {
			cc, ok = compressed(i)
		}
		if !ok {
			r.fail("bit %d of a set stands for no command", i)
		}
		set = append(set, cc)
	}
	return set
}

// compressed returns the command of libtpms 0.9 that is the nth, from zero, in the
// order of the codes.
func compressed(n int) (wire.CC, bool) {
	for _, codes := range [][2]wire.CC{
		{0x11f, 0x122}, {0x124, 0x12e}, {0x130, 0x140}, {0x142, 0x159}, {0x15b, 0x15e},
		{0x160, 0x165}, {0x167, 0x174}, {0x176, 0x178}, {0x17a, 0x193}, {0x197, 0x197},
	} {
		size := int(codes[1]-codes[0]) + 1
		if n < size {
			return codes[0] + wire.CC(n), true
		}
		n -= size
	}
	return 0, false
}
