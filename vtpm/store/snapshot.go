package store

import (
	"bytes"
	"crypto/sha256"
	"errors"

	"github.com/bootseal/bootseal/vtpm/store/internal/record"
)

// magicSnapshot begins a state of version 1: records as in records.go, without
// deleted ones, and the SHA-256 of everything before it. It was written anew with
// each Commit, and is read for those who still have one.
const magicSnapshot = magicPrefix + "1\n"

func readSnapshot(b []byte) (map[string][]byte, error) {
	if len(b) < len(magicSnapshot)+sha256.Size {
		return nil, errors.New("the state is cut short")
	}
	body, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if want := sha256.Sum256(body); !bytes.Equal(sum, want[:]) {
		return nil, errors.New("the state is damaged: its checksum is wrong")
	}
	records, err := record.Decode(body[len(magicSnapshot):])
	if err != nil {
		return nil, err
	}
	for _, value := range records {
		if value == nil {
			return nil, errors.New("a snapshot has no deleted records")
		}
	}
	return records, nil
}
