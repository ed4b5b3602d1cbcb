package main

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// turn is what came of all guests at once.
type turn struct {
	Server   string        `json:"server"`
	Commands int           `json:"commands"`
	Took     time.Duration `json:"nanoseconds"`
	CPU      time.Duration `json:"cpu_nanoseconds"`
	P50      time.Duration `json:"p50_nanoseconds"`
	P99      time.Duration `json:"p99_nanoseconds"`
	Slowest  time.Duration `json:"slowest_nanoseconds"`
	Memory   int64         `json:"memory_bytes"` // with all guests connected
}

// load has every guest play its recording, all at once. The error is of the guests that were
// answered otherwise than recorded.
func load(s *servers, guests []*recording) (t turn, err error) {
	t.Server = s.name
	machines := make([]*guest, len(guests))
	for i, at := range s.at {
		if machines[i], err = dial(at); err != nil {
			return t, err
		}
		defer machines[i].close()
	}
	before, _, err := s.used()
	if err != nil {
		return t, err
	}
	times := make([][]time.Duration, len(guests))
	errs := make([]error, len(guests))
	var all sync.WaitGroup
	began := time.Now()
	for i, g := range machines {
		all.Go(func() {
			if times[i], errs[i] = g.play(guests[i]); errs[i] != nil {
				errs[i] = fmt.Errorf("guest %d at %s: %w", i, s.name, errs[i])
			}
		})
	}
	all.Wait()
	t.Took = time.Since(began)
	if err := errors.Join(errs...); err != nil {
		return t, err
	}
	after, memory, err := s.used()
	if err != nil {
		return t, err
	}
	sorted := slices.Concat(times...)
	slices.Sort(sorted)
	t.Commands, t.CPU, t.Memory = len(sorted), after-before, memory
	t.P50, t.P99, t.Slowest = sorted[len(sorted)/2], sorted[len(sorted)*99/100], sorted[len(sorted)-1]
	return t, nil
}
