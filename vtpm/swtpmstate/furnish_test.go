package swtpmstate_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// facts is what is known of a TPM that furnish has filled, for verify to compare with.
type facts struct {
	EK              [][]byte                  // public areas of the primary keys of ekTemplates
	Persistent      map[tpm2.TPMHandle][]byte // public areas
	Public, Private []byte                    // of the sealed secret, below srk
	Key             []byte                    `json:",omitempty"` // that encrypts the file
	MigrationKey    []byte                    `json:",omitempty"`
	Clock           uint64
	ResetCount      uint32
}

// What furnish makes. Each thing is of another kind.
const (
	srk       tpm2.TPMHandle = 0x81000001
	rsaSRK    tpm2.TPMHandle = 0x81000002
	rsaKey    tpm2.TPMHandle = 0x81000010
	eccKey    tpm2.TPMHandle = 0x81000011
	hmacKey   tpm2.TPMHandle = 0x81000012
	aesKey    tpm2.TPMHandle = 0x81000013
	ekHandle  tpm2.TPMHandle = 0x81010001
	phKey     tpm2.TPMHandle = 0x81800001
	ordinary  tpm2.TPMHandle = 0x01500001
	counter   tpm2.TPMHandle = 0x01500002
	bits      tpm2.TPMHandle = 0x01500003
	extended  tpm2.TPMHandle = 0x01500004
	pinFail   tpm2.TPMHandle = 0x01500005
	pinPass   tpm2.TPMHandle = 0x01500006
	locked    tpm2.TPMHandle = 0x01500007
	hybrid    tpm2.TPMHandle = 0x01500008 // an orderly counter
	unwritten tpm2.TPMHandle = 0x01500009
	removed   tpm2.TPMHandle = 0x0150000A
	guarded   tpm2.TPMHandle = 0x0150000B // by a policy, with a name by SHA-384
	ekCert    tpm2.TPMHandle = 0x01C00002 // of the platform

	ownerAuth, endorsementAuth, lockoutAuth, keyAuth, nvAuth = "owner", "endorsement", "lockout", "key", "index"

	secret    = "the disk's key"
	clockAt   = 1 << 40
	pinLimit  = 7
	dataBytes = 300
)

var ekTemplates = []tpm2.TPMTPublic{tpm2.RSAEKTemplate, tpm2.ECCEKTemplate}

// keyed is a template of a key with a password, below an SRK or in a hierarchy.
func keyed(t tpm2.TPMTPublic, noDA bool) tpm2.TPMTPublic {
	t.NameAlg = tpm2.TPMAlgSHA256
	t.ObjectAttributes.FixedTPM, t.ObjectAttributes.FixedParent = true, true
	t.ObjectAttributes.SensitiveDataOrigin, t.ObjectAttributes.UserWithAuth = true, true
	t.ObjectAttributes.NoDA = noDA
	return t
}

func rsaSigner() tpm2.TPMTPublic {
	return keyed(tpm2.TPMTPublic{
		Type: tpm2.TPMAlgRSA, ObjectAttributes: tpm2.TPMAObject{SignEncrypt: true},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgRSA, &tpm2.TPMSRSAParms{
			Scheme: tpm2.TPMTRSAScheme{Scheme: tpm2.TPMAlgRSASSA,
				Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgRSASSA, &tpm2.TPMSSigSchemeRSASSA{HashAlg: tpm2.TPMAlgSHA256})},
			KeyBits: 2048,
		}),
	}, true)
}

func eccSigner(curve tpm2.TPMECCCurve) tpm2.TPMTPublic {
	return keyed(tpm2.TPMTPublic{
		Type: tpm2.TPMAlgECC, ObjectAttributes: tpm2.TPMAObject{SignEncrypt: true},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
			Scheme: tpm2.TPMTECCScheme{Scheme: tpm2.TPMAlgECDSA,
				Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA256})},
			CurveID: curve,
		}),
	}, true)
}

func hmacTemplate() tpm2.TPMTPublic {
	return keyed(tpm2.TPMTPublic{
		Type: tpm2.TPMAlgKeyedHash, ObjectAttributes: tpm2.TPMAObject{SignEncrypt: true},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgKeyedHash, &tpm2.TPMSKeyedHashParms{
			Scheme: tpm2.TPMTKeyedHashScheme{Scheme: tpm2.TPMAlgHMAC,
				Details: tpm2.NewTPMUSchemeKeyedHash(tpm2.TPMAlgHMAC, &tpm2.TPMSSchemeHMAC{HashAlg: tpm2.TPMAlgSHA256})},
		}),
	}, false) // counts wrong passwords
}

func aesTemplate() tpm2.TPMTPublic {
	return keyed(tpm2.TPMTPublic{
		Type: tpm2.TPMAlgSymCipher, ObjectAttributes: tpm2.TPMAObject{SignEncrypt: true, Decrypt: true},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgSymCipher, &tpm2.TPMSSymCipherParms{
			Sym: tpm2.TPMTSymDefObject{
				Algorithm: tpm2.TPMAlgAES,
				KeyBits:   tpm2.NewTPMUSymKeyBits(tpm2.TPMAlgAES, tpm2.TPMKeyBits(256)),
				Mode:      tpm2.NewTPMUSymMode(tpm2.TPMAlgAES, tpm2.TPMAlgCFB),
			},
		}),
	}, true)
}

// furnish fills a TPM that was just made.
func furnish(t testing.TB, tpm transport.TPM) *facts {
	c := client{t, tpm}
	f := &facts{Persistent: make(map[tpm2.TPMHandle][]byte)}
	c.furnishHierarchies()
	c.furnishKeys(f)
	c.furnishNV()
	c.furnishSettings()
	clock := must(tpm2.ReadClock{}.Execute(tpm))(t)
	f.Clock, f.ResetCount = clock.CurrentTime.ClockInfo.Clock, clock.CurrentTime.ClockInfo.ResetCount
	return f
}

func (c client) furnishHierarchies() {
	for h, auth := range map[tpm2.TPMHandle]string{
		tpm2.TPMRHOwner: ownerAuth, tpm2.TPMRHEndorsement: endorsementAuth, tpm2.TPMRHLockout: lockoutAuth,
	} {
		c.run(tpm2.TPMCCHierarchyChanegAuth, []tpm2.TPMHandle{h}, []string{""}, sized(auth))
	}
	c.run(tpm2.TPMCCSetPrimaryPolicy, []tpm2.TPMHandle{tpm2.TPMRHOwner}, []string{ownerAuth},
		sized(ownerPolicy()), tpm2.TPMAlgSHA256)
}

// ownerPolicy is that of TPM2_PolicyCommandCode(TPM2_NV_UndefineSpace).
func ownerPolicy() []byte {
	p := binary.BigEndian.AppendUint32(make([]byte, 32), uint32(tpm2.TPMCCPolicyCommandCode))
	sum := sha256.Sum256(binary.BigEndian.AppendUint32(p, uint32(tpm2.TPMCCNVUndefineSpace)))
	return sum[:]
}

func (c client) furnishKeys(f *facts) {
	for i, template := range ekTemplates {
		rsp := must(tpm2.CreatePrimary{
			PrimaryHandle: c.auth(tpm2.TPMRHEndorsement, endorsementAuth), InPublic: tpm2.New2B(template),
		}.Execute(c.tpm))(c)
		f.EK = append(f.EK, rsp.OutPublic.Bytes())
		if i == 0 {
			c.persist(f, tpm2.TPMRHOwner, ownerAuth, rsp.ObjectHandle, ekHandle)
		}
		c.flush(rsp.ObjectHandle)
	}
	for h, template := range map[tpm2.TPMHandle]tpm2.TPMTPublic{srk: tpm2.ECCSRKTemplate, rsaSRK: tpm2.RSASRKTemplate} {
		rsp := must(tpm2.CreatePrimary{PrimaryHandle: c.auth(tpm2.TPMRHOwner, ownerAuth), InPublic: tpm2.New2B(template)}.Execute(c.tpm))(c)
		c.persist(f, tpm2.TPMRHOwner, ownerAuth, rsp.ObjectHandle, h)
		c.flush(rsp.ObjectHandle)
	}
	for h, template := range map[tpm2.TPMHandle]tpm2.TPMTPublic{
		rsaKey: rsaSigner(), eccKey: eccSigner(tpm2.TPMECCNistP384), hmacKey: hmacTemplate(), aesKey: aesTemplate(),
	} {
		c.create(f, template, h)
	}
	rsp := must(tpm2.CreatePrimary{
		PrimaryHandle: c.auth(tpm2.TPMRHPlatform, ""), InPublic: tpm2.New2B(eccSigner(tpm2.TPMECCNistP256)),
	}.Execute(c.tpm))(c)
	c.persist(f, tpm2.TPMRHPlatform, "", rsp.ObjectHandle, phKey)
	c.flush(rsp.ObjectHandle)
	c.seal(f)
}

func (c client) persist(f *facts, by tpm2.TPMHandle, password string, object, at tpm2.TPMHandle) {
	c.Helper()
	public := must(tpm2.ReadPublic{ObjectHandle: object}.Execute(c.tpm))(c)
	f.Persistent[at] = public.OutPublic.Bytes()
	c.run(tpm2.TPMCCEvictControl, []tpm2.TPMHandle{by, object}, []string{password}, uint32(at))
}

func (c client) flush(h tpm2.TPMHandle) {
	c.Helper()
	must(tpm2.FlushContext{FlushHandle: h}.Execute(c.tpm))(c)
}

// create makes a key with a password below the SRK, and makes it persistent.
func (c client) create(f *facts, template tpm2.TPMTPublic, at tpm2.TPMHandle) {
	c.Helper()
	made := must(tpm2.Create{
		ParentHandle: c.auth(srk, ""), InPublic: tpm2.New2B(template),
		InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{UserAuth: tpm2.TPM2BAuth{Buffer: []byte(keyAuth)}}},
	}.Execute(c.tpm))(c)
	loaded := must(tpm2.Load{ParentHandle: c.auth(srk, ""), InPublic: made.OutPublic, InPrivate: made.OutPrivate}.Execute(c.tpm))(c)
	c.persist(f, tpm2.TPMRHOwner, ownerAuth, loaded.ObjectHandle, at)
	c.flush(loaded.ObjectHandle)
}

// boot measures what the secret's policy wants into PCR 7.
func (c client) boot() {
	sum := sha256.Sum256([]byte("the right boot"))
	c.run(tpm2.TPMCCPCRExtend, []tpm2.TPMHandle{7}, []string{""}, uint32(1), tpm2.TPMAlgSHA256, sum)
}

var pcr7 = tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{Hash: tpm2.TPMAlgSHA256, PCRSelect: []byte{0x80, 0, 0}}}}

// bootPolicy satisfies the secret's policy: PCR 7 and the password.
func (c client) bootPolicy(opts ...tpm2.AuthOption) tpm2.Session {
	return tpm2.Policy(tpm2.TPMAlgSHA256, 16, func(tpm transport.TPM, h tpm2.TPMISHPolicy, _ tpm2.TPM2BNonce) error {
		if _, err := (tpm2.PolicyPCR{PolicySession: h, Pcrs: pcr7}).Execute(tpm); err != nil {
			return err
		}
		_, err := tpm2.PolicyAuthValue{PolicySession: h}.Execute(tpm)
		return err
	}, opts...)
}

func (c client) seal(f *facts) {
	c.boot()
	session, end, err := tpm2.PolicySession(c.tpm, tpm2.TPMAlgSHA256, 16, tpm2.Trial())
	if err != nil {
		c.Fatal(err)
	}
	must(tpm2.PolicyPCR{PolicySession: session.Handle(), Pcrs: pcr7}.Execute(c.tpm))(c)
	must(tpm2.PolicyAuthValue{PolicySession: session.Handle()}.Execute(c.tpm))(c)
	policy := must(tpm2.PolicyGetDigest{PolicySession: session.Handle()}.Execute(c.tpm))(c).PolicyDigest
	if err := end(); err != nil {
		c.Fatal(err)
	}
	made := must(tpm2.Create{
		ParentHandle: c.auth(srk, ""),
		InPublic: tpm2.New2B(tpm2.TPMTPublic{
			Type: tpm2.TPMAlgKeyedHash, NameAlg: tpm2.TPMAlgSHA256, AuthPolicy: policy,
			ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, NoDA: true},
		}),
		InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
			UserAuth: tpm2.TPM2BAuth{Buffer: []byte(keyAuth)},
			Data:     tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: []byte(secret)}),
		}},
	}.Execute(c.tpm))(c)
	f.Public, f.Private = made.OutPublic.Bytes(), made.OutPrivate.Buffer
}

// define makes an NV index of a type, readable and writable with its password.
func (c client) define(h tpm2.TPMHandle, typ tpm2.TPMNT, size int, more func(*tpm2.TPMANV)) {
	c.Helper()
	a := tpm2.TPMANV{NT: typ, AuthRead: true, AuthWrite: true, NoDA: true}
	by, password := tpm2.TPMRHOwner, ownerAuth
	if typ == tpm2.TPMNTPinFail || typ == tpm2.TPMNTPinPass {
		a.AuthWrite, a.OwnerWrite, a.OwnerRead = false, true, true // as these need
	}
	if more != nil {
		more(&a)
	}
	if a.PlatformCreate {
		by, password = tpm2.TPMRHPlatform, ""
	}
	public := tpm2.TPMSNVPublic{NVIndex: h, NameAlg: tpm2.TPMAlgSHA256, Attributes: a, DataSize: uint16(size)}
	if h == guarded {
		public.NameAlg = tpm2.TPMAlgSHA384
		public.AuthPolicy = tpm2.TPM2BDigest{Buffer: bytes.Repeat([]byte{0xAB}, 48)}
	}
	c.run(tpm2.TPMCCNVDefineSpace, []tpm2.TPMHandle{by}, []string{password}, sized(nvAuth), sized(tpm2.Marshal(public)))
}

func (c client) nv(cc tpm2.TPMCC, h tpm2.TPMHandle, params ...any) {
	c.Helper()
	c.run(cc, []tpm2.TPMHandle{h, h}, []string{nvAuth}, params...)
}

func (c client) furnishNV() {
	c.define(ordinary, tpm2.TPMNTOrdinary, dataBytes, nil)
	c.nv(tpm2.TPMCCNVWrite, ordinary, sized("the beginning"), uint16(0))
	c.define(counter, tpm2.TPMNTCounter, 8, nil)
	for range 5 {
		c.nv(tpm2.TPMCCNVIncrement, counter)
	}
	c.define(bits, tpm2.TPMNTBits, 8, nil)
	c.nv(tpm2.TPMCCNVSetBits, bits, uint64(0x8001))
	c.define(extended, tpm2.TPMNTExtend, 32, nil)
	c.nv(tpm2.TPMCCNVExtend, extended, sized("one"))
	for _, h := range []tpm2.TPMHandle{pinFail, pinPass} {
		typ := map[tpm2.TPMHandle]tpm2.TPMNT{pinFail: tpm2.TPMNTPinFail, pinPass: tpm2.TPMNTPinPass}[h]
		c.define(h, typ, 8, nil)
		c.run(tpm2.TPMCCNVWrite, []tpm2.TPMHandle{tpm2.TPMRHOwner, h}, []string{ownerAuth},
			sized(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 2), pinLimit)), uint16(0))
	}
	c.define(locked, tpm2.TPMNTOrdinary, 4, func(a *tpm2.TPMANV) { a.WriteDefine = true })
	c.nv(tpm2.TPMCCNVWrite, locked, sized("lock"), uint16(0))
	c.nv(tpm2.TPMCCNVWriteLock, locked)
	c.define(hybrid, tpm2.TPMNTCounter, 8, func(a *tpm2.TPMANV) { a.Orderly = true })
	for range 3 {
		c.nv(tpm2.TPMCCNVIncrement, hybrid)
	}
	c.define(unwritten, tpm2.TPMNTOrdinary, 16, nil)
	c.define(guarded, tpm2.TPMNTOrdinary, 16, func(a *tpm2.TPMANV) { a.PolicyWrite = true })
	c.define(ekCert, tpm2.TPMNTOrdinary, 1000, func(a *tpm2.TPMANV) {
		*a = tpm2.TPMANV{PPWrite: true, PPRead: true, OwnerRead: true, AuthRead: true, NoDA: true, PlatformCreate: true}
	})
	c.run(tpm2.TPMCCNVWrite, []tpm2.TPMHandle{tpm2.TPMRHPlatform, ekCert}, []string{""}, sized(certificate()[:600]), uint16(0))
	c.run(tpm2.TPMCCNVWrite, []tpm2.TPMHandle{tpm2.TPMRHPlatform, ekCert}, []string{""}, sized(certificate()[600:]), uint16(600))

	// What a counter that is gone has counted is not counted again.
	c.define(removed, tpm2.TPMNTCounter, 8, nil)
	for range 9 {
		c.nv(tpm2.TPMCCNVIncrement, removed)
	}
	c.run(tpm2.TPMCCNVUndefineSpace, []tpm2.TPMHandle{tpm2.TPMRHOwner, removed}, []string{ownerAuth})
}

func certificate() []byte {
	return bytes.Repeat([]byte("certificate "), 84)[:1000]
}

func (c client) furnishSettings() {
	c.run(tpm2.TPMCCClockSet, []tpm2.TPMHandle{tpm2.TPMRHOwner}, []string{ownerAuth}, uint64(clockAt))
	c.run(tpm2.TPMCCDictionaryAttackParameters, []tpm2.TPMHandle{tpm2.TPMRHLockout}, []string{lockoutAuth}, uint32(5), uint32(7200), uint32(600))
	c.run(tpm2.TPMCCSetCommandCodeAuditStatus, []tpm2.TPMHandle{tpm2.TPMRHOwner}, []string{ownerAuth}, tpm2.TPMAlgNull,
		uint32(2), tpm2.TPMCCNVRead, tpm2.TPMCCEventSequenceComplete, uint32(0))
	if _, err := c.try(tpm2.TPMCCPCRSetAuthPolicy, []tpm2.TPMHandle{tpm2.TPMRHPlatform}, []string{""},
		sized(ownerPolicy()), tpm2.TPMAlgSHA256, uint32(20)); err != nil && !errors.Is(err, tpm2.TPMRCValue) { // libtpms 0.10 has no PCRs for it
		c.Error(err)
	}
	for range 2 {
		if _, err := c.try(tpm2.TPMCCMAC, []tpm2.TPMHandle{hmacKey}, []string{"wrong"}, sized("x"), tpm2.TPMAlgNull); err == nil {
			c.Fatal("a wrong password is right")
		}
	}
	c.run(tpm2.TPMCCClearControl, []tpm2.TPMHandle{tpm2.TPMRHLockout}, []string{lockoutAuth}, uint8(1))
	c.run(tpm2.TPMCCPCRAllocate, []tpm2.TPMHandle{tpm2.TPMRHPlatform}, []string{""},
		uint32(1), tpm2.TPMAlgSHA1, uint8(3), [3]byte{}) // no PCR of SHA-1
}
