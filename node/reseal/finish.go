package reseal

import (
	"context"
	"errors"
	"maps"
	"os"

	"github.com/bootseal/bootseal/node/expect"
	"github.com/bootseal/bootseal/node/plan"
	"github.com/bootseal/bootseal/pcr"
)

// finish writes the events that are expected, which explain and decide nothing: that it
// fails is a warning.
func (r *run) finish(context.Context) error {
	if r.DryRun || r.Machine.Expect == "" {
		return nil
	}
	boots := r.expected()
	if len(boots) == 0 {
		return nil
	}
	err := r.effect("write expected events", func() error {
		_, err := expect.Write(r.Machine.Expect, r.UUID, boots)
		return err
	})
	if r.Failpoint != nil && err != nil {
		return err // a test's crash
	}
	if err != nil {
		r.warn("%v. The volume opens all the same; a boot that is refused will be explained less well", err)
	}
	return nil
}

// expected returns the events of the boots that tokens are for. Those of a boot that is
// predicted no more are in the file already, if they ever were.
func (r *run) expected() []expect.Boot {
	before, _ := expect.Read(r.Machine.Expect, r.UUID) // nothing depends on it
	var boots []expect.Boot
	add := func(b *plan.Boot) {
		if b.Log != nil {
			boots = append(boots, expect.New(b.Label, b.Bank, b.PCRs, b.Log))
		}
	}
	for _, k := range r.Plan.Keep {
		if k.Boot != nil {
			add(k.Boot)
			continue
		}
		t := r.volume.Token(k.Token)
		if t == nil || t.Expect == nil {
			continue
		}
		for _, b := range before {
			if b.Bank == t.Expect.Bank && maps.EqualFunc(b.PCRs, t.Expect.PCRs, func(x, y pcr.Digest) bool { return x.Equal(y) }) {
				boots = append(boots, b)
				break
			}
		}
	}
	for i := range r.Plan.Add {
		add(&r.Plan.Add[i])
	}
	return boots
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
