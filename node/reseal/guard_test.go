package reseal_test

import (
	"errors"
	"testing"

	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/reseal"
	"github.com/bootseal/bootseal/seal"
)

// guarded turns the rollback guard on, on the way to kernel 56.
func guarded(t *testing.T) *node {
	t.Helper()
	n := newNode(t, options{})
	req := request(t, boots.Second, boots.Upgraded)
	req.RollbackGuard = true
	if r := n.run(req); len(r.Added) != 1 || r.Advanced {
		t.Fatalf("%+v", r)
	}
	n.mustOpen("guarded", "", boots.Second, boots.Upgraded)
	return n
}

// guards are the counts that tokens are for, by the tokens' numbers.
func (n *node) guards() (all []uint64) {
	for _, t := range n.inspect().Tokens {
		if k := t.Key(); k != nil && k.Guard != nil {
			all = append(all, k.Guard.Value)
		}
	}
	return all
}

// With a guard, a copy of the header with a token that was dropped opens nothing any more;
// without one it does.
func TestRollbackGuard(t *testing.T) {
	n := guarded(t)
	n.boot(boots.Upgraded)
	commit := request(t, boots.Upgraded, boots.Upgraded)
	commit.Commit = true
	n.run(commit) // drops systemd's token for kernel 54
	n.wantLabels("committed", "56")

	back := request(t, boots.Upgraded, boots.Second) // kernel 54 is put back
	n.boot(boots.Upgraded)
	n.run(back)
	n.wantLabels("54 is back", "54", "56")
	n.mustOpen("54 is back", "", boots.Second, boots.Upgraded)
	stolen := n.snapshot()
	before := n.guards()

	n.boot(boots.Upgraded)
	retire := request(t, boots.Upgraded, boots.Upgraded)
	retire.Retire = "6.1.0-54"
	r := n.run(retire)
	if after := n.guards(); !r.Advanced || len(after) != 1 || after[0] != before[0]+1 {
		t.Errorf("%+v, tokens for the counts %v after %v", r, after, before)
	}
	n.wantLabels("retired", "56")
	n.mustOpen("retired", "", boots.Upgraded)

	n.restore(stolen)
	for _, name := range []boots.Name{boots.Second, boots.Upgraded} {
		if n.opens(name, "") {
			t.Errorf("the copy of the header opens at %s", name)
		}
	}
	n.mustOpen("the copy", "")
}

// Nothing is to be dropped: the counter stays, and nothing is written.
func TestGuardStaysWhereNothingIsDropped(t *testing.T) {
	n := guarded(t)
	n.boot(boots.Upgraded)
	commit := request(t, boots.Upgraded, boots.Upgraded)
	commit.Commit = true
	n.run(commit)
	before, count := n.seqID(), n.guards()
	for _, again := range []bool{true, false} {
		req := request(t, boots.Upgraded, boots.Upgraded)
		req.Commit = again
		n.boot(boots.Upgraded)
		if r := n.run(req); r.Changed || r.Advanced || n.seqID() != before || n.guards()[0] != count[0] {
			t.Errorf("commit %v: %+v", again, r)
		}
	}
}

// The TPM was cleared, and the counter with it: with the recovery key there is a new one.
func TestGuardOfAClearedTPM(t *testing.T) {
	n := guarded(t)
	n.boot(boots.Upgraded)
	commit := request(t, boots.Upgraded, boots.Upgraded)
	commit.Commit = true
	n.run(commit)
	n.tpm = otherTPM(t)
	n.TPM = n.tpm
	n.boot(boots.Upgraded)
	req := request(t, boots.Upgraded, boots.Upgraded)
	if _, err := reseal.Run(t.Context(), n.Machine, req); !errors.Is(err, reseal.ErrNoSecret) {
		t.Errorf("%v", err)
	}
	n.run(withRecovery(req))
	if len(n.guards()) != 1 {
		t.Errorf("%d guarded tokens", len(n.guards()))
	}
	n.mustOpen("sealed to the cleared TPM", "", boots.Upgraded)
	for _, t2 := range n.inspect().Tokens {
		if g, ok := t2.Token.(*luks.BootsealTPM2); ok {
			if _, err := seal.ReadGuard(n.tpm, seal.Parent{}, seal.Guard{Index: seal.Handle(g.Guard.Index), Name: g.Guard.Name}); err != nil {
				t.Error(err)
			}
		}
	}
}
