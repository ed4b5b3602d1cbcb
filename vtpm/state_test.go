package vtpm_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
	"github.com/google/go-tpm/tpm2"
)

// moved saves both parts of a TPM's state and restores them in another TPM, which has
// seeds of its own before.
func moved(t *testing.T, from *vtpm.TPM) *vtpm.TPM {
	t.Helper()
	to, err := vtpm.New(vtpm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []vtpm.StateKind{vtpm.PermanentState, vtpm.VolatileState} {
		blob, err := from.SaveState(kind)
		if err != nil {
			t.Fatal(err)
		}
		if err := to.RestoreState(kind, blob); err != nil {
			t.Fatalf("%v: %v", kind, err)
		}
	}
	return to
}

// newKey makes a primary ECC key with an authValue.
func newKey(t *testing.T, tpm *vtpm.TPM, auth string) tpm2.NamedHandle {
	t.Helper()
	key, err := tpm2.CreatePrimary{
		PrimaryHandle: tpm2.TPMRHOwner,
		InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
			UserAuth: tpm2.TPM2BAuth{Buffer: []byte(auth)},
		}},
		InPublic: tpm2.New2B(tpm2.TPMTPublic{
			Type: tpm2.TPMAlgECC, NameAlg: tpm2.TPMAlgSHA256,
			ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, SignEncrypt: true},
			Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
				Scheme: tpm2.TPMTECCScheme{Scheme: tpm2.TPMAlgECDSA,
					Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA256})},
				CurveID: tpm2.TPMECCNistP256,
			}),
		}),
	}.Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
	return tpm2.NamedHandle{Handle: key.ObjectHandle, Name: key.Name}
}

func sign(tpm *vtpm.TPM, key tpm2.NamedHandle, auth tpm2.Session) error {
	digest := sha256.Sum256(nil)
	_, err := tpm2.Sign{
		KeyHandle:  tpm2.AuthHandle{Handle: key.Handle, Name: key.Name, Auth: auth},
		Digest:     tpm2.TPM2BDigest{Buffer: digest[:]},
		Validation: tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck, Hierarchy: tpm2.TPMRHNull},
	}.Execute(tpm)
	return err
}

// A guest does not notice that its TPM moved: an HMAC session with rolling nonces goes
// on, and so do the loaded key that it authorizes, the PCRs and an HMAC sequence.
func TestStateMoves(t *testing.T) {
	from := vtpmtest.Open(t)
	key := newKey(t, from.TPM, "secret")
	session, closeSession, err := tpm2.HMACSession(from, tpm2.TPMAlgSHA256, 16, tpm2.Auth([]byte("secret")))
	if err != nil {
		t.Fatal(err)
	}
	if err := sign(from.TPM, key, session); err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("measured"))
	if _, err := (tpm2.PCRExtend{
		PCRHandle: tpm2.AuthHandle{Handle: tpm2.TPMHandle(7), Auth: tpm2.PasswordAuth(nil)},
		Digests: tpm2.TPMLDigestValues{Digests: []tpm2.TPMTHA{
			{HashAlg: tpm2.TPMAlgSHA256, Digest: digest[:]},
		}},
	}).Execute(from); err != nil {
		t.Fatal(err)
	}
	sequence, err := tpm2.HashSequenceStart{HashAlg: tpm2.TPMAlgSHA256}.Execute(from)
	if err != nil {
		t.Fatal(err)
	}
	from.Advance(time.Minute)
	before := readPCR7(t, from.TPM)

	to := moved(t, from.TPM)
	if err := sign(to, key, session); err != nil {
		t.Errorf("the session and the key: %v", err)
	}
	if after := readPCR7(t, to); !bytes.Equal(after, before) {
		t.Errorf("PCR 7: %x, was %x", after, before)
	}
	done, err := tpm2.SequenceComplete{
		SequenceHandle: tpm2.AuthHandle{Handle: sequence.SequenceHandle, Auth: tpm2.PasswordAuth(nil)},
		Buffer:         tpm2.TPM2BMaxBuffer{Buffer: []byte("abc")},
		Hierarchy:      tpm2.TPMRHNull,
	}.Execute(to)
	if want := sha256.Sum256([]byte("abc")); err != nil || !bytes.Equal(done.Result.Buffer, want[:]) {
		t.Errorf("the sequence: %v", err)
	}
	clock, err := tpm2.ReadClock{}.Execute(to)
	if err != nil || clock.CurrentTime.Time < 60_000 || clock.CurrentTime.Time > 120_000 {
		t.Errorf("the clock: %+v, %v", clock, err)
	}
	if err := closeSession(); err != nil { // on the old TPM, which still has its own
		t.Error(err)
	}
}

func readPCR7(t *testing.T, tpm *vtpm.TPM) []byte {
	t.Helper()
	r, err := tpm2.PCRRead{PCRSelectionIn: tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{
		{Hash: tpm2.TPMAlgSHA256, PCRSelect: []byte{0x80, 0, 0}},
	}}}.Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
	return r.PCRValues.Digests[0].Buffer
}

// A volatile state is refused where the permanent state is not the one that it was
// saved with: its sessions and tickets would be another TPM's, its orderly NV data
// older than what is durable.
func TestVolatileStateBelongsToThePermanentState(t *testing.T) {
	tpm := vtpmtest.Open(t)
	volatile, err := tpm.SaveState(vtpm.VolatileState)
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]*vtpmtest.TPM{
		"another TPM": vtpmtest.OpenOptions(t, vtpm.Options{Entropy: bytes.NewReader(make([]byte, 4096))}),
		"the same TPM, later": func() *vtpmtest.TPM {
			tpm.PowerCycle(t)
			return tpm
		}(),
	} {
		err := other.RestoreState(vtpm.VolatileState, volatile)
		if err == nil || !strings.Contains(err.Error(), "does not belong") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := (tpm2.GetRandom{BytesRequested: 1}).Execute(other); err != nil {
			t.Errorf("%s does not go on: %v", name, err)
		}
	}
}

// A damaged blob is refused, wherever the damage is, and changes nothing.
func TestDamagedStateIsRefused(t *testing.T) {
	tpm := vtpmtest.Open(t)
	for _, kind := range []vtpm.StateKind{vtpm.PermanentState, vtpm.VolatileState} {
		blob, err := tpm.SaveState(kind)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(blob); i += 7 {
			bad := bytes.Clone(blob)
			bad[i] ^= 1
			if tpm.RestoreState(kind, bad) == nil || tpm.RestoreState(kind, blob[:i]) == nil {
				t.Fatalf("%v: accepted with damage at byte %d", kind, i)
			}
		}
		if _, err := (tpm2.GetRandom{BytesRequested: 1}).Execute(tpm); err != nil {
			t.Errorf("%v: the TPM does not go on: %v", kind, err)
		}
	}
}

// A volatile state in the store is there for the next process, and does not count once
// the permanent state has moved on.
func TestResumeFromTheStore(t *testing.T) {
	records := new(records)
	first := vtpmtest.OpenOptions(t, vtpm.Options{Store: records})
	if err := first.KeepVolatile(); err != nil {
		t.Fatal(err)
	}
	second, err := vtpm.New(vtpm.Options{Store: records})
	if err != nil {
		t.Fatal(err)
	}
	if found, err := second.Resume(); !found || err != nil {
		t.Fatalf("resume: %v, %v", found, err)
	}
	if _, err := (tpm2.GetRandom{BytesRequested: 1}).Execute(second); err != nil {
		t.Errorf("the TPM was not started: %v", err)
	}
	second.Init()
	if _, err := (tpm2.Startup{StartupType: tpm2.TPMSUClear}).Execute(second); err != nil {
		t.Fatal(err)
	}
	if found, err := second.Resume(); !found || err == nil {
		t.Errorf("resume from a state that is over: %v, %v", found, err)
	}
	if err := second.DropVolatile(); err != nil {
		t.Fatal(err)
	}
	if found, err := second.Resume(); found || err != nil {
		t.Errorf("resume from nothing: %v, %v", found, err)
	}
}

// records is a store that two TPMs can have one after the other.
type records map[string][]byte

func (r *records) Load() (map[string][]byte, error) {
	all := make(map[string][]byte)
	for name, value := range *r {
		all[name] = value
	}
	return all, nil
}

func (r *records) Commit(changes map[string][]byte) error {
	if *r == nil {
		*r = make(records)
	}
	for name, value := range changes {
		if value == nil {
			delete(*r, name)
		} else {
			(*r)[name] = bytes.Clone(value)
		}
	}
	return nil
}

// FuzzRestoreState restores whatever has a right checksum. It is refused or it is a
// state that commands can run on.
func FuzzRestoreState(f *testing.F) {
	tpm := vtpmtest.Open(f)
	for _, kind := range []vtpm.StateKind{vtpm.PermanentState, vtpm.VolatileState} {
		blob, err := tpm.SaveState(kind)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(kind), blob)
	}
	f.Fuzz(func(t *testing.T, kind uint8, blob []byte) {
		if len(blob) < sha256.Size {
			return
		}
		sum := sha256.Sum256(blob[:len(blob)-sha256.Size])
		copy(blob[len(blob)-sha256.Size:], sum[:])
		tpm := vtpmtest.Open(t)
		if err := tpm.RestoreState(vtpm.StateKind(kind), blob); err != nil {
			if strings.HasPrefix(err.Error(), "panic") {
				t.Fatal(err)
			}
			return
		}
		was := tpm.Failure()
		for _, code := range []uint32{0x144, 0x181, 0x17A, 0x17E, 0x176} {
			cmd := binary.BigEndian.AppendUint32([]byte{0x80, 0x01, 0, 0, 0, 12}, code)
			tpm.Execute(0, append(cmd, 0, 0))
		}
		if tpm.Failure() != nil && was == nil {
			t.Fatal(tpm.Failure())
		}
	})
}
