package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/enroll"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/node/plan"
	"github.com/bootseal/bootseal/node/state"
)

// carryOut makes the changes. The volume is as it was, or all is done.
func (a *app) carryOut(ctx context.Context, e *enrolling, open *opening) error {
	unlock, err := lockVolume(ctx, e.machine.State, e.header.UUID)
	if err != nil {
		return err
	}
	defer unlock()
	e.req.Existing = open.passphrase
	if e.req.Recovery != nil {
		defer e.req.Recovery.Clear()
	}
	if err := a.readAuth(ctx, e); err != nil {
		return err
	}
	defer clear(e.req.PIN)
	defer clear(e.machine.OwnerAuth)
	if err := a.cleanUp(ctx, e, open); err != nil {
		return err
	}
	if e.flags.noRecovery {
		if err := e.nameOtherWayIn(open); err != nil {
			return err
		}
	}
	var added *enroll.Added
	err = a.during("enrolling "+e.report.Device, func() (err error) {
		added, err = enroll.Add(ctx, &e.machine, e.req)
		return err
	})
	if err != nil {
		return err
	}
	defer added.Clear()
	if err := a.complete(ctx, e, added); err != nil {
		return added.Undo(ctx, errors.Join(err, e.unlist()), open.passphrase)
	}
	e.writeExpected(added)
	e.keepSecret(added)
	if err := added.Finish(); err != nil {
		return err
	}
	e.fill(added)
	if e.after != nil {
		return e.after(added)
	}
	return a.replaceOld(ctx, e, added)
}

func isEnrolled(e *enrollment.Enrollment) bool {
	_, is := enroll.Enrolled(e)
	return is
}

// lockVolume keeps other runs from changing the volume. It waits for one that is at work.
func lockVolume(ctx context.Context, root, uuid string) (unlock func(), err error) {
	waiting, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	return state.Lock(waiting, root, uuid)
}

// cleanUp takes away what an enrollment that was cut off has left.
func (a *app) cleanUp(ctx context.Context, e *enrolling, open *opening) error {
	cleaned, err := enroll.Recover(ctx, &e.machine, open.passphrase)
	if err != nil || cleaned == nil {
		return err
	}
	e.report.Cleaned = cleaned
	if len(cleaned.Keyslots)+len(cleaned.Tokens) == 0 {
		e.report.note("An enrollment had been cut off before it changed the volume.")
	} else {
		e.report.note("An enrollment had been cut off; what it left is removed (keyslots %v, tokens %v). If it showed a recovery key, that opens nothing.",
			cleaned.Keyslots, cleaned.Tokens)
	}
	if e.header, err = e.machine.Volume.Header(); err != nil {
		return err
	}
	e.now = enrollment.Inspect(e.header)
	if open.keyslot, err = enroll.Opens(ctx, e.machine.Volume, open.passphrase); err != nil {
		return err
	}
	return nil
}

func (a *app) readAuth(ctx context.Context, e *enrolling) (err error) {
	if e.flags.pin || e.flags.pinFile != "" {
		if e.req.PIN, err = a.readPIN(ctx, e.flags.pinFile, true); err != nil {
			return err
		}
	}
	if e.flags.ownerFile != "" {
		password, err := a.secretFile(e.flags.ownerFile)
		if err != nil {
			return fmt.Errorf("--owner-password-file: %w", err)
		}
		e.machine.OwnerAuth = bytes.TrimRight(password, "\r\n")
	}
	return nil
}

// nameOtherWayIn says what opens the volume when the TPM does not and no recovery key is
// made. The passphrase of a TPM's keyslot is none.
func (e *enrolling) nameOtherWayIn(open *opening) error {
	ways := passphraseSlots(e.now)
	if len(e.now.Recovery) > 0 {
		e.report.note("Without a new recovery key: the one of keyslot %d opens the volume when the TPM does not.", e.now.Recovery[0])
		return nil
	}
	switch {
	case slices.Contains(ways, open.keyslot):
		e.report.note("Without a recovery key: the passphrase of keyslot %d, which you gave, is what opens the volume when the TPM does not.", open.keyslot)
	case len(ways) > 0:
		e.report.note("Without a recovery key: the passphrase of keyslot %d is what opens the volume when the TPM does not.", ways[0])
	default:
		return errors.New("--no-recovery-key: no keyslot would stay for a passphrase, and the volume be lost with the TPM")
	}
	return nil
}

// passphraseSlots are the keyslots that no token is for: people know what opens them.
func passphraseSlots(e *enrollment.Enrollment) []int {
	var out []int
	for slot := range e.Keyslots {
		if !slices.ContainsFunc(e.Tokens, func(t enrollment.Token) bool { return slices.Contains(t.Token.Slots(), slot) }) {
			out = append(out, slot)
		}
	}
	slices.Sort(out)
	return out
}

// complete does what belongs to an enrollment besides the header, and shows the
// recovery key.
func (a *app) complete(ctx context.Context, e *enrolling, added *enroll.Added) error {
	passphrase := luks.Passphrase(added.Secret()) // which takes no second to derive, as a person's does
	defer clear(passphrase)
	err := enroll.Record(ctx, e.flags.volume.list, e.machine.Volume, e.report.Name, passphrase, added.Parent.Name)
	if err != nil {
		return err
	}
	if e.req.Recovery != nil && e.req.KeyFile == "" {
		return a.showRecoveryKey(e, added.Recovery)
	}
	return nil
}

// unlist takes the volume out of the machine's list again, if it was not enrolled before.
func (e *enrolling) unlist() error {
	if isEnrolled(e.now) {
		return nil
	}
	return enroll.Forget(e.flags.volume.list, e.header.UUID)
}

// fill says in the report what was added.
func (e *enrolling) fill(added *enroll.Added) {
	r := &e.report
	r.Keyslot, r.Verified = &added.Keyslot, added.Opened >= 0
	if added.Recovery >= 0 {
		r.RecoveryKeyslot = &added.Recovery
	}
	if r.Signed != nil {
		r.Signed.Tokens = added.Signed
	}
	r.Boots = nil
	for i := range added.Boots {
		r.Boots = append(r.Boots, enrolledBoot{added.Boots[i].Label, &added.Tokens[i]})
	}
	for _, b := range added.Left {
		r.Left = append(r.Left, plan.Left{Label: b.Label, Reason: "the header has no room for its token"})
	}
}

// replaceOld removes, where an enrollment is made anew, what the new one replaces: the
// keyslot and tokens that bootseal had.
func (a *app) replaceOld(ctx context.Context, e *enrolling, added *enroll.Added) error {
	if !isEnrolled(e.now) {
		return nil
	}
	old, err := enroll.Own(e.now, false)
	if err != nil {
		return err
	}
	if len(e.now.Recovery) > 0 && e.req.Recovery != nil {
		e.report.note("The recovery key of keyslot %d still opens the volume.", e.now.Recovery[0])
	}
	passphrase := luks.Passphrase(added.Secret())
	defer clear(passphrase)
	if err := enroll.Remove(ctx, &e.machine, e.header, old, passphrase); err != nil {
		return fmt.Errorf("the volume is enrolled; remove what that replaces: %w", err)
	}
	e.report.Removed = &old
	for _, g := range enroll.Guards(e.now) {
		if err := enroll.RemoveGuard(e.machine.TPM, g, e.machine.OwnerAuth); err != nil {
			e.report.note("The former rollback guard's counter at %s stays in the TPM: %v.", g.Index, err)
		}
	}
	return nil
}
