package unlock

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/luks/cryptsetup"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/node/volumes"
	"github.com/bootseal/bootseal/seal/pcrsig"
	"github.com/google/go-tpm/tpm2/transport"
)

// Options say what is opened, and with what.
type Options struct {
	Volume *cryptsetup.Volume
	// Name is the one that the volume is opened as; empty where that is not known.
	Name string
	// List is what the machine knows of its volumes. Nil: nothing.
	List *volumes.List
	// TPM opens the TPM; an error of it says why there is none.
	TPM      func(context.Context) (transport.TPMCloser, error)
	Ask      Asker
	Console  *Console
	Evidence Evidence
	// Signatures are those for policies that a key's owner signs.
	Signatures []pcrsig.File
	// Tries is how often the recovery key, and a PIN, may be typed.
	Tries int
	// Trial: find out whether the TPM opens the volume, and neither measure anything nor
	// ask for the recovery key.
	Trial bool
	// Measured reports whether this boot has measured the volume's identity before: a PCR
	// is not to be extended twice with the same volume. Nil: it has not.
	Measured func(uuid string) bool
	Now      func() time.Time
}

// Opened is a volume's passphrase. The caller clears it.
type Opened struct {
	Passphrase []byte
	Keyslot    int // [cryptsetup.AnySlot] where a person typed the passphrase
	Note       *volumes.Note
}

// What callers test for.
var (
	// ErrSwapped: the volume is not the one that was enrolled.
	ErrSwapped = errors.New("this is not the disk that this machine was set up with")
	// ErrClosed: neither the TPM nor a person has opened the volume.
	ErrClosed = errors.New("the volume was not opened")
)

// swappedError says by what a volume is known to be another one.
type swappedError struct{ by string }

func (e *swappedError) Error() string { return ErrSwapped.Error() + ": " + e.by }
func (e *swappedError) Unwrap() error { return ErrSwapped }

// Open finds a passphrase that opens the volume: the TPM's, or after an explanation on
// the console a person's. It refuses a volume whose identity is not the enrolled one,
// whoever opens it, measures the identity, and returns the passphrase with a note about
// how it came about.
//
// Errors are [ErrSwapped], [ErrClosed], and what is wrong with the header.
func Open(ctx context.Context, o Options) (*Opened, error) {
	h, err := o.Volume.Header()
	if err != nil {
		return nil, err
	}
	u := &unlocker{Options: o, e: enrollment.Inspect(h)}
	u.note = &volumes.Note{UUID: h.UUID, Name: o.Name, Device: o.Volume.Path(), Identity: volumes.FoundUnknown}
	u.title = o.Name
	if u.title == "" {
		u.title = o.Volume.Path()
	}
	defer u.closeTPM()
	return u.run(ctx)
}

// unlocker is the state of an Open.
type unlocker struct {
	Options
	title string // of the volume, on the console
	e     *enrollment.Enrollment
	known *volumes.Volume // in the list
	tpm   *guarded        // nil without one
	note  *volumes.Note
	miss  *mismatch // with WhyPCRs and WhySignature

	unsigned []string // with WhySignature: what each token wants signed, and what there is
}

func (u *unlocker) run(ctx context.Context) (*Opened, error) {
	for _, problem := range u.e.Problems {
		u.Console.Say("%s: %v", u.title, problem)
	}
	err := u.lookUp()
	var opened *Opened
	if err == nil {
		opened, err = u.byTPM(ctx)
	}
	if err == nil && opened == nil {
		u.explain(ctx)
		if u.Trial {
			return nil, ErrClosed
		}
		opened, err = u.byPerson(ctx)
	}
	if errors.Is(err, ErrSwapped) {
		u.refuse(ctx, err)
	}
	if err != nil {
		return nil, err
	}
	if u.Now != nil {
		u.note.Time = u.Now()
	}
	opened.Note = u.note
	return opened, nil
}

// lookUp finds the volume in the list, by its UUID and by the name that it is to be
// opened as: the same name with another UUID is another volume.
func (u *unlocker) lookUp() error {
	if u.List == nil {
		return nil
	}
	byUUID, ok := u.List.Find(u.e.UUID)
	if ok {
		u.known = &byUUID
	}
	if byName, found := u.List.Named(u.Name); found && byName.UUID != byUUID.UUID {
		return &swappedError{fmt.Sprintf("its UUID is %s, and %s is %s", u.e.UUID, u.Name, byName.UUID)}
	}
	return nil
}

// accept holds a passphrase against the volume: it opens a keyslot, and the volume key
// is the one that the machine knows. Then the volume's identity is measured. Errors are
// [cryptsetup.ErrPassphrase], [ErrSwapped], and cryptsetup's.
func (u *unlocker) accept(ctx context.Context, passphrase []byte) error {
	key, err := u.Volume.VolumeKey(ctx, passphrase)
	if err != nil {
		return err
	}
	defer clear(key)
	if u.known != nil {
		if !u.known.Identity.Equal(volumes.Identify(key, u.known.Name, u.known.UUID)) {
			return &swappedError{"its volume key is another one"}
		}
		u.note.Identity = volumes.FoundSame
	}
	if u.Trial {
		return nil
	}
	// As in systemd, a measurement that fails keeps no disk closed.
	if err := u.measure(ctx, key); err != nil && !errors.Is(err, ErrNoTPM) {
		u.Console.Say("%s: its identity was not measured: %v", u.title, err)
	}
	return nil
}

func (u *unlocker) measure(ctx context.Context, key []byte) error {
	if u.Measured != nil && u.Measured(u.e.UUID) {
		u.note.Measured = true
		return nil
	}
	if u.tpm == nil {
		if u.note.Why == volumes.WhyNoTPM {
			return ErrNoTPM // and said so, for whatever reason
		}
		if err := u.openTPM(ctx); err != nil {
			return err
		}
	}
	name := u.Name
	if name == "" && u.known != nil {
		name = u.known.Name
	}
	if name == "" {
		return errors.New("the name that it is opened as is not known")
	}
	if err := measureIdentity(u.tpm, key, name, u.e.UUID); err != nil {
		return err
	}
	u.note.Measured = true
	return nil
}

// refuse says that the volume is another one, and closes the TPM for this boot.
func (u *unlocker) refuse(ctx context.Context, err error) {
	u.Console.Say("%s: REFUSED: %v", u.title, ErrSwapped)
	if swapped := new(swappedError); errors.As(err, &swapped) {
		u.Console.Detail("%s", swapped.by)
	}
	u.Console.Detail("If you have put another disk in, or encrypted it anew: start a rescue system and enroll it again. If you have not, somebody else has.")
	if u.Trial {
		return
	}
	if u.tpm == nil && u.openTPM(ctx) != nil {
		return
	}
	if err := capPCRs(u.tpm, swappedEvent); err != nil {
		u.Console.Detail("The TPM could not be closed: %v", err)
		return
	}
	u.Console.Detail("The TPM opens nothing until the next boot.")
}

func (u *unlocker) openTPM(ctx context.Context) error {
	tpm, err := u.TPM(ctx)
	if err != nil {
		return err
	}
	u.tpm = &guarded{TPMCloser: tpm, limit: patience}
	return nil
}

func (u *unlocker) closeTPM() {
	if u.tpm != nil {
		_ = u.tpm.Close() // what was wanted of it has happened
	}
}

// keyslot is the one to open with a token.
func keyslot(t luks.Token) int {
	if slots := t.Slots(); len(slots) == 1 {
		return slots[0]
	}
	return cryptsetup.AnySlot
}
