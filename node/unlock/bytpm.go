package unlock

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/luks/cryptsetup"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/node/volumes"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
)

// byTPM tries the tokens that open for this boot. It returns nil and no error where the
// TPM does not open the volume; the note says why.
func (u *unlocker) byTPM(ctx context.Context) (*Opened, error) {
	all := wants(u.e)
	if len(all) == 0 {
		u.why(volumes.WhyNoToken, "it is not enrolled with one")
		return nil, nil
	}
	if err := u.openTPM(ctx); err != nil {
		u.why(volumes.WhyNoTPM, "%v", err)
		return nil, ctx.Err()
	}
	values, err := read(u.tpm, all)
	if err != nil {
		u.why(volumes.WhyTPM, "%v", err)
		return nil, nil
	}
	found := candidates(all, values)
	if len(found) == 0 {
		u.miss = compare(all, values)
		u.why(volumes.WhyPCRs, "this boot is not an enrolled one")
		return nil, nil
	}
	for _, c := range found {
		opened, err := u.byToken(ctx, c)
		if opened != nil || err != nil {
			return opened, err
		}
	}
	if u.note.Why == volumes.WhySignature {
		u.notSigned(all, values)
	}
	return nil, nil
}

// notSigned keeps what differs from the boots that were expected, and what signatures there are.
func (u *unlocker) notSigned(all []want, values pcr.Values) {
	var literal []want
	for _, w := range all {
		if w.Signed == nil {
			literal = append(literal, w)
			continue
		}
		text := fmt.Sprintf("token %d wants PCR %s signed: %s", w.token.ID, w.Signed.PCRs, w.WhyNotApproved(values, u.Signatures))
		if _, fits := w.Policy(values); fits {
			u.unsigned = append(u.unsigned, text)
		}
	}
	if len(literal) > 0 {
		u.miss = compare(literal, values)
	}
}

// why keeps the reason for which the TPM does not open the volume. The last one counts:
// tokens are tried from the best.
func (u *unlocker) why(why volumes.Why, format string, args ...any) {
	u.note.Why, u.note.Reason = why, readable(fmt.Sprintf(format, args...))
}

// byToken has the TPM unseal a token's secret, and tries it on the volume.
func (u *unlocker) byToken(ctx context.Context, c candidate) (*Opened, error) {
	t := c.token
	named := c.sealed.Parent.Name
	if err := u.pinParent(c.sealed); err != nil {
		u.whyNot(t, err)
		return nil, nil
	}
	secret, err := u.unseal(ctx, c)
	if err != nil {
		if u.note.Why == volumes.WhyParent && len(named) > 0 && !bytes.Equal(named, c.sealed.Parent.Name) {
			u.why(volumes.WhyParent, "token and list name two TPM keys")
		}
		return nil, ctx.Err()
	}
	defer clear(secret)
	passphrase := luks.Passphrase(secret)
	switch err := u.accept(ctx, passphrase); {
	case err == nil:
	case errors.Is(err, cryptsetup.ErrPassphrase):
		clear(passphrase)
		u.why(volumes.WhyStale, "token %d has a secret that opens no keyslot", t.ID)
		return nil, nil
	case errors.Is(err, ErrSwapped), ctx.Err() != nil:
		clear(passphrase)
		return nil, err
	default:
		clear(passphrase)
		u.why(volumes.WhyNotTested, "%v", err)
		return nil, nil
	}
	u.note.Why, u.note.Reason = "", ""
	u.note.By, u.note.Token, u.note.Label = volumes.ByToken, &t.ID, label(t)
	u.Console.Say("%s: opened by the TPM, token %d", u.title, t.ID)
	if label := label(t); label != "" {
		u.Console.Detail("%s", label)
	}
	return &Opened{Passphrase: passphrase, Keyslot: keyslot(t.Token)}, nil
}

// pinParent has the secret asked for under the parent key that the machine knows. What
// the token names is second best: whoever holds the disk and sits between CPU and TPM
// could name a key of their own.
func (u *unlocker) pinParent(s *seal.Sealed) error {
	if u.known != nil && len(u.known.Parent) > 0 {
		s.Parent.Name = u.known.Parent
	}
	if len(s.Parent.Name) > 0 {
		return nil
	}
	made, err := seal.MakeParent(u.tpm, nil, s.Parent.Template)
	s.Parent.Name = made.Name
	return err
}

func label(t *enrollment.Token) string {
	if t.Expect != nil {
		return t.Expect.Label
	}
	if k := t.AnyKey(); k != nil && k.Signed != nil {
		return enrollment.SignedLabel
	}
	return ""
}

// unseal unseals, and asks for a PIN where it takes one. Errors have been kept as the
// reason.
func (u *unlocker) unseal(ctx context.Context, c candidate) ([]byte, error) {
	secret, err := seal.Unseal(u.tpm, c.sealed, nil, u.Signatures...)
	if retired := new(seal.GuardError); errors.Is(err, seal.ErrPINRequired) && !errors.As(err, &retired) {
		return u.unsealWithPIN(ctx, c) // nothing else is in the way
	}
	if err != nil {
		u.whyNot(c.token, err)
	}
	return secret, err
}

// whyNot keeps what the TPM said of a token.
func (u *unlocker) whyNot(t *enrollment.Token, err error) {
	var parent *seal.ParentError
	var foreign *seal.ForeignError
	var mismatch *seal.MismatchError
	var policy *seal.PolicyError
	var pin *seal.PINError
	var lockout *seal.LockoutError
	var guard *seal.GuardError
	var signature *seal.SignatureError
	switch {
	case errors.As(err, &guard) && guard.Err == nil:
		u.why(volumes.WhyRetired, "this boot was retired")
	case errors.As(err, &guard):
		u.why(volumes.WhyParent, "its rollback guard is gone: the TPM was cleared?")
	case errors.As(err, &signature):
		u.why(volumes.WhySignature, "nobody has signed for this boot")
	case errors.As(err, &parent), errors.As(err, &foreign):
		u.why(volumes.WhyParent, "it was sealed by another TPM, or this one was cleared")
	case errors.As(err, &mismatch), errors.As(err, &policy):
		u.why(volumes.WhyPCRs, "its PCRs changed while it was asked")
	case errors.As(err, &pin), errors.Is(err, seal.ErrPINRequired):
		u.why(volumes.WhyPIN, "no PIN was right")
	case errors.As(err, &lockout):
		u.why(volumes.WhyLockout, "%s", locked(lockout.Lockout))
	default:
		u.why(volumes.WhyTPM, "token %d: %v", t.ID, err)
	}
}

func locked(l *seal.Lockout) string {
	text := "it is in lockout after too many wrong PINs"
	if l != nil && l.Interval > 0 {
		text += fmt.Sprintf("; it forgets one every %s", l.Interval)
	}
	return text
}

// unsealWithPIN asks for the PIN and unseals. It begins only where the TPM takes a try,
// and says what a wrong one costs.
func (u *unlocker) unsealWithPIN(ctx context.Context, c candidate) ([]byte, error) {
	last := error(seal.ErrPINRequired)
	for range max(u.Tries, 1) {
		l, err := seal.ReadLockout(u.tpm)
		if err == nil && l.Failures >= l.MaxFailures {
			err = &seal.LockoutError{Lockout: &l}
		}
		if err != nil {
			last = err
			break
		}
		pin, err := u.Ask.Ask(ctx, fmt.Sprintf("PIN for %s (Enter alone: recovery key): ", u.title))
		if err != nil || len(pin) == 0 {
			if err != nil {
				u.Console.Say("%s: no PIN: %v", u.title, err)
			}
			break
		}
		secret, err := seal.Unseal(u.tpm, c.sealed, pin, u.Signatures...)
		clear(pin)
		var wrong *seal.PINError
		if err == nil {
			return secret, nil
		}
		if last = err; !errors.As(err, &wrong) {
			break
		}
		u.Console.Say("%s: wrong PIN%s", u.title, left(wrong.Lockout))
	}
	u.whyNot(c.token, last)
	return nil, last
}

func left(l *seal.Lockout) string {
	if l == nil || l.Failures > l.MaxFailures {
		return ""
	}
	return fmt.Sprintf(", which the TPM counts: it takes %d more", l.MaxFailures-l.Failures)
}
