package eventlog

import (
	"encoding/binary"
	"fmt"

	"github.com/bootseal/bootseal/pcr"
)

// New returns a log that has only its header: crypto-agile with the given banks,
// in that order. It panics for a bank without a name.
func New(banks ...pcr.Bank) *Log {
	l := &Log{Spec: Spec{Signature: specAgile[:15], VersionMajor: 2, UintnSize: 2}}
	for _, b := range banks {
		if b.Size() == 0 {
			panic("eventlog: no digest size for bank " + b.String())
		}
		l.Spec.Algorithms = append(l.Spec.Algorithms, Algorithm{b, b.Size()})
	}
	header := Event{Type: NoAction, Data: l.Spec.appendTo(nil)}
	header.Digests = map[pcr.Bank]pcr.Digest{pcr.SHA1: make(pcr.Digest, pcr.SHA1.Size())}
	l.Events = []Event{header}
	return l
}

// Append adds an event with the given digests and returns it. It takes the
// digests and data as they are: [Log.Bytes] checks them.
func (l *Log) Append(index int, t Type, data []byte, digests map[pcr.Bank]pcr.Digest) *Event {
	e := Event{Index: len(l.Events), PCR: index, Type: t, Digests: digests, Data: data}
	if n := len(l.Events); n > 0 {
		e.Offset = l.Events[n-1].Offset + l.encodedSize(&l.Events[n-1])
	}
	l.Events = append(l.Events, e)
	return &l.Events[e.Index]
}

// Measure adds an event whose digests are the hash of measured in every bank of
// the log that package pcr can compute, and returns it.
func (l *Log) Measure(index int, t Type, data, measured []byte) *Event {
	digests := make(map[pcr.Bank]pcr.Digest)
	for _, b := range l.Banks() {
		if b.Available() {
			digests[b] = b.Sum(measured)
		}
	}
	return l.Append(index, t, data, digests)
}

// Renumber gives the events the numbers and offsets that they have in the
// encoding of the log, after events were removed, inserted or moved.
func (l *Log) Renumber() {
	off := 0
	for i := range l.Events {
		l.Events[i].Index, l.Events[i].Offset = i, off
		off += l.encodedSize(&l.Events[i])
	}
}

// agile reports whether event i is encoded with a list of digests. The header
// of a crypto-agile log is itself a SHA-1 event.
func (l *Log) agile(e *Event) bool { return l.Spec.CryptoAgile() && e.Index > 0 }

func (l *Log) encodedSize(e *Event) int {
	if !l.agile(e) {
		return 32 + len(e.Data)
	}
	n := 16 + len(e.Data)
	for _, d := range e.Digests {
		n += 2 + len(d)
	}
	return n
}

// Bytes encodes the log, without padding: for a parsed log the bytes that were
// parsed, if its events list digests in the header's order, as they all do. The
// digests of an event must be of the log's banks and have their sizes.
func (l *Log) Bytes() ([]byte, error) {
	var out []byte
	for i := range l.Events {
		e := l.Events[i]
		e.Index = i
		out = binary.LittleEndian.AppendUint32(out, uint32(e.PCR))
		out = binary.LittleEndian.AppendUint32(out, uint32(e.Type))
		var err error
		if out, err = l.appendDigests(out, &e); err != nil {
			return nil, fmt.Errorf("encode event %d (%s): %w", i, e.Type, err)
		}
		out = binary.LittleEndian.AppendUint32(out, uint32(len(e.Data)))
		out = append(out, e.Data...)
	}
	return out, nil
}

func (l *Log) appendDigests(out []byte, e *Event) ([]byte, error) {
	if !l.agile(e) {
		d := e.Digests[pcr.SHA1]
		if len(d) != pcr.SHA1.Size() || len(e.Digests) != 1 {
			return nil, fmt.Errorf("want one sha1 digest")
		}
		return append(out, d...), nil
	}
	out = binary.LittleEndian.AppendUint32(out, uint32(len(e.Digests)))
	n := 0
	for _, a := range l.Spec.Algorithms {
		d, ok := e.Digests[a.Bank]
		if !ok {
			continue
		}
		if len(d) != a.Size {
			return nil, fmt.Errorf("%s digest of %d bytes: want %d", a.Bank, len(d), a.Size)
		}
		out = binary.LittleEndian.AppendUint16(out, uint16(a.Bank))
		out = append(out, d...)
		n++
	}
	if n != len(e.Digests) {
		return nil, fmt.Errorf("a digest of a bank that the header does not list")
	}
	return out, nil
}
