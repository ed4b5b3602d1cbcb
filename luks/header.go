package luks

import (
	"errors"
	"fmt"
	"io"
)

// What a device may hold instead of a LUKS2 header.
var (
	// ErrNotLUKS is returned for a device without a LUKS header.
	ErrNotLUKS = errors.New("not a LUKS volume")
	// ErrLUKS1 is returned for LUKS1, which has no room for tokens.
	ErrLUKS1 = errors.New("a LUKS1 volume: bootseal needs LUKS2, to which `cryptsetup convert --type luks2` brings it while it is closed")
	// ErrDamaged is returned where a LUKS2 header is there, and neither copy is valid.
	ErrDamaged = errors.New("the LUKS2 header is damaged")
)

// Header is what a LUKS2 volume says of itself.
type Header struct {
	// Copy is the newest valid copy.
	Copy
	// Metadata is that copy's JSON area.
	Metadata *Metadata
	// Stale says why the other copy is not as good, or is nil. cryptsetup repairs
	// it the next time it opens the volume for writing.
	Stale error
}

// Read reads the header of the volume that r holds, from its beginning. It reads
// both copies and takes the valid one with the higher sequence number, as
// cryptsetup does. It reads at most 12 MiB, and 4 MiB at once.
//
// It fails with [ErrNotLUKS], [ErrLUKS1], [ErrDamaged], or the reader's error.
func Read(r io.ReaderAt) (*Header, error) {
	first, firstErr := readCopy(r, 0, Primary)
	if errors.Is(firstErr, ErrLUKS1) {
		return nil, firstErr
	}
	second, secondErr := readSecondary(r, first)
	switch {
	case firstErr == nil && secondErr == nil:
		return newer(first, second), nil
	case firstErr == nil:
		first.Stale = fmt.Errorf("secondary copy: %w", secondErr)
		return first, nil
	case secondErr == nil:
		second.Stale = fmt.Errorf("primary copy: %w", firstErr)
		return second, nil
	case errors.Is(firstErr, ErrNotLUKS) && errors.Is(secondErr, ErrNotLUKS):
		return nil, ErrNotLUKS
	case errors.Is(firstErr, errRead):
		return nil, fmt.Errorf("LUKS header: %w", firstErr)
	}
	return nil, fmt.Errorf("%w: primary copy: %w; secondary copy: %w", ErrDamaged, firstErr, secondErr)
}

// newer returns the copy that counts of two valid ones.
func newer(first, second *Header) *Header {
	switch {
	case second.SeqID > first.SeqID:
		second.Stale = fmt.Errorf("primary copy: sequence number %d is behind %d", first.SeqID, second.SeqID)
		return second
	case second.SeqID < first.SeqID:
		first.Stale = fmt.Errorf("secondary copy: sequence number %d is behind %d", second.SeqID, first.SeqID)
	}
	return first
}

// readSecondary reads the copy behind the first, or looks for it at every place
// where it can be when there is no first.
func readSecondary(r io.ReaderAt, first *Header) (*Header, error) {
	if first != nil {
		return readCopy(r, first.Size, Secondary)
	}
	found := ErrNotLUKS
	for _, size := range sizes {
		h, err := readCopy(r, size, Secondary)
		if err == nil {
			return h, nil
		}
		if errors.Is(found, ErrNotLUKS) {
			found = err // what is wrong with the first that looks like one
		}
	}
	return nil, found
}
