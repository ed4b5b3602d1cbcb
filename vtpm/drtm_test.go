package vtpm_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// The signals _TPM_Hash_Start, _TPM_Hash_Data and _TPM_Hash_End, and the localities
// of the PCRs (Part 1, "Dynamic Root of Trust"; PC Client Platform TPM Profile, "PCR
// attributes").

// pcrBanks are the banks that a new TPM has.
var pcrBanks = []wire.Alg{wire.AlgSHA1, wire.AlgSHA256, wire.AlgSHA384, wire.AlgSHA512}

// readPCR returns the value of a PCR in a bank.
func (c *client) readPCR(alg wire.Alg, pcr int) []byte {
	c.Helper()
	s := selection(pcr)
	s[0].Hash = alg
	r := wire.NewReader(c.ok(request{cc: wire.CCPCRRead, params: params(s)}).params, wire.DefaultLimits())
	r.U32()
	var selected wire.TPMLPCRSelection
	selected.Read(r)
	if n := r.U32(); n != 1 || !selected[0].Has(pcr) {
		c.Fatalf("%d values of PCR %d", n, pcr)
	}
	return r.Sized(wire.MaxDigest)
}

// wantPCR checks that in every bank the PCR is all fill, but for the last byte, and
// then extended with the digests of the events.
func (c *client) wantPCR(pcr int, fill, last byte, events ...string) {
	c.Helper()
	for _, alg := range pcrBanks {
		h := c.hash(alg)
		want := bytes.Repeat([]byte{fill}, h.Size())
		want[h.Size()-1] = last
		for _, e := range events {
			want = digest(h, want, digest(h, []byte(e)))
		}
		if have := c.readPCR(alg, pcr); !bytes.Equal(have, want) {
			c.Errorf("PCR %d, %v: have %x, want %x", pcr, alg, have, want)
		}
	}
}

// measure is a whole sequence of signals.
func (c *client) measure(pieces ...string) {
	c.HashStart()
	for _, p := range pieces {
		c.HashData([]byte(p))
	}
	c.HashEnd()
}

// startup starts the TPM at a locality.
func (c *client) startup(locality uint8) {
	c.Helper()
	c.ok(request{cc: wire.CCStartup, params: params(uint16(wire.SUClear)), locality: locality})
}

// TestHCRTM: what was measured before TPM2_Startup is in PCR 0, which starts from
// locality 4's value whatever the locality of TPM2_Startup.
func TestHCRTM(t *testing.T) {
	c := open(t)
	c.Init()
	c.measure("cr", "tm")
	c.startup(3)
	c.wantPCR(0, 0, 4, "crtm")
	for pcr := 1; pcr < 17; pcr++ {
		c.wantPCR(pcr, 0, 0)
	}
	for pcr := 17; pcr < 23; pcr++ {
		c.wantPCR(pcr, 0xFF, 0xFF) // no dynamic launch
	}
	c.PowerCycle(t)
	c.wantPCR(0, 0, 0)
}

// TestHCRTMTwice: the last measurement is the one, since each starts PCR 0 afresh.
func TestHCRTMTwice(t *testing.T) {
	c := open(t)
	c.Init()
	c.measure("first")
	c.measure("second")
	c.startup(0)
	c.wantPCR(0, 0, 4, "second")
}

// TestResumeAfterHCRTM: a state with an H-CRTM event is resumed after another one
// only, and PCR 0 comes out of the state.
func TestResumeAfterHCRTM(t *testing.T) {
	c := open(t)
	c.Init()
	c.measure("crtm")
	c.startup(0)
	c.ok(request{cc: wire.CCShutdown, params: params(uint16(wire.SUState))})
	c.Init()
	resume := request{cc: wire.CCStartup, params: params(uint16(wire.SUState))}
	c.fails(resume, wire.RCValue.Param(1))
	c.measure("crtm of a wake-up")
	c.ok(resume)
	c.wantPCR(0, 0, 4, "crtm")
}

// TestDynamicLaunch: after TPM2_Startup the same signals start the dynamic PCRs
// afresh and measure into PCR 17, and count as a restart.
func TestDynamicLaunch(t *testing.T) {
	c := open(t)
	for _, pcr := range []wire.Handle{8, 16, 23} {
		c.extend(pcr)
	}
	others := map[int][]byte{}
	for _, pcr := range []int{0, 8, 16, 23} {
		others[pcr] = c.readPCR(wire.AlgSHA256, pcr)
	}
	restarts := c.restartCount()
	c.measure("launched ", "environment")
	c.wantPCR(17, 0, 0, "launched environment")
	for pcr := 18; pcr < 23; pcr++ {
		c.wantPCR(pcr, 0, 0)
	}
	for pcr, value := range others {
		if have := c.readPCR(wire.AlgSHA256, pcr); !bytes.Equal(have, value) {
			t.Errorf("PCR %d is not dynamic, and changed from %x to %x", pcr, value, have)
		}
	}
	if have := c.restartCount(); have != restarts+1 {
		t.Errorf("restartCount went from %d to %d", restarts, have)
	}
	c.measure() // nothing is something, too
	c.wantPCR(17, 0, 0, "")
}

func (c *client) restartCount() uint32 {
	c.Helper()
	var info wire.TPMSTimeInfo
	if err := wire.Unmarshal(c.ok(request{cc: wire.CCReadClock}).params, &info, wire.DefaultLimits()); err != nil {
		c.Fatal(err)
	}
	return info.ClockInfo.RestartCount
}

// TestPolicyAndDynamicLaunch: a policy that was satisfied before a dynamic launch is
// not after it.
func TestPolicyAndDynamicLaunch(t *testing.T) {
	c := open(t)
	pcr18 := step(wire.CCPolicyPCR, "", selection(18))
	c.endorsementPolicy(pcr18)
	s := c.policy(pcr18)
	c.measure("another environment")
	use := change
	use.sessions = []*session{s}
	c.fails(use, wire.RCPCRChanged)
}

// TestBrokenSequence: without _TPM_Hash_Start there is no sequence, any command ends
// one, and another _TPM_Hash_Start forgets what was measured.
func TestBrokenSequence(t *testing.T) {
	c := open(t)
	c.HashData([]byte("data"))
	c.HashEnd()
	c.wantPCR(17, 0xFF, 0xFF)

	c.HashStart()
	c.HashData([]byte("data"))
	c.ok(request{cc: wire.CCReadClock})
	c.HashData([]byte("data"))
	c.HashEnd()
	c.wantPCR(17, 0xFF, 0xFF)

	c.HashStart()
	c.HashData([]byte("forgotten"))
	c.measure("data")
	c.wantPCR(17, 0, 0, "data")

	c.HashEnd() // it has ended
	c.wantPCR(17, 0, 0, "data")
}

// pcrLocalities says at which localities a PCR can be extended and reset.
type pcrLocalities struct {
	first, last   int
	extend, reset string
}

// TestPCRLocalities tries every PCR at every locality.
func TestPCRLocalities(t *testing.T) {
	for _, x := range []pcrLocalities{
		{0, 15, "01234", ""},
		{16, 16, "01234", "0123"},
		{17, 18, "234", ""}, // locality 4 resets by a dynamic launch
		{19, 19, "23", ""},
		{20, 20, "123", "2"},
		{21, 22, "2", "2"},
		{23, 23, "01234", "0123"},
	} {
		for pcr := x.first; pcr <= x.last; pcr++ {
			for locality := range uint8(6) {
				c := open(t)
				at := string('0' + rune(locality))
				pcrs, sessions := []entity{{handle: wire.Handle(pcr)}}, []*session{pw("")}
				extend := append(params(uint32(1), wire.AlgSHA256), make([]byte, 32)...)
				c.allowed(request{wire.CCPCRExtend, pcrs, sessions, extend, locality}, strings.Contains(x.extend, at))
				c.allowed(request{wire.CCPCREvent, pcrs, sessions, params("event"), locality}, strings.Contains(x.extend, at))
				c.allowed(request{wire.CCPCRReset, pcrs, sessions, nil, locality}, strings.Contains(x.reset, at))
			}
		}
	}
}

// allowed checks that the command is allowed at its locality, or TPM_RC_LOCALITY and
// without effect.
func (c *client) allowed(r request, ok bool) {
	c.Helper()
	want := wire.RCLocality
	if ok {
		want = wire.RCSuccess
	}
	pcr := int(r.handles[0].handle)
	before := c.readPCR(wire.AlgSHA256, pcr)
	if have := c.do(r).rc; have != want {
		c.Errorf("%v of PCR %d at locality %d: %v, want %v", r.cc, pcr, r.locality, have, want)
	}
	if !ok && !bytes.Equal(before, c.readPCR(wire.AlgSHA256, pcr)) {
		c.Errorf("%v of PCR %d at locality %d is refused, and changed it", r.cc, pcr, r.locality)
	}
}
