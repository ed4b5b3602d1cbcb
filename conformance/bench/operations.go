//go:build linux

package main

import (
	"encoding/binary"
	"time"

	"github.com/google/go-tpm/tpm2"
)

// operation is a command that is sent again and again. A command that loads something is
// followed by a TPM2_FlushContext of it.
type operation struct {
	name    string
	count   int                      // in a turn
	prepare func(*environment) error // its last command is the one
	vary    func(cmd []byte, i int)  // makes it another one before the i-th time
	flushed bool                     // the flush belongs to it
	loads   bool                     // the response has a handle
	primes  bool                     // for the server with primes that are ready
}

// once runs the command and returns what it took.
func (op operation) once(c *client, cmd []byte) (time.Duration, error) {
	begin := time.Now()
	r, err := c.run(cmd)
	took := time.Since(begin)
	if err != nil || !op.loads {
		return took, err
	}
	flush := []byte{0x80, 0x01, 0, 0, 0, 14, 0, 0, 0x01, 0x65, 0, 0, 0, 0}
	copy(flush[10:], r[10:14])
	_, err = c.run(flush)
	if op.flushed {
		took = time.Since(begin)
	}
	return took, err
}

// environment is what an operation works with.
type environment struct {
	*client
	parent, key tpm2.NamedHandle
}

func operations() []operation {
	return []operation{
		{name: "GetRandom", count: 2000, prepare: func(e *environment) error {
			_, err := tpm2.GetRandom{BytesRequested: 32}.Execute(e)
			return err
		}},
		{name: "PCR_Extend", count: 2000, prepare: extend},
		{name: "PolicyPCR", count: 2000, prepare: policyPCR},
		{name: "session", count: 1000, loads: true, flushed: true, prepare: session},
		{name: "session, ECC salt", count: 200, loads: true, flushed: true, prepare: saltedSession},
		{name: "Sign, ECC", count: 200, prepare: with(tpm2.TPMAlgECC, sign)},
		{name: "Quote, ECC", count: 200, prepare: with(tpm2.TPMAlgECC, quote)},
		{name: "Create, ECC", count: 100, prepare: create(tpm2.TPMAlgECC)},
		{name: "CreatePrimary, ECC", count: 100, loads: true, vary: anotherTemplate, prepare: primary(tpm2.TPMAlgECC)},
		{name: "Sign, RSA", count: 50, prepare: with(tpm2.TPMAlgRSA, sign)},
		{name: "Create, RSA", count: 8, prepare: create(tpm2.TPMAlgRSA)},
		{name: "Create, RSA, primes ready", count: 15, primes: true, prepare: create(tpm2.TPMAlgRSA)},
		{name: "CreatePrimary, RSA", count: 12, loads: true, vary: anotherTemplate, prepare: primary(tpm2.TPMAlgRSA)},
		{name: "CreatePrimary, RSA, again", count: 12, loads: true, prepare: primary(tpm2.TPMAlgRSA)},
		{name: "NV_Write, 1 KiB", count: 100, vary: otherData, prepare: nvWrite},
		{name: "NV_Increment", count: 100, prepare: nvIncrement},
	}
}

func auth(h tpm2.NamedHandle) tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: h.Handle, Name: h.Name, Auth: tpm2.PasswordAuth(nil)}
}

func owner() tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)}
}

func pcrs(list ...uint) tpm2.TPMLPCRSelection {
	return tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{Hash: tpm2.TPMAlgSHA256, PCRSelect: tpm2.PCClientCompatible.PCRs(list...)}}}
}

func extend(e *environment) error {
	_, err := tpm2.PCRExtend{PCRHandle: tpm2.AuthHandle{Handle: 10, Auth: tpm2.PasswordAuth(nil)},
		Digests: tpm2.TPMLDigestValues{Digests: []tpm2.TPMTHA{{HashAlg: tpm2.TPMAlgSHA256, Digest: make([]byte, 32)}}}}.Execute(e)
	return err
}

func start(kind tpm2.TPMSE) tpm2.StartAuthSession {
	return tpm2.StartAuthSession{TPMKey: tpm2.TPMRHNull, Bind: tpm2.TPMRHNull, SessionType: kind, AuthHash: tpm2.TPMAlgSHA256,
		NonceCaller: tpm2.TPM2BNonce{Buffer: make([]byte, 16)}, Symmetric: tpm2.TPMTSymDef{Algorithm: tpm2.TPMAlgNull}}
}

func policyPCR(e *environment) error {
	r, err := start(tpm2.TPMSEPolicy).Execute(e)
	if err != nil {
		return err
	}
	_, err = tpm2.PolicyPCR{PolicySession: tpm2.TPMHandle(r.SessionHandle.HandleValue()), Pcrs: pcrs(0, 1, 2, 3, 4, 7)}.Execute(e)
	return err
}

// session leaves the session that it starts to flushAll.
func session(e *environment) error {
	_, err := start(tpm2.TPMSEHMAC).Execute(e)
	return err
}

func saltedSession(e *environment) error {
	r, err := storageKey(tpm2.TPMAlgECC).Execute(e)
	if err != nil {
		return err
	}
	public, err := r.OutPublic.Contents()
	if err != nil {
		return err
	}
	key, err := tpm2.ImportEncapsulationKey(public)
	if err != nil {
		return err
	}
	s := start(tpm2.TPMSEHMAC)
	s.TPMKey = r.ObjectHandle
	if _, s.EncryptedSalt.Buffer, err = tpm2.CreateEncryptedSalt(random{}, key); err != nil {
		return err
	}
	_, err = s.Execute(e)
	return err
}

// storageKey makes an SRK.
func storageKey(alg tpm2.TPMAlgID) tpm2.CreatePrimary {
	template := tpm2.ECCSRKTemplate
	if alg == tpm2.TPMAlgRSA {
		template = tpm2.RSASRKTemplate
	}
	return tpm2.CreatePrimary{PrimaryHandle: owner(), InPublic: tpm2.New2B(template)}
}

// primary makes an SRK, and room for the next one.
func primary(alg tpm2.TPMAlgID) func(*environment) error {
	return func(e *environment) error {
		r, err := storageKey(alg).Execute(e)
		if err != nil {
			return err
		}
		sent := e.last
		_, err = tpm2.FlushContext{FlushHandle: r.ObjectHandle}.Execute(e)
		e.last = sent
		return err
	}
}

// anotherTemplate changes the end of the template's unique field, behind which there are
// outsideInfo and creationPCR, six bytes.
func anotherTemplate(cmd []byte, i int) {
	binary.BigEndian.PutUint64(cmd[len(cmd)-6-8:], uint64(i+1))
}

// signingKey is the template of a key that signs with ECDSA or RSASSA.
func signingKey(alg tpm2.TPMAlgID) tpm2.TPMTPublic {
	p := tpm2.TPMTPublic{Type: alg, NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, NoDA: true, SignEncrypt: true}}
	if alg == tpm2.TPMAlgRSA {
		p.Parameters = tpm2.NewTPMUPublicParms(alg, &tpm2.TPMSRSAParms{KeyBits: 2048, Scheme: tpm2.TPMTRSAScheme{Scheme: tpm2.TPMAlgRSASSA,
			Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgRSASSA, &tpm2.TPMSSigSchemeRSASSA{HashAlg: tpm2.TPMAlgSHA256})}})
		return p
	}
	p.Parameters = tpm2.NewTPMUPublicParms(alg, &tpm2.TPMSECCParms{CurveID: tpm2.TPMECCNistP256, Scheme: tpm2.TPMTECCScheme{Scheme: tpm2.TPMAlgECDSA,
		Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA256})}})
	return p
}

// create makes a signing key below an ECC storage key.
func create(alg tpm2.TPMAlgID) func(*environment) error {
	return func(e *environment) error {
		_, err := e.create(alg)
		return err
	}
}

func (e *environment) create(alg tpm2.TPMAlgID) (*tpm2.CreateResponse, error) {
	r, err := storageKey(tpm2.TPMAlgECC).Execute(e)
	if err != nil {
		return nil, err
	}
	e.parent = tpm2.NamedHandle{Handle: r.ObjectHandle, Name: r.Name}
	return tpm2.Create{ParentHandle: auth(e.parent), InPublic: tpm2.New2B(signingKey(alg))}.Execute(e)
}

// with loads a signing key first.
func with(alg tpm2.TPMAlgID, f func(*environment) error) func(*environment) error {
	return func(e *environment) error {
		made, err := e.create(alg)
		if err != nil {
			return err
		}
		r, err := tpm2.Load{ParentHandle: auth(e.parent), InPrivate: made.OutPrivate, InPublic: made.OutPublic}.Execute(e)
		if err != nil {
			return err
		}
		e.key = tpm2.NamedHandle{Handle: r.ObjectHandle, Name: r.Name}
		return f(e)
	}
}

func sign(e *environment) error {
	_, err := tpm2.Sign{KeyHandle: auth(e.key), Digest: tpm2.TPM2BDigest{Buffer: make([]byte, 32)}, InScheme: tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgNull},
		Validation: tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck, Hierarchy: tpm2.TPMRHNull}}.Execute(e)
	return err
}

func quote(e *environment) error {
	_, err := tpm2.Quote{SignHandle: auth(e.key), InScheme: tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgNull}, PCRSelect: pcrs(0, 1, 2, 3, 4, 5, 6, 7)}.Execute(e)
	return err
}

// The indices are there for the next turn.
const (
	dataIndex    = tpm2.TPMHandle(0x01800100)
	counterIndex = tpm2.TPMHandle(0x01800101)
)

// index defines an index if it is not there.
func index(e *environment, h tpm2.TPMHandle, kind tpm2.TPMNT, size uint16) tpm2.NamedHandle {
	tpm2.NVDefineSpace{AuthHandle: owner(), PublicInfo: tpm2.New2B(tpm2.TPMSNVPublic{NVIndex: h, NameAlg: tpm2.TPMAlgSHA256, DataSize: size,
		Attributes: tpm2.TPMANV{OwnerWrite: true, OwnerRead: true, NT: kind, NoDA: true}})}.Execute(e)
	return tpm2.NamedHandle{Handle: h, Name: tpm2.TPM2BName{Buffer: []byte{0}}} // which passwords do not cover
}

func nvWrite(e *environment) error {
	x := index(e, dataIndex, tpm2.TPMNTOrdinary, 1024)
	_, err := tpm2.NVWrite{AuthHandle: owner(), NVIndex: x, Data: tpm2.TPM2BMaxNVBuffer{Buffer: make([]byte, 1024)}}.Execute(e)
	return err
}

// otherData changes what is written: the same data would be no write. It ends before the
// offset.
func otherData(cmd []byte, i int) { binary.BigEndian.PutUint64(cmd[len(cmd)-2-8:], uint64(i+1)) }

func nvIncrement(e *environment) error {
	x := index(e, counterIndex, tpm2.TPMNTCounter, 8)
	_, err := tpm2.NVIncrement{AuthHandle: owner(), NVIndex: x}.Execute(e)
	return err
}

// flushAll removes what a turn has loaded.
func flushAll(c *client) {
	for _, first := range []uint32{0x80000000, 0x02000000, 0x03000000} {
		r, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: first, PropertyCount: 64}.Execute(c)
		if err != nil {
			continue
		}
		list, err := r.CapabilityData.Data.Handles()
		if err != nil {
			continue
		}
		for _, h := range list.Handle {
			tpm2.FlushContext{FlushHandle: h}.Execute(c)
		}
	}
}
