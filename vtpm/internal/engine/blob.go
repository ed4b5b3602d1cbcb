package engine

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// A state blob is a part of the state for another process or machine: what kind it is,
// the version of its layout (u32), the body, and the SHA-256 of all that. The sum
// finds damage, it does not stop a forger: whoever has a blob has the TPM's secrets.
const (
	permanentBlob        = "bootseal vTPM permanent state\n"
	permanentBlobVersion = 1
	volatileBlob         = "bootseal vTPM volatile state\n"
	volatileBlobVersion  = 1
)

// sealBlob returns the blob with what write writes as its body.
func sealBlob(kind string, version uint32, write func(*wire.Writer) error) ([]byte, error) {
	var w wire.Writer
	w.Bytes([]byte(kind))
	w.U32(version)
	if err := write(&w); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(w.Data())
	w.Bytes(sum[:])
	return w.Data(), nil
}

// openBlob returns the body of a blob of the kind and version.
func openBlob(kind string, version uint32, blob []byte) ([]byte, error) {
	name := strings.TrimSpace(kind)
	rest, ok := bytes.CutPrefix(blob, []byte(kind))
	if !ok {
		return nil, fmt.Errorf("not a %s", name)
	}
	if len(rest) < 4+sha256.Size {
		return nil, fmt.Errorf("the %s is cut short", name)
	}
	body, sum := blob[:len(blob)-sha256.Size], blob[len(blob)-sha256.Size:]
	if want := sha256.Sum256(body); !bytes.Equal(sum, want[:]) {
		return nil, fmt.Errorf("the %s is damaged: its checksum is wrong", name)
	}
	body = body[len(kind):]
	if have := wire.NewReader(body, &wire.Limits{}).U32(); have != version {
		return nil, fmt.Errorf("the %s has version %d, this is for %d", name, have, version)
	}
	return body[4:], nil
}

// SavePermanent returns the persistent state as a blob, with Clock brought up to
// date. Everything in it is durable.
func (t *TPM) SavePermanent() ([]byte, error) {
	if t.failure == nil {
		t.Clock.update(t.clock())
		t.Mark(RecordCounters)
		if err := t.Commit(); err != nil {
			return nil, err
		}
	}
	saved, err := t.permanent()
	if err != nil {
		return nil, err
	}
	return sealBlob(permanentBlob, permanentBlobVersion, func(w *wire.Writer) error {
		writeRecords(w, saved)
		return nil
	})
}

// RestorePermanent makes a blob of SavePermanent the persistent state, in memory and
// durably. The TPM is then as after _TPM_Init. An error leaves it as it was.
func (t *TPM) RestorePermanent(blob []byte) error {
	body, err := openBlob(permanentBlob, permanentBlobVersion, blob)
	if err != nil {
		return err
	}
	saved, err := readRecords(body)
	if err != nil {
		return fmt.Errorf("read the permanent state: %w", err)
	}
	next, err := t.onRecords(saved)
	if err != nil {
		return fmt.Errorf("restore the permanent state: %w", err)
	}
	changes, err := t.store.Load()
	if err != nil {
		return fmt.Errorf("load TPM state: %w", err)
	}
	changes = maps.Clone(changes)
	if changes == nil {
		changes = make(map[string][]byte)
	}
	for name := range changes {
		changes[name] = nil
	}
	maps.Copy(changes, saved)
	if err := t.store.Commit(changes); err != nil {
		return fmt.Errorf("commit TPM state: %w", err)
	}
	t.become(next)
	return nil
}

// onRecords returns a TPM with the persistent state in the records and the
// surroundings of t, as after _TPM_Init.
func (t *TPM) onRecords(saved map[string][]byte) (*TPM, error) {
	next := &TPM{Profile: t.Profile, Commands: t.Commands, store: t.store, entropy: t.entropy, clock: t.clock}
	next.Clock.recorded = t.Profile.ClockInterval
	if err := next.restore(saved); err != nil {
		return nil, err
	}
	next.Init()
	return next, next.failure
}

// become replaces all state of t by that of next.
func (t *TPM) become(next *TPM) {
	t.Objects.wipeTransient()
	t.Sessions.powerOn()
	*t = *next
}

// permanent returns the records of the persistent state that are in the store.
func (t *TPM) permanent() (map[string][]byte, error) {
	saved, err := t.store.Load()
	if err != nil {
		return nil, fmt.Errorf("load TPM state: %w", err)
	}
	saved = maps.Clone(saved)
	delete(saved, string(RecordVolatile))
	return saved, nil
}

// writeRecords writes records in the order of their names.
func writeRecords(w *wire.Writer, saved map[string][]byte) {
	for _, name := range slices.Sorted(maps.Keys(saved)) {
		w.Sized([]byte(name))
		w.U32(uint32(len(saved[name])))
		w.Bytes(saved[name])
	}
}

func readRecords(body []byte) (map[string][]byte, error) {
	r := wire.NewReader(body, &wire.Limits{})
	r.Detach()
	saved := make(map[string][]byte)
	last := ""
	for r.Len() > 0 {
		name := string(readBytes(r))
		value := r.Bytes(int(r.U32()))
		if err := r.Err(); err != nil {
			return nil, fmt.Errorf("after record %q: %w", last, err)
		}
		if name <= last {
			return nil, fmt.Errorf("record %q comes after %q", name, last)
		}
		if Record(name) == RecordVolatile {
			return nil, errors.New("a volatile state is among the records")
		}
		saved[name], last = value, name
	}
	return saved, nil
}

// permanentDigest says which persistent state a volatile state belongs to.
func permanentDigest(saved map[string][]byte) []byte {
	var w wire.Writer
	writeRecords(&w, saved)
	sum := sha256.Sum256(w.Data())
	clear(w.Data())
	return sum[:]
}
