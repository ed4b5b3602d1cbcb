package host

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/server"
)

// Result is a class of response codes.
type Result int

// Classes of response codes (Part 2, "TPM_RC").
const (
	Success     Result = iota
	AuthFailed         // TPM_RC_AUTH_FAIL, TPM_RC_BAD_AUTH
	Lockout            // TPM_RC_LOCKOUT
	Unavailable        // TPM_RC_NV_UNAVAILABLE, TPM_RC_NV_SPACE, TPM_RC_NV_RATE: the state cannot be written
	Failure            // TPM_RC_FAILURE: the TPM is in failure mode
	Warning            // other warnings: too many sessions, ...
	Refused            // everything else: the command was not right
	results
)

// String returns the class's name, as in a metric's label.
func (r Result) String() string {
	return [results]string{"success", "auth-failed", "lockout", "unavailable", "failure", "warning", "refused"}[r]
}

// Results returns all classes.
func Results() []Result {
	list := make([]Result, results)
	for r := range list {
		list[r] = Result(r)
	}
	return list
}

// resultOf returns the class of a response.
func resultOf(response []byte) Result {
	if len(response) < 10 {
		return Refused
	}
	rc := binary.BigEndian.Uint32(response[6:])
	switch {
	case rc == 0:
		return Success
	case rc&0x80 != 0: // format one: the error's number without what it is about
		if number := rc & 0x3F; number == 0x0E || number == 0x22 {
			return AuthFailed
		}
		return Refused
	case rc == 0x101:
		return Failure
	case rc == 0x921:
		return Lockout
	case rc == 0x923, rc == 0x920, rc == 0x14B:
		return Unavailable
	case rc&0x900 == 0x900:
		return Warning
	}
	return Refused
}

// Buckets are the upper bounds of a Histogram's buckets, in seconds.
var Buckets = [...]float64{10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 1, 5}

// Histogram counts durations.
type Histogram struct {
	Counts [len(Buckets) + 1]uint64 // by bucket, the last for what is longer; not cumulative
	Sum    float64                  // seconds
}

// Count returns how many durations there were.
func (h *Histogram) Count() (n uint64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// CommandStats are the executions of one command since the host began.
type CommandStats struct {
	Code    uint32 // 0: all that are no command of the specification
	Results [results]uint64
	Latency Histogram
}

// Stats are a host's counters since it began.
type Stats struct {
	States         map[State]int
	Instances      []Info         // as of List
	Commands       []CommandStats // those that were executed, by code
	Commits        Histogram
	CommitFailures uint64
	Failures       uint64 // instances that ended by themselves or did not start
	Dropped        uint64 // exchanges that taps did not take in time
}

// Codes of commands are 0x11F to 0x1A4 (Part 2, "TPM_CC").
const (
	firstCode = 0x11F
	lastCode  = 0x1A4
)

// meter counts for all instances.
type meter struct {
	commands       [lastCode - firstCode + 2]commandMeter // the first for what is none
	commits        histogram
	commitFailures atomic.Uint64
	failures       atomic.Uint64
}

type commandMeter struct {
	results [results]atomic.Uint64
	latency histogram
}

type histogram struct {
	counts [len(Buckets) + 1]atomic.Uint64
	nanos  atomic.Uint64
}

func (h *histogram) add(d time.Duration) {
	b := 0
	for s := d.Seconds(); b < len(Buckets) && s > Buckets[b]; {
		b++
	}
	h.counts[b].Add(1)
	h.nanos.Add(uint64(d))
}

func (h *histogram) read() (out Histogram) {
	for b := range h.counts {
		out.Counts[b] = h.counts[b].Load()
	}
	out.Sum = time.Duration(h.nanos.Load()).Seconds()
	return out
}

// tally counts for one instance.
type tally struct {
	commands, authFailures, lockouts atomic.Uint64
	last                             atomic.Int64 // when a command was executed, Unix nanoseconds
}

// observe counts a command and shows it to who watches.
func (i *instance) observe(r *run, x server.Exchange) {
	slot := 0
	if len(x.Command) >= 10 {
		if code := binary.BigEndian.Uint32(x.Command[6:]); code >= firstCode && code <= lastCode {
			slot = int(code - firstCode + 1)
		}
	}
	result := resultOf(x.Response)
	m := &i.host.meter.commands[slot]
	m.results[result].Add(1)
	m.latency.add(x.Took)
	i.commands.Add(1)
	i.last.Store(x.At.UnixNano())
	switch result {
	case AuthFailed:
		i.authFailures.Add(1)
	case Lockout:
		i.lockouts.Add(1)
	case Failure:
		if r.tpm != nil && !r.failed.Swap(true) {
			i.host.report(EventProblem, i.name, r.tpm.Failure())
		}
	case Success:
		r.failed.Store(false)
	}
	i.taps.offer(x)
}

// Stats returns the counters.
func (h *Host) Stats() Stats {
	s := Stats{States: make(map[State]int), Commits: h.meter.commits.read(), CommitFailures: h.meter.commitFailures.Load(), Failures: h.meter.failures.Load()}
	s.Instances = h.List()
	for _, info := range s.Instances {
		s.States[info.State]++
		s.Dropped += info.Dropped
	}
	for slot := range h.meter.commands {
		m := &h.meter.commands[slot]
		c := CommandStats{Latency: m.latency.read()}
		if slot > 0 {
			c.Code = uint32(firstCode + slot - 1)
		}
		for r := range m.results {
			c.Results[r] = m.results[r].Load()
		}
		if c.Latency.Count() > 0 {
			s.Commands = append(s.Commands, c)
		}
	}
	return s
}

// timedStore measures a store.
type timedStore struct {
	vtpm.Store
	meter *meter
}

func (s timedStore) Commit(changes map[string][]byte) error {
	begin := time.Now()
	err := s.Store.Commit(changes)
	s.meter.commits.add(time.Since(begin))
	if err != nil {
		s.meter.commitFailures.Add(1)
	}
	return err
}
