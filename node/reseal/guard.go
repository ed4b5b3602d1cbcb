package reseal

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/node/plan"
	"github.com/bootseal/bootseal/node/state"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
)

// guardName is the file that says which NV counter is the volume's rollback guard, for
// when no token does.
const guardName = "guard.json"

type guardRecord struct {
	Version int        `json:"version"`
	Guard   seal.Guard `json:"guard"`
}

// lookAtGuard finds the volume's rollback guard, and where its counter stands. New tokens
// are for that count, or for the higher one that tokens are for already: a run was cut
// off then, before the counter moved.
func (r *run) lookAtGuard() error {
	var guards []seal.Guard
	for i := range r.volume.Tokens {
		if k := r.volume.Tokens[i].Key(); k != nil && k.Guard != nil && (k.Keyslot == r.volume.Keyslot || slices.Contains(r.volume.Former, k.Keyslot)) {
			guards = append(guards, *k.Guard)
		}
	}
	wanted := len(guards) > 0 || r.RollbackGuard
	var rec guardRecord
	switch err := readRecord(r.State, r.UUID, guardName, &rec, &rec.Version); {
	case err == nil:
		guards = append(guards, rec.Guard)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if !wanted {
		return nil
	}
	for _, g := range guards {
		count, err := seal.ReadGuard(r.TPM, seal.Parent{}, g)
		if gone := (*seal.GuardError)(nil); errors.As(err, &gone) {
			continue
		}
		if err != nil {
			return err
		}
		r.count = count
		for _, same := range guards {
			if same.Index == g.Index {
				count = max(count, same.Value)
			}
		}
		g.Value = count
		r.volume.Guard = &g
		return nil
	}
	// None is there: a new one is made when there is something to seal. No token has
	// this one.
	r.volume.Guard = &seal.Guard{}
	return nil
}

// dead reports whether the guard's counter has moved beyond a token's count.
func (r *run) dead(k *enrollment.Key) bool {
	g := r.volume.Guard
	return k.Guard != nil && (g == nil || g.Index != k.Guard.Index || k.Guard.Value < r.count)
}

// defineGuard makes the counter of a volume that has none.
func (r *run) defineGuard() error {
	if r.volume.Guard == nil || r.volume.Guard.Index != 0 || len(r.Plan.Add) == 0 {
		return nil
	}
	srk, _, err := seal.EnsureSRK(r.TPM, r.OwnerAuth)
	if err != nil {
		return err
	}
	return r.effect("define the rollback guard", func() error {
		g, err := seal.DefineGuard(r.TPM, srk, r.OwnerAuth)
		if err != nil {
			return err
		}
		if err := state.Write(r.State, r.UUID, guardName, guardRecord{recordVersion, g}); err != nil {
			return errors.Join(err, seal.RemoveGuard(r.TPM, srk, g, r.OwnerAuth))
		}
		r.volume.Guard, r.count = &g, g.Value
		return r.plan()
	})
}

// planGuarded plans a commit or a retirement with a guard: where it drops a token that
// still opens, whoever has a copy of the header has the token, too. So what stays is
// sealed for the next count, and the counter moves there.
func (r *run) planGuarded() error {
	g := r.volume.Guard
	if g == nil || !r.Commit && r.Retire == "" {
		return nil
	}
	live := func(d plan.Drop) bool {
		k := r.volume.Token(d.Token).Key()
		return k.Guard != nil && !r.dead(k)
	}
	moves := slices.ContainsFunc(slices.Concat(r.Plan.Room, r.Plan.Drop), live)
	if !moves && !r.volume.Exchange {
		return nil
	}
	next := *g
	if moves {
		next.Value = max(g.Value, r.count+1)
	}
	r.volume.Guard, r.volume.Exchange = &next, true
	r.boots = r.withRunning()
	return r.makePlan()
}

// withRunning returns the boots, the running one first even if nothing predicts it: it is
// sealed to again.
func (r *run) withRunning() []plan.Boot {
	var running []plan.Boot
	isRunning := func(b plan.Boot) bool {
		return slices.ContainsFunc(r.volume.Running, func(v pcr.Values) bool { return has(v, b) })
	}
	for _, values := range r.volume.Running {
		for _, id := range r.volume.Fits(values) {
			t := r.volume.Token(id)
			k := t.Key()
			p, ok := k.Policy(values)
			if !ok || !r.volume.Usable(k) || slices.ContainsFunc(running, func(b plan.Boot) bool { return b.Same(plan.Boot{Bank: p.Bank, PCRs: p.Branches[0].PCRs}) }) {
				continue
			}
			b := plan.Boot{Label: "the running boot", Bank: p.Bank, PCRs: p.Branches[0].PCRs}
			if t.Expect != nil {
				b.Label, b.Events = t.Expect.Label, t.Expect.Events
			}
			running = append(running, b)
		}
	}
	var first, rest []plan.Boot
	for _, b := range r.boots {
		if isRunning(b) {
			first = append(first, b)
		} else {
			rest = append(rest, b)
		}
	}
	for _, b := range running {
		if !slices.ContainsFunc(first, b.Same) {
			first = append(first, b)
		}
	}
	return append(first, rest...)
}

func has(v pcr.Values, b plan.Boot) bool {
	for i, want := range b.PCRs {
		if have, ok := v.Get(b.Bank, i); !ok || !have.Equal(want) {
			return false
		}
	}
	return true
}

// advance moves the guard's counter to the count that new tokens are for, when they are
// there and on disk: whatever was sealed for the one before is closed from then on. It
// reports whether tokens may be dropped.
func (r *run) advance() (bool, error) {
	g := r.volume.Guard
	if g == nil || g.Index == 0 || r.count >= g.Value || !r.Commit && r.Retire == "" {
		return true, nil
	}
	if slices.ContainsFunc(r.Plan.Keep, func(k plan.Kept) bool { return k.Former }) {
		r.warn("the rollback guard stays at %d: not everything that opens the volume could be sealed for the next count", r.count)
		return false, nil
	}
	if err := syncFile(r.Device); err != nil {
		return false, fmt.Errorf("sync %s: %w", r.Device, err)
	}
	h, err := r.Volume.Header()
	if err != nil {
		return false, err
	}
	if !r.Force && !opensAfter(enrollment.Inspect(h), r.volume, *g) {
		r.warn("the rollback guard stays at %d: no token for the running boot is sealed for the next count", r.count)
		return false, nil
	}
	srk, _, err := seal.EnsureSRK(r.TPM, r.OwnerAuth)
	if err != nil {
		return false, err
	}
	err = r.effect("move the rollback guard", func() error { return seal.AdvanceGuard(r.TPM, srk, *g, r.OwnerAuth) })
	if err != nil {
		return false, err
	}
	r.count, r.Advanced = g.Value, true
	return true, nil
}

// opensAfter reports whether a token opens for the running boot once the counter stands
// where the guard says.
func opensAfter(e *enrollment.Enrollment, v plan.Volume, g seal.Guard) bool {
	for _, values := range v.Running {
		for _, id := range e.Fits(values) {
			if k := e.Token(id).Key(); k.Guard != nil && k.Guard.Index == g.Index && k.Guard.Value >= g.Value {
				return true
			}
		}
	}
	return false
}
