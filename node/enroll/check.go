package enroll

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/node/state"
)

// ErrEnrolled is returned for a volume that bootseal has enrolled already.
var ErrEnrolled = errors.New("it is enrolled already: `bootseal reseal` seals it for the coming boots")

// Problem is what stands in the way, with what to do about it.
type Problem struct{ What, Do string }

func (p *Problem) Error() string { return p.What }

// Remedy says what to do, as [seal.Remedier] has it.
func (p *Problem) Remedy() string { return p.Do }

// Check reports from a header alone why so many keyslots and tokens cannot be added:
// nil, or a [*Problem] with the first reason.
func Check(h *luks.Header, device string, keyslots, tokens int) error {
	if err := state.CheckUUID(h.UUID); err != nil {
		return &Problem{err.Error(), "run: cryptsetup luksUUID --uuid $(uuidgen) " + device}
	}
	if p := requirements(h.Metadata.Config.Requirements.Mandatory, device); p != nil {
		return p
	}
	room := h.Room()
	switch {
	case len(h.Metadata.Keyslots) == 0:
		return &Problem{"it has no keyslot", "without one no passphrase opens it, and none can be added"}
	case room.Keyslots < keyslots:
		return &Problem{fmt.Sprintf("%d of %d keyslots are in use, and %d more are needed", luks.MaxKeyslots-room.Keyslots, luks.MaxKeyslots, keyslots),
			"see which one nobody needs (cryptsetup luksDump " + device + ") and free it: cryptsetup luksKillSlot " + device + " SLOT"}
	case room.KeyAreas < keyslots:
		return &Problem{fmt.Sprintf("its header has room for the key material of %d more keyslots, and %d are needed", room.KeyAreas, keyslots),
			"see which one nobody needs (cryptsetup luksDump " + device + ") and free it: cryptsetup luksKillSlot " + device + " SLOT"}
	case room.Tokens < tokens:
		return &Problem{fmt.Sprintf("%d of %d tokens are in use, and %d more are needed", luks.MaxTokens-room.Tokens, luks.MaxTokens, tokens),
			"see which one nobody needs (cryptsetup luksDump " + device + ") and remove it: cryptsetup token remove --token-id ID " + device}
	}
	return nil
}

// requirements refuses a volume that cryptsetup would not change either.
func requirements(names []string, device string) error {
	for _, r := range names {
		if strings.HasPrefix(r, "online-reencrypt") || strings.HasPrefix(r, "offline-reencrypt") {
			return &Problem{"it is in the middle of being encrypted anew", "finish that first: cryptsetup reencrypt --resume-only " + device}
		}
	}
	if len(names) > 0 {
		return &Problem{fmt.Sprintf("it requires %q, which is not known here", names), "use the cryptsetup that made the volume"}
	}
	return nil
}

// Enrolled returns the keyslots that bootseal's tokens of the volume are for, and
// whether there are any such tokens.
func Enrolled(e *enrollment.Enrollment) (keyslots []int, yes bool) {
	for _, t := range e.Tokens {
		switch own := t.Token.(type) {
		case *luks.Boot:
			keyslots, yes = append(keyslots, own.Keyslots...), true
		}
	}
	slices.Sort(keyslots)
	return slices.Compact(keyslots), yes
}
