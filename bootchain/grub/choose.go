package grub

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// A run is the same each time, but for the choices that it meets: whether a key is
// pressed, whether a file is there that the World cannot tell about. explore runs
// it again and again, each time with one more choice made otherwise, and the
// likeliest of these first.

// alternative is a way to go on at a choice. The first one of each choice is the
// expected one, and costs nothing.
type alternative struct {
	why  string
	cost int
}

// choices are those that a run meets, in order: first those that are prescribed,
// then the expected alternatives.
type choices struct {
	prescribed []int
	met        [][]alternative
}

// pick returns the index of the alternative to take.
func (c *choices) pick(alternatives ...alternative) int {
	n := len(c.met)
	c.met = append(c.met, alternatives)
	if n < len(c.prescribed) && c.prescribed[n] < len(alternatives) {
		return c.prescribed[n]
	}
	return 0
}

func (c *choices) because() (why []string, cost int) {
	for i, n := range c.prescribed {
		if i < len(c.met) && n > 0 && n < len(c.met[i]) {
			why = append(why, c.met[i][n].why)
			cost += c.met[i][n].cost
		}
	}
	return why, cost
}

// plan is a run to try.
type plan struct {
	prescribed []int
	blocks     map[File][]byte
	why        []string // for the blocks
	cost       int
}

const (
	maxPlans     = 4096 // that wait
	maxRunsOver  = 8    // times the outcomes wanted, as a bound on runs
	maxStepsOver = 4    // times the steps of one outcome, as a bound on all
	costHuman    = 2    // somebody picks an entry in a menu that is shown
	costQuick    = 4    // somebody interrupts a boot without a menu
	costFailure  = 2    // the boot before failed
	costMissing  = 3    // a file is not as expected
	costHardware = 3    // hardware is not as expected
)

// explore returns the outcomes of runs, the likeliest first and each only once.
func explore(o Options, start func(*choices, map[File][]byte) *run) []Outcome {
	var out []Outcome
	queue := []plan{{}}
	steps := 0
	for runs := 0; len(queue) > 0 && len(out) < o.MaxOutcomes && runs < o.MaxOutcomes*maxRunsOver && steps < o.MaxSteps*maxStepsOver; runs++ {
		p := queue[0]
		queue = queue[1:]
		c := &choices{prescribed: p.prescribed}
		r := start(c, p.blocks)
		got := r.out
		steps += r.steps
		got.Because = append(slices.Clip(p.why), got.Because...)
		got.Cost = p.cost
		if !slices.ContainsFunc(out, func(have Outcome) bool { return same(&have, &got) }) {
			out = append(out, got)
		}
		queue = append(queue, more(p, c)...)
		if runs == 0 {
			queue = append(queue, r.otherBlocks()...)
		}
		slices.SortStableFunc(queue, func(a, b plan) int { return cmp.Compare(a.cost, b.cost) })
		queue = queue[:min(len(queue), maxPlans)]
	}
	return out
}

// more returns the plans that differ from p in one choice that p leaves open.
func more(p plan, c *choices) []plan {
	var out []plan
	for i := len(p.prescribed); i < len(c.met); i++ {
		for n := 1; n < len(c.met[i]); n++ {
			prescribed := make([]int, i+1)
			copy(prescribed, p.prescribed)
			prescribed[i] = n
			out = append(out, plan{prescribed, p.blocks, p.why, p.cost + c.met[i][n].cost})
		}
		if len(out) > maxPlans {
			break
		}
	}
	return out
}

// otherBlocks returns plans in which the environment block is another one: as GRUB
// leaves it, which is what the next boot finds if this one ends early; and with the
// other value of variables that the system sets when it is up or goes down.
func (r *run) otherBlocks() []plan {
	var out []plan
	if len(r.out.Environment) > 0 {
		out = append(out, plan{blocks: r.out.Environment, cost: costFailure,
			why: []string{"the boot before ended early, so that the environment block is as GRUB left it"}})
	}
	for f, b := range r.loadedBlocks {
		vars, _ := ParseEnvironment(b)
		for _, name := range []string{"boot_success", "recordfail"} {
			if !r.asked[name] {
				continue
			}
			value := "1"
			for _, v := range vars {
				if v.Name == name && v.Value == "1" {
					value = "0"
				}
			}
			if changed, fits := SetEnvironment(b, name, value); fits {
				out = append(out, plan{blocks: map[File][]byte{f: changed}, cost: costFailure, why: []string{fmt.Sprintf("%s is %s in %s", name, value, f)}})
			}
		}
	}
	slices.SortFunc(out, func(a, b plan) int { return cmp.Compare(a.why[0], b.why[0]) })
	return out
}

// same reports whether two outcomes measure the same and boot the same.
func same(a, b *Outcome) bool {
	return a.End == b.End && a.ID == b.ID && a.Boot.Image == b.Boot.Image && len(a.Doubts) == len(b.Doubts) &&
		slices.EqualFunc(a.Effects, b.Effects, func(x, y Effect) bool {
			return x.Kind == y.Kind && x.Text == y.Text && x.File == y.File && bytes.Equal(x.Contents, y.Contents)
		}) && maps.EqualFunc(a.Environment, b.Environment, bytes.Equal)
}
