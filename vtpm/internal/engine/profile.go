package engine

import (
	"fmt"
	"slices"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// Profile picks what a TPM implements and how much of it. A number that a client
// can ask for is here, in what it embeds, or follows from them.
type Profile struct {
	Name string

	wire.Limits           // algorithms, and the numbers of transient objects and of sessions
	Without     []wire.CC // commands that are written, but not part of the profile
	Banks       []wire.Alg

	PersistentObjects    int    // persistent objects that fit
	PersistentObjectsMin int    // how many of them are promised
	LoadedSessions       int    // sessions that can be loaded at a time
	ContextGap           uint32 // how far contextCounter may run ahead of the oldest saved session
	NVIndices            int    // NV indices that fit
	NVMemory             int    // bytes of NV data that fit, over all indices
	OrderlyMemory        int    // bytes of data that fit, over all orderly indices
	ACTs                 []int  // numbers of the authenticated countdown timers, 0 to 15, ascending
	ClockInterval        uint64 // how often Clock is made durable, in milliseconds

	MaxCommand        int // bytes
	MaxResponse       int // bytes
	MaxObjectContext  int // bytes of a TPMS_CONTEXT of an object or a sequence
	MaxSessionContext int // bytes of a TPMS_CONTEXT of a session
	Memory            wire.TPMAMemory

	Library         Specification // the TPM 2.0 Library Specification
	Platform        Specification // the platform's specification
	Manufacturer    string        // 4 ASCII characters, TPM_PT_MANUFACTURER
	VendorString    string        // up to 16 ASCII characters
	FirmwareVersion uint64
}

// Specification says which document a TPM follows, as TPM_PT_FAMILY_INDICATOR and
// TPM_PT_PS_FAMILY_INDICATOR and those after them have it.
type Specification struct {
	Family, Level, Version, DayOfYear, Year uint32
}

// Sizes that are the same in every profile.
const (
	PCRCount      = 24 // PCRs a bank
	MaxSessions   = 3  // sessions in one command
	ContextKeyLen = 32 // bytes of the key that protects saved contexts
)

// PCClient is the default profile: a TPM of the PC Client Platform TPM Profile,
// version 1.05, with generous slots, so that a client without a resource manager
// works.
func PCClient() Profile {
	return Profile{
		Name:                 "pcclient",
		Limits:               *wire.DefaultLimits(),
		Banks:                banks(),
		PersistentObjects:    128,
		PersistentObjectsMin: 128,
		LoadedSessions:       64,
		ContextGap:           0xFFFF,
		NVIndices:            256,
		NVMemory:             256 << 10,
		OrderlyMemory:        256 << 10,
		ACTs:                 []int{0},
		ClockInterval:        1 << 22,
		MaxCommand:           4096,
		MaxResponse:          4096,
		MaxObjectContext:     maxContext,
		MaxSessionContext:    maxContext,
		Library: Specification{
			wire.SpecFamily, wire.SpecLevel, wire.SpecVersion, wire.SpecDayOfYear, wire.SpecYear,
		},
		// In the form that Windows reads. Others do not report its date either.
		Platform:        Specification{Family: uint32(wire.PSPC), Version: 0x0105},
		Manufacturer:    "BTSL",
		VendorString:    "bootseal vTPM",
		FirmwareVersion: 0x0000_0001_0000_0000,
	}
}

// Libtpms is what libtpms 0.9 is, and newer versions with their profile "null", for
// clients that were made for it or compare: its commands, algorithms, curves and
// limits, and the same answers of TPM2_GetCapability but for who made the TPM.
func Libtpms() Profile {
	p := PCClient()
	p.Name = "libtpms"
	p.Limits = wire.Limits{
		Hashes: []wire.Alg{wire.AlgSHA1, wire.AlgSHA256, wire.AlgSHA384, wire.AlgSHA512},
		Curves: []wire.ECCCurve{
			wire.CurveNISTP192, wire.CurveNISTP224, wire.CurveNISTP256, wire.CurveNISTP384,
			wire.CurveNISTP521, wire.CurveBNP256, wire.CurveBNP638, wire.CurveSM2P256,
		},
		RSABits: []uint16{1024, 2048, 3072},
		Ciphers: []wire.Cipher{
			{Alg: wire.AlgTDES, KeyBits: []uint16{128, 192}},
			{Alg: wire.AlgAES, KeyBits: []uint16{128, 256}},
			{Alg: wire.AlgCamellia, KeyBits: []uint16{128, 256}},
		},
		SymModes:         p.SymModes,
		Schemes:          append(p.Schemes, wire.AlgECMQV),
		KDFs:             p.KDFs,
		PCRSelect:        p.PCRSelect,
		TransientObjects: 3,
		ActiveSessions:   64,
	}
	p.Without = []wire.CC{
		wire.CCECCEncrypt, wire.CCECCDecrypt, wire.CCPolicyCapability, wire.CCPolicyParameters,
		wire.CCNVDefineSpace2, wire.CCNVReadPublic2, wire.CCSetCapability, wire.CCReadOnlyControl,
		wire.CCACTSetTimeout,
	}
	p.PersistentObjects, p.PersistentObjectsMin = 65, 7
	p.LoadedSessions = 3
	p.NVIndices, p.NVMemory, p.OrderlyMemory = 1024, 128<<10, 512
	p.ACTs = nil
	p.ClockInterval = 1 << 12
	p.MaxObjectContext, p.MaxSessionContext = 2692, 404
	p.Memory = wire.MemSharedNV | wire.MemObjectCopiedToRAM
	p.Library.Version, p.Library.DayOfYear, p.Library.Year = 164, 75, 2021
	p.Platform = p.Library
	return p
}

// Profiles returns all profiles, the default first.
func Profiles() []Profile { return []Profile{PCClient(), Libtpms()} }

// madeWith returns the profile that the TPM of the records was made with, the default
// for none.
func madeWith(saved map[string][]byte) (Profile, error) {
	all := Profiles()
	b, ok := saved[string(RecordProfile)]
	if !ok {
		return all[0], nil
	}
	r := wire.NewReader(b, &wire.Limits{})
	name := string(r.Sized(maxProfileName))
	i := slices.IndexFunc(all, func(p Profile) bool { return p.Name == name })
	if i < 0 || r.Err() != nil || r.Len() != 0 {
		return Profile{}, fmt.Errorf("record %q: there is no profile %q", RecordProfile, name)
	}
	return all[i], nil
}

// banks are the PCR banks that there are, all of them allocated at manufacture. They
// are not all hash algorithms: firmware has room for these, and takes a TPM that
// lists more for a broken one.
func banks() []wire.Alg {
	return []wire.Alg{wire.AlgSHA1, wire.AlgSHA256, wire.AlgSHA384, wire.AlgSHA512}
}

// maxContext is the most that a TPMS_CONTEXT can be: sequence, handle, hierarchy and
// blob.
const maxContext = 8 + 4 + 4 + 2 + wire.MaxContextData

// commands returns the commands of set that the profile has.
func (p *Profile) commands(set CommandSet) CommandSet {
	if len(p.Without) == 0 {
		return set
	}
	return &profileCommands{set, p.Without}
}

// profileCommands is a set without some of its commands.
type profileCommands struct {
	CommandSet
	without []wire.CC
}

func (c *profileCommands) Attributes() []wire.TPMACC {
	return slices.DeleteFunc(c.CommandSet.Attributes(), func(a wire.TPMACC) bool {
		return slices.Contains(c.without, wire.CC(a&0xFFFF))
	})
}

func (c *profileCommands) Implemented(cc wire.CC) bool {
	return !slices.Contains(c.without, cc) && c.CommandSet.Implemented(cc)
}

func (c *profileCommands) PresencePossible(cc wire.CC) bool {
	return !slices.Contains(c.without, cc) && c.CommandSet.PresencePossible(cc)
}
