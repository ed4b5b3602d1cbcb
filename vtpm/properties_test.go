package vtpm_test

import (
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// What TPM2_GetCapability says of the TPM's properties is true, in each profile.

// property returns a property's value.
func (c *client) property(p wire.PT) uint32 {
	c.Helper()
	for _, x := range c.capabilityOf(wire.CapTPMProperties, uint32(p)).TPMProperties {
		if x.Property == p {
			return x.Value
		}
	}
	c.Fatalf("there is no property %#x", uint32(p))
	return 0
}

// As many objects can be loaded as are promised, and no more than are available.
func TestTransientSlotsAreTrue(t *testing.T) {
	eachProfile(t, func(t *testing.T, c *client) {
		n := c.property(wire.PTHRTransientAvail)
		if least := c.property(wire.PTHRTransientMin); n < least {
			t.Errorf("%d slots are available, %d are promised", n, least)
		}
		hmac := hmacArea()
		for i := range n {
			if _, _, rc := c.primary(hmac); rc != wire.RCSuccess {
				t.Fatalf("object %d of %d: %v", i+1, n, rc)
			}
		}
		if left := c.property(wire.PTHRTransientAvail); left != 0 {
			t.Errorf("%d slots are left", left)
		}
		if _, _, rc := c.primary(hmac); rc != wire.RCObjectMemory {
			t.Errorf("one object more: %v", rc)
		}
	})
}

// The same of persistent objects.
func TestPersistentObjectsAreTrue(t *testing.T) {
	eachProfile(t, func(t *testing.T, c *client) {
		n := c.property(wire.PTHRPersistentAvail)
		if least := c.property(wire.PTHRPersistentMin); n < least {
			t.Errorf("room for %d objects, %d are promised", n, least)
		}
		key, _, _ := c.primary(hmacArea())
		evict := func(i uint32) wire.RC {
			return c.do(request{cc: wire.CCEvictControl, handles: []entity{owner, key}, sessions: []*session{pw("")},
				params: params(wire.PersistentFirst + wire.Handle(i))}).rc
		}
		for i := range n {
			if rc := evict(i); rc != wire.RCSuccess {
				t.Fatalf("object %d of %d: %v", i+1, n, rc)
			}
		}
		if rc := evict(n); rc != wire.RCNVSpace {
			t.Errorf("one object more: %v", rc)
		}
		if have := c.property(wire.PTHRPersistent); have != n {
			t.Errorf("%d objects are persistent, not %d", have, n)
		}
	})
}

// As many sessions can be loaded as are promised, and as many be active when they are
// saved, each in a context that is not larger than promised.
func TestSessionSlotsAreTrue(t *testing.T) {
	eachProfile(t, func(t *testing.T, c *client) {
		loaded, active := c.property(wire.PTHRLoadedAvail), c.property(wire.PTHRActiveAvail)
		if loaded != c.property(wire.PTHRLoadedMin) || active != c.property(wire.PTActiveSessionsMax) {
			t.Errorf("%d and %d sessions are available", loaded, active)
		}
		nonce := make([]byte, 64)
		start := func() response {
			return c.do(request{cc: wire.CCStartAuthSession, handles: []entity{{handle: wire.HandleNull}, owner},
				params: params(nonce, "", uint8(wire.SEHMAC), noSym, wire.AlgSHA512)})
		}
		var handles []wire.Handle
		for range loaded {
			x := start()
			if x.rc != wire.RCSuccess {
				t.Fatalf("session %d of %d: %v", len(handles)+1, loaded, x.rc)
			}
			handles = append(handles, x.handle)
		}
		if rc := start().rc; rc != wire.RCSessionMemory {
			t.Errorf("one loaded session more: %v", rc)
		}
		most := c.property(wire.PTMaxSessionContext)
		save := func(h wire.Handle) {
			x := c.ok(request{cc: wire.CCContextSave, handles: []entity{{handle: h}}})
			if len(x.params) > int(most) {
				t.Fatalf("a context of %d bytes, %d are promised", len(x.params), most)
			}
		}
		for n := loaded; n < active; n++ {
			save(handles[len(handles)-1])
			x := start()
			if x.rc != wire.RCSuccess {
				t.Fatalf("active session %d of %d: %v", n+1, active, x.rc)
			}
			handles = append(handles, x.handle)
		}
		save(handles[len(handles)-1])
		if rc := start().rc; rc != wire.RCSessionHandles {
			t.Errorf("one active session more: %v", rc)
		}
	})
}

// The largest contexts of sessions: a bound one, and one with a policy that has all it
// can have.
func TestSessionContextsAreTrue(t *testing.T) {
	eachProfile(t, func(t *testing.T, c *client) {
		most := c.property(wire.PTMaxSessionContext)
		nonce := make([]byte, 64)
		start := func(typ wire.SE, bind entity) wire.Handle {
			return c.ok(request{cc: wire.CCStartAuthSession, handles: []entity{{handle: wire.HandleNull}, bind},
				params: params(nonce, "", uint8(typ), aes128, wire.AlgSHA512)}).handle
		}
		save := func(what string, h wire.Handle) {
			x := c.ok(request{cc: wire.CCContextSave, handles: []entity{{handle: h}}})
			if len(x.params) > int(most) {
				t.Errorf("%s: a context of %d bytes, %d are promised", what, len(x.params), most)
			}
		}
		area := hmacArea()
		area.NameAlg = wire.AlgSHA512
		key, _, rc := c.primary(area)
		if rc != wire.RCSuccess {
			t.Fatal(rc)
		}
		save("bound", start(wire.SEHMAC, key))
		policy := entity{handle: start(wire.SEPolicy, key)}
		c.ok(request{cc: wire.CCPolicyCpHash, handles: []entity{policy}, params: params(make([]byte, 64))})
		c.ok(request{cc: wire.CCPolicyLocality, handles: []entity{policy}, params: params(uint8(1))})
		save("policy", policy.handle)
	})
}

// Objects' contexts are not larger than promised: of the largest key that can be
// loaded, and of a sequence.
func TestObjectContextsAreTrue(t *testing.T) {
	eachProfile(t, func(t *testing.T, c *client) {
		most := int(c.property(wire.PTMaxObjectContext))
		save := func(what string, h wire.Handle) {
			x := c.ok(request{cc: wire.CCContextSave, handles: []entity{{handle: h}}})
			if len(x.params) > most {
				t.Errorf("%s: a context of %d bytes, %d are promised", what, len(x.params), most)
			}
		}
		largest := rsaArea(3072, wire.ObjSign)
		largest.NameAlg, largest.AuthPolicy = wire.AlgSHA512, make([]byte, 64)
		key, _, rc := c.primary(largest)
		if rc != wire.RCSuccess {
			t.Fatal(rc)
		}
		save("key", key.handle)
		x := c.ok(request{cc: wire.CCHashSequenceStart, params: params(make([]byte, 64), wire.AlgNull)})
		save("event sequence", x.handle)
	})
}

// The sizes of buffers: what is promised fits, and a byte more does not.
func TestBufferSizesAreTrue(t *testing.T) {
	eachProfile(t, func(t *testing.T, c *client) {
		for extra, want := range []wire.RC{wire.RCSuccess, wire.RCSize.Param(1)} {
			data := make([]byte, int(c.property(wire.PTInputBuffer))+extra)
			if rc := c.do(request{cc: wire.CCHash, params: params(data, wire.AlgSHA256, wire.HandleNull)}).rc; rc != want {
				t.Errorf("%d bytes of input: %v, want %v", len(data), rc, want)
			}
		}
		size := c.property(wire.PTNVIndexMax)
		index := wire.TPMSNVPublic{NVIndex: 0x01500000, NameAlg: wire.AlgSHA256, Attributes: wire.NVOwnerWrite | wire.NVOwnerRead, DataSize: uint16(size)}
		define := func() wire.RC { return c.by(wire.CCNVDefineSpace, owner, "", wire.Marshal(index)).rc }
		if rc := define(); rc != wire.RCSuccess {
			t.Errorf("an index of %d bytes: %v", size, rc)
		}
		for extra, want := range []wire.RC{wire.RCSuccess, wire.RCSize.Param(1)} {
			data := make([]byte, int(c.property(wire.PTNVBufferMax))+extra)
			x := c.do(request{cc: wire.CCNVWrite, handles: []entity{owner, {handle: index.NVIndex}}, sessions: []*session{pw("")}, params: params(data, uint16(0))})
			if x.rc != want {
				t.Errorf("%d bytes written: %v, want %v", len(data), x.rc, want)
			}
		}
		index.NVIndex, index.DataSize = 0x01500001, index.DataSize+1
		if rc := define(); rc == wire.RCSuccess {
			t.Errorf("an index of %d bytes is defined", index.DataSize)
		}
		most := int(c.property(wire.PTMaxCommandSize))
		for extra, want := range []wire.RC{wire.RCSize.Param(1), wire.RCCommandSize} {
			if rc := c.do(request{cc: wire.CCStirRandom, params: make([]byte, most+extra-10)}).rc; rc != want && extra == 1 || rc == wire.RCCommandSize && extra == 0 {
				t.Errorf("a command of %d bytes: %v", most+extra, rc)
			}
		}
	})
}

// As many counters can be defined as are available, orderly ones: memory is what
// bounds them.
func TestCountersAreTrue(t *testing.T) {
	eachProfile(t, func(t *testing.T, c *client) {
		n := c.property(wire.PTNVCountersAvail)
		index := wire.TPMSNVPublic{NVIndex: 0x01500000, NameAlg: wire.AlgSHA256, DataSize: 8,
			Attributes: (wire.NVOwnerWrite | wire.NVOwnerRead | wire.NVOrderly).WithType(wire.NTCounter)}
		for i := range n {
			if rc := c.by(wire.CCNVDefineSpace, owner, "", wire.Marshal(index)).rc; rc != wire.RCSuccess {
				t.Fatalf("counter %d of %d: %v", i+1, n, rc)
			}
			index.NVIndex++
		}
		if rc := c.by(wire.CCNVDefineSpace, owner, "", wire.Marshal(index)).rc; rc != wire.RCNVSpace {
			t.Errorf("one counter more: %v", rc)
		}
		if have, left := c.property(wire.PTNVCounters), c.property(wire.PTNVCountersAvail); have != n || left != 0 {
			t.Errorf("there are %d counters, and room for %d", have, left)
		}
	})
}

// As many commits wait for their second step as are promised; the next replaces the
// first.
func TestSplitMaxIsTrue(t *testing.T) {
	eachProfile(t, func(t *testing.T, c *client) {
		n := c.property(wire.PTSplitMax)
		key, pub, rc := c.primary(eccArea(wire.CurveNISTP256, wire.ObjDecrypt, wire.AlgECDH))
		if rc != wire.RCSuccess {
			t.Fatal(rc)
		}
		q := wire.TPM2BECCPoint{Point: pub.Unique.ECC}
		finish := func(counter uint32) wire.RC {
			return c.by(wire.CCZGen2Phase, key, q, q, wire.AlgECDH, uint16(counter)).rc
		}
		for range n {
			c.ok(request{cc: wire.CCECEphemeral, params: params(wire.CurveNISTP256)})
		}
		for _, counter := range []uint32{0, n - 1} {
			if rc := finish(counter); rc != wire.RCSuccess {
				t.Errorf("commit %d of %d: %v", counter, n, rc)
			}
		}
		c.ok(request{cc: wire.CCECEphemeral, params: params(wire.CurveNISTP256)})
		c.ok(request{cc: wire.CCECEphemeral, params: params(wire.CurveNISTP256)})
		for counter, want := range map[uint32]wire.RC{0: wire.RCValue.Param(4), 1: wire.RCValue.Param(4), 2: wire.RCSuccess, n: wire.RCSuccess} {
			if rc := finish(counter); rc != want {
				t.Errorf("commit %d, after %d: %v, want %v", counter, n+2, rc, want)
			}
		}
	})
}

// Clock is durable as often as promised: a power cut costs less than an interval.
func TestClockUpdateIsTrue(t *testing.T) {
	eachProfile(t, func(t *testing.T, c *client) {
		interval := uint64(c.property(wire.PTClockUpdate))
		clock := func() uint64 {
			r := wire.NewReader(c.ok(request{cc: wire.CCReadClock}).params, knownLimits())
			r.U64() // Time
			return r.U64()
		}
		for range 5 {
			c.Advance(time.Duration(interval) * time.Millisecond * 3 / 4)
			before := clock()
			c.PowerCycle(t)
			if after := clock(); after > before || before-after >= interval {
				t.Errorf("Clock was %d, and is %d after a power cut; it is updated every %d", before, after, interval)
			}
		}
	})
}

// The number of PCRs, and the size of the largest digest.
func TestCountsAreTrue(t *testing.T) {
	eachProfile(t, func(t *testing.T, c *client) {
		n := c.property(wire.PTPCRCount)
		if handles := c.capabilityOf(wire.CapHandles, 0).Handles; len(handles) != int(n) {
			t.Errorf("%d PCRs have handles, not %d", len(handles), n)
		}
		for pcr, want := range map[uint32]wire.RC{n - 1: wire.RCSuccess, n: wire.RCValue.Handle(1)} {
			x := c.do(request{cc: wire.CCPCREvent, handles: []entity{{handle: wire.Handle(pcr)}}, sessions: []*session{pw("")}, params: params("event")})
			if x.rc != want && !(want == wire.RCSuccess && x.rc == wire.RCLocality) {
				t.Errorf("event in PCR %d: %v, want %v", pcr, x.rc, want)
			}
		}
		largest := 0
		for _, p := range c.capabilityOf(wire.CapAlgs, 0).Algorithms {
			largest = max(largest, p.Alg.DigestSize())
		}
		if d := c.property(wire.PTMaxDigest); int(d) != largest {
			t.Errorf("the largest digest has %d bytes, not %d", largest, d)
		}
	})
}
