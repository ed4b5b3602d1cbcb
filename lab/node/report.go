package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bootseal/bootseal/lab/matrix"
)

// report is what a run has to say.
type report struct {
	results []result
	boots   matrix.Report
}

func (r *report) passed() bool {
	return !slices.ContainsFunc(r.results, func(r result) bool { return r.Failed != "" })
}

// all runs scenarios, as many at a time as there are slots. Of a run that was interrupted the
// report has what was done.
func (l *laboratory) all(ctx context.Context, chosen []scenario) (*report, error) {
	for _, s := range chosen { // a distribution that is not to be had is no reason to begin
		if _, err := l.releaseOf(ctx, s.word("from")); err != nil && !skips(err) {
			return nil, err
		}
	}
	out := &report{results: make([]result, len(chosen))}
	var all sync.WaitGroup
	for _, i := range makersFirst(chosen) {
		all.Go(func() { out.results[i] = l.once(ctx, chosen[i]) })
		time.Sleep(time.Millisecond) // who comes first is the first to get a slot
	}
	all.Wait()
	for _, r := range l.results() {
		out.boots.Scenarios = append(out.boots.Scenarios, matrix.Chain{Name: r.Name, Chain: r.Title, Versions: r.versions, Rows: r.rows})
	}
	if ctx.Err() != nil {
		return out, errors.New("interrupted")
	}
	return out, nil
}

// makersFirst returns the indexes of scenarios, first of those whose nodes others begin with.
func makersFirst(chosen []scenario) []int {
	var makers, others []int
	for i, s := range chosen {
		if s.uses("save") {
			makers = append(makers, i)
		} else {
			others = append(others, i)
		}
	}
	return append(makers, others...)
}

// once runs a scenario, unless it was run already because another begins where it ends.
func (l *laboratory) once(ctx context.Context, s scenario) result {
	l.mu.Lock()
	if l.told == nil {
		l.told = make(map[string]func() result)
	}
	if l.told[s.Name] == nil {
		l.told[s.Name] = sync.OnceValue(func() result { return l.tell(ctx, s) })
	}
	tell := l.told[s.Name]
	l.mu.Unlock()
	return tell()
}

// results are of all scenarios that were run, by their names, those too that others begin with. It
// waits for them.
func (l *laboratory) results() []result {
	l.mu.Lock()
	told := maps.Clone(l.told)
	l.mu.Unlock()
	var out []result
	for _, name := range slices.Sorted(maps.Keys(told)) {
		out = append(out, told[name]())
	}
	return out
}

// print prints Markdown: what passed, how long it took, and how predictions came out.
func (r *report) print(w io.Writer) {
	fmt.Fprintln(w, "| scenario | | seconds |\n|---|---|---|")
	for _, res := range r.results {
		word := "passed"
		if res.Failed != "" {
			word = "FAILED"
		}
		if res.Skipped != "" {
			word = "skipped"
		}
		fmt.Fprintf(w, "| %s: %s | %s | %.0f |\n", res.Name, res.Title, word, res.Seconds)
	}
	fmt.Fprintln(w)
	for _, res := range r.results {
		if res.Skipped != "" {
			fmt.Fprintf(w, "%s was skipped: %s\n\n", res.Name, res.Skipped)
		}
		if res.Failed != "" {
			fmt.Fprintf(w, "%s: %s\nAll about it is in %s.\n\n", res.Name, res.Failed, res.Kept)
		}
	}
	r.boots.Print(w)
}
