package vtpm

import (
	"fmt"
	"slices"

	"github.com/bootseal/bootseal/vtpm/internal/engine"
)

// Profile picks what a TPM implements: commands, algorithms and limits. All that
// TPM2_GetCapability answers about them is true. The zero value is the profile that the
// TPM was made with, PCClient for a new one.
//
// State that was made with one can be used with another as long as it holds nothing that
// the other does not have, such as a persistent key on a curve of its own; New refuses it
// otherwise.
type Profile struct {
	profile *engine.Profile // nil: the state's own
}

// PCClient is a TPM of the PC Client Platform TPM Profile, with more slots for objects
// and sessions than a chip has: a client needs no resource manager.
func PCClient() Profile {
	p := engine.PCClient()
	return Profile{&p}
}

// Libtpms is a TPM with the commands, algorithms, curves and limits of libtpms 0.9,
// which newer versions have in their profile "null": three slots for objects and
// three for sessions. Its capabilities are the same but for who made the TPM.
func Libtpms() Profile {
	p := engine.Libtpms()
	return Profile{&p}
}

// ProfileNamed returns the profile with a name that Profile.Name returns.
func ProfileNamed(name string) (Profile, error) {
	for _, p := range engine.Profiles() {
		if p.Name == name {
			return Profile{&p}, nil
		}
	}
	return Profile{}, fmt.Errorf("there is no profile %q: it is pcclient or libtpms", name)
}

// Name returns the profile's name: "pcclient" or "libtpms". The zero value's is that of
// a new TPM.
func (p Profile) Name() string { return p.engine().Name }

// WithoutRSA1024 returns the profile without RSA keys of 1,024 bits, which are too
// short for anything but the past.
func (p Profile) WithoutRSA1024() Profile {
	e := p.engine()
	e.RSABits = slices.DeleteFunc(slices.Clone(e.RSABits), func(bits uint16) bool { return bits == 1024 })
	return Profile{&e}
}

// engine returns a copy of the profile as the engine has it.
func (p Profile) engine() engine.Profile {
	if p.profile == nil {
		return engine.PCClient()
	}
	return *p.profile
}
