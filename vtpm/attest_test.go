package vtpm_test

import (
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// counters are the fields of an attestation that say which platform it is of.
type counters struct {
	resets, restarts uint32
	firmware         uint64
}

// difference returns how far each field is from those of x.
func (c counters) difference(x counters) counters {
	return counters{c.resets - x.resets, c.restarts - x.restarts, c.firmware - x.firmware}
}

// time asks for the time, signed by the key, and returns the counters in the head of
// the attestation, which may be obfuscated, and the true ones in it.
func (c *client) time(key entity) (head, truth counters) {
	c.Helper()
	null := wire.TPMTSigScheme{Scheme: wire.AlgNull}
	r := c.ok(request{wire.CCGetTime, []entity{endorsement, key}, []*session{pw(""), pw("")}, params("", null), 0})
	var signed wire.TPM2BAttest
	signed.Read(wire.NewReader(r.params, wire.DefaultLimits()))
	var a wire.TPMSAttest
	if err := wire.Unmarshal(signed, &a, wire.DefaultLimits()); err != nil {
		c.Fatal(err)
	}
	t := &a.Attested.Time
	return counters{a.ClockInfo.ResetCount, a.ClockInfo.RestartCount, a.FirmwareVersion},
		counters{t.Time.ClockInfo.ResetCount, t.Time.ClockInfo.RestartCount, t.FirmwareVersion}
}

// attestationKey makes a P-256 signing key in a hierarchy.
func (c *client) attestationKey(hierarchy entity) entity {
	c.Helper()
	public := wire.TPMTPublic{
		Type: wire.AlgECC, NameAlg: wire.AlgSHA256,
		ObjectAttributes: wire.ObjFixedTPM | wire.ObjFixedParent | wire.ObjSensitiveDataOrigin | wire.ObjUserWithAuth | wire.ObjSign | wire.ObjRestricted,
	}
	public.Parameters.ECC = wire.TPMSECCParms{
		Symmetric: wire.TPMTSymDefObject{Algorithm: wire.AlgNull},
		Scheme:    wire.TPMTECCScheme{Scheme: wire.AlgECDSA, HashAlg: wire.AlgSHA256},
		CurveID:   wire.CurveNISTP256,
		KDF:       wire.TPMTKDFScheme{Scheme: wire.AlgNull},
	}
	r := c.ok(request{wire.CCCreatePrimary, []entity{hierarchy}, []*session{pw("")}, params(
		wire.TPM2BSensitiveCreate{}, wire.TPM2BPublic{PublicArea: public}, "", uint32(0)), 0})
	return entity{handle: r.handle}
}

// TestObfuscation: an attestation by a key of the owner, or by none, hides the
// counters and the firmware version by adding what is secret, but the same for each
// key as long as the owner is. One by a key of the endorsement or the platform
// hierarchy does not.
func TestObfuscation(t *testing.T) {
	c := open(t)
	nobody := entity{handle: wire.HandleNull}
	offset := func(key entity) counters {
		head, truth := c.time(key)
		return head.difference(truth)
	}
	if truth := offset(c.attestationKey(endorsement)); truth != (counters{}) {
		t.Errorf("a key of the endorsement hierarchy is off by %v", truth)
	}
	if truth := offset(c.attestationKey(platform)); truth != (counters{}) {
		t.Errorf("a key of the platform hierarchy is off by %v", truth)
	}
	key, none := offset(c.attestationKey(owner)), offset(nobody)
	if key == (counters{}) || none == (counters{}) || key == none {
		t.Errorf("off by %v with a key of the owner, by %v with none", key, none)
	}
	c.PowerCycle(t)
	if have := offset(c.attestationKey(owner)); have != key {
		t.Errorf("off by %v, and by %v after a TPM Reset", key, have)
	}
	c.ok(request{wire.CCClear, []entity{lockout}, []*session{pw("")}, nil, 0})
	if have := offset(nobody); have == none {
		t.Errorf("still off by %v for another owner", have)
	}
}
