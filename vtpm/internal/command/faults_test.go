package command_test

import (
	"path/filepath"
	"testing"
)

// TestFaults lets the store refuse, or the source of entropy dry up, at each time
// that the last command of a vector needs it. Then the power fails: the TPM must be
// what the store makes, and nothing half done.
func TestFaults(t *testing.T) {
	for _, path := range vectorFiles(t) {
		t.Run(filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			v := newVector(t)
			v.runFile(path)
			if len(v.steps) == 0 {
				return
			}
			commits, reads := takeLast(t, v.steps, fuzzStep{})
			for n := range commits {
				takeLast(t, v.steps, fuzzStep{storeFailures: n + 1})
			}
			for n := range min(reads, maxFaults) {
				takeLast(t, v.steps, fuzzStep{entropyFailure: n + 1})
			}
		})
	}
}

// maxFaults bounds the reads of entropy that fail: the search for a prime has many.
const maxFaults = 8

// takeLast takes the steps, the last one with faults, and checks what is left after
// a power cut. It returns how often the last step used the store and the entropy.
func takeLast(t *testing.T, steps []step, faults fuzzStep) (commits, reads int) {
	m := newFuzzMachine(t)
	last := len(steps) - 1
	for _, s := range steps[:last] {
		m.take(fuzzStep{step: s})
	}
	m.store.commits, m.entropy.reads = 0, 0
	faults.step = steps[last]
	m.take(faults)
	commits, reads = m.store.commits, m.entropy.reads
	m.checkDurable()
	return commits, reads
}
