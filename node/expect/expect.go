// Package expect keeps, beside the boot files, which events were expected of each boot
// that opens a volume, so that a boot that is refused can be explained event by event.
//
// The bootseal token in the LUKS2 header has the PCR values alone, for which it has
// room. The file is a gzip'd JSON array, and a hint for people: whoever can write to
// the boot partition can change it, and nothing is decided by it. Its events count only
// as far as they lead to the values that a token is sealed to.
package expect

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/atomicfile"
	"github.com/bootseal/bootseal/node/state"
	"github.com/bootseal/bootseal/pcr"
)

// Boot is what was expected of a boot.
type Boot struct {
	Label string             `json:"label"` // as in the bootseal token
	Bank  pcr.Bank           `json:"bank"`
	PCRs  map[int]pcr.Digest `json:"pcrs"` // that the token is sealed to
	// Events are those that lead to the PCRs, in their order.
	Events []Event `json:"events"`
}

// Event is an event that was expected.
type Event struct {
	PCR         int           `json:"pcr"`
	Type        eventlog.Type `json:"type"`
	Digest      pcr.Digest    `json:"digest"`      // in the boot's bank
	Description string        `json:"description"` // in words
}

// Bounds of a file. A boot by GRUB has some 200 events of 250 bytes in JSON.
const (
	maxFile   = 1 << 20  // bytes
	maxText   = 16 << 20 // bytes, unpacked
	maxBoots  = 64
	maxEvents = 20000 // of a boot
	maxWords  = 1024  // bytes of a label or a description
)

// New returns what the log of a predicted boot says of the PCRs.
func New(label string, bank pcr.Bank, pcrs map[int]pcr.Digest, log *eventlog.Log) Boot {
	b := Boot{Label: label, Bank: bank, PCRs: pcrs, Events: []Event{}}
	for i, x := range eventlog.Explain(log) {
		if _, ok := pcrs[x.PCR]; !ok || !log.Events[i].Measured() {
			continue
		}
		words := x.Text
		if len(words) > maxWords {
			words = string(bytes.ToValidUTF8([]byte(words[:maxWords]), nil))
		}
		b.Events = append(b.Events, Event{PCR: x.PCR, Type: x.Type, Digest: x.Digests[bank], Description: words})
	}
	return b
}

// Path is the file's, below the root of the boot partition.
func Path(uuid string) string { return filepath.Join("bootseal", uuid+".json") }

// Write writes the file of the volume with the UUID below a folder, the root of the
// EFI system partition or /boot. What is there stays until the new one is on disk. It
// reports whether there was anything to write.
func Write(root, uuid string, boots []Boot) (written bool, err error) {
	if err := state.CheckUUID(uuid); err != nil {
		return false, err
	}
	path := filepath.Join(root, Path(uuid))
	doing := fmt.Sprintf("write what is expected of boots to %s", path)
	text, err := pack(boots)
	if err != nil {
		return false, fmt.Errorf("%s: %w", doing, err)
	}
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, text) {
		return false, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return false, fmt.Errorf("%s: %w", doing, err)
	}
	if err := atomicfile.Write(path, text, 0o644); err != nil {
		return false, fmt.Errorf("%s: %w", doing, err)
	}
	return true, nil
}

// Remove removes the file, if it is there.
func Remove(root, uuid string) error {
	if err := state.CheckUUID(uuid); err != nil {
		return err
	}
	return atomicfile.Remove(filepath.Join(root, Path(uuid)))
}

// Read reads the file below a folder. It fails with [fs.ErrNotExist] where there is none.
func Read(root, uuid string) ([]Boot, error) {
	if err := state.CheckUUID(uuid); err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(root, Path(uuid)))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Parse(f)
}

// pack returns the same bytes for the same boots.
func pack(boots []Boot) ([]byte, error) {
	if err := check(boots); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(json.NewEncoder(z).Encode(boots), z.Close()); err != nil {
		return nil, err
	}
	if out.Len() > maxFile {
		return nil, fmt.Errorf("%d bytes: want at most %d", out.Len(), maxFile)
	}
	return out.Bytes(), nil
}

// Parse reads a file. It takes hostile input, and at most 16 MiB of memory for its text.
func Parse(r io.Reader) ([]Boot, error) {
	const doing = "read what was expected of boots"
	z, err := gzip.NewReader(io.LimitReader(r, maxFile))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	text, err := io.ReadAll(io.LimitReader(z, maxText+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", doing, err)
	case len(text) > maxText:
		return nil, fmt.Errorf("%s: more than %d MiB", doing, maxText>>20)
	}
	var boots []Boot
	if err := json.Unmarshal(text, &boots); err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	if err := check(boots); err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	return boots, nil
}

// check is what holds for every file. Texts may have anything in them: whoever shows
// them makes them printable.
func check(boots []Boot) error {
	if len(boots) > maxBoots {
		return fmt.Errorf("%d boots: want at most %d", len(boots), maxBoots)
	}
	for i := range boots {
		b := &boots[i]
		if err := b.check(); err != nil {
			return fmt.Errorf("boot %d: %w", i, err)
		}
	}
	return nil
}

func (b *Boot) check() error {
	size := b.Bank.Size()
	switch {
	case size == 0:
		return fmt.Errorf("bank %s is not known", b.Bank)
	case len(b.Label) > maxWords:
		return fmt.Errorf("a label of %d bytes: want at most %d", len(b.Label), maxWords)
	case len(b.Events) > maxEvents:
		return fmt.Errorf("%d events: want at most %d", len(b.Events), maxEvents)
	}
	for _, i := range slices.Sorted(maps.Keys(b.PCRs)) {
		if i < 0 || i >= pcr.Count || len(b.PCRs[i]) != size {
			return fmt.Errorf("PCR %d with %d bytes: want PCR 0 to %d with %d", i, len(b.PCRs[i]), pcr.Count-1, size)
		}
	}
	for i, e := range b.Events {
		switch {
		case e.PCR < 0 || e.PCR >= pcr.Count || len(e.Digest) != size:
			return fmt.Errorf("event %d: PCR %d with %d bytes: want PCR 0 to %d with %d", i, e.PCR, len(e.Digest), pcr.Count-1, size)
		case len(e.Description) > maxWords:
			return fmt.Errorf("event %d: a description of %d bytes: want at most %d", i, len(e.Description), maxWords)
		}
	}
	return nil
}
