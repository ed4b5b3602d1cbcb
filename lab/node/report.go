package main

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	for _, r := range l.told.all() {
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
	return l.told.get(s.Name, func() result { return l.tell(ctx, s) })
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
