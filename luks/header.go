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
// both copies and takes the valid one with the higher sequence number (section
// 2.5, "Metadata Recovery"). It reads at most 8 MiB and allocates as much.
//
// It fails with [ErrNotLUKS], [ErrLUKS1], [ErrDamaged], or the reader's error.
func Read(r io.ReaderAt) (*Header, error) {
	first, firstText, firstErr := readCopy(r, 0, Primary)
	if errors.Is(firstErr, ErrLUKS1) {
		return nil, firstErr
	}
	second, secondText, secondErr := readSecondary(r, first)
	switch {
	case errors.Is(firstErr, ErrNotLUKS) && errors.Is(secondErr, ErrNotLUKS):
		return nil, ErrNotLUKS
	case firstErr != nil && secondErr != nil:
		return nil, fmt.Errorf("%w: primary copy: %w; secondary copy: %w", ErrDamaged, firstErr, secondErr)
	}
	var h Header
	var text []byte
	switch {
	case secondErr != nil:
		h, text = Header{Copy: *first, Stale: fmt.Errorf("secondary copy: %w", secondErr)}, firstText
	case firstErr != nil:
		h, text = Header{Copy: *second, Stale: fmt.Errorf("primary copy: %w", firstErr)}, secondText
	case second.SeqID > first.SeqID:
		h, text = Header{Copy: *second, Stale: fmt.Errorf("primary copy: sequence number %d is behind %d", first.SeqID, second.SeqID)}, secondText
	default:
		h, text = Header{Copy: *first}, firstText
		if second.SeqID < first.SeqID {
			h.Stale = fmt.Errorf("secondary copy: sequence number %d is behind %d", second.SeqID, first.SeqID)
		}
	}
	var err error
	if h.Metadata, err = ParseMetadata(text); err != nil {
		return nil, fmt.Errorf("%w: %s copy: %w", ErrDamaged, h.Which, err)
	}
	return &h, nil
}

// readSecondary reads the copy behind the first, or looks for it at every place
// where it can be when there is no first (section 2.1, "Binary Header").
func readSecondary(r io.ReaderAt, first *Copy) (*Copy, []byte, error) {
	if first != nil {
		return readCopy(r, first.Size, Secondary)
	}
	found := ErrNotLUKS
	for _, size := range sizes {
		c, text, err := readCopy(r, size, Secondary)
		if err == nil {
			return c, text, nil
		}
		if errors.Is(found, ErrNotLUKS) {
			found = err // what is wrong with the first that looks like one
		}
	}
	return nil, nil, found
}
