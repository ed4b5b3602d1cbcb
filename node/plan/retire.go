package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// What retiring refuses unless it is forced.
var (
	// ErrRunning: what should be retired is the running boot.
	ErrRunning = errors.New("this is the running boot: boot another one first, or force it")
	// ErrOnlyBoot: nothing else could open the volume.
	ErrOnlyBoot = errors.New("no other way to boot would open the volume: only the recovery key would, or force it")
)

// Retire plans as [Reseal] does, with one text more in v.Retired, whose boots no longer
// open the volume. It fails where no boot matches the text, and with [ErrRunning] and
// [ErrOnlyBoot] unless it is forced.
func Retire(v Volume, boots []Boot, text string, force bool) (*Plan, error) {
	known := slices.Contains(v.Retired, text)
	v.Retired = append(slices.Clone(v.Retired), text)
	after := v.own(boots)
	matched := known || slices.ContainsFunc(boots, func(b Boot) bool { return b.Matches(text) })
	for i := range after {
		if !after[i].retired {
			continue
		}
		matched = true
		if after[i].running && !force {
			return nil, fmt.Errorf("retire %q: %s: %w", text, after[i].label(), ErrRunning)
		}
	}
	if !matched {
		return nil, fmt.Errorf("retire %q: no boot has this in its name; there are\n%s", text, names(after, boots))
	}
	v.retireRunning = force
	p := v.plan(boots, false)
	if opensLeft := slices.ContainsFunc(p.Keep, func(k Kept) bool { return k.Boot != nil }) || len(p.Add) > 0; !opensLeft && !force {
		return nil, fmt.Errorf("retire %q: %w", text, ErrOnlyBoot)
	}
	return p, nil
}

// names lists what can be retired.
func names(tokens []own, boots []Boot) string {
	var out []string
	add := func(label string) {
		if line := "  " + label; !slices.Contains(out, line) {
			out = append(out, line)
		}
	}
	for i := range tokens {
		add(tokens[i].label())
	}
	for _, b := range boots {
		add(b.Label)
	}
	return strings.Join(out, "\n")
}
