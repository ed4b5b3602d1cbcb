package engine

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// Record names a part of the persistent state that is written as one.
type Record string

// The records with a fixed name. NV indices and persistent objects have one each,
// named by recordNV and recordObject.
const (
	RecordFormat       Record = "format"      // version of this encoding
	RecordHierarchies  Record = "hierarchies" // seeds, proofs, authorizations
	RecordLockout      Record = "lockout"
	RecordAudit        Record = "audit"
	RecordPCR          Record = "pcr"          // allocation of the banks
	RecordCounters     Record = "counters"     // clock, reset count, largest NV counter
	RecordPresence     Record = "presence"     // commands that need physical presence
	RecordAlgorithmSet Record = "algorithmset" // see TPM.AlgorithmSet
	RecordShutdown     Record = "shutdown"     // how the TPM was shut down, and what that kept
)

// RecordSeedVersions is there only while a seed is of an older version of the
// derivation than keygen.Version: one that came from libtpms before 0.8.
const RecordSeedVersions Record = "seedversions"

// RecordProfile is there only for a TPM that was made with another profile than
// PCClient: its name.
const RecordProfile Record = "profile"

// maxProfileName is far more than the name of any profile has, in bytes.
const maxProfileName = 64

const (
	prefixNV     = "nv/"
	prefixObject = "object/"
)

// formatVersion is the version of the records' encoding. A later one reads this
// one through an upgrade step in restore.
const formatVersion = 1

func recordNV(h wire.Handle) Record { return Record(fmt.Sprintf("%s%08x", prefixNV, uint32(h))) }
func recordObject(h wire.Handle) Record {
	return Record(fmt.Sprintf("%s%08x", prefixObject, uint32(h)))
}

// records is a set of records that have changed since the last Commit.
type records map[Record]struct{}

// Mark notes that the record changed and must be durable before the response.
func (t *TPM) Mark(r Record) {
	if t.dirty == nil {
		t.dirty = make(records)
	}
	t.dirty[r] = struct{}{}
	if r == RecordHierarchies {
		t.dirty[RecordSeedVersions] = struct{}{} // a new seed is of the current version
	}
}

// MarkNV notes that the NV index changed or is gone.
func (t *TPM) MarkNV(h wire.Handle) { t.Mark(recordNV(h)) }

// MarkObject notes that the persistent object changed or is gone.
func (t *TPM) MarkObject(h wire.Handle) { t.Mark(recordObject(h)) }

func (t *TPM) markAll() {
	for _, r := range fixedRecords() {
		t.Mark(r)
	}
	t.Mark(RecordProfile)
}

func (t *TPM) markOrderlyNV() {
	for h, x := range t.NV.indices {
		if x.Has(wire.NVOrderly) {
			t.MarkNV(h)
		}
	}
}

// Commit makes the marked records durable. When it fails they stay marked.
func (t *TPM) Commit() error {
	if t.Clock.interval() != t.committedInterval {
		t.Mark(RecordCounters)
	}
	if len(t.dirty) == 0 {
		return nil
	}
	changes := make(map[string][]byte, len(t.dirty))
	for r := range t.dirty {
		changes[string(r)] = t.encode(r)
	}
	if err := t.store.Commit(changes); err != nil {
		return fmt.Errorf("commit TPM state: %w", err)
	}
	clear(t.dirty)
	t.committedInterval = t.Clock.interval()
	t.uncommittedFailure = nil
	t.lockoutBefore = t.Lockout
	return nil
}

// encode returns a record's bytes, or nil when what it holds is gone.
func (t *TPM) encode(rec Record) []byte {
	var w wire.Writer
	switch rec {
	case RecordFormat:
		w.U32(formatVersion)
	case RecordHierarchies:
		t.Hierarchies.writePersistent(&w)
	case RecordSeedVersions:
		t.Hierarchies.writeSeedVersions(&w)
	case RecordProfile:
		if t.Profile.Name != PCClient().Name {
			w.Sized([]byte(t.Profile.Name))
		}
	case RecordLockout:
		t.Lockout.write(&w)
	case RecordAudit:
		t.Audit.write(&w)
	case RecordPCR:
		t.PCR.writePersistent(&w)
	case RecordCounters:
		w.U64(t.Clock.Clock)
		writeBool(&w, t.Clock.Safe)
		w.U32(t.Clock.ResetCount)
		w.U64(t.Clock.TotalResetCount)
		w.U32(t.Clock.Epoch)
		w.U64(t.NV.MaxCounter)
	case RecordPresence:
		writeCommands(&w, t.presence)
	case RecordAlgorithmSet:
		w.U32(t.AlgorithmSet)
	case RecordShutdown:
		t.shutdown.write(&w)
	default:
		return t.encodeEntity(rec)
	}
	return w.Data()
}

func (t *TPM) encodeEntity(rec Record) []byte {
	var w wire.Writer
	kind, h := parseEntity(string(rec))
	switch kind {
	case prefixNV:
		x := t.NV.At(h)
		if x == nil {
			return nil
		}
		x.write(&w)
	case prefixObject:
		o := t.Objects.At(h)
		if o == nil {
			return nil
		}
		o.Write(&w)
	}
	return w.Data()
}

func parseEntity(rec string) (kind string, h wire.Handle) {
	for _, kind := range []string{prefixNV, prefixObject} {
		if rest, ok := strings.CutPrefix(rec, kind); ok {
			if n, err := strconv.ParseUint(rest, 16, 32); err == nil {
				return kind, wire.Handle(n)
			}
		}
	}
	return "", 0
}

// restore replaces the persistent state with what the records hold. Nothing is
// guessed: a record that is missing, unknown or malformed is an error.
func (t *TPM) restore(saved map[string][]byte) error {
	t.NV.manufacture()
	t.Objects.persistent = make(map[wire.Handle]*Object)
	var version uint32
	if err := t.decode(saved, RecordFormat, func(r *wire.Reader) { version = r.U32() }); err != nil {
		return err
	}
	if version != formatVersion {
		return fmt.Errorf("record %q: format %d, this version reads %d", RecordFormat, version, formatVersion)
	}
	for _, rec := range []struct {
		name Record
		read func(*wire.Reader)
	}{
		{RecordHierarchies, t.Hierarchies.readPersistent},
		{RecordLockout, t.Lockout.read},
		{RecordAudit, t.Audit.read},
		{RecordPCR, t.PCR.readPersistent},
		{RecordCounters, func(r *wire.Reader) {
			t.Clock.Clock = r.U64()
			t.Clock.Safe = readBool(r)
			t.Clock.ResetCount = r.U32()
			t.Clock.TotalResetCount = r.U64()
			t.Clock.Epoch = r.U32()
			t.NV.MaxCounter = r.U64()
		}},
		{RecordPresence, func(r *wire.Reader) { t.presence = readCommands(r) }},
		{RecordAlgorithmSet, func(r *wire.Reader) { t.AlgorithmSet = r.U32() }},
		{RecordShutdown, t.shutdown.read},
	} {
		if err := t.decode(saved, rec.name, rec.read); err != nil {
			return err
		}
	}
	if _, ok := saved[string(RecordSeedVersions)]; ok {
		if err := t.decode(saved, RecordSeedVersions, t.Hierarchies.readSeedVersions); err != nil {
			return err
		}
	}
	if err := t.checkShutdown(); err != nil {
		return fmt.Errorf("record %q: %w", RecordShutdown, err)
	}
	t.committedInterval = t.Clock.interval()
	return t.restoreEntities(saved)
}

func (t *TPM) restoreEntities(saved map[string][]byte) error {
	for name := range saved {
		var err error
		switch kind, h := parseEntity(name); {
		case kind == prefixNV && name == string(recordNV(h)):
			err = t.restoreNV(saved, h)
		case kind == prefixObject && name == string(recordObject(h)):
			err = t.restoreObject(saved, h)
		case !fixedRecord(Record(name)) && !optionalRecord(Record(name)):
			err = fmt.Errorf("unknown record %q", name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *TPM) restoreNV(saved map[string][]byte, h wire.Handle) error {
	x := new(NVIndex)
	if err := t.decode(saved, recordNV(h), x.read); err != nil {
		return err
	}
	if x.Public.NVIndex != h {
		return fmt.Errorf("record %q is of NV index %v", recordNV(h), x.Public.NVIndex)
	}
	t.NV.indices[h] = x
	return nil
}

func (t *TPM) restoreObject(saved map[string][]byte, h wire.Handle) error {
	o := new(Object)
	if err := t.decode(saved, recordObject(h), o.Read); err != nil {
		return err
	}
	if h.Type() != wire.HTPersistent || o.Hierarchy == wire.HandleNull {
		return fmt.Errorf("record %q is of no persistent object", recordObject(h))
	}
	if !bytes.Equal(o.Name, crypt.ObjectName(&o.Public)) {
		return fmt.Errorf("record %q: the Name does not fit the public area", recordObject(h))
	}
	t.Objects.persistent[h] = o
	return nil
}

func fixedRecord(r Record) bool {
	return slices.Contains(fixedRecords(), r)
}

// optionalRecord reports whether a state may have the record, and need not.
func optionalRecord(r Record) bool {
	return r == RecordSeedVersions || r == RecordProfile || r == RecordVolatile
}

func fixedRecords() []Record {
	return []Record{
		RecordFormat, RecordHierarchies, RecordLockout, RecordAudit, RecordPCR,
		RecordCounters, RecordPresence, RecordAlgorithmSet, RecordShutdown,
	}
}

// decode reads one record, which must be there and be read to its end.
func (t *TPM) decode(saved map[string][]byte, name Record, read func(*wire.Reader)) error {
	b, ok := saved[string(name)]
	if !ok {
		return fmt.Errorf("record %q is missing", name)
	}
	r := wire.NewReader(b, t.Limits())
	r.Detach() // the store may use its memory again
	read(r)
	if r.OK() && r.Len() != 0 {
		return fmt.Errorf("record %q: %d bytes too many", name, r.Len())
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("record %q, offset %d: %w", name, r.Offset(), err)
	}
	return nil
}
