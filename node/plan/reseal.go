package plan

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
)

// Volume is what is known of a volume and its machine besides the boots.
type Volume struct {
	*enrollment.Enrollment
	// Keyslot is the one whose tokens are planned: see [Keyslot].
	Keyslot int
	// Former are keyslots of bootseal's that Keyslot takes the place of: their tokens are
	// dropped when the new ones are there.
	Former []int
	// PIN is whether tokens ask for one.
	PIN bool
	// Running are the values that the running boot had: see [Running]. A token that opens
	// for one of them is never dropped, but by [Retire].
	Running []pcr.Values
	// Usable reports whether the TPM that is there can load the token's object, as far as
	// that can be told by its parent. nil for all.
	Usable func(*enrollment.Key) bool
	// Guard is the rollback guard that new tokens get, nil for none. Tokens without it, or
	// for a lower count, are replaced.
	Guard *seal.Guard
	// Exchange is whether a token that others take the place of goes even if it is the
	// running boot's, where one of the boots is that one.
	Exchange bool
	// Pending are the policy hashes of tokens that were added for boots which have not been
	// booted yet: they go when nothing predicts them any more.
	Pending []pcr.Digest
	// Retired are texts that [Boot.Matches]: such boots get no token, and lose theirs, but
	// for the running boot's.
	Retired []string
	// TokenSize is what a new token takes in the header, in bytes.
	TokenSize int

	retireRunning bool
}

// Plan is what becomes of a volume's tokens, in this order: make room, add, drop, write
// down what is expected of those that are there.
type Plan struct {
	// Room are tokens that must go first, because the header has no room otherwise. The
	// running boot's is never among them.
	Room []Drop `json:"room,omitempty"`
	Add  []Boot `json:"add,omitempty"`
	Drop []Drop `json:"drop,omitempty"`
	// Expect is whether the bootseal token says something else than Keep and Add do.
	Expect bool   `json:"expect"`
	Keep   []Kept `json:"keep,omitempty"` // in the order of their rank
	Left   []Left `json:"left,omitempty"`
}

// Kept is a token that stays as it is.
type Kept struct {
	Token int    `json:"token"`
	Label string `json:"label"`
	Why   string `json:"why"`
	// Former is whether others will take its place: it stays for the running boot.
	Former bool `json:"former,omitempty"`
	// Boot is the predicted boot that it is for, nil where none was predicted.
	Boot *Boot `json:"-"`
}

// Drop is a token that goes.
type Drop struct {
	Token  int        `json:"token"`
	Hash   pcr.Digest `json:"policy_hash"` // it is dropped only while it has this policy
	Label  string     `json:"label"`
	Reason string     `json:"reason"`
}

// Nothing reports whether the header stays as it is.
func (p *Plan) Nothing() bool {
	return len(p.Room) == 0 && len(p.Add) == 0 && !p.Expect && len(p.Drop) == 0
}

// Keyslot returns the keyslot of bootseal's tokens: that of the bootseal token, or else
// of the systemd-tpm2 tokens with a literal policy, which must have one keyslot among
// them.
func Keyslot(e *enrollment.Enrollment) (int, error) {
	if b := e.Boot(); b != nil && len(b.Token.Slots()) == 1 {
		return b.Token.Slots()[0], nil
	}
	var slots []int
	for i := range e.Tokens {
		if k := e.Tokens[i].Key(); k != nil {
			slots = append(slots, k.Keyslot)
		}
	}
	slices.Sort(slots)
	switch slots = slices.Compact(slots); len(slots) {
	case 0:
		return 0, errors.New("no token of this volume is sealed to PCR values: enroll it first (bootseal enroll)")
	case 1:
		return slots[0], nil
	}
	return 0, fmt.Errorf("keyslots %v all have TPM tokens, and none is marked as bootseal's: take one over first (bootseal adopt)", slots)
}

// Reseal plans tokens for the boots, the likeliest first. Tokens for other boots stay
// as long as there is room, but for those of Pending: until [Commit].
func Reseal(v Volume, boots []Boot) *Plan { return v.plan(boots, false) }

// ErrNotOpened is returned where nothing is to be committed.
var ErrNotOpened = errors.New("no token opens for the running boot: it is none that a token was sealed for")

// Commit plans as [Reseal] does, and drops whatever is neither for the running boot nor
// for one that is predicted. It fails with [ErrNotOpened]: only a boot that a token was
// good for shows that the others can go.
func Commit(v Volume, boots []Boot) (*Plan, error) {
	switch {
	case !slices.ContainsFunc(v.own(boots), func(t own) bool { return t.running }):
		return nil, ErrNotOpened
	case len(boots) == 0:
		return nil, errors.New("nothing can be sealed to any way that the next boot may take: what is there stays")
	}
	return v.plan(boots, true), nil
}

// own is one of the tokens that are planned.
type own struct {
	*enrollment.Token
	key     *enrollment.Key
	former  string // why others take its place, "" if none do
	usable  bool   // the TPM can load it
	running bool   // it opens for the running boot
	pending bool
	retired bool
}

func (t own) label() string {
	if t.Expect != nil {
		return t.Expect.Label
	}
	return fmt.Sprintf("token %d", t.ID)
}

// own returns the tokens of the keyslot, those that are sealed to PCR values.
func (v *Volume) own(boots []Boot) []own {
	var opens []int
	for _, values := range v.Running {
		opens = append(opens, v.Fits(values)...)
	}
	var out []own
	for i := range v.Tokens {
		t := own{Token: &v.Tokens[i], key: v.Tokens[i].Key()}
		switch {
		case t.key == nil:
			continue
		case slices.Contains(v.Former, t.key.Keyslot):
			t.former = "its keyslot has been replaced"
		case t.key.Keyslot != v.Keyslot:
			continue
		case !v.guarded(t.key):
			t.former = "it does not have the rollback guard"
		}
		t.usable = v.Usable == nil || v.Usable(t.key)
		t.running = t.usable && slices.Contains(opens, t.ID)
		t.pending = slices.ContainsFunc(v.Pending, func(d pcr.Digest) bool { return d.Equal(t.hash()) })
		t.retired = v.isRetired(&t, boots)
		out = append(out, t)
	}
	return out
}

func (t own) hash() pcr.Digest { return t.key.Hash }

// guarded reports whether a token has the guard that new ones get, or one for a later
// count.
func (v *Volume) guarded(k *enrollment.Key) bool {
	if v.Guard == nil || k.Guard == nil {
		return v.Guard == nil && k.Guard == nil
	}
	return k.Guard.Index == v.Guard.Index && bytes.Equal(k.Guard.Name, v.Guard.Name) && k.Guard.Value >= v.Guard.Value
}

// isFor reports whether the token is one for the boot.
func (t own) isFor(b *Boot, pin bool) bool {
	_, ok := t.key.Policy(b.Values())
	return ok && t.usable && t.former == "" && t.key.PIN == pin && len(b.PCRs) == t.key.PCRs.Len()
}

// wanted is a token that is there or shall be, or both.
type wanted struct {
	token *own  // nil for one that is to be added
	boot  *Boot // nil for one that no prediction speaks of
	why   string
}

func (v *Volume) plan(boots []Boot, commit bool) *Plan {
	p := &Plan{}
	tokens := v.own(boots)
	boots = v.withoutRetired(boots, p)
	stay := v.fit(v.rank(tokens, boots, commit, p), tokens, p)
	for _, w := range stay {
		if w.token != nil {
			p.Keep = append(p.Keep, Kept{Token: w.token.ID, Label: w.label(), Why: w.why, Former: w.token.former != "", Boot: w.boot})
		} else {
			p.Add = append(p.Add, *w.boot)
		}
	}
	p.Expect = v.expects(stay)
	v.makeRoom(p)
	return p
}

// fit leaves out what the header has no room for.
func (v *Volume) fit(want []wanted, tokens []own, p *Plan) (stay []wanted) {
	const noRoom = "the header has no room for it beside likelier boots"
	room := v.newBudget(tokens)
	var displaced []*own
	for _, w := range want {
		must := w.token != nil && w.token.running
		if room.take(v.cost(w), must) {
			stay = append(stay, w)
			continue
		}
		if w.token != nil {
			displaced = append(displaced, w.token)
		}
		p.Left = append(p.Left, Left{w.label(), noRoom})
	}
	for _, t := range slices.Backward(displaced) { // the least likely goes first
		p.drop(t, noRoom)
	}
	return stay
}

func (w wanted) label() string {
	if w.boot != nil {
		return w.boot.Label
	}
	return w.token.label()
}

func (v *Volume) withoutRetired(boots []Boot, p *Plan) []Boot {
	return slices.DeleteFunc(slices.Clone(boots), func(b Boot) bool {
		for _, text := range v.Retired {
			if b.Matches(text) {
				p.Left = append(p.Left, Left{b.Label, fmt.Sprintf("it was retired (%q)", text)})
				return true
			}
		}
		return false
	})
}

// rank returns the tokens that should be there, the most important first: the running
// boot's, the next boot's, those of other ways, and, before a commit, those that were
// there. The others are dropped.
func (v *Volume) rank(tokens []own, boots []Boot, commit bool, p *Plan) []wanted {
	var want []wanted
	used := map[int]bool{}
	use := func(t *own, b *Boot, why string) {
		used[t.ID] = true
		want = append(want, wanted{t, b, why})
	}
	for i := range tokens {
		t := &tokens[i]
		goes := t.retired && v.retireRunning || (commit || v.Exchange) && replaced(t, tokens, boots)
		if t.running && !goes {
			use(t, bootOf(t, boots, v.PIN), "the running boot's")
		}
	}
	for i := range boots {
		b := &boots[i]
		j := slices.IndexFunc(tokens, func(t own) bool { return t.isFor(b, v.PIN) })
		switch {
		case j < 0:
			want = append(want, wanted{nil, b, ""})
		case !used[tokens[j].ID]:
			use(&tokens[j], b, "a boot that can come")
		}
	}
	for i := range tokens {
		t := &tokens[i]
		switch {
		case used[t.ID]:
		case t.retired:
			p.drop(t, "it was retired")
		case t.former != "":
			p.drop(t, t.former)
		case !t.usable && (commit || t.pending):
			p.drop(t, "this TPM does not take it")
		case commit:
			p.drop(t, "no way to boot leads to it any more")
		case t.pending:
			p.drop(t, "it was predicted, never booted, and nothing leads to it any more")
		default:
			use(t, nil, "nothing leads to it any more; a commit drops it")
		}
	}
	return want
}

// replaced reports whether another token is there for the running boot, or will be, in the
// place of one that is to go.
func replaced(t *own, tokens []own, boots []Boot) bool {
	if t.former == "" {
		return false
	}
	return slices.ContainsFunc(tokens, func(o own) bool { return o.running && o.former == "" }) ||
		slices.ContainsFunc(boots, func(b Boot) bool { _, ok := t.key.Policy(b.Values()); return ok })
}

// bootOf returns the first of the boots that the token is for.
func bootOf(t *own, boots []Boot, pin bool) *Boot {
	for i := range boots {
		if t.isFor(&boots[i], pin) {
			return &boots[i]
		}
	}
	return nil
}

// isRetired reports whether one of the retired texts is in the token's label, or means
// a predicted boot that it is for.
func (v *Volume) isRetired(t *own, boots []Boot) bool {
	return slices.ContainsFunc(v.Retired, func(text string) bool {
		if t.Expect != nil && contains(t.Expect.Label, text) {
			return true
		}
		b := bootOf(t, boots, v.PIN)
		return b != nil && b.Matches(text)
	})
}

func (p *Plan) drop(t *own, reason string) {
	p.Drop = append(p.Drop, Drop{Token: t.ID, Hash: bytes.Clone(t.hash()), Label: t.label(), Reason: reason})
}

// expects reports whether the bootseal token says something else of the tokens.
func (v *Volume) expects(stay []wanted) bool {
	old := v.Boot()
	if old == nil {
		return true
	}
	have := old.Token.(*luks.Boot)
	if !slices.Equal(have.Keyslots, []int{v.Keyslot}) {
		return true
	}
	n := 0
	for _, w := range stay {
		if w.token == nil {
			return true
		}
		if w.boot == nil && w.token.Expect == nil {
			continue // nothing is known of it
		}
		n++
		if w.boot != nil && !sameExpectation(w.token.Expect, w.boot) {
			return true
		}
	}
	return n != len(have.Paths)
}

func sameExpectation(p *luks.Path, b *Boot) bool {
	return p != nil && p.Label == b.Label && p.Events.Equal(b.Events)
}

// Expectations returns the bootseal token for what stays and what was added: ids are the
// numbers that the boots of Add got.
func (p *Plan) Expectations(e *enrollment.Enrollment, keyslot int, ids []int) *luks.Boot {
	out := &luks.Boot{Keyslots: []int{keyslot}}
	for _, k := range p.Keep {
		t := e.Token(k.Token)
		switch {
		case k.Boot != nil:
			out.Paths = append(out.Paths, k.Boot.expectation(k.Token))
		case t != nil && t.Expect != nil:
			out.Paths = append(out.Paths, *t.Expect)
		}
	}
	for i, id := range ids {
		out.Paths = append(out.Paths, p.Add[i].expectation(id))
	}
	slices.SortFunc(out.Paths, func(a, b luks.Path) int { return a.Token - b.Token })
	return out
}

func (b *Boot) expectation(token int) luks.Path {
	return luks.Path{Token: token, Label: b.Label, Bank: b.Bank, PCRs: b.PCRs, Events: b.Events}
}

// String is the plan in a few words, for errors and logs.
func (p *Plan) String() string {
	if p.Nothing() {
		return "nothing to do"
	}
	var parts []string
	for _, n := range []struct {
		count int
		what  string
	}{{len(p.Add), "to add"}, {len(p.Keep), "to keep"}, {len(p.Drop) + len(p.Room), "to drop"}} {
		if n.count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n.count, n.what))
		}
	}
	return "tokens: " + strings.Join(parts, ", ")
}
