package matrix

import (
	"cmp"
	"slices"
)

// merge adds what a run of a program found of a chain. What it found of a change with some
// versions takes the place of what was known of that change with these versions; what it did not
// come to, and what was wrong, stays as it was known.
func (l *Ledger) merge(program string, found Chain) {
	if !slices.ContainsFunc(found.Rows, func(r Row) bool { return !r.Wrong() }) {
		return
	}
	i := slices.IndexFunc(l.Chains, func(h History) bool { return h.Program == program && h.Name == found.Name })
	if i < 0 {
		i = len(l.Chains)
		l.Chains = append(l.Chains, History{Program: program, Name: found.Name})
	}
	h := &l.Chains[i]
	h.Chain = found.Chain
	h.Rows = mergeRows(h.Rows, found.Rows, l.Versions.number(found.Versions))
	slices.SortFunc(l.Chains, func(a, b History) int {
		return cmp.Or(cmp.Compare(a.Program, b.Program), cmp.Compare(a.Name, b.Name))
	})
}

// mergeRows returns the rows in the run's order, and behind them those of changes that the run
// does not have. A chain may make a change twice: what came out alike is one row.
func mergeRows(known []Seen, found []Row, set int) []Seen {
	var out []Seen
	done := make(map[string]bool)
	for _, row := range found {
		if done[row.Change] {
			continue
		}
		done[row.Change] = true
		isIt := func(s Seen) bool { return s.Change == row.Change }
		of := slices.DeleteFunc(slices.Clone(known), func(s Seen) bool { return !isIt(s) })
		known = slices.DeleteFunc(known, isIt)
		fresh := slices.DeleteFunc(slices.Clone(found), func(r Row) bool { return r.Change != row.Change || r.Wrong() })
		out = append(out, mergeChange(of, fresh, set)...)
	}
	return append(out, known...)
}

// mergeChange merges the rows of one change.
func mergeChange(known []Seen, found []Row, set int) []Seen {
	if len(found) == 0 {
		return known
	}
	for i := range known {
		known[i].With = slices.DeleteFunc(slices.Clone(known[i].With), func(n int) bool { return n == set })
	}
	for _, row := range found {
		s := row.seen(set)
		i := slices.IndexFunc(known, func(k Seen) bool { return k.sameAs(&s) })
		if i < 0 {
			known = append(known, s)
			continue
		}
		with := append(known[i].With, set)
		slices.Sort(with)
		known[i].With, known[i].Doubts = slices.Compact(with), s.Doubts
	}
	return slices.DeleteFunc(known, func(s Seen) bool { return len(s.With) == 0 })
}

// seen is a row that was not wrong, as the ledger has it.
func (r *Row) seen(set int) Seen {
	s := Seen{Change: r.Change, Doubts: r.Doubts, With: []int{set}}
	for _, i := range compared {
		switch r.Cell(i) {
		case Right:
			s.Right = append(s.Right, i)
		case Unknown:
			s.Unknown = append(s.Unknown, i)
		}
	}
	return s
}

// sameAs reports whether it is the same change with the same result.
func (s *Seen) sameAs(other *Seen) bool {
	return s.Change == other.Change && slices.Equal(s.Right, other.Right) && slices.Equal(s.Unknown, other.Unknown)
}
