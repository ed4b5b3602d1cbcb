package engine

import "github.com/bootseal/bootseal/vtpm/internal/wire"

// Profile picks what a TPM implements and how much of it.
type Profile struct {
	Name   string
	Limits wire.Limits

	Banks []wire.Alg // PCR banks allocated at manufacture

	TransientObjects  int    // slots for transient objects
	PersistentObjects int    // persistent objects that fit
	LoadedSessions    int    // sessions that can be loaded at a time
	ActiveSessions    int    // sessions loaded or saved
	ContextGap        uint32 // how far contextCounter may run ahead of the oldest saved session
	NVIndices         int    // NV indices that fit
	NVMemory          int    // bytes of NV data that fit, over all indices
	ACTs              []int  // numbers of the authenticated countdown timers, 0 to 15, ascending

	MaxCommand  int // bytes
	MaxResponse int // bytes

	Manufacturer    string // 4 ASCII characters, TPM_PT_MANUFACTURER
	VendorString    string // up to 16 ASCII characters
	FirmwareVersion uint64
}

// Sizes that Part 2 and the PC Client profile fix for every profile.
const (
	PCRCount      = 24 // PCRs a bank
	MaxHashBlock  = 128
	MaxSessions   = 3 // sessions in one command
	MaxSymData    = 128
	MaxNVIndex    = 2048 // bytes in one NV index
	ContextKeyLen = 32   // bytes of the key that protects saved contexts
)

// PCClient is the default profile: a TPM of the PC Client Platform TPM Profile
// with generous slots, so that a client without a resource manager works.
func PCClient() Profile {
	return Profile{
		Name:              "pcclient",
		Limits:            *wire.DefaultLimits(),
		Banks:             []wire.Alg{wire.AlgSHA1, wire.AlgSHA256, wire.AlgSHA384, wire.AlgSHA512},
		TransientObjects:  64,
		PersistentObjects: 128,
		LoadedSessions:    64,
		ActiveSessions:    256,
		ContextGap:        0xFFFF,
		NVIndices:         256,
		NVMemory:          256 << 10,
		ACTs:              []int{0},
		MaxCommand:        4096,
		MaxResponse:       4096,
		Manufacturer:      "BTSL",
		VendorString:      "bootseal vTPM",
		FirmwareVersion:   0x0000_0001_0000_0000,
	}
}
