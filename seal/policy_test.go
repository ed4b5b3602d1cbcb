package seal_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/google/go-tpm/tpm2"
)

// manyBranches returns n different boots.
func manyBranches(t testing.TB, n int) []seal.Branch {
	t.Helper()
	var out []seal.Branch
	for i := range n {
		out = append(out, predicted(t, fmt.Sprintf("boot %d", i), "firmware", fmt.Sprintf("kernel %d", i)))
	}
	return out
}

// The digest in software is the TPM's, by way of every branch.
func TestDigestIsTheTPMs(t *testing.T) {
	sha1 := seal.Policy{Bank: pcr.SHA1, Branches: []seal.Branch{
		{PCRs: map[int]pcr.Digest{0: make(pcr.Digest, 20), 7: bytes.Repeat([]byte{7}, 20)}},
	}}
	sha384 := seal.Policy{Bank: pcr.SHA384, Branches: []seal.Branch{
		{PCRs: map[int]pcr.Digest{23: make(pcr.Digest, 48)}},
		{PCRs: map[int]pcr.Digest{8: make(pcr.Digest, 48), 15: make(pcr.Digest, 48)}},
	}}
	keyed := signed(t)
	keyed.Signed.ZeroExponent = true
	tests := []struct {
		why string
		p   seal.Policy
	}{
		{"a key's PCRs, and others", signed(t)},
		{"a key with the other exponent, and alternatives", keyed.With(manyBranches(t, 9)...)},
		{"one branch needs no OR", policy(manyBranches(t, 1)...)},
		{"two branches", policy(manyBranches(t, 2)...)},
		{"as many as one OR takes", policy(manyBranches(t, 8)...)},
		{"the ninth stands alone in its group", policy(manyBranches(t, 9)...)},
		{"two full groups and a rest", policy(manyBranches(t, 19)...)},
		{"no PCRs at all", policy(seal.Branch{})},
		{"a bank of shorter digests", sha1},
		{"branches of different PCRs in another bank", sha384},
	}
	tpm := open(t)
	g := guard(t, tpm)
	for n := range tests[:3] {
		guarded := tests[n]
		guarded.why, guarded.p.Guard = guarded.why+", and a guard", &g
		tests = append(tests, guarded)
	}
	for _, tt := range tests {
		for _, pin := range []bool{false, true} {
			tt.p.PIN = pin
			want, err := seal.Digest(tt.p)
			if err != nil {
				t.Fatalf("%s: %v", tt.why, err)
			}
			for n := range tt.p.Branches {
				s, done, err := tpm2.PolicySession(tpm, tpm2.TPMAlgSHA256, 16, tpm2.Trial())
				if err != nil {
					t.Fatal(err)
				}
				if err := seal.Satisfy(tpm, s.Handle(), tt.p, n); err != nil {
					t.Fatalf("%s: branch %d: %v", tt.why, n, err)
				}
				got, err := tpm2.PolicyGetDigest{PolicySession: s.Handle()}.Execute(tpm)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got.PolicyDigest.Buffer, want) {
					t.Errorf("%s, PIN %v: branch %d: TPM %x, software %x", tt.why, pin, n, got.PolicyDigest.Buffer, want)
				}
				if err := done(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// A fresh session after TPM2_PolicyAuthValue: the digest that everybody knows.
func TestDigestKnownAnswer(t *testing.T) {
	p := policy(seal.Branch{})
	p.PIN = true
	got, err := seal.Digest(p)
	if err != nil {
		t.Fatal(err)
	}
	const want = "8fcd2169ab92694e0c633f1ab772842b8241bbc20288981fc7ac1eddc1fddb0e"
	if hex.EncodeToString(got) != want {
		t.Errorf("have %x, want %s", got, want)
	}
}

// More branches than a test wants to run through a TPM: the tree is two levels
// deep, and a full one differs from one that lacks its last leaf.
func TestDigestOfFullTree(t *testing.T) {
	full, err := seal.Digest(policy(manyBranches(t, seal.MaxBranches)...))
	if err != nil {
		t.Fatal(err)
	}
	less, err := seal.Digest(policy(manyBranches(t, seal.MaxBranches-1)...))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(full, less) {
		t.Error("the last branch does not count")
	}
}

func TestPolicyCheck(t *testing.T) {
	zero := make(pcr.Digest, 32)
	for _, tt := range []struct {
		p    seal.Policy
		want string
	}{
		{policy(), "no branch"},
		{policy(manyBranches(t, seal.MaxBranches+1)...), "at most 64"},
		{seal.Policy{Bank: pcr.SM3, Branches: []seal.Branch{{}}}, "bank sm3_256 is not supported"},
		{policy(seal.Branch{PCRs: map[int]pcr.Digest{24: zero}}), "branch 1: 24 is not a PCR"},
		{policy(seal.Branch{PCRs: map[int]pcr.Digest{-1: zero}}), "branch 1: -1 is not a PCR"},
		// Otherwise a byte could move from one PCR's value to the next.
		{policy(seal.Branch{PCRs: map[int]pcr.Digest{4: zero[:31], 5: append(pcr.Digest{0}, zero...)}}), "PCR 4: want 32 bytes"},
		{policy(seal.Branch{}, seal.Branch{PCRs: map[int]pcr.Digest{4: zero}}), "every boot would open"},
	} {
		_, err := seal.Digest(tt.p)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("want %q, have %v", tt.want, err)
		}
	}
}

func TestPolicyWithAddsOnce(t *testing.T) {
	old, next := predicted(t, "old", "fw", "k1"), predicted(t, "next", "fw", "k2")
	again := predicted(t, "the same under another label", "fw", "k1")
	p := policy(old)
	q := p.With(again, next, next)
	if len(q.Branches) != 2 || q.Branches[1].Label != "next" {
		t.Errorf("have %v", q.Branches)
	}
	if len(p.Branches) != 1 {
		t.Error("the receiver has changed")
	}
}

func TestMatch(t *testing.T) {
	one, other := predicted(t, "one", "fw", "k1"), predicted(t, "other", "fw", "k2")
	p := policy(one, other)
	values := pcr.Values{pcr.SHA256: {16: one.PCRs[16], 23: other.PCRs[23], 7: {1, 2, 3}}}
	if n, err := p.Match(values); n != 1 || err != nil {
		t.Errorf("have branch %d, %v", n, err)
	}
	values.Set(pcr.SHA256, 23, make([]byte, 32))
	_, err := p.Match(values)
	var m *seal.MismatchError
	if !errors.As(err, &m) || len(m.Branches) != 2 {
		t.Fatalf("have %v", err)
	}
	for n, b := range m.Branches {
		want := seal.PCRDifference{Bank: pcr.SHA256, PCR: 23, Have: make(pcr.Digest, 32), Want: p.Branches[n].PCRs[23]}
		if len(b.Differences) != 1 || fmt.Sprint(b.Differences[0]) != fmt.Sprint(want) || b.Label != p.Branches[n].Label {
			t.Errorf("branch %d: have %v, want %v", n, b, want)
		}
	}
	for _, want := range []string{"branch 1 (one)", "branch 2 (other)", "sha256 PCR 23 is 0000"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %q", want, err)
		}
	}
}
