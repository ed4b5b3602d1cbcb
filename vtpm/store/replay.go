package store

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/vtpm/store/internal/record"
)

// contents is what a state file holds.
type contents struct {
	records   map[string][]byte
	version   int
	encrypted bool
	// chain and end are where the next frame goes; a nil chain says that the file
	// cannot be appended to, and must be written anew.
	chain *chain
	end   int64
}

// read returns what the state file data holds. It accepts an end that a power cut
// explains, a frame of which parts were not written, because the Commit that wrote
// it did not return. Everything else that is not as it was written is an error.
func read(data []byte, o Options) (contents, error) {
	switch {
	case bytes.HasPrefix(data, []byte(magicSnapshot)):
		if o.Key != nil && !o.Adopt {
			return contents{}, errNotEncrypted
		}
		records, err := readSnapshot(data)
		return contents{records: records, version: 1}, err
	case bytes.HasPrefix(data, []byte(magic)):
		return readJournal(data, o)
	case bytes.HasPrefix(data, []byte(magicPrefix)):
		return contents{}, errors.New("the state is of a version that this program does not know")
	}
	return contents{}, errors.New("not the state of a vTPM")
}

var errNotEncrypted = errors.New("the state is not encrypted, and a key was given: anybody could have written it")

func readJournal(data []byte, o Options) (contents, error) {
	key, inClear, err := readHeader(data, o)
	if err != nil {
		return contents{}, err
	}
	defer clear(key)
	if inClear && o.Key != nil && !o.Adopt {
		return contents{}, errNotEncrypted
	}
	c, err := newChain(data[:blockSize], key)
	if err != nil {
		return contents{}, err
	}
	found, err := replay(data, c)
	found.version, found.encrypted = 2, !inClear
	if err == nil && inClear && o.Key != nil {
		found.chain = nil // its key was for all to read
	}
	return found, err
}

// replay applies the frames behind the header.
func replay(data []byte, c *chain) (contents, error) {
	found := contents{records: make(map[string][]byte), chain: c, end: blockSize}
	for rest := data[found.end:]; !isZero(rest); rest = data[found.end:] {
		frame, err := nextFrame(rest, found.chain.frame)
		if err != nil {
			return contents{}, fmt.Errorf("the state is damaged at byte %d: %w", found.end, err)
		}
		if frame == nil && found.chain.frame > 1 {
			found.chain = nil // torn
			return found, nil
		}
		if frame == nil {
			break
		}
		changes, next, err := decodeFrame(frame, found.chain)
		if err != nil {
			return contents{}, fmt.Errorf("the state is damaged at byte %d: frame %d: %w", found.end, found.chain.frame, err)
		}
		record.Apply(found.records, changes)
		found.chain, found.end = next, found.end+int64(len(frame))
	}
	// The first frame was durable before the file got its name.
	if found.chain.frame == 1 {
		return contents{}, errors.New("the state is damaged: its first frame is missing or not whole")
	}
	return found, nil
}

func decodeFrame(frame []byte, c *chain) (changes map[string][]byte, next *chain, err error) {
	records, next, err := c.open(frame)
	if err != nil {
		return nil, nil, err
	}
	defer clear(records)
	changes, err = record.Decode(records)
	return changes, next, err
}

// nextFrame returns the blocks of the frame with the number, which begins at rest.
// Nil is a frame that was the last to be written and of which parts are missing.
func nextFrame(rest []byte, number uint64) ([]byte, error) {
	first, whole := readBlock(rest[:blockSize])
	if !whole || first.frame != number || first.index != 0 {
		return nil, checkTorn(rest, number)
	}
	size := int(first.count) * blockSize
	if size > len(rest) {
		return nil, fmt.Errorf("frame %d is longer than the file", number)
	}
	for i := range first.count {
		id, whole := readBlock(rest[int(i)*blockSize:][:blockSize])
		if !whole || id != (blockID{number, i, first.count}) {
			return nil, checkTorn(rest, number)
		}
	}
	return rest[:size], nil
}

// checkTorn explains a frame that is not whole: it is an error unless all that there
// is up to the end of the file are parts of that frame. So a damaged frame with one
// behind it is never taken for torn, nor is a block whose checksum is wrong.
func checkTorn(rest []byte, number uint64) error {
	missing, count := false, uint16(0)
	for at := 0; at < len(rest); at += blockSize {
		b, index := rest[at:at+blockSize], at/blockSize
		if isZero(b) {
			missing = missing || count == 0 || index < int(count)
			continue
		}
		if index > maxIndex {
			return fmt.Errorf("block %d of frame %d does not belong there", index, number)
		}
		if beginsAs(b, number, uint16(index)) {
			missing = true
			continue
		}
		id, whole := readBlock(b)
		switch {
		case !whole:
			return fmt.Errorf("block %d of frame %d has a wrong checksum", index, number)
		case id.frame != number, int(id.index) != index, count != 0 && id.count != count:
			return fmt.Errorf("block %d of frame %d is block %d of frame %d", index, number, id.index, id.frame)
		}
		count = id.count
	}
	if !missing {
		return fmt.Errorf("frame %d is not as it was written", number)
	}
	return nil
}

// maxIndex is the largest index of a block in its frame.
const maxIndex = 1<<16 - 2
