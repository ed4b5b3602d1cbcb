package unlock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/bootseal/bootseal/luks/cryptsetup"
	"github.com/bootseal/bootseal/luks/recoverykey"
	"github.com/bootseal/bootseal/node/expect"
	"github.com/bootseal/bootseal/node/volumes"
)

// explain says why the TPM keeps the volume closed.
func (u *unlocker) explain(ctx context.Context) {
	u.Console.Say("%s: not opened by the TPM: %s", u.title, u.note.Reason)
	for _, text := range u.unsigned {
		u.Console.Detail("%s", text)
	}
	if u.miss != nil {
		remarks := u.compareEvents(ctx)
		u.miss.show(u.Console)
		for _, r := range remarks {
			u.Console.Detail("%s", r)
		}
		u.note.Differences = u.miss.note()
		if u.miss.nearest != nil {
			u.note.Nearest = u.miss.nearest.Label
		}
	}
	if u.Trial {
		return
	}
	switch u.note.Why {
	case volumes.WhyNoToken:
	case volumes.WhyPCRs, volumes.WhySignature:
		u.Console.Detail("If you know what changed (an update), enter the recovery key. If you do not, treat this machine as tampered with.")
	default:
		u.Console.Detail("Enter the recovery key.")
	}
}

// compareEvents looks for the events that differ, as far as there is evidence. That there
// is none is no error, but a remark.
func (u *unlocker) compareEvents(ctx context.Context) (remarks []string) {
	if u.Evidence.Log == nil || u.miss.nearest == nil {
		return nil
	}
	log, err := within(ctx, searchTime, u.Evidence.Log)
	if err != nil {
		return []string{fmt.Sprintf("no event log: %v", err)}
	}
	var expected []expect.Boot
	if u.Evidence.Expected != nil {
		if expected, err = u.Evidence.Expected(ctx, u.e.UUID); errors.Is(err, fs.ErrNotExist) {
			remarks = append(remarks, "no boot partition has a file of expected events")
		} else if err != nil {
			remarks = append(remarks, fmt.Sprintf("no expected events: %v", err))
		}
	}
	explained, err := within(ctx, searchTime, func() (near, error) { return u.miss.explain(log, expected), nil })
	if err != nil {
		return append(remarks, fmt.Sprintf("the events: %v", err))
	}
	u.miss.near = explained
	return remarks
}

// byPerson asks for the recovery key, or for any other passphrase.
func (u *unlocker) byPerson(ctx context.Context) (*Opened, error) {
	for left := max(u.Tries, 1); left > 0; {
		left--
		typed, err := u.Ask.Ask(ctx, fmt.Sprintf("Recovery key for %s: ", u.title))
		if err != nil {
			u.Console.Say("%s: not opened: %v", u.title, err)
			return nil, fmt.Errorf("%w: %w", ErrClosed, err)
		}
		opened, err := u.tryTyped(ctx, typed)
		clear(typed)
		if opened != nil || errors.Is(err, ErrSwapped) || ctx.Err() != nil {
			return opened, err
		}
		u.Console.Say("%s: %v%s", u.title, err, triesLeft(left))
	}
	u.Console.Say("%s: not opened", u.title)
	return nil, ErrClosed
}

func triesLeft(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "; one try is left"
	}
	return fmt.Sprintf("; %d tries are left", n)
}

// tryTyped tries what somebody typed: as a recovery key, which is written with dashes
// and in lower case, and otherwise as it is.
func (u *unlocker) tryTyped(ctx context.Context, typed []byte) (*Opened, error) {
	if len(typed) == 0 {
		return nil, errors.New("nothing was entered")
	}
	by, passphrase := volumes.ByPassphrase, append([]byte{}, typed...)
	key, notKey := recoverykey.Parse(typed)
	if notKey == nil {
		clear(passphrase)
		by, passphrase = volumes.ByRecoveryKey, key.Passphrase()
	}
	err := u.accept(ctx, passphrase)
	if err == nil {
		u.note.By = by
		u.Console.Say("%s: opened by %s", u.title, inWords(by))
		return &Opened{Passphrase: passphrase, Keyslot: cryptsetup.AnySlot}, nil
	}
	clear(passphrase)
	// Much too long for what people choose: a slip in a recovery key.
	if errors.Is(err, cryptsetup.ErrPassphrase) && notKey != nil && len(typed) >= recoverykey.Size/2 {
		err = fmt.Errorf("no keyslot opens with this: %w", notKey)
	} else if errors.Is(err, cryptsetup.ErrPassphrase) {
		err = errors.New("no keyslot opens with this")
	}
	return nil, err
}

func inWords(by volumes.By) string {
	if by == volumes.ByRecoveryKey {
		return "the recovery key (what to do: bootseal status)"
	}
	return "a passphrase (what to do: bootseal status)"
}
