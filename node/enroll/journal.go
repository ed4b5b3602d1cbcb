package enroll

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/state"
	"github.com/bootseal/bootseal/seal"
)

const (
	journalName    = "enroll.json"
	journalVersion = 1
	// maxJournal bounds a journal, in bytes: 32 keyslots and 32 tokens take 5 KB.
	maxJournal = 64 << 10
)

// journal says what an enrollment adds, before it is added. While its file is there the
// enrollment is not complete.
type journal struct {
	Version int    `json:"version"`
	UUID    string `json:"uuid"`
	// Before are the keyslots that were there before: they are never touched.
	Before []int `json:"keyslots_before"`
	// Keyslots are those that are being added.
	Keyslots []int `json:"keyslots"`
	// Tokens are those that are being added, as digests of their texts.
	Tokens []digest `json:"tokens"`
	// Guard is the counter that was made in the TPM, nil without one.
	Guard *seal.Guard `json:"guard,omitempty"`
	// KeyFile is the file that the recovery key is written to.
	KeyFile     string `json:"key_file,omitempty"`
	KeyFileHash digest `json:"key_file_sha256,omitzero"`

	root string // the state folder
}

// digest is the SHA-256 of a text, in hex.
type digest [sha256.Size]byte

func digestOf(text []byte) digest { return sha256.Sum256(text) }

func (d digest) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(d[:])), nil }

func (d *digest) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(d) {
		return fmt.Errorf("%.80q is no SHA-256 digest", text)
	}
	copy(d[:], b)
	return nil
}

// readJournal returns the volume's journal, nil if there is none.
func readJournal(root, uuid string) (*journal, error) {
	text, err := state.Read(root, uuid, journalName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the journal of an enrollment: %w", err)
	}
	j, err := parseJournal(text)
	if err == nil && j.UUID != uuid {
		err = fmt.Errorf("it is of volume %q", j.UUID)
	}
	if err != nil {
		return nil, fmt.Errorf("read the journal of an enrollment: %s of %s: %w", journalName, uuid, err)
	}
	j.root = root
	return j, nil
}

func parseJournal(text []byte) (*journal, error) {
	if len(text) > maxJournal {
		return nil, fmt.Errorf("more than %d bytes", maxJournal)
	}
	j := new(journal)
	if err := json.Unmarshal(text, j); err != nil {
		return nil, err
	}
	if j.Version != journalVersion {
		return nil, fmt.Errorf("version %d: want %d; a newer bootseal wrote it", j.Version, journalVersion)
	}
	for _, slot := range j.Keyslots {
		if slot < 0 || slot >= luks.MaxKeyslots || slices.Contains(j.Before, slot) {
			return nil, fmt.Errorf("keyslot %d is to be new: want 0 to %d, and none that was there before", slot, luks.MaxKeyslots-1)
		}
	}
	if len(j.Keyslots) > luks.MaxKeyslots || len(j.Tokens) > 2*luks.MaxTokens {
		return nil, fmt.Errorf("%d keyslots and %d tokens are more than a header has", len(j.Keyslots), len(j.Tokens))
	}
	return j, nil
}

// write brings the journal to disk, whole.
func (j *journal) write() error {
	if err := state.Write(j.root, j.UUID, journalName, j); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	return nil
}

// remove ends the enrollment.
func (j *journal) remove() error {
	if err := state.Remove(j.root, j.UUID, journalName); err != nil {
		return fmt.Errorf("remove the journal: %w", err)
	}
	return nil
}

// hasToken reports whether the text is that of a token which the journal is about.
func (j *journal) hasToken(text []byte) bool { return slices.Contains(j.Tokens, digestOf(text)) }
