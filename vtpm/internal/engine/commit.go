package engine

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// SplitMax is the number of commits that can wait for their second step at a time
// (TPM_PT_SPLIT_MAX).
const SplitMax = 128

// Commits are the first steps of operations in two steps: ECDAA signatures and key
// exchanges of two phases (Part 1, "ECDAA", "Commit Random Value"). What a step
// leaves is a bit: the random value that it used is derived from the counter at the
// time. All of it survives until TPM Reset.
type Commits struct {
	nonce   []byte // secret of the derivation; made when it is first wanted
	counter uint64
	pending [SplitMax / 8]byte // bit i: a commit is pending whose counter is i mod SplitMax
}

func (c *Commits) startup(kind startupKind) {
	if kind == startupReset {
		clear(c.nonce)
		*c = Commits{}
	}
}

func (c *Commits) bit(counter uint16) (at *byte, mask byte) {
	i := counter % SplitMax
	return &c.pending[i/8], 1 << (i % 8)
}

// CommitRandom returns the random value for a commit on the curve with a key of the
// given Name, or for an ephemeral key with none. CountCommit makes it one. The
// error is TPM_RC_CURVE, or that of a source of randomness that failed.
func (t *TPM) CommitRandom(curve wire.ECCCurve, name []byte) ([]byte, error) {
	c := &t.Commits
	if c.nonce == nil {
		nonce, err := t.RandomBytes(seedSize)
		if err != nil {
			return nil, err
		}
		c.nonce = nonce
	}
	return crypt.CommitRandom(curve, c.nonce, name, c.counter)
}

// CountCommit notes that the value which CommitRandom returns was used for the first
// step, and returns the counter to name it by. It replaces the commit that was
// SplitMax earlier, if that is still pending.
//
// The state that a Shutdown saved is out of date then. To go back to it would be to
// use a random value again, which gives away the key that signs with it.
func (t *TPM) CountCommit() uint16 {
	t.ClearOrderly()
	c := &t.Commits
	counter := uint16(c.counter)
	c.counter++
	at, mask := c.bit(counter)
	*at |= mask
	return counter
}

// CommittedRandom returns the value of the pending commit with the counter, or
// TPM_RC_VALUE: the counter's lower bits must be those of a pending one, and the
// others what they were when it was counted.
func (t *TPM) CommittedRandom(counter uint16, curve wire.ECCCurve, name []byte) ([]byte, error) {
	c := &t.Commits
	at, mask := c.bit(counter)
	if *at&mask == 0 {
		return nil, wire.RCValue
	}
	// The commit was one of the last SplitMax.
	full := c.counter - 1 - (c.counter-1-uint64(counter))%SplitMax
	if uint16(full) != counter {
		return nil, wire.RCValue
	}
	return crypt.CommitRandom(curve, c.nonce, name, full)
}

// EndCommit notes that the second step is done. The value cannot be used again, and
// what a Shutdown saved is out of date, for the reason that CountCommit has.
func (t *TPM) EndCommit(counter uint16) {
	t.ClearOrderly()
	at, mask := t.Commits.bit(counter)
	*at &^= mask
}

// Sign signs the digest with a loaded key and a scheme that was selected for it. For
// ECDAA that is the second step, and the scheme has the counter of the first. Errors:
// TPM_RC_VALUE if there was none, and those of crypt.Sign.
func (t *TPM) Sign(key *Object, scheme wire.TPMTSigScheme, digest []byte) (wire.TPMTSignature, error) {
	private, err := key.Private()
	if err != nil {
		return wire.TPMTSignature{}, err
	}
	if scheme.Scheme != wire.AlgECDAA {
		return crypt.Sign(t.Entropy(), &key.Public, private, scheme, digest)
	}
	r, err := t.CommittedRandom(scheme.Count, key.Public.Parameters.ECC.CurveID, key.Name)
	if err != nil {
		return wire.TPMTSignature{}, err
	}
	defer clear(r)
	signature, err := crypt.SignECDAA(t.Entropy(), &key.Public, private, scheme.HashAlg, digest, r)
	if err == nil {
		t.EndCommit(scheme.Count)
	}
	return signature, err
}

func (c *Commits) write(w *wire.Writer) {
	w.Sized(c.nonce)
	w.U64(c.counter)
	w.Bytes(c.pending[:])
}

func (c *Commits) read(r *wire.Reader) {
	c.nonce = readBytes(r)
	c.counter = r.U64()
	copy(c.pending[:], r.Bytes(len(c.pending)))
	if n := len(c.nonce); r.OK() && n != seedSize && (n != 0 || c.counter != 0) {
		r.Fail(wire.RCSize)
	}
}
