package engine

import (
	"time"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// Clock is the TPM's time (Part 1, "Timing components"). It is made durable every
// Profile.ClockInterval milliseconds, TPM_PT_CLOCK_UPDATE. Part 1, "Clock": at least
// every 2^22, and after an unorderly shutdown Clock is not "safe" until it passed the
// next record.
type Clock struct {
	Time         uint64 // milliseconds since _TPM_Init
	Clock        uint64 // milliseconds the TPM has been powered, ever; may be set forward
	Safe         bool   // no Clock value was reported before that is larger
	ResetCount   uint32 // TPM Resets since TPM2_Clear
	RestartCount uint32 // Restarts and Resumes since the last TPM Reset
	Epoch        uint32 // changes whenever Time becomes discontinuous
	Rate         int32  // adjustment in units of 1/65536 of the nominal rate

	TotalResetCount uint64 // TPM Resets ever: TPM2_Clear does not touch it

	recorded  uint64        // Profile.ClockInterval
	last      time.Duration // of the outside clock, at the last update
	remainder int64         // nanoseconds not yet counted
}

// Info returns TPMS_CLOCK_INFO.
func (c *Clock) Info() wire.TPMSClockInfo {
	return wire.TPMSClockInfo{Clock: c.Clock, ResetCount: c.ResetCount, RestartCount: c.RestartCount, Safe: c.Safe}
}

func (c *Clock) powerOn(now time.Duration) {
	c.Time, c.last, c.remainder, c.Rate = 0, now, 0, 0
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
	before := c.Clock / c.recorded
	c.Clock += ms
	if c.Clock/c.recorded != before {
		c.Safe = true
	}
}

// Set moves Clock forward (TPM2_ClockSet; the caller has checked the range).
func (c *Clock) Set(clock uint64) {
	if clock/c.recorded != c.Clock/c.recorded {
		c.Safe = true
	}
	c.Clock = clock
}

// Steps of a rate adjustment and its limit, in units of Rate: 1 percent, 0.1
// percent, the smallest that 1/30000 is, and 15 percent (Part 2,
// "TPM_CLOCK_ADJUST"; the sizes are a vendor's choice).
const (
	rateCoarse = 655
	rateMedium = 66
	rateFine   = 2
	rateLimit  = 9830
)

// AdjustRate changes the rate by a step (TPM2_ClockRateAdjust). The adjustment
// lasts until power is lost.
func (c *Clock) AdjustRate(step wire.ClockAdjust) {
	switch step {
	case wire.ClockCoarseSlower:
		c.Rate -= rateCoarse
	case wire.ClockMediumSlower:
		c.Rate -= rateMedium
	case wire.ClockFineSlower:
		c.Rate -= rateFine
	case wire.ClockFineFaster:
		c.Rate += rateFine
	case wire.ClockMediumFaster:
		c.Rate += rateMedium
	case wire.ClockCoarseFaster:
		c.Rate += rateCoarse
	}
	c.Rate = max(-rateLimit, min(c.Rate, rateLimit))
}

// Clear starts Clock and the counters of a new owner (TPM2_Clear). Time goes on.
func (c *Clock) Clear() {
	c.Clock, c.Safe = 0, true
	c.ResetCount, c.RestartCount = 0, 0
}

// interval is the number of the recording interval that Clock is in.
func (c *Clock) interval() uint64 { return c.Clock / c.recorded }
