package enroll

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/luks/cryptsetup"
	"github.com/bootseal/bootseal/node/enrollment"
)

// ErrNotEnrolled is returned for a volume that has none of bootseal's tokens.
var ErrNotEnrolled = errors.New("bootseal has not enrolled it")

// Old is what is to be removed from a volume.
type Old struct {
	Keyslots []int
	Tokens   []int // in the order in which they are removed
}

// Own returns what bootseal has put on a volume, but for the recovery key, which comes
// with recovery. It fails with [ErrNotEnrolled].
func Own(e *enrollment.Enrollment, recovery bool) (Old, error) {
	named, yes := Enrolled(e)
	if !yes {
		return Old{}, ErrNotEnrolled
	}
	var old Old
	var own []int
	for i := range e.Tokens {
		t := &e.Tokens[i]
		switch t.Token.(type) {
		case *luks.Boot:
			own = append(own, t.ID)
		case *luks.SystemdTPM2, *luks.BootsealTPM2:
			// Where a removal was cut off, the keyslot is gone and the token for none.
			if t.Expect != nil && len(t.Token.Slots()) == 0 || isFor(t.Token, named) {
				old.Tokens = append(old.Tokens, t.ID)
			}
		case *luks.Recovery:
			if recovery {
				old.Tokens = append(old.Tokens, t.ID)
			}
		}
	}
	for _, slot := range named {
		if sealed(e, slot) {
			old.Keyslots = append(old.Keyslots, slot)
		}
	}
	if recovery {
		old.Keyslots = append(old.Keyslots, e.Recovery...)
	}
	old.Tokens = append(old.Tokens, own...) // last: by it the rest is known
	return old, nil
}

// isFor reports whether a token is for keyslots of the list alone.
func isFor(t luks.Token, keyslots []int) bool {
	slots := t.Slots()
	return len(slots) > 0 && !slices.ContainsFunc(slots, func(slot int) bool { return !slices.Contains(keyslots, slot) })
}

// sealed reports whether a keyslot is one whose passphrase a TPM keeps. The bootseal
// token alone does not tell: whoever holds the disk can have written the number of
// another keyslot there.
func sealed(e *enrollment.Enrollment, slot int) bool {
	k, ok := e.Keyslots[slot]
	return ok && k.KDF.Type == "pbkdf2" && slices.ContainsFunc(e.Tokens, func(t enrollment.Token) bool {
		_, own := t.Token.(*luks.BootsealTPM2)
		return (own || t.SystemdTPM2() != nil) && slices.Contains(t.Token.Slots(), slot)
	})
}

// Remove destroys the keyslots, then removes the tokens, which must be what they were in
// the header from which old was worked out. First the passphrase must open a keyslot that
// stays. It can be cut off, and then be done again.
func Remove(ctx context.Context, m *Machine, was *luks.Header, old Old, remaining []byte) error {
	h, err := m.Volume.Header()
	if err != nil {
		return err
	}
	for _, id := range old.Tokens {
		if text, ok := h.Metadata.Tokens[id]; ok && !bytes.Equal(text, was.Metadata.Tokens[id]) {
			return fmt.Errorf("remove token %d: it is another one now: another program changes the volume at this moment", id)
		}
	}
	if _, err := Opens(ctx, m.Volume, remaining, old.Keyslots...); err != nil {
		return err
	}
	for _, slot := range old.Keyslots {
		if _, ok := h.Metadata.Keyslots[slot]; !ok {
			continue
		}
		m.at("remove keyslot")
		if err := m.Volume.KillSlot(ctx, slot, remaining); err != nil {
			return err
		}
	}
	for _, id := range old.Tokens {
		if _, ok := h.Metadata.Tokens[id]; !ok {
			continue
		}
		m.at("remove token")
		if err := m.Volume.RemoveToken(ctx, id); err != nil {
			return err
		}
	}
	m.at("removed")
	return nil
}

// Opens returns the keyslot that the passphrase opens, of those that are not in without.
// It fails with [cryptsetup.ErrPassphrase] where there is none.
func Opens(ctx context.Context, v *cryptsetup.Volume, passphrase []byte, without ...int) (int, error) {
	h, err := v.Header()
	if err != nil {
		return 0, err
	}
	for _, slot := range slices.Sorted(maps.Keys(h.Metadata.Keyslots)) {
		if slices.Contains(without, slot) {
			continue
		}
		err := v.Test(ctx, passphrase, slot)
		if err == nil {
			return slot, nil
		}
		if !errors.Is(err, cryptsetup.ErrPassphrase) {
			return 0, err
		}
	}
	if len(without) > 0 {
		return 0, fmt.Errorf("%w that stays (keyslot %v does not)", cryptsetup.ErrPassphrase, without)
	}
	return 0, cryptsetup.ErrPassphrase
}
