package command_test

import (
	"bytes"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// The furniture of a fuzzMachine: what is there beside what a vector makes, for
// changed handles to meet.
const (
	furnitureObjects  = 0x817FFF00
	furniturePlatform = 0x81FFFF00
	furnitureNV       = 0x01BFFF00
)

const furnitureScript = `
TPM2_CreatePrimary TPM_RH_OWNER ; pw : (()()) (TPM_ALG_ECC TPM_ALG_SHA256 u32:0x00030472 () TPM_ALG_AES u16:128 TPM_ALG_CFB TPM_ALG_NULL TPM_ECC_NIST_P256 TPM_ALG_NULL ()()) () u32:0
TPM2_EvictControl TPM_RH_OWNER 80000000 ; pw : 817FFF00
TPM2_FlushContext : 80000000
TPM2_CreatePrimary TPM_RH_OWNER ; pw : (()()) (TPM_ALG_ECC TPM_ALG_SHA256 u32:0x00040072 () TPM_ALG_NULL TPM_ALG_NULL TPM_ECC_NIST_P256 TPM_ALG_NULL ()()) () u32:0
TPM2_EvictControl TPM_RH_OWNER 80000000 ; pw : 817FFF01
TPM2_FlushContext : 80000000
TPM2_CreatePrimary TPM_RH_OWNER ; pw : (()()) (TPM_ALG_RSA TPM_ALG_SHA256 u32:0x00060072 () TPM_ALG_NULL TPM_ALG_NULL u16:2048 u32:0 ()) () u32:0
TPM2_EvictControl TPM_RH_OWNER 80000000 ; pw : 817FFF02
TPM2_FlushContext : 80000000
TPM2_CreatePrimary TPM_RH_OWNER ; pw : (()()) (TPM_ALG_KEYEDHASH TPM_ALG_SHA256 u32:0x00040072 () TPM_ALG_HMAC TPM_ALG_SHA256 ()) () u32:0
TPM2_EvictControl TPM_RH_OWNER 80000000 ; pw : 817FFF03
TPM2_FlushContext : 80000000
TPM2_CreatePrimary TPM_RH_OWNER ; pw : (("auth") ("secret data")) (TPM_ALG_KEYEDHASH TPM_ALG_SHA256 u32:0x00000052 () TPM_ALG_NULL ()) () u32:0
TPM2_EvictControl TPM_RH_OWNER 80000000 ; pw : 817FFF04
TPM2_FlushContext : 80000000
TPM2_CreatePrimary TPM_RH_OWNER ; pw : (()()) (TPM_ALG_SYMCIPHER TPM_ALG_SHA256 u32:0x00060072 () TPM_ALG_AES u16:128 TPM_ALG_CFB ()) () u32:0
TPM2_EvictControl TPM_RH_OWNER 80000000 ; pw : 817FFF05
TPM2_FlushContext : 80000000
TPM2_CreatePrimary TPM_RH_OWNER ; pw : (()()) (TPM_ALG_ECC TPM_ALG_SHA256 u32:0x00020072 () TPM_ALG_NULL TPM_ALG_NULL TPM_ECC_NIST_P384 TPM_ALG_NULL ()()) () u32:0
TPM2_EvictControl TPM_RH_OWNER 80000000 ; pw : 817FFF06
TPM2_FlushContext : 80000000
TPM2_CreatePrimary TPM_RH_PLATFORM ; pw : (()()) (TPM_ALG_ECC TPM_ALG_SHA256 u32:0x00050072 () TPM_ALG_NULL TPM_ALG_ECDSA TPM_ALG_SHA256 TPM_ECC_NIST_P256 TPM_ALG_NULL ()()) () u32:0
TPM2_EvictControl TPM_RH_PLATFORM 80000000 ; pw : 81FFFF00
TPM2_FlushContext : 80000000
TPM2_NV_DefineSpace TPM_RH_OWNER ; pw : () (01BFFF00 TPM_ALG_SHA256 u32:0x02060006 () u16:64)
TPM2_NV_Write 01BFFF00 01BFFF00 ; pw : ("some data in an index") u16:0
TPM2_NV_DefineSpace TPM_RH_OWNER ; pw : () (01BFFF01 TPM_ALG_SHA256 u32:0x02060016 () u16:8)
TPM2_NV_Increment 01BFFF01 01BFFF01 ; pw
TPM2_NV_DefineSpace TPM_RH_OWNER ; pw : () (01BFFF02 TPM_ALG_SHA256 u32:0x02060026 () u16:8)
TPM2_NV_DefineSpace TPM_RH_OWNER ; pw : () (01BFFF03 TPM_ALG_SHA256 u32:0x02060046 () u16:32)
TPM2_NV_DefineSpace TPM_RH_OWNER ; pw : ("pin") (01BFFF04 TPM_ALG_SHA256 u32:0x02060082 () u16:8)
TPM2_NV_Write TPM_RH_OWNER 01BFFF04 ; pw : (0000000000000008) u16:0
TPM2_NV_DefineSpace TPM_RH_OWNER ; pw : () (01BFFF05 TPM_ALG_SHA256 u32:0x02060092 () u16:8)
TPM2_NV_Write TPM_RH_OWNER 01BFFF05 ; pw : (0000000000000008) u16:0
TPM2_NV_DefineSpace TPM_RH_OWNER ; pw : () (01BFFF06 TPM_ALG_SHA256 u32:0x06060016 () u16:8)
TPM2_NV_Increment 01BFFF06 01BFFF06 ; pw
TPM2_NV_DefineSpace TPM_RH_OWNER ; pw : ("auth") (01BFFF07 TPM_ALG_SHA256 u32:0x8C064006 () u16:16)
`

// furniture returns the records of the furniture.
var furniture = func() func(testing.TB) memoryStore {
	var once sync.Once
	made := make(memoryStore)
	return func(t testing.TB) memoryStore {
		once.Do(func() {
			base := fuzzBase()
			store, stream := base.records.clone(), base.entropy
			v := newVector(t)
			v.tpm = vtpmtest.OpenOptions(t, vtpm.Options{Store: store, Entropy: &stream})
			for line := range strings.Lines(furnitureScript) {
				v.where = line
				v.runLine(strings.TrimSpace(line))
			}
			v.settle()
			maps.DeleteFunc(store, func(name string, _ []byte) bool { return !strings.Contains(name, "/") })
			maps.Copy(made, store)
		})
		return made
	}
}()

// The properties that say how many authorizations failed: TPM_PT_PERMANENT, which
// has the bit inLockout, and TPM_PT_LOCKOUT_COUNTER.
const (
	permanent      = 0x200
	lockoutCounter = 0x20E
)

// answer is a command and the TPM's response to it.
type answer struct{ command, response []byte }

// withoutLockout returns the response as if no authorization had failed.
func (a answer) withoutLockout() []byte {
	r := bytes.Clone(a.response)
	asks := func(property uint16) bool {
		return bytes.HasPrefix(a.command[10:], []byte{0, 0, 0, 6, 0, 0, byte(property >> 8), byte(property)})
	}
	switch {
	case asks(permanent):
		r[len(r)-2] &^= 1 << 1 // bit 9, inLockout
	case asks(lockoutCounter):
		clear(r[len(r)-4:])
	}
	return r
}

// sitter asks a TPM and keeps the answers.
type sitter struct {
	p       *vtpmtest.TPM
	answers []answer
}

func (s *sitter) ask(tag wire.ST, cc wire.CC, body ...any) []byte {
	var w wire.Writer
	tag.Write(&w)
	w.U32(0)
	cc.Write(&w)
	for _, x := range body {
		switch x := x.(type) {
		case uint32:
			w.U32(x)
		case []byte:
			w.Bytes(x)
		}
	}
	w.PatchU32(2, uint32(w.Len()))
	a := answer{w.Data(), s.p.Execute(0, w.Data())}
	s.answers = append(s.answers, a)
	return a.response
}

func (s *sitter) capability(c, first, count uint32) []byte {
	return s.ask(wire.STNoSessions, wire.CCGetCapability, c, first, count)
}

// handles returns the handles in a response of capability.
func handles(response []byte) []wire.Handle {
	r := wire.NewReader(response, wire.DefaultLimits())
	r.Bytes(10 + 1 + 4)
	var list []wire.Handle
	for n := r.U32(); n > 0 && r.OK(); n-- {
		list = append(list, wire.Handle(r.U32()))
	}
	return list
}

// sketch asks a TPM for its volatile state: handles, public areas, policies, time,
// PCRs and properties.
func sketch(p *vtpmtest.TPM) []answer {
	s := &sitter{p: p}
	for _, h := range handles(s.capability(1, uint32(wire.TransientFirst), 64)) {
		s.ask(wire.STNoSessions, wire.CCReadPublic, uint32(h))
	}
	s.capability(1, uint32(wire.PolicySessionFirst), 64) // saved sessions
	for _, h := range handles(s.capability(1, uint32(wire.HMACSessionFirst), 64)) {
		s.ask(wire.STNoSessions, wire.CCPolicyGetDigest, uint32(h))
	}
	s.ask(wire.STNoSessions, wire.CCReadClock)
	s.capability(6, permanent, 64)
	for i := range 3 {
		selected := make([]byte, 3)
		selected[i] = 0xFF
		s.ask(wire.STNoSessions, wire.CCPCRRead, append([]byte{0, 0, 0, 1, 0, 0x0B, 3}, selected...))
	}
	return s.answers
}

// portrait asks a TPM for its persistent state: handles, public areas, properties,
// lists, and by primary objects for the seed, the proof and whether the authValue
// is empty of each hierarchy.
func portrait(p *vtpmtest.TPM) []answer {
	s := &sitter{p: p}
	indices := s.capability(1, uint32(wire.NVIndexFirst), 64)
	objects := s.capability(1, 0x81000000, 64)
	for c := uint32(2); c <= 5; c++ { // commands, presence, audit, PCR banks
		s.capability(c, 0, 0xFF)
	}
	s.capability(6, permanent, 1)
	s.capability(6, permanent+1, lockoutCounter-permanent-1)
	s.capability(6, lockoutCounter, 1)
	s.capability(6, lockoutCounter+1, 16)
	s.capability(9, uint32(wire.HandleOwner), 16)
	for _, h := range handles(indices) {
		s.ask(wire.STNoSessions, wire.CCNVReadPublic, uint32(h))
		s.ask(wire.STSessions, wire.CCNVRead, uint32(wire.HandleOwner), uint32(h), emptyPassword, []byte{0, 8, 0, 0})
	}
	for _, h := range handles(objects) {
		s.ask(wire.STNoSessions, wire.CCReadPublic, uint32(h))
	}
	for _, h := range []wire.Handle{wire.HandleOwner, wire.HandleEndorsement, wire.HandlePlatform} {
		s.ask(wire.STSessions, wire.CCCreatePrimary, uint32(h), emptyPassword, cheapTemplate)
	}
	return s.answers
}

// emptyPassword is an authorization area with one empty password.
var emptyPassword = []byte{0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 1, 0, 0}

// cheapTemplate are the parameters of TPM2_CreatePrimary for an HMAC key.
var cheapTemplate = []byte{
	0, 4, 0, 0, 0, 0, // inSensitive
	0, 0x10, 0, 0x08, 0, 0x0B, 0, 0x04, 0, 0x72, 0, 0, 0, 0x05, 0, 0x0B, 0, 0, // inPublic
	0, 0, 0, 0, 0, 0, // outsideInfo, creationPCR
}
