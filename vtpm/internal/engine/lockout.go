package engine

import (
	"math"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// Lockout is the dictionary attack protection (Part 1, "Dictionary attack
// protection"). All times are of the TPM's own Time.
type Lockout struct {
	FailedTries     uint32 // failures not yet healed
	MaxTries        uint32 // failures at which the TPM locks; 0 locks always
	RecoveryTime    uint32 // seconds after which one failure heals; 0 disables the protection
	LockoutRecovery uint32 // seconds after which lockoutAuth works again; 0: not before a restart
	AuthEnabled     bool   // lockoutAuth may be used
	used            bool   // a protected authorization was tried since Startup

	// What of the two times had passed at the last Shutdown, in milliseconds. It
	// counts after the next Startup unless power was cut.
	healWaited, lockWaited uint64

	healedAt int64 // Time in ms from which the next heal counts; negative: waited before Startup
	lockedAt int64 // Time in ms at which lockoutAuth failed; negative alike
}

func (l *Lockout) manufacture() {
	*l = Lockout{}
	l.SetDefaults()
}

// SetDefaults sets the parameters to those of a new TPM and forgets all failures
// (TPM2_Clear).
func (l *Lockout) SetDefaults() {
	l.FailedTries = 0
	l.MaxTries, l.RecoveryTime, l.LockoutRecovery = 3, 1000, 1000
	l.AuthEnabled = true
}

func (l *Lockout) powerOn() { l.healedAt, l.lockedAt = 0, 0 }

// shutdown notes how long the TPM has waited with the next heal.
func (l *Lockout) shutdown(now uint64) {
	l.used = false
	l.healWaited = uint64(int64(now) - l.healedAt)
	l.lockWaited = uint64(int64(now) - l.lockedAt)
}

// startup counts an unorderly shutdown as a failure when protected
// authorizations were in use: power may have been cut to lose a count.
func (l *Lockout) startup(orderly bool) {
	if l.LockoutRecovery == 0 {
		l.AuthEnabled = true
	}
	if !orderly && l.used && l.RecoveryTime != 0 && l.FailedTries < l.MaxTries {
		l.FailedTries++
	}
	l.used = false
	if orderly {
		l.healedAt, l.lockedAt = -int64(l.healWaited), -int64(l.lockWaited)
	}
	l.healWaited, l.lockWaited = 0, 0
}

// Reset forgets all failures (TPM2_DictionaryAttackLockReset).
func (l *Lockout) Reset() { l.FailedTries = 0 }

// selfHeal takes back failures as time passes.
func (l *Lockout) selfHeal(t *TPM) {
	now := int64(t.Clock.Time)
	if l.FailedTries != 0 {
		if l.RecoveryTime == 0 {
			l.FailedTries = 0
			t.Mark(RecordLockout)
		} else if n := (now - l.healedAt) / 1000 / int64(l.RecoveryTime); n > 0 {
			l.healedAt += n * int64(l.RecoveryTime) * 1000
			l.FailedTries -= uint32(min(n, int64(l.FailedTries)))
			t.Mark(RecordLockout)
		}
	}
	if !l.AuthEnabled && l.LockoutRecovery != 0 && (now-l.lockedAt)/1000 >= int64(l.LockoutRecovery) {
		l.AuthEnabled = true
		t.Mark(RecordLockout)
	}
}

// InLockout reports whether protected authorizations are refused at the moment.
func (l *Lockout) InLockout() bool { return l.FailedTries >= l.MaxTries }

// CheckLockout returns TPM_RC_LOCKOUT when an authorization that counts cannot be
// tried now: for lockoutAuth after one failure, otherwise after MaxTries.
//
// The first try after a Startup is made durable before it is checked, so that
// cutting power cannot hide it (see Lockout.startup).
//
// A failure that could not be made durable must be before another try, or a store
// that fails would give free guesses.
func (t *TPM) CheckLockout(lockoutAuth bool) error {
	l := &t.Lockout
	if t.uncommittedFailure != nil {
		if err := t.Commit(); err != nil {
			return wire.RCNVUnavailable
		}
	}
	if lockoutAuth {
		if !l.AuthEnabled {
			return wire.RCLockout
		}
		return nil
	}
	if l.InLockout() {
		return wire.RCLockout
	}
	if !l.used {
		l.used = true
		t.ClearOrderly()
		t.Mark(RecordLockout)
		if err := t.Commit(); err != nil {
			l.used = false
			return wire.RCNVUnavailable
		}
	}
	return nil
}

// CountFailure records a failed authorization that counts.
func (t *TPM) CountFailure(lockoutAuth bool) {
	l := &t.Lockout
	if lockoutAuth {
		l.AuthEnabled = false
		l.lockedAt = int64(t.Clock.Time)
	} else {
		if l.RecoveryTime != 0 {
			l.FailedTries++
		}
		l.healedAt = int64(t.Clock.Time)
	}
	t.Mark(RecordLockout)
	counted := *l
	t.uncommittedFailure = &counted
}

func (l *Lockout) write(w *wire.Writer) {
	w.U32(l.FailedTries)
	w.U32(l.MaxTries)
	w.U32(l.RecoveryTime)
	w.U32(l.LockoutRecovery)
	writeBool(w, l.AuthEnabled)
	writeBool(w, l.used)
	w.U64(l.healWaited)
	w.U64(l.lockWaited)
}

func (l *Lockout) read(r *wire.Reader) {
	l.FailedTries = r.U32()
	l.MaxTries = r.U32()
	l.RecoveryTime = r.U32()
	l.LockoutRecovery = r.U32()
	l.AuthEnabled = readBool(r)
	l.used = readBool(r)
	l.healWaited = readWaited(r)
	l.lockWaited = readWaited(r)
}

// readWaited reads a time in ms that is positive as an int64.
func readWaited(r *wire.Reader) uint64 {
	ms := r.U64()
	if ms > math.MaxInt64 {
		r.Fail(wire.RCValue)
	}
	return ms
}
