package seal_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/seal/pcrsig"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

var somePIN = []byte("a PIN that is long enough to search")

// kind is a way to seal, for properties that all of them have.
type kind struct {
	name       string
	options    seal.Options
	signatures []pcrsig.File
}

// kinds are sealed for the PCRs of boot(firmware, kernel).
func kinds(t testing.TB, tpm transport.TPM) []kind {
	t.Helper()
	g := guard(t, tpm)
	plain := policy(predicted(t, "", "firmware", "kernel"))
	withPIN, many, guarded, keyed, all := plain, plain, plain, signed(t), signed(t)
	withPIN.PIN = true
	many.Branches = append(manyBranches(t, 9), plain.Branches...)
	guarded.Guard = &g
	all.Branches = append(all.Branches, plain.Branches...)
	all.Guard, all.PIN = &g, true
	legacy := seal.Parent{Template: seal.SystemdECC}
	signatures := []pcrsig.File{signFor(t, "kernel")}
	return []kind{
		{"PCRs", seal.Options{Policy: plain}, nil},
		{"PCRs, made parent", seal.Options{Policy: plain, Parent: legacy}, nil},
		{"alternatives", seal.Options{Policy: many}, nil},
		{"PIN, unsalted, made parent", seal.Options{Policy: withPIN, PIN: somePIN, UnsaltedPIN: true, Parent: legacy}, nil},
		{"guard", seal.Options{Policy: guarded}, nil},
		{"key", seal.Options{Policy: keyed}, signatures},
		{"all of it", seal.Options{Policy: all, PIN: somePIN}, signatures},
	}
}

// Who listens learns neither secret nor PIN, nor what the TPM is told of the PIN, from
// sealing, opening and sealing again, whatever the policy.
func TestNothingOnTheBusOfAnyKind(t *testing.T) {
	tpm := open(t)
	boot(t, tpm, "firmware", "kernel")
	for _, k := range kinds(t, tpm) {
		wire := &bus{tpm: tpm}
		s := mustSeal(t, wire, k.options)
		if got, err := seal.Unseal(wire, s, k.options.PIN, k.signatures...); err != nil || !bytes.Equal(got, secret) {
			t.Fatalf("%s: %q, %v", k.name, got, err)
		}
		if _, err := seal.Reseal(wire, s, k.options.PIN, k.options.Policy, k.signatures...); err != nil {
			t.Fatalf("%s: %v", k.name, err)
		}
		hidden := [][]byte{secret[:8], secret[24:], somePIN}
		if len(k.options.PIN) > 0 && k.options.UnsaltedPIN {
			hidden = append(hidden, trimmed(sha256.Sum256(somePIN)))
		} else if len(k.options.PIN) > 0 {
			hidden = append(hidden, saltedPIN(t, string(somePIN), s.PINSalt))
		}
		for _, h := range hidden {
			if bytes.Contains(wire.seen.Bytes(), h) {
				t.Errorf("%s: %q is on the bus", k.name, h)
			}
		}
	}
}

func trimmed(sum [32]byte) []byte { return bytes.TrimRight(sum[:], "\x00") }

// flipper turns a bit of one command, or of its answer.
type flipper struct {
	tpm         transport.TPM
	at, n, byte int
	answer      bool
}

func (f *flipper) Send(message []byte) ([]byte, error) {
	f.n++
	mine := f.n-1 == f.at
	if mine && !f.answer {
		message = flip(message, f.byte)
	}
	response, err := f.tpm.Send(message)
	if err == nil && mine && f.answer {
		response = flip(response, f.byte)
	}
	return response, err
}

// flip turns a bit in a byte counted from the end, but none of the header's size.
func flip(message []byte, fromEnd int) []byte {
	at := len(message) - 1 - fromEnd
	if at < 6 {
		at = 6
	}
	out := bytes.Clone(message)
	out[at] ^= 1
	return out
}

// Who turns a bit on the bus gets an error, or changes nothing: never another secret. That
// uses a try where systemd 252's parent is authorized, and none under the storage root key,
// which dictionary attack protection does not cover.
func TestTurnedBits(t *testing.T) {
	tpm := open(t)
	boot(t, tpm, "firmware", "kernel")
	for _, k := range kinds(t, tpm) {
		if k.options.Policy.PIN {
			continue // whoever turns bits can use tries up
		}
		s := mustSeal(t, tpm, k.options)
		before := failures(t, tpm)
		count := &flipper{tpm: tpm, at: -1}
		if _, err := seal.Unseal(count, s, nil, k.signatures...); err != nil {
			t.Fatal(err)
		}
		refused := 0
		for at := range count.n {
			for _, fromEnd := range []int{0, 1, 33, 40, 80} {
				for _, answer := range []bool{false, true} {
					f := &flipper{tpm: tpm, at: at, byte: fromEnd, answer: answer}
					got, err := seal.Unseal(f, s, nil, k.signatures...)
					if err == nil && !bytes.Equal(got, secret) {
						t.Errorf("%s: command %d, byte %d from the end, answer %v: opened as %q", k.name, at, fromEnd, answer, got)
					}
					if err != nil {
						refused++
					}
					clean(t, tpm)
				}
			}
		}
		if refused == 0 {
			t.Errorf("%s: nothing was refused: the test is wrong", k.name)
		}
		t.Logf("%s: %d commands, %d of %d changes refused", k.name, count.n, refused, count.n*10)
		if n := failures(t, tpm) - before; n != 0 && k.options.Parent.Template == "" {
			t.Errorf("%s: %d tries used", k.name, n)
		}
	}
}

// clean flushes what a turned bit has left in the TPM: where FlushContext itself was
// changed, or the handle that should have been flushed.
func clean(t testing.TB, tpm transport.TPM) {
	t.Helper()
	for _, first := range []uint32{0x02000000, 0x03000000, 0x80000000} {
		rsp, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: first, PropertyCount: 8}.Execute(tpm)
		if err != nil {
			t.Fatal(err)
		}
		handles, err := rsp.CapabilityData.Data.Handles()
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range handles.Handle {
			if _, err := (tpm2.FlushContext{FlushHandle: h}).Execute(tpm); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// lock uses all tries up.
func lock(t testing.TB, tpm transport.TPM) {
	t.Helper()
	p := policy(seal.Branch{})
	p.PIN = true
	s := mustSeal(t, tpm, seal.Options{Policy: p, PIN: []byte("right")})
	for {
		_, err := seal.Unseal(tpm, s, []byte("wrong"))
		var locked *seal.LockoutError
		if errors.As(err, &locked) {
			return
		}
		var wrong *seal.PINError
		if !errors.As(err, &wrong) {
			t.Fatal(err)
		}
	}
}

// In lockout the TPM refuses what dictionary attack protection covers: PINs, and systemd
// 252's parent, which is not exempt as the storage root key is. The rest opens as ever.
func TestLockoutOfAnyKind(t *testing.T) {
	tpm := open(t)
	boot(t, tpm, "firmware", "kernel")
	var sealed []*seal.Sealed
	all := kinds(t, tpm)
	for _, k := range all {
		sealed = append(sealed, mustSeal(t, tpm, k.options))
	}
	lock(t, tpm)
	for n, k := range all {
		got, err := seal.Unseal(tpm, sealed[n], k.options.PIN, k.signatures...)
		if !k.options.Policy.PIN && k.options.Parent.Template == "" {
			if err != nil || !bytes.Equal(got, secret) {
				t.Errorf("%s: %q, %v", k.name, got, err)
			}
			continue
		}
		var locked *seal.LockoutError
		if !errors.As(err, &locked) || locked.Lockout == nil {
			t.Errorf("%s: %v", k.name, err)
		}
		checkRemedy(t, err)
	}
	nothingLoaded(t, tpm)
}

// After TPM2_Clear nothing opens, and each error says what to do; the same with a storage
// root key that somebody has made since.
func TestClearedTPMOfAnyKind(t *testing.T) {
	tpm := open(t)
	boot(t, tpm, "firmware", "kernel")
	var sealed []*seal.Sealed
	all := kinds(t, tpm)
	for _, k := range all {
		sealed = append(sealed, mustSeal(t, tpm, k.options))
	}
	if _, err := (tpm2.Clear{AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHLockout, Auth: tpm2.PasswordAuth(nil)}}).Execute(tpm); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for n, k := range all {
			_, err := seal.Unseal(tpm, sealed[n], k.options.PIN, k.signatures...)
			var parent *seal.ParentError
			if !errors.As(err, &parent) {
				t.Errorf("%s: %v", k.name, err)
			}
			checkRemedy(t, err)
		}
		srkOf(t, tpm)
	}
	nothingLoaded(t, tpm)
}

// Every command of every kind fails once: it is told, and nothing stays in the TPM.
func TestAnyFailureOfAnyKind(t *testing.T) {
	tpm := open(t)
	boot(t, tpm, "firmware", "kernel")
	for _, k := range kinds(t, tpm) {
		k.options.Secret = secret
		var s *seal.Sealed
		everyFailure(t, tpm, func(tpm transport.TPM) (err error) {
			s, err = seal.Seal(tpm, k.options)
			return err
		})
		everyFailure(t, tpm, func(tpm transport.TPM) error {
			_, err := seal.Unseal(tpm, s, k.options.PIN, k.signatures...)
			return err
		})
	}
	if n := failures(t, tpm); n != 0 {
		t.Errorf("%d tries used", n)
	}
}

// unplugged is a TPM that goes away at some command.
type unplugged struct {
	tpm  transport.TPM
	left int
}

var errGone = errors.New("the device is gone")

func (u *unplugged) Send(command []byte) ([]byte, error) {
	if u.left--; u.left < 0 {
		return nil, errGone
	}
	return u.tpm.Send(command)
}

// A TPM that goes away at any moment is an error that says so.
func TestTPMGoesAway(t *testing.T) {
	tpm := open(t)
	boot(t, tpm, "firmware", "kernel")
	k := kinds(t, tpm)[6]
	s := mustSeal(t, tpm, k.options)
	for left := 0; ; left++ {
		u := &unplugged{tpm, left}
		_, err := seal.Unseal(u, s, k.options.PIN, k.signatures...)
		clean(t, tpm)
		if err == nil {
			if left == 0 {
				t.Error("opened without a TPM")
			}
			break
		}
		if !errors.Is(err, errGone) {
			t.Errorf("after %d commands: %v", left, err)
		}
	}
}
