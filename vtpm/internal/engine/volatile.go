package engine

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// The volatile state: what a TPM has in memory only, all of it, so that another
// process goes on where this one stopped, without a Startup. It belongs to one
// persistent state and to no other. Each part has its encoding in a file volatile*.go.

// RecordVolatile is the volatile state that KeepVolatile left in the store. It is no
// part of the persistent state.
const RecordVolatile Record = "volatile"

// maxFailure bounds the reason of a failure in a blob, in bytes.
const maxFailure = 4096

// SaveVolatile returns the volatile state as a blob. It is of use with the persistent
// state of the same moment: call SavePermanent first, which also brings the clock up
// to date.
func (t *TPM) SaveVolatile() ([]byte, error) {
	if t.Command != nil {
		return nil, errors.New("a command is in flight")
	}
	if t.failure == nil {
		if err := t.Commit(); err != nil {
			return nil, err
		}
	}
	saved, err := t.permanent()
	if err != nil {
		return nil, err
	}
	return sealBlob(volatileBlob, volatileBlobVersion, func(w *wire.Writer) error {
		w.Bytes(permanentDigest(saved))
		return t.writeVolatile(w)
	})
}

// RestoreVolatile makes a blob of SaveVolatile the volatile state. An error, such as
// for a blob that belongs to another persistent state, leaves the TPM as it was.
//
// Time goes on where it stopped: what passed outside the TPM meanwhile is not known
// to it, as it is not to a machine that sleeps.
func (t *TPM) RestoreVolatile(blob []byte) error {
	body, err := openBlob(volatileBlob, volatileBlobVersion, blob)
	if err != nil {
		return err
	}
	saved, err := t.permanent()
	if err != nil {
		return err
	}
	next, err := t.onRecords(saved)
	if err != nil {
		return fmt.Errorf("restore TPM state: %w", err)
	}
	r := wire.NewReader(body, t.Limits())
	r.Detach()
	digest := permanentDigest(saved)
	if !bytes.Equal(r.Bytes(len(digest)), digest) {
		return errors.New("the volatile state does not belong to the permanent state")
	}
	next.readVolatile(r)
	if err := readAll(r); err != nil {
		return fmt.Errorf("restore the volatile state, offset %d: %w", r.Offset(), err)
	}
	t.become(next)
	return nil
}

// KeepVolatile leaves the volatile state in the store, for ResumeVolatile.
func (t *TPM) KeepVolatile() error {
	blob, err := t.SaveVolatile()
	if err != nil {
		return err
	}
	return t.PutVolatile(blob)
}

// PutVolatile leaves a volatile state from elsewhere in the store, for ResumeVolatile.
// It looks no further than whether it is one.
func (t *TPM) PutVolatile(blob []byte) error {
	if _, err := openBlob(volatileBlob, volatileBlobVersion, blob); err != nil {
		return err
	}
	if err := t.store.Commit(map[string][]byte{string(RecordVolatile): bytes.Clone(blob)}); err != nil {
		return fmt.Errorf("commit the volatile state: %w", err)
	}
	return nil
}

// ResumeVolatile restores the volatile state that was left in the store, and reports
// whether there was one. It stays there.
func (t *TPM) ResumeVolatile() (bool, error) {
	saved, err := t.store.Load()
	if err != nil {
		return false, fmt.Errorf("load TPM state: %w", err)
	}
	blob, ok := saved[string(RecordVolatile)]
	if !ok {
		return false, nil
	}
	return true, t.RestoreVolatile(blob)
}

// DropVolatile removes the volatile state that was left in the store, if there is one.
func (t *TPM) DropVolatile() error {
	saved, err := t.store.Load()
	if err != nil {
		return fmt.Errorf("load TPM state: %w", err)
	}
	if _, ok := saved[string(RecordVolatile)]; !ok {
		return nil
	}
	if err := t.store.Commit(map[string][]byte{string(RecordVolatile): nil}); err != nil {
		return fmt.Errorf("drop the volatile state: %w", err)
	}
	return nil
}

// writeVolatile writes the state. A TPM in failure mode has none but the reason: it
// may have failed halfway through a change.
func (t *TPM) writeVolatile(w *wire.Writer) error {
	writeBool(w, t.failure != nil)
	if t.failure != nil {
		reason := t.failure.Error()
		w.Sized([]byte(reason[:min(len(reason), maxFailure)]))
		return nil
	}
	writeBool(w, t.started)
	writeBool(w, t.startedOrderly)
	writeBool(w, t.hcrtm)
	w.U8(t.locality)
	writeBool(w, t.PhysicalPresence)
	t.Clock.writeVolatile(w)
	t.Lockout.writeVolatile(w)
	t.Hierarchies.writeVolatile(w, t.started)
	t.PCR.writeVolatile(w)
	t.NV.writeVolatile(w)
	t.Audit.writeVolatile(w)
	t.ACTs.writeVolatile(w)
	t.Commits.write(w)
	t.Sessions.writeVolatile(w)
	if err := t.drtm.writeVolatile(w); err != nil {
		return err
	}
	return t.Objects.writeVolatile(w)
}

// readVolatile reads what writeVolatile wrote into a TPM that has been through
// _TPM_Init. It fails the reader for what no TPM of the profile could have written.
func (t *TPM) readVolatile(r *wire.Reader) {
	if readBool(r) {
		t.Fail(errors.New(string(r.Sized(maxFailure))))
		return
	}
	t.started = readBool(r)
	t.startedOrderly = readBool(r)
	t.hcrtm = readBool(r)
	t.locality = r.U8()
	t.PhysicalPresence = readBool(r)
	t.Clock.readVolatile(r)
	t.Lockout.readVolatile(r, t.Clock.Time)
	t.Hierarchies.readVolatile(r, t.started)
	t.PCR.readVolatile(r)
	t.NV.readVolatile(r)
	t.Audit.readVolatile(r)
	t.ACTs.readVolatile(r, t.Clock.Time)
	t.Commits.read(r)
	t.readSessions(r)
	t.drtm = readHashSequence(r)
	t.readObjects(r)
}
