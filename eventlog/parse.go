package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/bootseal/bootseal/pcr"
)

// Limits bound what Parse accepts. A zero field has the default value.
type Limits struct {
	Size      int // bytes of the log, 16 MiB
	EventSize int // bytes of one event's data, 1 MiB
	Events    int // number of events, 32768
}

func (l Limits) withDefaults() Limits {
	if l.Size == 0 {
		l.Size = 16 << 20
	}
	if l.EventSize == 0 {
		l.EventSize = 1 << 20
	}
	if l.Events == 0 {
		l.Events = 32768
	}
	return l
}

// ErrEmpty is returned for a log of zero bytes. Some platforms offer one: it
// says that there is no log, and nothing about the boot.
var ErrEmpty = errors.New("the event log is empty (0 bytes): the platform recorded none, or hides it")

// Read reads a log to its end and parses it. It reads at most one byte more
// than the limit.
func Read(r io.Reader, limits Limits) (*Log, error) {
	data, err := io.ReadAll(io.LimitReader(r, int64(limits.withDefaults().Size)+1))
	if err != nil {
		return nil, fmt.Errorf("read event log: %w", err)
	}
	return Parse(data, limits)
}

// Parse reads a log as Linux offers it in
// /sys/kernel/security/tpm0/binary_bios_measurements: crypto-agile (Spec ID
// Event03), or SHA-1 with or without a header. Zero bytes after the last event
// are padding, and so are 0xFF bytes to the end (see [Log]); anything else there is an error, as
// is a truncated log: there is no partial result. The log aliases data.
//
// Errors name the event's number, type and offset, except for [ErrEmpty].
func Parse(data []byte, limits Limits) (*Log, error) {
	limits = limits.withDefaults()
	switch {
	case len(data) == 0:
		return nil, ErrEmpty
	case len(data) > limits.Size:
		return nil, fmt.Errorf("not an event log: it has more than %d bytes", limits.Size)
	}
	p := parser{limits: limits, log: new(Log)}
	p.buf = data
	// Whatever starts behind the last nonzero byte is padding. Finding that byte
	// once keeps the test for padding from scanning the rest for every event.
	end := len(bytes.TrimRight(data, "\x00"))
	if end == 0 {
		return nil, fmt.Errorf("the event log has no events: all of its %d bytes are zero", len(data))
	}
	written := len(data) // TrimRight takes every byte that is no UTF-8 for 0xFF
	for written > 0 && data[written-1] == 0xFF {
		written--
	}
	for p.off < end {
		if rest := len(data) - p.off; p.off >= written && rest >= unwrittenSize && p.off > 0 {
			p.log.Unwritten = rest
			break
		}
		if err := p.event(); err != nil {
			return nil, err
		}
	}
	p.log.Padding = len(data) - p.off - p.log.Unwritten
	if _, err := p.log.StartupLocality(); err != nil {
		return nil, err
	}
	return p.log, nil
}

// unwrittenSize is how many bytes of 0xFF at least are no truncated event: a PCR's number and a
// type that no event has.
const unwrittenSize = 8

type parser struct {
	cursor
	limits Limits
	log    *Log
}

// event parses the next event and appends it.
func (p *parser) event() error {
	e := Event{Index: len(p.log.Events), Offset: p.off}
	if e.Index >= p.limits.Events {
		return fmt.Errorf("not an event log: it has more than %d events", p.limits.Events)
	}
	start := p.cursor
	index := p.u32()
	e.PCR = int(index)
	e.Type = Type(p.u32())
	if err := p.body(&e, index); err != nil {
		if start.off == 0 {
			return fmt.Errorf("not an event log, or a damaged one: event 0 (%s, offset 0): %w", e.Type, err)
		}
		return fmt.Errorf("parse event %d (%s, offset %d): %w", e.Index, e.Type, e.Offset, err)
	}
	p.log.Events = append(p.log.Events, e)
	return nil
}

func (p *parser) body(e *Event, index uint32) error {
	if p.short {
		return p.truncated("its header")
	}
	if e.Measured() && index >= pcr.Count {
		return fmt.Errorf("there is no PCR %d: want 0 to %d", index, pcr.Count-1)
	}
	var err error
	if p.log.Spec.CryptoAgile() {
		e.Digests, err = p.digests()
	} else if d := p.bytes(20); d != nil {
		e.Digests = map[pcr.Bank]pcr.Digest{pcr.SHA1: d}
	}
	if err != nil {
		return err
	}
	size := p.u32()
	if p.short {
		return p.truncated("its digests")
	}
	if uint64(size) > uint64(p.limits.EventSize) {
		return fmt.Errorf("%d bytes of event data announced: the limit is %d", size, p.limits.EventSize)
	}
	if left := p.left(); int(size) > left {
		return fmt.Errorf("%d bytes of event data announced, %d left: the log is truncated", size, left)
	}
	e.Data = p.bytes(uint64(size))
	if e.Index == 0 && !e.Measured() {
		if p.log.Spec, _, err = parseSpec(e.Data); err != nil {
			return err
		}
	}
	return nil
}

// digests reads a TPML_DIGEST_VALUES, little-endian.
func (p *parser) digests() (map[pcr.Bank]pcr.Digest, error) {
	n := p.u32()
	if int64(n) > int64(len(p.log.Spec.Algorithms)) {
		return nil, fmt.Errorf("%d digests: the header lists %d algorithms", n, len(p.log.Spec.Algorithms))
	}
	out := make(map[pcr.Bank]pcr.Digest, n)
	for range n {
		b := pcr.Bank(p.u16())
		if p.short {
			return nil, p.truncated("its digests")
		}
		size := p.log.Spec.size(b)
		if size == 0 {
			return nil, fmt.Errorf("a digest of %s, which the header does not list", b)
		}
		if _, dup := out[b]; dup {
			return nil, fmt.Errorf("two digests of %s", b)
		}
		if out[b] = p.bytes(uint64(size)); p.short {
			return nil, p.truncated("its digests")
		}
	}
	return out, nil
}

func (p *parser) truncated(where string) error {
	return fmt.Errorf("the log ends within %s: it is truncated", where)
}
