package reseal

import (
	"context"
	"fmt"
	"slices"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/luks/cryptsetup"
)

// addKeyslot adds the keyslot of a new secret.
func (r *run) addKeyslot(ctx context.Context, secret, existing []byte) error {
	if existing == nil {
		return nil
	}
	r.doing("adding a keyslot")
	passphrase := luks.Passphrase(secret)
	defer clear(passphrase)
	return r.effect("add the keyslot", func() error {
		r.Changed = true
		slot, err := r.Volume.AddKey(ctx, existing, passphrase, cryptsetup.Quick)
		if err == nil && slot != r.volume.Keyslot {
			err = fmt.Errorf("keyslot %d was added, and not %d: another program works on the volume", slot, r.volume.Keyslot)
		}
		return err
	})
}

// killFormer destroys the keyslots that were replaced, when no token is for them any more.
func (r *run) killFormer(ctx context.Context, secret, existing []byte) error {
	if len(r.volume.Former) == 0 {
		return nil
	}
	if secret == nil {
		r.warn("keyslots %v were replaced and are not destroyed yet: that takes the secret or a passphrase", r.volume.Former)
		return nil
	}
	remaining := luks.Passphrase(secret)
	defer clear(remaining)
	for _, slot := range r.volume.Former {
		h, err := r.Volume.Header()
		if err != nil {
			return err
		}
		if used := usedBy(h, slot); len(used) > 0 {
			r.warn("keyslot %d was replaced, and stays: tokens %v are for it", slot, used)
			continue
		}
		if _, there := h.Metadata.Keyslots[slot]; !there {
			continue
		}
		if existing != nil && r.Volume.Test(ctx, existing, slot) == nil {
			r.warn("keyslot %d was replaced, and stays: it opens with the passphrase that was given", slot)
			continue
		}
		r.doing(fmt.Sprintf("destroying keyslot %d", slot))
		if err := r.effect(fmt.Sprintf("kill keyslot %d", slot), func() error { return r.Volume.KillSlot(ctx, slot, remaining) }); err != nil {
			return err
		}
		r.Killed = append(r.Killed, slot)
	}
	return nil
}

// usedBy returns the tokens that are for a keyslot, bootseal's own aside.
func usedBy(h *luks.Header, slot int) []int {
	var ids []int
	for _, id := range h.Metadata.TokenIDs() {
		t, err := luks.ParseToken(id, h.Metadata.Tokens[id])
		if err != nil {
			ids = append(ids, id) // it may be
			continue
		}
		if _, own := t.(*luks.Boot); !own && slices.Contains(t.Slots(), slot) {
			ids = append(ids, id)
		}
	}
	return ids
}
