//go:build linux

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

const (
	counterIndex = tpm2.TPMHandle(0x01500020)
	chainPCR     = tpm2.TPMHandle(16) // the debug PCR, which everybody may reset
	// half is what a hash in progress has seen.
	half = "the first half, "
)

var (
	secret  = []byte("what is sealed")
	keyAuth = []byte("of the sealed object")
)

// lockoutParameters is TPM2_DictionaryAttackParameters with 10 tries, of which one comes back in a
// day. go-tpm does not have it.
var lockoutParameters = []byte{
	0x80, 2, 0, 0, 0, 39, 0, 0, 1, 0x3a, 0x40, 0, 0, 0x0a, // the lockout hierarchy
	0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0, // an empty password
	0, 0, 0, 10, 0, 1, 0x51, 0x80, 0, 0, 0, 1,
}

// held is what a guest holds in its TPM.
type held struct {
	srk    tpm2.NamedHandle
	key    tpm2.NamedHandle // signs
	sealed tpm2.NamedHandle // with an authorization value, and DA protection
	public *tpm2.TPMTPublic // of the key

	session tpm2.Session // HMAC, salted, encrypts; its nonces roll on
	policy  tpm2.Session // has asserted the boot's PCRs
	bound   tpm2.NamedHandle
	digest  []byte // of the policy

	sequence     tpm2.TPMHandle    // a hash in progress
	savedKey     tpm2.TPMSContext  // a copy of the key
	savedSession tpm2.TPMSContext  // a session that is not loaded
	saved        tpm2.Session      // that session, as a client knows it
	count        uint64            // of the NV counter
	chain        [sha256.Size]byte // of the chain PCR
	clock        tpm2.TPMSClockInfo
	failures     uint32 // that lockout counts
}

func password(h tpm2.NamedHandle, auth []byte) tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: h.Handle, Name: h.Name, Auth: tpm2.PasswordAuth(auth)}
}

func owner() tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)}
}

// bootSelection are PCRs that the boot is in.
func bootSelection() tpm2.TPMLPCRSelection {
	return tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{Hash: tpm2.TPMAlgSHA256, PCRSelect: tpm2.PCClientCompatible.PCRs(0, 2, 4, 7)}}}
}

func createSRK(t transport.TPM) (tpm2.NamedHandle, *tpm2.TPMTPublic, error) {
	r, err := tpm2.CreatePrimary{PrimaryHandle: owner(), InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}.Execute(t)
	if err != nil {
		return tpm2.NamedHandle{}, nil, fmt.Errorf("create the SRK: %w", err)
	}
	public, err := r.OutPublic.Contents()
	return tpm2.NamedHandle{Handle: r.ObjectHandle, Name: r.Name}, public, err
}

// signingKey is the template of a key that signs with ECDSA.
func signingKey() tpm2.TPMTPublic {
	return tpm2.TPMTPublic{Type: tpm2.TPMAlgECC, NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, NoDA: true, SignEncrypt: true},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{CurveID: tpm2.TPMECCNistP256, Scheme: tpm2.TPMTECCScheme{Scheme: tpm2.TPMAlgECDSA,
			Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA256})}})}
}

// sealedObject is the template of one that opens by its authorization value, or by a policy.
func sealedObject(policy []byte) tpm2.TPMTPublic {
	return tpm2.TPMTPublic{Type: tpm2.TPMAlgKeyedHash, NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, UserWithAuth: policy == nil, NoDA: policy != nil},
		AuthPolicy:       tpm2.TPM2BDigest{Buffer: policy},
		Parameters:       tpm2.NewTPMUPublicParms(tpm2.TPMAlgKeyedHash, &tpm2.TPMSKeyedHashParms{})}
}

// create makes an object below the SRK and loads it.
func create(t transport.TPM, srk tpm2.NamedHandle, template tpm2.TPMTPublic, auth, data []byte) (h tpm2.NamedHandle, public *tpm2.TPMTPublic, err error) {
	sensitive := tpm2.TPMSSensitiveCreate{UserAuth: tpm2.TPM2BAuth{Buffer: auth}}
	if data != nil {
		sensitive.Data = tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: data})
	}
	made, err := tpm2.Create{ParentHandle: password(srk, nil), InPublic: tpm2.New2B(template),
		InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &sensitive}}.Execute(t)
	if err != nil {
		return h, nil, err
	}
	loaded, err := tpm2.Load{ParentHandle: password(srk, nil), InPrivate: made.OutPrivate, InPublic: made.OutPublic}.Execute(t)
	if err != nil {
		return h, nil, err
	}
	public, err = made.OutPublic.Contents()
	return tpm2.NamedHandle{Handle: loaded.ObjectHandle, Name: loaded.Name}, public, err
}

// hold takes all that it holds.
func hold(t transport.TPM) (*held, error) {
	h := new(held)
	var srk *tpm2.TPMTPublic
	var err error
	if h.srk, srk, err = createSRK(t); err != nil {
		return nil, err
	}
	if h.key, h.public, err = create(t, h.srk, signingKey(), nil, nil); err != nil {
		return nil, fmt.Errorf("create a key: %w", err)
	}
	if h.sealed, _, err = create(t, h.srk, sealedObject(nil), keyAuth, secret); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if h.session, _, err = tpm2.HMACSession(t, tpm2.TPMAlgSHA256, 16, tpm2.Salted(h.srk.Handle, *srk), tpm2.Auth(keyAuth), tpm2.AESEncryption(128, tpm2.EncryptOut)); err != nil {
		return nil, fmt.Errorf("start a session: %w", err)
	}
	if h.saved, _, err = tpm2.HMACSession(t, tpm2.TPMAlgSHA256, 16, tpm2.Auth(keyAuth)); err != nil {
		return nil, fmt.Errorf("start a session: %w", err)
	}
	if err := errors.Join(h.holdPolicy(t), h.holdWritten(t)); err != nil {
		return nil, err
	}
	if _, err := (tpm2.PCRReset{PCRHandle: tpm2.AuthHandle{Handle: chainPCR, Auth: tpm2.PasswordAuth(nil)}}).Execute(t); err != nil {
		return nil, fmt.Errorf("reset PCR %d: %w", chainPCR, err)
	}
	if err := h.extend(t); err != nil {
		return nil, err
	}
	return h, h.again(t)
}

// holdPolicy starts a policy session for the boot's PCRs, and seals to that.
func (h *held) holdPolicy(t transport.TPM) (err error) {
	if h.policy, _, err = tpm2.PolicySession(t, tpm2.TPMAlgSHA256, 16); err != nil {
		return fmt.Errorf("start a policy session: %w", err)
	}
	if err := h.assert(t); err != nil {
		return err
	}
	r, err := tpm2.PolicyGetDigest{PolicySession: h.policy.Handle()}.Execute(t)
	if err != nil {
		return fmt.Errorf("read the policy's digest: %w", err)
	}
	h.digest = r.PolicyDigest.Buffer
	if h.bound, _, err = create(t, h.srk, sealedObject(h.digest), nil, secret); err != nil {
		return fmt.Errorf("seal to PCRs: %w", err)
	}
	return nil
}

func (h *held) assert(t transport.TPM) error {
	if _, err := (tpm2.PolicyPCR{PolicySession: h.policy.Handle(), Pcrs: bootSelection()}).Execute(t); err != nil {
		return fmt.Errorf("PolicyPCR: %w", err)
	}
	return nil
}

// holdWritten makes what is written: a counter, and a failed authorization, which lockout counts
// for a day.
func (h *held) holdWritten(t transport.TPM) error {
	var err error
	if h.count, err = increment(t); err != nil {
		return err
	}
	if rsp, err := t.Send(lockoutParameters); err != nil || binary.BigEndian.Uint32(rsp[6:]) != 0 {
		return fmt.Errorf("set the lockout's parameters: %x, %w", rsp, err)
	}
	if _, err := (tpm2.Unseal{ItemHandle: password(h.sealed, []byte("wrong"))}).Execute(t); !errors.Is(err, tpm2.TPMRCAuthFail) {
		return fmt.Errorf("unseal with a wrong authorization: %w", err)
	}
	if h.failures, err = lockoutCounter(t); err == nil && h.failures == 0 {
		err = errors.New("a failed authorization is not counted")
	}
	if err != nil {
		return err
	}
	r, err := tpm2.ReadClock{}.Execute(t)
	if err != nil {
		return fmt.Errorf("read the clock: %w", err)
	}
	h.clock = r.CurrentTime.ClockInfo
	return nil
}

// again takes what a check uses up: a hash in progress, contexts outside of the TPM.
func (h *held) again(t transport.TPM) error {
	started, err := tpm2.HashSequenceStart{HashAlg: tpm2.TPMAlgSHA256}.Execute(t)
	if err != nil {
		return fmt.Errorf("start a hash: %w", err)
	}
	h.sequence = started.SequenceHandle
	if _, err := (tpm2.SequenceUpdate{SequenceHandle: tpm2.AuthHandle{Handle: h.sequence, Auth: tpm2.PasswordAuth(nil)},
		Buffer: tpm2.TPM2BMaxBuffer{Buffer: []byte(half)}}).Execute(t); err != nil {
		return fmt.Errorf("hash the first half: %w", err)
	}
	key, err := tpm2.ContextSave{SaveHandle: h.key.Handle}.Execute(t)
	if err != nil {
		return fmt.Errorf("save the key's context: %w", err)
	}
	h.savedKey = key.Context
	session, err := tpm2.ContextSave{SaveHandle: h.saved.Handle()}.Execute(t)
	if err != nil {
		return fmt.Errorf("save a session's context: %w", err)
	}
	h.savedSession = session.Context
	return nil
}

// extend makes the chain longer, and has the TPM make a random number.
func (h *held) extend(t transport.TPM) error {
	value := sha256.Sum256(h.chain[:])
	if _, err := (tpm2.PCRExtend{PCRHandle: tpm2.AuthHandle{Handle: chainPCR, Auth: tpm2.PasswordAuth(nil)},
		Digests: tpm2.TPMLDigestValues{Digests: []tpm2.TPMTHA{{HashAlg: tpm2.TPMAlgSHA256, Digest: value[:]}}}}).Execute(t); err != nil {
		return fmt.Errorf("extend PCR %d: %w", chainPCR, err)
	}
	h.chain = sha256.Sum256(append(h.chain[:], value[:]...))
	if _, err := (tpm2.GetRandom{BytesRequested: 16}).Execute(t); err != nil {
		return fmt.Errorf("get random bytes: %w", err)
	}
	return nil
}

// increment increments the counter, which it defines where there is none.
func increment(t transport.TPM) (uint64, error) {
	index := tpm2.NamedHandle{Handle: counterIndex}
	public, err := tpm2.NVReadPublic{NVIndex: counterIndex}.Execute(t)
	if err != nil {
		if _, err := (tpm2.NVDefineSpace{AuthHandle: owner(), PublicInfo: tpm2.New2B(tpm2.TPMSNVPublic{NVIndex: counterIndex, NameAlg: tpm2.TPMAlgSHA256,
			DataSize: 8, Attributes: tpm2.TPMANV{OwnerWrite: true, OwnerRead: true, NT: tpm2.TPMNTCounter, NoDA: true}})}).Execute(t); err != nil {
			return 0, fmt.Errorf("define a counter: %w", err)
		}
		if public, err = (tpm2.NVReadPublic{NVIndex: counterIndex}).Execute(t); err != nil {
			return 0, err
		}
	}
	index.Name = public.NVName
	if _, err := (tpm2.NVIncrement{AuthHandle: owner(), NVIndex: index}).Execute(t); err != nil {
		return 0, fmt.Errorf("increment the counter: %w", err)
	}
	r, err := tpm2.NVRead{AuthHandle: owner(), NVIndex: index, Size: 8}.Execute(t)
	if err != nil {
		return 0, fmt.Errorf("read the counter: %w", err)
	}
	var n uint64
	for _, b := range r.Data.Buffer {
		n = n<<8 | uint64(b)
	}
	return n, nil
}

func lockoutCounter(t transport.TPM) (uint32, error) {
	r, err := tpm2.GetCapability{Capability: tpm2.TPMCapTPMProperties, Property: uint32(tpm2.TPMPTLockoutCounter), PropertyCount: 1}.Execute(t)
	if err != nil {
		return 0, fmt.Errorf("read the lockout's counter: %w", err)
	}
	list, err := r.CapabilityData.Data.TPMProperties()
	if err != nil || len(list.TPMProperty) != 1 {
		return 0, fmt.Errorf("read the lockout's counter: %d properties: %w", len(list.TPMProperty), err)
	}
	return list.TPMProperty[0].Value, nil
}

// bootPCRs returns all PCRs but those that the guest extends itself.
func bootPCRs(t transport.TPM) ([]string, error) {
	var out []string
	for _, bank := range []struct {
		name string
		alg  tpm2.TPMAlgID
	}{{"sha1", tpm2.TPMAlgSHA1}, {"sha256", tpm2.TPMAlgSHA256}, {"sha384", tpm2.TPMAlgSHA384}, {"sha512", tpm2.TPMAlgSHA512}} {
		for i := range uint(24) {
			if i == uint(chainPCR) {
				continue
			}
			r, err := tpm2.PCRRead{PCRSelectionIn: tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{Hash: bank.alg, PCRSelect: tpm2.PCClientCompatible.PCRs(i)}}}}.Execute(t)
			if err != nil {
				return nil, fmt.Errorf("read PCR %d: %w", i, err)
			}
			if len(r.PCRValues.Digests) != 1 { // the bank is not allocated
				break
			}
			out = append(out, fmt.Sprintf("%s %d %s", bank.name, i, hex.EncodeToString(r.PCRValues.Digests[0].Buffer)))
		}
	}
	return out, nil
}

func (h *held) checkChain(t transport.TPM) error {
	r, err := tpm2.PCRRead{PCRSelectionIn: tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{Hash: tpm2.TPMAlgSHA256, PCRSelect: tpm2.PCClientCompatible.PCRs(uint(chainPCR))}}}}.Execute(t)
	if err != nil {
		return err
	}
	if len(r.PCRValues.Digests) != 1 || !bytes.Equal(r.PCRValues.Digests[0].Buffer, h.chain[:]) {
		return fmt.Errorf("PCR %d is not what the extends make of it: one was lost, or made twice", chainPCR)
	}
	return nil
}
