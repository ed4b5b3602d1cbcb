package swtpmstate_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"maps"
	"math/big"
	"slices"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// verify checks that a TPM is the one that furnish has filled, after its next
// Startup(CLEAR). It changes it.
func verify(t *testing.T, tpm transport.TPM, f *facts) {
	for _, step := range []struct {
		name string
		run  func(client, *facts)
	}{
		{"settings", client.verifySettings}, // first: it looks at what others change
		{"banks", client.verifyBanks},
		{"NV data", client.verifyNV},
		{"NV counters", client.verifyCounters},
		{"NV PINs", client.verifyPINs},
		{"primary keys", client.verifyPrimaries},
		{"persistent keys", client.verifyPersistent},
		{"sealed secret", client.verifySealed},
		{"owner policy", client.verifyOwnerPolicy},
		{"lockout", client.verifyLockout}, // last: it locks
	} {
		t.Run(step.name, func(t *testing.T) { step.run(client{t, tpm}, f) })
	}
}

// Properties of TPM2_GetCapability.
const (
	ptPermanent      = 0x200
	ptLockoutCounter = 0x20E
	ptMaxAuthFail    = 0x20F
	ptInterval       = 0x210
	ptRecovery       = 0x211
)

func (c client) verifySettings(f *facts) {
	p := c.properties(ptPermanent)
	const ownerEndorsementLockoutAuth, disableClear = 0x7, 0x100
	if v := p[ptPermanent]; v&0x3FF != ownerEndorsementLockoutAuth|disableClear {
		c.Errorf("TPMA_PERMANENT %#x", v)
	}
	for property, want := range map[uint32]uint32{
		ptLockoutCounter: 2, ptMaxAuthFail: 5, ptInterval: 7200, ptRecovery: 600,
	} {
		if p[property] != want {
			c.Errorf("property %#x is %d instead of %d", property, p[property], want)
		}
	}
	now := must(tpm2.ReadClock{}.Execute(c.tpm))(c).CurrentTime.ClockInfo
	if now.Clock < f.Clock || now.Clock > f.Clock+10*60*1000 || now.ResetCount != f.ResetCount+1 || now.RestartCount != 0 || !bool(now.Safe) {
		c.Errorf("clock %+v, after %d and reset %d", now, f.Clock, f.ResetCount)
	}
	audited := must(tpm2.GetCapability{Capability: tpm2.TPMCapAuditCommands, PropertyCount: 100}.Execute(c.tpm))(c)
	list := must(audited.CapabilityData.Data.AuditCommands())(c)
	want := []tpm2.TPMCC{tpm2.TPMCCSetCommandCodeAuditStatus, tpm2.TPMCCNVRead, tpm2.TPMCCEventSequenceComplete}
	if !slices.Equal(list.CommandCodes, want) {
		c.Errorf("audited commands %v", list.CommandCodes)
	}
	for h, auth := range map[tpm2.TPMHandle]string{
		tpm2.TPMRHOwner: ownerAuth, tpm2.TPMRHEndorsement: endorsementAuth, tpm2.TPMRHLockout: lockoutAuth,
	} {
		c.run(tpm2.TPMCCHierarchyChanegAuth, []tpm2.TPMHandle{h}, []string{auth}, sized(auth))
	}
}

func (c client) verifyBanks(*facts) {
	rsp := must(tpm2.GetCapability{Capability: tpm2.TPMCapPCRs, PropertyCount: 10}.Execute(c.tpm))(c)
	banks := must(rsp.CapabilityData.Data.AssignedPCR())(c)
	for _, b := range banks.PCRSelections {
		want := []byte{0xFF, 0xFF, 0xFF}
		if b.Hash == tpm2.TPMAlgSHA1 {
			want = []byte{0, 0, 0}
		}
		if !bytes.Equal(b.PCRSelect, want) {
			c.Errorf("bank %v has PCRs %x", b.Hash, b.PCRSelect)
		}
	}
	if len(banks.PCRSelections) != 4 {
		c.Errorf("%d banks", len(banks.PCRSelections))
	}
}

func (c client) verifyNV(*facts) {
	extendedOnce := sha256.Sum256(append(make([]byte, 32), "one"...))
	for h, want := range map[tpm2.TPMHandle][]byte{
		ordinary: append([]byte("the beginning"), bytes.Repeat([]byte{0xFF}, dataBytes-13)...),
		bits:     {0, 0, 0, 0, 0, 0, 0x80, 0x01},
		extended: extendedOnce[:],
		locked:   []byte("lock"),
		ekCert:   certificate(),
	} {
		if data := c.readWith(h, nvAuth, len(want)); !bytes.Equal(data, want) {
			c.Errorf("NV index %#x: %x instead of %x", h, data, want)
		}
	}
	for h, want := range map[tpm2.TPMHandle]tpm2.TPMRC{unwritten: tpm2.TPMRCNVUninitialized, guarded: tpm2.TPMRCNVUninitialized} {
		if _, err := c.try(tpm2.TPMCCNVRead, []tpm2.TPMHandle{h, h}, []string{nvAuth}, uint16(1), uint16(0)); !errors.Is(err, want) {
			c.Errorf("NV index %#x that is not written: %v", h, err)
		}
	}
	if _, err := c.try(tpm2.TPMCCNVWrite, []tpm2.TPMHandle{locked, locked}, []string{nvAuth}, sized("open"), uint16(0)); !errors.Is(err, tpm2.TPMRCNVLocked) {
		c.Errorf("a write to the locked index: %v", err)
	}
	c.nv(tpm2.TPMCCNVWrite, ordinary, sized("end"), uint16(dataBytes-3))
	public := must(tpm2.NVReadPublic{NVIndex: guarded}.Execute(c.tpm))(c)
	if p := must(public.NVPublic.Contents())(c); p.NameAlg != tpm2.TPMAlgSHA384 || !bytes.Equal(p.AuthPolicy.Buffer, bytes.Repeat([]byte{0xAB}, 48)) {
		c.Errorf("the index with a policy: %+v", p)
	}
}

// readWith reads an index in pieces.
func (c client) readWith(h tpm2.TPMHandle, password string, size int) []byte {
	c.Helper()
	rsp := c.run(tpm2.TPMCCNVRead, []tpm2.TPMHandle{h, h}, []string{password}, uint16(size), uint16(0))
	return rsp[6 : 6+size] // parameterSize, the size of the data
}

func (c client) verifyCounters(*facts) {
	if n := binary.BigEndian.Uint64(c.readWith(counter, nvAuth, 8)); n != 5 {
		c.Errorf("the counter is at %d", n)
	}
	c.nv(tpm2.TPMCCNVIncrement, counter)
	if n := binary.BigEndian.Uint64(c.readWith(counter, nvAuth, 8)); n != 6 {
		c.Errorf("the counter goes on to %d", n)
	}
	// It began above the first one, or at 1: both are right.
	if n := binary.BigEndian.Uint64(c.readWith(hybrid, nvAuth, 8)); n != 3 && n != 8 {
		c.Errorf("the orderly counter is at %d", n)
	}
	c.define(removed, tpm2.TPMNTCounter, 8, nil)
	c.nv(tpm2.TPMCCNVIncrement, removed)
	if n := binary.BigEndian.Uint64(c.readWith(removed, nvAuth, 8)); n <= 9 {
		c.Errorf("a counter that was removed at 9 or more begins at %d", n)
	}
}

// verifyPINs uses up what is left of the two PIN indices.
func (c client) verifyPINs(*facts) {
	for h, password := range map[tpm2.TPMHandle]string{pinFail: "wrong", pinPass: nvAuth} {
		for range pinLimit - 2 {
			_, err := c.try(tpm2.TPMCCNVRead, []tpm2.TPMHandle{h, h}, []string{password}, uint16(8), uint16(0))
			if ok := err == nil; ok != (password == nvAuth) {
				c.Errorf("PIN index %#x: %v", h, err)
			}
		}
		if _, err := c.try(tpm2.TPMCCNVRead, []tpm2.TPMHandle{h, h}, []string{nvAuth}, uint16(8), uint16(0)); err == nil {
			c.Errorf("PIN index %#x is used up and can be read", h)
		}
		data := c.run(tpm2.TPMCCNVRead, []tpm2.TPMHandle{tpm2.TPMRHOwner, h}, []string{ownerAuth}, uint16(8), uint16(0))[6:14]
		if count, limit := binary.BigEndian.Uint32(data), binary.BigEndian.Uint32(data[4:]); count != pinLimit || limit != pinLimit {
			c.Errorf("PIN index %#x: %d of %d", h, count, limit)
		}
	}
}

func (c client) verifyPrimaries(f *facts) {
	for i, template := range ekTemplates {
		rsp := must(tpm2.CreatePrimary{
			PrimaryHandle: c.auth(tpm2.TPMRHEndorsement, endorsementAuth), InPublic: tpm2.New2B(template),
		}.Execute(c.tpm))(c)
		if !bytes.Equal(rsp.OutPublic.Bytes(), f.EK[i]) {
			c.Errorf("the EK %d is another one", i)
		}
		c.flush(rsp.ObjectHandle)
	}
	for h, template := range map[tpm2.TPMHandle]tpm2.TPMTPublic{srk: tpm2.ECCSRKTemplate, rsaSRK: tpm2.RSASRKTemplate} {
		rsp := must(tpm2.CreatePrimary{PrimaryHandle: c.auth(tpm2.TPMRHOwner, ownerAuth), InPublic: tpm2.New2B(template)}.Execute(c.tpm))(c)
		if !bytes.Equal(rsp.OutPublic.Bytes(), f.Persistent[h]) {
			c.Errorf("the SRK %#x is another one", h)
		}
		c.flush(rsp.ObjectHandle)
	}
}

func (c client) verifyPersistent(f *facts) {
	rsp := must(tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: 0x81000000, PropertyCount: 100}.Execute(c.tpm))(c)
	handles := must(rsp.CapabilityData.Data.Handles())(c).Handle
	if want := slices.Sorted(maps.Keys(f.Persistent)); !slices.Equal(handles, want) {
		c.Errorf("persistent objects %x instead of %x", handles, want)
	}
	for h, want := range f.Persistent {
		if p := must(tpm2.ReadPublic{ObjectHandle: h}.Execute(c.tpm))(c).OutPublic; !bytes.Equal(p.Bytes(), want) {
			c.Errorf("object %#x is another one", h)
		}
	}
	for h, password := range map[tpm2.TPMHandle]string{rsaKey: keyAuth, eccKey: keyAuth, phKey: ""} {
		c.verifySigner(h, password)
	}
	mac := c.run(tpm2.TPMCCMAC, []tpm2.TPMHandle{hmacKey}, []string{keyAuth}, sized("x"), tpm2.TPMAlgNull)
	if len(mac) < 6+32 {
		c.Errorf("HMAC: %x", mac)
	}
	message := []byte("sixteen bytes or more")
	enc := c.run(tpm2.TPMCCEncryptDecrypt, []tpm2.TPMHandle{aesKey}, []string{keyAuth}, uint8(0), tpm2.TPMAlgNull, sized(make([]byte, 16)), sized(message))
	dec := c.run(tpm2.TPMCCEncryptDecrypt, []tpm2.TPMHandle{aesKey}, []string{keyAuth}, uint8(1), tpm2.TPMAlgNull, sized(make([]byte, 16)), sized(enc[6:6+len(message)]))
	if !bytes.Equal(dec[6:6+len(message)], message) {
		c.Errorf("AES: %x", dec)
	}
}

func (c client) verifySigner(h tpm2.TPMHandle, password string) {
	sum := sha256.Sum256([]byte("message"))
	rsp := must(tpm2.Sign{
		KeyHandle: c.auth(h, password), Digest: tpm2.TPM2BDigest{Buffer: sum[:]},
		InScheme: tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgNull}, Validation: tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck, Hierarchy: tpm2.TPMRHNull},
	}.Execute(c.tpm))(c)
	public := must(must(tpm2.ReadPublic{ObjectHandle: h}.Execute(c.tpm))(c).OutPublic.Contents())(c)
	ok := false
	switch key := must(tpm2.Pub(*public))(c).(type) {
	case *rsa.PublicKey:
		s := must(rsp.Signature.Signature.RSASSA())(c)
		ok = rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], s.Sig.Buffer) == nil
	case *ecdsa.PublicKey:
		s := must(rsp.Signature.Signature.ECDSA())(c)
		ok = ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(s.SignatureR.Buffer), new(big.Int).SetBytes(s.SignatureS.Buffer))
	}
	if !ok {
		c.Errorf("the signature of %#x does not verify", h)
	}
}

func (c client) verifySealed(f *facts) {
	loaded := must(tpm2.Load{
		ParentHandle: c.auth(srk, ""), InPublic: tpm2.BytesAs2B[tpm2.TPMTPublic](f.Public), InPrivate: tpm2.TPM2BPrivate{Buffer: f.Private},
	}.Execute(c.tpm))(c)
	defer c.flush(loaded.ObjectHandle)
	unseal := func(auth string) (string, error) {
		rsp, err := tpm2.Unseal{ItemHandle: tpm2.AuthHandle{
			Handle: loaded.ObjectHandle, Name: loaded.Name, Auth: c.bootPolicy(tpm2.Auth([]byte(auth))),
		}}.Execute(c.tpm)
		if err != nil {
			return "", err
		}
		return string(rsp.OutData.Buffer), nil
	}
	if _, err := unseal(keyAuth); !errors.Is(err, tpm2.TPMRCPolicyFail) {
		c.Errorf("before the right boot: %v", err)
	}
	c.boot()
	if _, err := unseal("wrong"); err == nil {
		c.Errorf("unsealed with a wrong password")
	}
	if data, err := unseal(keyAuth); err != nil || data != secret {
		c.Errorf("%q, %v", data, err)
	}
}

func (c client) verifyOwnerPolicy(*facts) {
	session := tpm2.Policy(tpm2.TPMAlgSHA256, 16, func(tpm transport.TPM, h tpm2.TPMISHPolicy, _ tpm2.TPM2BNonce) error {
		_, err := tpm2.PolicyCommandCode{PolicySession: h, Code: tpm2.TPMCCNVUndefineSpace}.Execute(tpm)
		return err
	})
	_, err := tpm2.NVUndefineSpace{
		AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: session},
		NVIndex:    tpm2.NamedHandle{Handle: unwritten, Name: c.name(unwritten)},
	}.Execute(c.tpm)
	if err != nil {
		c.Error(err)
	}
}

func (c client) verifyLockout(*facts) {
	for range 3 { // two have failed before
		if _, err := c.try(tpm2.TPMCCMAC, []tpm2.TPMHandle{hmacKey}, []string{"wrong"}, sized("x"), tpm2.TPMAlgNull); !errors.Is(err, tpm2.TPMRCAuthFail) {
			c.Errorf("a wrong password: %v", err)
		}
	}
	if _, err := c.try(tpm2.TPMCCMAC, []tpm2.TPMHandle{hmacKey}, []string{keyAuth}, sized("x"), tpm2.TPMAlgNull); !errors.Is(err, tpm2.TPMRCLockout) {
		c.Errorf("the right password, after five wrong ones: %v", err)
	}
	c.run(tpm2.TPMCCDictionaryAttackLockReset, []tpm2.TPMHandle{tpm2.TPMRHLockout}, []string{lockoutAuth})
	c.run(tpm2.TPMCCMAC, []tpm2.TPMHandle{hmacKey}, []string{keyAuth}, sized("x"), tpm2.TPMAlgNull)
}
