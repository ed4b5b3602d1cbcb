package vtpm_test

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/google/go-tpm/tpm2"

	"github.com/bootseal/bootseal/vtpm/internal/command"
)

// startup: what is kept and what is forgotten when power is lost.
func startup(b *bench) {
	clock := func() tpm2.TPMSClockInfo {
		return must(tpm2.ReadClock{}.Execute(b.TPM))(b).CurrentTime.ClockInfo
	}
	before := clock()
	exec(b, tpm2.Shutdown{ShutdownType: tpm2.TPMSUClear})
	b.Init()
	exec(b, tpm2.Startup{StartupType: tpm2.TPMSUClear})
	if after := clock(); after.ResetCount != before.ResetCount+1 || after.RestartCount != 0 || !bool(after.Safe) {
		b.Errorf("after a TPM Reset in order: %+v, before: %+v", after, before)
	}
	must(tpm2.PCRExtend{PCRHandle: tpm2.AuthHandle{Handle: 8, Auth: tpm2.PasswordAuth(nil)}, Digests: digestList("x", tpm2.TPMAlgSHA256)}.Execute(b.TPM))(b)
	measured := b.pcr(tpm2.TPMAlgSHA256, 8)
	before = clock()
	must(tpm2.Shutdown{ShutdownType: tpm2.TPMSUState}.Execute(b.TPM))(b)
	b.Init()
	exec(b, tpm2.Startup{StartupType: tpm2.TPMSUState})
	if after := clock(); after.ResetCount != before.ResetCount || after.RestartCount != before.RestartCount+1 {
		b.Errorf("after a TPM Resume: %+v, before: %+v", after, before)
	}
	if have := b.pcr(tpm2.TPMAlgSHA256, 8); !bytes.Equal(have, measured) {
		b.Errorf("PCR 8 after a TPM Resume: %x, want %x", have, measured)
	}
}

// selfTest: all tests pass, and the result says so.
func selfTest(b *bench) {
	for _, full := range []byte{0, 1} {
		exec(b, bare{code: tpm2.TPMCCSelfTest, params: []byte{full}})
	}
	r := exec(b, bare{code: tpm2.TPMCCGetTestResult, out: true})
	n := 2 + int(binary.BigEndian.Uint16(r.params))
	if result := r.params[n:]; !bytes.Equal(result, make([]byte, 4)) {
		b.Errorf("test result %x", result)
	}
}

// randomness: as many bytes as asked for, up to a digest, never the same.
func randomness(b *bench) {
	exec(b, bare{code: tpm2.TPMCCStirRandom, in: true, params: append([]byte{0, 5}, "stirs"...)})
	first := exec(b, tpm2.GetRandom{BytesRequested: 32}).RandomBytes.Buffer
	second := exec(b, tpm2.GetRandom{BytesRequested: 32}).RandomBytes.Buffer
	if len(first) != 32 || len(second) != 32 || bytes.Equal(first, second) {
		b.Errorf("random bytes %x and %x", first, second)
	}
	if most := exec(b, tpm2.GetRandom{BytesRequested: 0xFFFF}).RandomBytes.Buffer; len(most) != 64 {
		b.Errorf("%d random bytes at most, want those of the largest digest", len(most))
	}
}

// capabilities: what the TPM says that it is, in each category.
func capabilities(b *bench) {
	get := func(c tpm2.TPMCap, first, count uint32) (tpm2.TPMUCapabilities, bool) {
		r := exec(b, tpm2.GetCapability{Capability: c, Property: first, PropertyCount: count})
		if r.CapabilityData.Capability != c {
			b.Errorf("asked for capability %v, got %v", c, r.CapabilityData.Capability)
		}
		return r.CapabilityData.Data, bool(r.MoreData)
	}
	u, more := get(tpm2.TPMCapAlgs, uint32(tpm2.TPMAlgSHA256), 1)
	algs := must(u.Algorithms())(b).AlgProperties
	if len(algs) != 1 || algs[0].Alg != tpm2.TPMAlgSHA256 || !algs[0].AlgProperties.Hash || !more {
		b.Errorf("SHA-256: %+v, more %v", algs, more)
	}
	u, _ = get(tpm2.TPMCapHandles, 0x81000000, 100)
	if have := must(u.Handles())(b).Handle; !slices.Equal(have, []tpm2.TPMHandle{eccParent, rsaParent}) {
		b.Errorf("persistent handles %x", have)
	}
	u, _ = get(tpm2.TPMCapECCCurves, 0, 100)
	curves := must(u.ECCCurves())(b).ECCCurves
	for _, c := range []tpm2.TPMECCCurve{tpm2.TPMECCNistP256, tpm2.TPMECCNistP384, tpm2.TPMECCNistP521} {
		if !slices.Contains(curves, c) {
			b.Errorf("curve %v is missing", c)
		}
	}
	u, _ = get(tpm2.TPMCapPCRs, 0, 100)
	allocated := make(map[tpm2.TPMAlgID][]byte)
	for _, s := range must(u.AssignedPCR())(b).PCRSelections {
		allocated[s.Hash] = s.PCRSelect
	}
	for _, alg := range banks {
		if !bytes.Equal(allocated[alg], []byte{0xFF, 0xFF, 0xFF}) {
			b.Errorf("bank %v has PCRs %x", alg, allocated[alg])
		}
	}
	u, _ = get(tpm2.TPMCapTPMProperties, uint32(tpm2.TPMPTFamilyIndicator), 1)
	if p := must(u.TPMProperties())(b).TPMProperty; len(p) != 1 || p[0].Value != 0x322E3000 {
		b.Errorf("family %+v, want \"2.0\"", p)
	}
	b.listsItsCommands(get)
}

// listsItsCommands: the capability lists the codes of the table's commands, with the
// attributes that their layout gives them.
func (b *bench) listsItsCommands(get func(tpm2.TPMCap, uint32, uint32) (tpm2.TPMUCapabilities, bool)) {
	b.Helper()
	rows := make(map[uint16]command.Row) // some commands share a code
	for _, r := range command.Rows() {
		if r.Implemented() {
			rows[uint16(r.Code)] = r
		}
	}
	u, more := get(tpm2.TPMCapCommands, 0, 0xFFFF)
	have := must(u.Command())(b).CommandAttributes
	if len(have) != len(rows) || more {
		b.Errorf("%d commands, more %v; want %d", len(have), more, len(rows))
	}
	for _, a := range have {
		r, ok := rows[a.CommandIndex]
		if !ok {
			b.Errorf("command %#x is not in the table", a.CommandIndex)
		} else if int(a.CHandles) != r.Handles() || a.RHandle != r.ResponseHandle() {
			b.Errorf("%s: %d handles, response handle %v", r.Name, a.CHandles, a.RHandle)
		}
	}
}

// testParms: which keys the TPM can make.
func testParms(b *bench) {
	good := eccTemplate(signing, tpm2.TPMECCNistP384, tpm2.TPMAlgSHA384, 0, tpm2.TPMAlgSHA384)
	exec(b, tpm2.TestParms{Parameters: tpm2.TPMTPublicParms{Type: good.Type, Parameters: good.Parameters}})
	bad := rsaTemplate(signing, 1000, tpm2.TPMAlgSHA256, 0, tpm2.TPMAlgRSASSA, tpm2.TPMAlgSHA256)
	_, err := tpm2.TestParms{Parameters: tpm2.TPMTPublicParms{Type: bad.Type, Parameters: bad.Parameters}}.Execute(b.TPM)
	wantRC(b, err, tpm2.TPMRCValue)
}
