package engine_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// counters are what a TPMS_CLOCK_INFO says besides Clock.
type counters struct {
	reset, restart uint32
	safe           bool
	clear          uint32 // Startup(CLEAR)s without a Reset, for stClear objects
}

func (m *machine) counters() counters {
	i := m.Clock.Info()
	return counters{i.ResetCount, i.RestartCount, i.Safe, m.Objects.ClearCount}
}

// TestStartupCounters walks through every pair of shutdown and startup.
func TestStartupCounters(t *testing.T) {
	eachCycle(t, func(t *testing.T, m *machine, powerCut func()) {
		if got, want := m.counters(), (counters{1, 0, true, 0}); got != want {
			t.Fatalf("a new TPM has %+v, want %+v", got, want)
		}
		for _, step := range []struct {
			what     string
			shutdown []wire.SU
			startup  wire.SU
			want     counters
		}{
			{"Resume", []wire.SU{wire.SUState}, wire.SUState, counters{1, 1, true, 0}},
			{"Restart", []wire.SU{wire.SUState}, wire.SUClear, counters{1, 2, true, 1}},
			{"another Resume", []wire.SU{wire.SUState}, wire.SUState, counters{1, 3, true, 1}},
			{"Reset", []wire.SU{wire.SUClear}, wire.SUClear, counters{2, 0, true, 0}},
			{"Resume after a Reset", []wire.SU{wire.SUState}, wire.SUState, counters{2, 1, true, 0}},
			{"the last Shutdown counts", []wire.SU{wire.SUState, wire.SUClear}, wire.SUClear, counters{3, 0, true, 0}},
			{"power cut", nil, wire.SUClear, counters{4, 0, false, 0}},
			{"Restart does not make Clock safe", []wire.SU{wire.SUState}, wire.SUClear, counters{4, 1, false, 1}},
			{"nor does a Reset", []wire.SU{wire.SUClear}, wire.SUClear, counters{5, 0, false, 0}},
		} {
			for _, su := range step.shutdown {
				m.shutdown(su)
			}
			powerCut()
			m.startup(step.startup)
			if got := m.counters(); got != step.want {
				t.Errorf("%s: %+v, want %+v", step.what, got, step.want)
			}
		}
		if m.Clock.TotalResetCount != 5 {
			t.Errorf("%d resets in total, want 5", m.Clock.TotalResetCount)
		}
	})
}

// TestStartupRefused: there must be something to resume from.
func TestStartupRefused(t *testing.T) {
	eachCycle(t, func(t *testing.T, m *machine, powerCut func()) {
		refused := func(what string) {
			t.Helper()
			if err := m.tryStartup(wire.SUState); err != wire.RCValue.Param(1) {
				t.Errorf("Startup(STATE) after %s: %v", what, err)
			}
			if m.Started() {
				t.Errorf("after %s, the refused Startup(STATE) has started the TPM", what)
			}
			m.startup(wire.SUClear)
		}
		powerCut()
		refused("a power cut")
		m.shutdown(wire.SUClear)
		powerCut()
		refused("Shutdown(CLEAR)")
		m.shutdown(wire.SUState)
		m.run(func() error { m.ClearOrderly(); return nil })
		powerCut()
		refused("a change of the state that Shutdown(STATE) saved")
		m.shutdown(wire.SUState)
		powerCut()
		m.startup(wire.SUState)
		powerCut()
		refused("a Startup(STATE) that used the state up")
	})
}

// TestStartupLocality: a Resume comes from the locality of the first Startup.
func TestStartupLocality(t *testing.T) {
	eachCycle(t, func(t *testing.T, m *machine, powerCut func()) {
		startup := func(su wire.SU, locality uint8) error {
			return m.try(wire.CCStartup, func() error { return m.Startup(su, locality) })
		}
		m.shutdown(wire.SUState)
		powerCut()
		wantRC(t, startup(wire.SUState, 3), wire.RCLocality)
		wantRC(t, startup(wire.SUClear, 2), wire.RCLocality)
		if err := startup(wire.SUClear, 3); err != nil {
			t.Fatal(err)
		}
		if v := m.PCR.Value(wire.AlgSHA256, 0); v[31] != 3 {
			t.Errorf("PCR 0 starts from %x after a Startup at locality 3", v)
		}
		m.shutdown(wire.SUState)
		powerCut()
		wantRC(t, startup(wire.SUState, 0), wire.RCLocality)
		if err := startup(wire.SUState, 3); err != nil {
			t.Fatal(err)
		}
	})
}

// TestStartupHCRTM: a Resume needs an H-CRTM event where there was one.
func TestStartupHCRTM(t *testing.T) {
	eachCycle(t, func(t *testing.T, m *machine, powerCut func()) {
		measure := func() {
			m.HashStart()
			m.HashData([]byte("firmware"))
			m.HashEnd()
		}
		m.shutdown(wire.SUState)
		powerCut()
		measure()
		wantRC(t, m.tryStartup(wire.SUState), wire.RCValue.Param(1))
		m.startup(wire.SUClear)
		pcr0 := bytes.Clone(m.PCR.Value(wire.AlgSHA256, 0))
		if bytes.Equal(pcr0, make([]byte, 32)) {
			t.Fatal("the H-CRTM event is not in PCR 0")
		}
		m.shutdown(wire.SUState)
		powerCut()
		wantRC(t, m.tryStartup(wire.SUState), wire.RCValue.Param(1))
		measure()
		m.startup(wire.SUState)
		if got := m.PCR.Value(wire.AlgSHA256, 0); !bytes.Equal(got, pcr0) {
			t.Errorf("PCR 0 is %x after the Resume, %x before", got, pcr0)
		}
	})
}

// TestStartupPCRs: a Resume brings back PCRs 0 to 15 and nothing else.
func TestStartupPCRs(t *testing.T) {
	eachCycle(t, func(t *testing.T, m *machine, powerCut func()) {
		extend := func() {
			m.run(func() error {
				m.ClearOrderly()
				for _, pcr := range []int{0, 7, 15, 16, 23} {
					m.PCR.Extend(wire.AlgSHA256, pcr, make([]byte, 32))
				}
				return nil
			})
		}
		extended := func(pcr int) bool {
			return !bytes.Equal(m.PCR.Value(wire.AlgSHA256, pcr), make([]byte, 32))
		}
		extend()
		count := m.PCR.UpdateCounter
		m.shutdown(wire.SUState)
		powerCut()
		m.startup(wire.SUState)
		for pcr, want := range map[int]bool{0: true, 7: true, 15: true, 16: false, 23: false, 17: true} {
			if extended(pcr) != want {
				t.Errorf("PCR %d is %x after a Resume", pcr, m.PCR.Value(wire.AlgSHA256, pcr))
			}
		}
		if m.PCR.UpdateCounter < count {
			t.Errorf("pcrUpdateCounter went from %d to %d", count, m.PCR.UpdateCounter)
		}
		m.shutdown(wire.SUState)
		powerCut()
		m.startup(wire.SUClear)
		for _, pcr := range []int{0, 7, 15, 16, 23} {
			if extended(pcr) {
				t.Errorf("PCR %d is %x after a Restart", pcr, m.PCR.Value(wire.AlgSHA256, pcr))
			}
		}
		if m.PCR.UpdateCounter < count {
			t.Errorf("pcrUpdateCounter went from %d to %d", count, m.PCR.UpdateCounter)
		}
	})
}

// TestStartupHierarchies: what the platform configured lasts over a Resume; the
// null hierarchy's seed, until a Reset.
func TestStartupHierarchies(t *testing.T) {
	eachCycle(t, func(t *testing.T, m *machine, powerCut func()) {
		configure := func() {
			m.run(func() error {
				m.Hierarchies.Platform.Auth = []byte("platform")
				m.MarkHierarchy(wire.HandlePlatform)
				m.EnableHierarchy(wire.HandleOwner, false)
				m.EnableHierarchy(wire.HandlePlatformNV, false)
				m.EnableHierarchy(wire.HandlePlatform, false)
				return nil
			})
		}
		check := func(when string, configured bool) {
			t.Helper()
			h := &m.Hierarchies
			if (string(h.Platform.Auth) == "platform") != configured || h.Owner.Enabled == configured || h.PlatformNVEnabled == configured {
				t.Errorf("%s: platformAuth %q, shEnable %v, phEnableNV %v", when, h.Platform.Auth, h.Owner.Enabled, h.PlatformNVEnabled)
			}
			if !h.Platform.Enabled || !h.Endorsement.Enabled {
				t.Errorf("%s: phEnable %v, ehEnable %v", when, h.Platform.Enabled, h.Endorsement.Enabled)
			}
		}
		configure()
		null := bytes.Clone(m.Hierarchies.Null.Seed)
		m.shutdown(wire.SUState)
		powerCut()
		m.startup(wire.SUState)
		check("Resume", true)
		m.shutdown(wire.SUState)
		powerCut()
		m.startup(wire.SUClear)
		check("Restart", false)
		if !bytes.Equal(m.Hierarchies.Null.Seed, null) {
			t.Error("a Restart changes the null hierarchy's seed")
		}
		configure()
		m.shutdown(wire.SUClear)
		powerCut()
		m.startup(wire.SUClear)
		check("Reset", false)
		if bytes.Equal(m.Hierarchies.Null.Seed, null) {
			t.Error("a Reset keeps the null hierarchy's seed")
		}
	})
}

// TestStartupAuditDigest: the audit digest survives all but a Reset.
func TestStartupAuditDigest(t *testing.T) {
	eachCycle(t, func(t *testing.T, m *machine, powerCut func()) {
		m.run(func() error { m.ExtendAudit([]byte("command"), []byte("response")); return nil })
		digest := bytes.Clone(m.Audit.Digest)
		m.shutdown(wire.SUState)
		powerCut()
		m.startup(wire.SUClear)
		if !bytes.Equal(m.Audit.Digest, digest) {
			t.Errorf("digest %x after a Restart, %x before", m.Audit.Digest, digest)
		}
		powerCut()
		m.startup(wire.SUClear)
		if len(m.Audit.Digest) != 0 || m.Audit.Counter != 1 {
			t.Errorf("digest %x, counter %d after a Reset", m.Audit.Digest, m.Audit.Counter)
		}
	})
}

// TestClock: Time starts at _TPM_Init, Clock goes on, and Clock is safe again once
// it is past whatever was reported before the power cut.
func TestClock(t *testing.T) {
	const interval = 1 << 22 * time.Millisecond // how often Clock is recorded
	m := newMachine(t)
	m.now += 10 * time.Second
	m.idle()
	if m.Clock.Time != 10_000 || m.Clock.Clock != 10_000 {
		t.Errorf("Time %d, Clock %d after 10 s", m.Clock.Time, m.Clock.Clock)
	}
	m.shutdown(wire.SUClear)
	m.now += time.Hour // powered off
	m.restart()
	m.now += time.Second
	m.startup(wire.SUClear)
	if m.Clock.Time != 1_000 || m.Clock.Clock != 11_000 || !m.Clock.Safe {
		t.Errorf("Time %d, Clock %d, safe %v after an orderly restart", m.Clock.Time, m.Clock.Clock, m.Clock.Safe)
	}
	m.now += 10 * time.Second
	m.idle()
	reported := m.Clock.Clock
	m.restart()
	m.startup(wire.SUClear)
	if m.Clock.Clock > reported || m.Clock.Safe {
		t.Errorf("Clock %d, safe %v after a power cut at %d", m.Clock.Clock, m.Clock.Safe, reported)
	}
	m.now += interval
	m.idle()
	if m.Clock.Clock <= reported || !m.Clock.Safe {
		t.Errorf("Clock %d, safe %v an interval after a power cut at %d", m.Clock.Clock, m.Clock.Safe, reported)
	}
	recorded := m.Clock.Clock
	m.restart()
	m.startup(wire.SUClear)
	if m.Clock.Clock != recorded {
		t.Errorf("Clock %d after a power cut, %d was recorded", m.Clock.Clock, recorded)
	}
}

// TestClockBackwards: an outside clock that jumps back moves nothing, and does not
// have to catch up.
func TestClockBackwards(t *testing.T) {
	m := newMachine(t)
	m.now = time.Hour
	m.idle()
	m.now = time.Minute
	m.idle()
	if want := uint64(time.Hour / time.Millisecond); m.Clock.Time != want {
		t.Errorf("Time %d, want %d", m.Clock.Time, want)
	}
}

// TestEpoch: Time that was saved with a policy is worth nothing after a restart.
func TestEpoch(t *testing.T) {
	eachCycle(t, func(t *testing.T, m *machine, powerCut func()) {
		seen := map[uint32]bool{m.Clock.Epoch: true}
		for _, su := range []wire.SU{wire.SUState, wire.SUClear} {
			m.shutdown(wire.SUState)
			powerCut()
			m.startup(su)
			if seen[m.Clock.Epoch] {
				t.Errorf("epoch %d comes again after Startup(%v)", m.Clock.Epoch, su)
			}
			seen[m.Clock.Epoch] = true
		}
	})
}
