package reseal

import (
	"context"
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/luks/cryptsetup"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/node/kept"
	"github.com/bootseal/bootseal/seal"
)

// findSecret returns the secret that opens the current keyslot: from a token that opens
// now, or the kept one. It returns nil and the reasons where neither is to be had.
func (r *run) findSecret(ctx context.Context) (secret []byte, reasons []error, err error) {
	for i := range r.volume.Tokens {
		t := &r.volume.Tokens[i]
		k := t.Key()
		if k == nil || k.Keyslot != r.volume.Keyslot || !r.volume.Usable(k) {
			continue
		}
		if _, opens := k.Policy(r.now); !opens {
			continue
		}
		secret, err := r.unseal(ctx, k)
		if err == nil {
			err = r.opensKeyslot(ctx, secret)
		}
		if err == nil {
			r.Source = fmt.Sprintf("token %d", t.ID)
			return secret, nil, nil
		}
		clear(secret)
		if stop := (*seal.PINError)(nil); errors.As(err, &stop) || errors.Is(err, seal.ErrPINRequired) || ctx.Err() != nil {
			return nil, nil, err
		}
		reasons = append(reasons, fmt.Errorf("token %d: %w", t.ID, err))
	}
	if len(reasons) == 0 {
		reasons = append(reasons, errors.New("no token opens for the PCR values as they are now"))
	}
	secret, slot, err := kept.Open(r.TPM, r.State, r.UUID)
	switch {
	case err != nil:
	case slot != r.volume.Keyslot:
		err = fmt.Errorf("the kept secret is of keyslot %d, and tokens are of %d", slot, r.volume.Keyslot)
	default:
		err = r.opensKeyslot(ctx, secret)
	}
	if err == nil {
		r.Source = "the kept secret"
		return secret, nil, nil
	}
	clear(secret)
	return nil, append(reasons, err), nil
}

// unseal has the TPM give out the secret of a token that opens now.
func (r *run) unseal(ctx context.Context, k *enrollment.Key) ([]byte, error) {
	s, err := k.Sealed("the running boot", r.now)
	if err != nil {
		return nil, err
	}
	if len(s.Parent.Name) == 0 {
		s.Parent.Name = r.Request.Parent
	}
	if len(s.Parent.Name) == 0 {
		if s.Parent, err = seal.MakeParent(r.TPM, nil, s.Parent.Template); err != nil {
			return nil, err
		}
	}
	if k.PIN {
		if err := r.needPIN(ctx); err != nil {
			return nil, err
		}
	}
	return seal.Unseal(r.TPM, s, r.pin)
}

// needPIN asks for the PIN, once.
func (r *run) needPIN(ctx context.Context) (err error) {
	if len(r.pin) > 0 {
		return nil
	}
	if r.Request.PIN == nil {
		return seal.ErrPINRequired
	}
	r.pin, err = r.Request.PIN(ctx)
	return err
}

// opensKeyslot tries the secret on the current keyslot.
func (r *run) opensKeyslot(ctx context.Context, secret []byte) error {
	passphrase := luks.Passphrase(secret)
	defer clear(passphrase)
	err := r.Volume.Test(ctx, passphrase, r.volume.Keyslot)
	if errors.Is(err, cryptsetup.ErrPassphrase) {
		return fmt.Errorf("what the TPM gives out does not open keyslot %d", r.volume.Keyslot)
	}
	return err
}

// keep keeps the secret for later reseals, where that is safe and it is not kept yet.
func (r *run) keep(secret []byte) error {
	if kept.Allowed(r.Host, r.State, r.UUID) != nil {
		return nil
	}
	if slot, err := kept.Has(r.State, r.UUID); err == nil && slot == r.volume.Keyslot {
		return nil
	}
	return r.effect("keep the secret", func() error {
		return kept.Keep(r.TPM, r.State, r.UUID, r.volume.Keyslot, secret, r.OwnerAuth)
	})
}
