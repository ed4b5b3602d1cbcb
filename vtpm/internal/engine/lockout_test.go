package engine_test

import (
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// fail is an authorization that is tried and fails.
func (m *machine) fail() {
	m.t.Helper()
	m.run(func() error {
		if err := m.CheckLockout(false); err != nil {
			return err
		}
		m.CountFailure(false)
		return nil
	})
}

// authorize is an authorization that is tried and succeeds.
func (m *machine) authorize() error {
	return m.try(wire.CCUnseal, func() error { return m.CheckLockout(false) })
}

func (m *machine) wantTries(want uint32) {
	m.t.Helper()
	if m.Lockout.FailedTries != want {
		m.t.Errorf("%d failures, want %d", m.Lockout.FailedTries, want)
	}
}

// TestSelfHeal: one failure heals in every recovery time since the last failure.
func TestSelfHeal(t *testing.T) {
	const recovery = 1000 * time.Second
	m := newMachine(t)
	m.fail()
	m.now += 600 * time.Second
	m.fail() // the wait begins again
	m.fail()
	wantRC(t, m.authorize(), wire.RCLockout)
	m.now += recovery - time.Millisecond
	m.idle()
	m.wantTries(3)
	m.now += time.Millisecond
	m.idle()
	m.wantTries(2)
	if err := m.authorize(); err != nil {
		t.Fatal(err)
	}
	m.now += recovery / 2
	m.idle()
	m.wantTries(2)
	m.now += 3 * recovery
	m.idle()
	m.wantTries(0)
}

// TestSelfHealRemainder: what is left of a recovery time counts for the next.
func TestSelfHealRemainder(t *testing.T) {
	m := newMachine(t)
	for range 3 {
		m.fail()
	}
	m.now += 1900 * time.Second
	m.idle()
	m.wantTries(2)
	m.now += 100 * time.Second
	m.idle()
	m.wantTries(1)
}

// TestSelfHealAcrossShutdown: an orderly shutdown keeps the time that was waited, a
// power cut loses it.
func TestSelfHealAcrossShutdown(t *testing.T) {
	for _, c := range []struct {
		name    string
		orderly bool
		after   time.Duration // when the failure heals after the Startup
	}{{"orderly", true, 100 * time.Second}, {"power cut", false, 1000 * time.Second}} {
		t.Run(c.name, func(t *testing.T) {
			eachCycle(t, func(t *testing.T, m *machine, powerCut func()) {
				m.fail()
				m.fail()
				m.now += 900 * time.Second
				if m.idle(); c.orderly {
					m.shutdown(wire.SUClear)
				} else {
					m.now += time.Second
				}
				powerCut()
				m.startup(wire.SUClear)
				tries := m.Lockout.FailedTries // with one for the power cut
				m.now += c.after - time.Millisecond
				m.idle()
				m.wantTries(tries)
				m.now += time.Millisecond
				m.idle()
				m.wantTries(tries - 1)
			})
		})
	}
}

// TestSelfHealBeforeStartup: the time between _TPM_Init and Startup counts, once.
func TestSelfHealBeforeStartup(t *testing.T) {
	eachCycle(t, func(t *testing.T, m *machine, powerCut func()) {
		m.fail()
		m.fail()
		m.now += 900 * time.Second
		m.shutdown(wire.SUClear)
		powerCut()
		m.now += 1000 * time.Second
		m.startup(wire.SUClear)
		m.wantTries(1)
		m.now += 99 * time.Second
		m.idle()
		m.wantTries(1)
		m.now += time.Second
		m.idle()
		m.wantTries(0)
	})
}

// TestSelfHealWhileOff: time without power heals nothing.
func TestSelfHealWhileOff(t *testing.T) {
	eachCycle(t, func(t *testing.T, m *machine, powerCut func()) {
		m.fail()
		m.shutdown(wire.SUClear)
		m.now += 24 * time.Hour
		powerCut()
		m.startup(wire.SUClear)
		m.idle()
		m.wantTries(1)
	})
}

// TestRecoveryTimeZero turns the protection off and forgets what it counted.
func TestRecoveryTimeZero(t *testing.T) {
	m := newMachine(t)
	m.fail()
	m.run(func() error { m.Lockout.RecoveryTime = 0; m.Mark("lockout"); return nil })
	m.idle()
	m.wantTries(0)
	for range 10 {
		m.fail()
	}
	m.wantTries(0)
}

// TestMaxTriesZero locks without a failure.
func TestMaxTriesZero(t *testing.T) {
	m := newMachine(t)
	m.Lockout.MaxTries = 0
	wantRC(t, m.authorize(), wire.RCLockout)
}

// lockoutAuth is a use of lockoutAuth that fails or succeeds.
func (m *machine) lockoutAuth(ok bool) error {
	return m.try(wire.CCClear, func() error {
		if err := m.CheckLockout(true); err != nil {
			return err
		}
		if !ok {
			m.CountFailure(true)
		}
		return nil
	})
}

// TestLockoutAuth: one failure, and lockoutAuth waits for the lockout recovery.
func TestLockoutAuth(t *testing.T) {
	eachCycle(t, func(t *testing.T, m *machine, powerCut func()) {
		m.lockoutAuth(false)
		wantRC(t, m.lockoutAuth(true), wire.RCLockout)
		m.wantTries(0) // it is counted apart
		if err := m.authorize(); err != nil {
			t.Errorf("other authorizations: %v", err)
		}
		m.now += 600 * time.Second
		m.shutdown(wire.SUClear)
		powerCut()
		m.startup(wire.SUClear)
		m.now += 400*time.Second - time.Millisecond
		wantRC(t, m.lockoutAuth(true), wire.RCLockout)
		m.now += time.Millisecond
		if err := m.lockoutAuth(true); err != nil {
			t.Error(err)
		}
		m.lockoutAuth(false)
		m.now += 999 * time.Second
		powerCut()
		m.startup(wire.SUClear)
		m.now += 999 * time.Second
		wantRC(t, m.lockoutAuth(true), wire.RCLockout) // the power cut lost the wait
		m.now += time.Second
		if err := m.lockoutAuth(true); err != nil {
			t.Error(err)
		}
	})
}

// TestLockoutRecoveryZero: then only a restart helps, any.
func TestLockoutRecoveryZero(t *testing.T) {
	eachCycle(t, func(t *testing.T, m *machine, powerCut func()) {
		m.run(func() error { m.Lockout.LockoutRecovery = 0; m.Mark("lockout"); return nil })
		m.lockoutAuth(false)
		m.now += 1000 * time.Hour
		wantRC(t, m.lockoutAuth(true), wire.RCLockout)
		powerCut()
		m.startup(wire.SUClear)
		if err := m.lockoutAuth(true); err != nil {
			t.Error(err)
		}
	})
}

// TestDAUsed: a power cut after a protected authorization was tried counts as a
// failure, because it may have been made to lose one.
func TestDAUsed(t *testing.T) {
	eachCycle(t, func(t *testing.T, m *machine, powerCut func()) {
		restart := func() {
			t.Helper()
			powerCut()
			m.startup(wire.SUClear)
		}
		restart()
		m.wantTries(0) // nothing was tried
		if err := m.authorize(); err != nil {
			t.Fatal(err)
		}
		restart()
		m.wantTries(1)
		restart()
		m.wantTries(1) // nothing was tried since
		m.authorize()
		m.shutdown(wire.SUClear)
		restart()
		m.wantTries(1)
		m.shutdown(wire.SUState)
		m.authorize()
		powerCut()
		wantRC(t, m.tryStartup(wire.SUState), wire.RCValue.Param(1)) // the try undid the shutdown
		m.startup(wire.SUClear)
		m.wantTries(2)
		m.authorize()
		restart()
		m.wantTries(3)
		wantRC(t, m.authorize(), wire.RCLockout)
		restart()
		m.wantTries(3) // it was not tried, and there is no more to count
	})
}

// TestDAUsedOff: without the protection a power cut is nothing.
func TestDAUsedOff(t *testing.T) {
	eachCycle(t, func(t *testing.T, m *machine, powerCut func()) {
		m.run(func() error { m.Lockout.RecoveryTime = 0; m.Mark("lockout"); return nil })
		m.authorize()
		powerCut()
		m.startup(wire.SUClear)
		m.wantTries(0)
	})
}
