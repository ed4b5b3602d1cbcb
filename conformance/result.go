package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
)

// outcome is what came of a check.
type outcome int

const (
	passed outcome = iota
	failed
	skipped
)

// result is one check's: a test of a Go suite, or a line of a script.
type result struct {
	name    string
	outcome outcome
	detail  string // what a failed check said, or why it was skipped
}

// report is a suite's results against the known differences.
type report struct {
	suite   string
	results []result
	known   map[string]known // by name

	fresh []result // failed, and not known
	stale []string // known to fail, and did not
}

// known is a check that is known to fail.
type known struct {
	reason    string
	sometimes bool // it passes on some machines
}

// judge compares results with what is known to fail.
func judge(suite string, results []result, known map[string]known) *report {
	r := &report{suite: suite, known: known}
	r.results = slices.SortedFunc(slices.Values(results), func(a, b result) int { return cmp.Compare(a.name, b.name) })
	did := make(map[string]bool)
	for _, x := range r.results {
		if x.outcome != failed {
			continue
		}
		did[x.name] = true
		if _, ok := known[x.name]; !ok {
			r.fresh = append(r.fresh, x)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if !did[name] && !known[name].sometimes {
			r.stale = append(r.stale, name)
		}
	}
	return r
}

func (r *report) unexpected() bool {
	return len(r.fresh) > 0 || len(r.stale) > 0 || len(r.results) == 0
}

func (r *report) count(o outcome) (n int) {
	for _, x := range r.results {
		if x.outcome == o {
			n++
		}
	}
	return n
}

// print prints the counts, and a line for whatever did not pass.
func (r *report) print(w io.Writer, all bool) {
	fmt.Fprintf(w, "%s: %d passed, %d failed (%d of them known), %d skipped\n",
		r.suite, r.count(passed), r.count(failed), r.count(failed)-len(r.fresh), r.count(skipped))
	for _, x := range r.results {
		switch {
		case x.outcome == passed && all:
			fmt.Fprintf(w, "  passed   %s\n", x.name)
		case x.outcome == skipped:
			fmt.Fprintf(w, "  skipped  %s: %s\n", x.name, x.detail)
		case x.outcome == failed && r.known[x.name].reason != "":
			fmt.Fprintf(w, "  known    %s: %s\n", x.name, r.known[x.name].reason)
		}
	}
	for _, x := range r.fresh {
		fmt.Fprintf(w, "  FAILED   %s: %s\n", x.name, x.detail)
	}
	for _, name := range r.stale {
		fmt.Fprintf(w, "  STALE    %s is known to fail, but did not: take it from known/%s.txt\n", name, r.suite)
	}
}

// readKnown reads a list of known differences: lines "NAME: REASON", with a "?"
// before the name of one that passes on some machines, and comments. No file is no
// differences.
func readKnown(path string) (map[string]known, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	list := make(map[string]known)
	for sc := bufio.NewScanner(f); sc.Scan(); {
		line := strings.TrimSpace(sc.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, reason, ok := strings.Cut(line, ": ")
		if !ok {
			return nil, fmt.Errorf("%s: %q has no reason", path, line)
		}
		name, sometimes := strings.CutPrefix(name, "?")
		list[name] = known{reason, sometimes}
	}
	return list, nil
}
