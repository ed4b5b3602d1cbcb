package engine

import (
	"time"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// clockInterval is how often Clock is made durable, in milliseconds. Part 1,
// "Clock": a TPM records Clock at least every 2^22 milliseconds, and after an
// unorderly shutdown Clock is not "safe" until it passed the next record.
const clockInterval = 1 << 22

// Clock is the TPM's time (Part 1, "Timing components").
type Clock struct {
	Time         uint64 // milliseconds since _TPM_Init
	Clock        uint64 // milliseconds the TPM has been powered, ever; may be set forward
	Safe         bool   // no Clock value was reported before that is larger
	ResetCount   uint32 // TPM Resets since TPM2_Clear
	RestartCount uint32 // Restarts and Resumes since the last TPM Reset
	Epoch        uint32 // changes whenever Time becomes discontinuous
	Rate         int32  // adjustment in units of 1/65536 of the nominal rate

	last      time.Duration // of the outside clock, at the last update
	remainder int64         // nanoseconds not yet counted
}

// Info returns TPMS_CLOCK_INFO.
func (c *Clock) Info() wire.TPMSClockInfo {
	return wire.TPMSClockInfo{Clock: c.Clock, ResetCount: c.ResetCount, RestartCount: c.RestartCount, Safe: c.Safe}
}

func (c *Clock) powerOn(now time.Duration) {
	c.Time, c.last, c.remainder = 0, now, 0
}

// update advances Time and Clock to now. An outside clock that runs backwards
// (a host that was suspended, a test) does not move them.
func (c *Clock) update(now time.Duration) {
	elapsed := int64(now - c.last)
	if elapsed <= 0 {
		return
	}
	c.last = now
	elapsed += elapsed/65536*int64(c.Rate) + c.remainder
	ms := elapsed / int64(time.Millisecond)
	c.remainder = elapsed % int64(time.Millisecond)
	if ms < 0 {
		return
	}
	c.Time += uint64(ms)
	c.advance(uint64(ms))
}

func (c *Clock) advance(ms uint64) {
	before := c.Clock / clockInterval
	c.Clock += ms
	if c.Clock/clockInterval != before {
		c.Safe = true
	}
}

// Set moves Clock forward (TPM2_ClockSet; the caller has checked the range).
func (c *Clock) Set(clock uint64) {
	if clock/clockInterval != c.Clock/clockInterval {
		c.Safe = true
	}
	c.Clock = clock
}

// interval is the number of the recording interval that Clock is in.
func (c *Clock) interval() uint64 { return c.Clock / clockInterval }
