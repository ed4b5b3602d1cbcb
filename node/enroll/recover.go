package enroll

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/bootseal/bootseal/internal/atomicfile"
	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/kept"
)

// ErrUnfinished is returned where an enrollment was cut off, and what it left has to
// be cleaned up first.
var ErrUnfinished = errors.New("an enrollment of this volume was cut off")

// Cleaned is what [Recover] removed.
type Cleaned struct {
	Keyslots []int
	Tokens   []int
	KeyFile  string // the file with a recovery key that opens nothing any more
}

// Recover removes what an Add that was cut off has left, and returns nil where there was
// none. A passphrase of a keyslot that was there before must be given.
func Recover(ctx context.Context, m *Machine, existing []byte) (*Cleaned, error) {
	h, err := m.Volume.Header()
	if err != nil {
		return nil, err
	}
	j, err := readJournal(m.State, h.UUID)
	if err != nil || j == nil {
		return nil, err
	}
	c, err := j.undo(ctx, m, existing)
	if err != nil {
		return c, fmt.Errorf("clean up after an enrollment that was cut off: %w", err)
	}
	return c, nil
}

// undo takes back what the journal has, and then the journal. It can be cut off, too,
// and is then done again.
func (j *journal) undo(ctx context.Context, m *Machine, existing []byte) (*Cleaned, error) {
	c := new(Cleaned)
	h, err := m.Volume.Header()
	if err != nil {
		return c, err
	}
	for _, id := range h.Metadata.TokenIDs() {
		if !j.hasToken(h.Metadata.Tokens[id]) {
			continue
		}
		m.at("undo token")
		if err := m.Volume.RemoveToken(ctx, id); err != nil {
			return c, err
		}
		c.Tokens = append(c.Tokens, id)
	}
	if h, err = m.Volume.Header(); err != nil {
		return c, err
	}
	for _, slot := range j.Keyslots {
		if !j.orphan(h.Metadata, slot) {
			continue
		}
		m.at("undo keyslot")
		if err := m.Volume.KillSlot(ctx, slot, existing); err != nil {
			return c, err
		}
		c.Keyslots = append(c.Keyslots, slot)
	}
	if j.Guard != nil && m.TPM != nil {
		m.at("undo guard")
		if err := RemoveGuard(m.TPM, *j.Guard, m.OwnerAuth); err != nil {
			return c, err
		}
	}
	m.at("undo files")
	if err := j.undoFiles(m, c); err != nil {
		return c, err
	}
	m.at("undo journal")
	return c, j.remove()
}

// orphan reports whether a keyslot is one that the enrollment made: it is new, made as
// Add makes them, and no token is for it. A keyslot that another program put into the
// place has another derivation, or a token.
func (j *journal) orphan(m *luks.Metadata, slot int) bool {
	k, ok := m.Keyslots[slot]
	if !ok || slices.Contains(j.Before, slot) || k.Type != "luks2" || k.KDF.Type != "pbkdf2" || k.KDF.Iterations != 1000 {
		return false
	}
	tokens, _ := m.AllTokens() // what cannot be read is in no way for a keyslot of ours
	for _, t := range tokens {
		if slices.Contains(t.Slots(), slot) {
			return false
		}
	}
	return true
}

func (j *journal) undoFiles(m *Machine, c *Cleaned) error {
	if err := j.forgetKept(m); err != nil {
		return err
	}
	if j.KeyFile == "" {
		return nil
	}
	text, err := os.ReadFile(j.KeyFile)
	defer clear(text)
	if errors.Is(err, fs.ErrNotExist) || err == nil && digestOf(text) != j.KeyFileHash {
		return nil
	}
	if err != nil {
		return err
	}
	c.KeyFile = j.KeyFile
	return atomicfile.Remove(j.KeyFile)
}

// forgetKept removes the kept secret if it is for a keyslot that is gone with the journal.
func (j *journal) forgetKept(m *Machine) error {
	slot, err := kept.Has(m.State, j.UUID)
	if errors.Is(err, kept.ErrNone) {
		return nil
	}
	if err == nil && !slices.Contains(j.Keyslots, slot) {
		return nil
	}
	return kept.Remove(m.State, j.UUID)
}
