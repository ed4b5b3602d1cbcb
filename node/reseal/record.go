package reseal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/bootseal/bootseal/node/state"
	"github.com/bootseal/bootseal/pcr"
)

// The files in a volume's state folder.
const (
	journalName = "journal.json"
	backupName  = "header.img"
	pendingName = "pending.json"
	retiredName = "retired.json"

	recordVersion = 1
)

// Journal is what a run is doing. It is there from before the first change until after
// the last one.
type Journal struct {
	Version int       `json:"version"`
	UUID    string    `json:"uuid"`
	Device  string    `json:"device"`
	Doing   string    `json:"doing"` // "reseal", "commit", "retire"
	Began   time.Time `json:"began"`
	SeqID   uint64    `json:"seq_id"` // of the header before
	Keyslot int       `json:"keyslot"`
	// Former are keyslots that Keyslot takes the place of. While tokens are added they
	// are both good.
	Former []int  `json:"former,omitempty"`
	Steps  []Step `json:"steps"`
}

// Step is a change of the header. Each can be recognized as done by its content.
type Step struct {
	Do string `json:"do"` // "drop", "add", "expect", "kill"
	// Token is the one that is dropped, or Keyslot the one that is killed; -1 otherwise.
	Token   int    `json:"token"`
	Keyslot int    `json:"keyslot"`
	Label   string `json:"label,omitempty"`
	// Hash is the token's policy hash, by which it is known again.
	Hash pcr.Digest `json:"policy_hash,omitempty"`
	// Text is what is written to the header.
	Text json.RawMessage `json:"text,omitempty"`
}

// pending is the file of that name.
type pending struct {
	Version int          `json:"version"`
	Hashes  []pcr.Digest `json:"policy_hashes"`
}

// Retired is a boot that is not to open the volume any more.
type Retired struct {
	Text string    `json:"text"` // in its name
	Time time.Time `json:"time"`
}

type retired struct {
	Version int       `json:"version"`
	Boots   []Retired `json:"boots"`
}

// ReadJournal returns what a run that was cut off was doing. It fails with
// [fs.ErrNotExist] where there is none.
func ReadJournal(root, uuid string) (*Journal, error) {
	j := new(Journal)
	if err := readRecord(root, uuid, journalName, j, &j.Version); err != nil {
		return nil, err
	}
	if j.UUID != uuid {
		return nil, fmt.Errorf("%s of volume %s: it is of volume %.80q", journalName, uuid, j.UUID)
	}
	return j, nil
}

// ReadRetired returns the boots that were retired, the oldest first.
func ReadRetired(root, uuid string) ([]Retired, error) {
	var r retired
	if err := readRecord(root, uuid, retiredName, &r, &r.Version); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return r.Boots, nil
}

// ReadPending returns the policy hashes of tokens that were added since the last commit.
func ReadPending(root, uuid string) ([]pcr.Digest, error) {
	var p pending
	if err := readRecord(root, uuid, pendingName, &p, &p.Version); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return p.Hashes, nil
}

// Restore takes a text out of the retired boots: the next reseal seals for them again. It
// reports whether it was there.
func Restore(root, uuid, text string) (bool, error) {
	before, err := ReadRetired(root, uuid)
	if err != nil {
		return false, err
	}
	after := slices.DeleteFunc(slices.Clone(before), func(b Retired) bool { return b.Text == text })
	switch {
	case len(after) == len(before):
		return false, nil
	case len(after) == 0:
		return true, state.Remove(root, uuid, retiredName)
	}
	return true, state.Write(root, uuid, retiredName, retired{recordVersion, after})
}

// readRecord reads a file and checks its version.
func readRecord(root, uuid, name string, into any, version *int) error {
	text, err := state.Read(root, uuid, name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s of %s: %w", name, uuid, err)
	}
	if *version != recordVersion {
		return fmt.Errorf("%s of %s: version %d: want %d; a newer bootseal wrote it", name, uuid, *version, recordVersion)
	}
	return nil
}
