package engine

import "github.com/bootseal/bootseal/vtpm/internal/wire"

// Lockout is the dictionary attack protection (Part 1, "Dictionary attack
// protection"). All times are of the TPM's own Time.
type Lockout struct {
	FailedTries     uint32 // failures not yet healed
	MaxTries        uint32 // failures at which the TPM locks; 0 locks always
	RecoveryTime    uint32 // seconds after which one failure heals; 0 disables the protection
	LockoutRecovery uint32 // seconds after which lockoutAuth works again; 0: not before a restart
	AuthEnabled     bool   // lockoutAuth may be used
	used            bool   // a protected authorization was tried since Startup

	healedAt uint64 // Time in ms from which the next heal counts
	lockedAt uint64 // Time in ms at which lockoutAuth failed
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
}

// Reset forgets all failures (TPM2_DictionaryAttackLockReset).
func (l *Lockout) Reset() { l.FailedTries = 0 }

// selfHeal takes back failures as time passes.
func (l *Lockout) selfHeal(t *TPM) {
	now := t.Clock.Time
	if l.FailedTries != 0 {
		if l.RecoveryTime == 0 {
			l.FailedTries = 0
			t.Mark(RecordLockout)
		} else if n := (now - l.healedAt) / 1000 / uint64(l.RecoveryTime); n > 0 {
			l.healedAt += n * uint64(l.RecoveryTime) * 1000
			l.FailedTries -= uint32(min(n, uint64(l.FailedTries)))
			t.Mark(RecordLockout)
		}
	}
	if !l.AuthEnabled && l.LockoutRecovery != 0 && (now-l.lockedAt)/1000 >= uint64(l.LockoutRecovery) {
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
func (t *TPM) CheckLockout(lockoutAuth bool) error {
	l := &t.Lockout
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
		l.lockedAt = t.Clock.Time
	} else {
		if l.RecoveryTime != 0 {
			l.FailedTries++
		}
		l.healedAt = t.Clock.Time
	}
	t.Mark(RecordLockout)
}

func (l *Lockout) write(w *wire.Writer) {
	w.U32(l.FailedTries)
	w.U32(l.MaxTries)
	w.U32(l.RecoveryTime)
	w.U32(l.LockoutRecovery)
	writeBool(w, l.AuthEnabled)
	writeBool(w, l.used)
}

func (l *Lockout) read(r *wire.Reader) {
	l.FailedTries = r.U32()
	l.MaxTries = r.U32()
	l.RecoveryTime = r.U32()
	l.LockoutRecovery = r.U32()
	l.AuthEnabled = readBool(r)
	l.used = readBool(r)
}
