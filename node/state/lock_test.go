package state

import (
	"context"
	"errors"
	"testing"
	"time"
)

// One at a time, and nobody waits forever.
func TestLock(t *testing.T) {
	root := t.TempDir()
	const uuid, other = "0f8fad5b-d9cb-469f-a165-70867728950e", "11111111-d9cb-469f-a165-70867728950e"
	unlock, err := Lock(t.Context(), root, uuid)
	if err != nil {
		t.Fatal(err)
	}
	short, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	if _, err := Lock(short, root, uuid); !errors.Is(err, ErrLocked) {
		t.Errorf("a second one: %v", err)
	}
	free, err := Lock(t.Context(), root, other)
	if err != nil {
		t.Fatalf("another volume: %v", err)
	}
	free()
	got := make(chan error)
	go func() {
		again, err := Lock(t.Context(), root, uuid)
		if err == nil {
			again()
		}
		got <- err
	}()
	unlock()
	if err := <-got; err != nil {
		t.Errorf("after the first: %v", err)
	}
}
