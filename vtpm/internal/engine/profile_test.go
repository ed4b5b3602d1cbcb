package engine_test

import (
	"slices"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/engine"
)

// TestProfiles: a profile is consistent with itself, and its numbers are plausible.
func TestProfiles(t *testing.T) {
	for _, p := range []engine.Profile{engine.PCClient(), engine.Libtpms()} {
		for _, bank := range p.Banks {
			if !slices.Contains(p.Hashes, bank) {
				t.Errorf("%s: bank %v has no hash algorithm", p.Name, bank)
			}
		}
		if p.LoadedSessions > p.ActiveSessions || p.PersistentObjectsMin > p.PersistentObjects ||
			p.TransientObjects < 3 || p.LoadedSessions < 3 || p.ClockInterval == 0 || p.ClockInterval > 1<<22 {
			t.Errorf("%s: %+v", p.Name, p)
		}
	}
}
