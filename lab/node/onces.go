package main

import (
	"maps"
	"slices"
	"sync"
)

// onces are results by name, each of a function that is run once: whoever asks later waits for the
// one who asked first.
type onces[T any] struct {
	mu sync.Mutex
	of map[string]func() T
}

func (o *onces[T]) get(name string, f func() T) T {
	o.mu.Lock()
	if o.of == nil {
		o.of = make(map[string]func() T)
	}
	if o.of[name] == nil {
		o.of[name] = sync.OnceValue(f)
	}
	once := o.of[name]
	o.mu.Unlock()
	return once()
}

// all are the results of what was asked for, by name. It waits for them.
func (o *onces[T]) all() []T {
	o.mu.Lock()
	of := maps.Clone(o.of)
	o.mu.Unlock()
	var out []T
	for _, name := range slices.Sorted(maps.Keys(of)) {
		out = append(out, of[name]())
	}
	return out
}

// outcome is a result that may not be had.
type outcome[T any] struct {
	value T
	err   error
}

func outcomeOf[T any](value T, err error) outcome[T] { return outcome[T]{value, err} }
