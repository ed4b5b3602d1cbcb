package enrollment

import (
	"slices"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/pcr"
)

// Enrollment is a volume's header, seen from the TPM.
type Enrollment struct {
	UUID     string
	Keyslots map[int]luks.Keyslot
	Tokens   []Token // those that can be read, ascending by ID
	Recovery []int   // keyslots with a systemd-recovery token, ascending
	// Problems are tokens that cannot be read, each a [*luks.TokenError]. They hide
	// nothing else.
	Problems []error
	Room     luks.Room
}

// Token is a token of the header.
type Token struct {
	ID    int
	Size  int // of its text in the header, bytes
	Token luks.Token
	// Expect is what was expected of the boot that the token is for. It comes from
	// the bootseal token, and is nil unless its PCR values lead to this token's policy
	// hash: another program may have given the number to another token since.
	Expect *luks.Path
}

// Inspect reads the tokens of a header.
func Inspect(h *luks.Header) *Enrollment {
	m := h.Metadata
	e := &Enrollment{UUID: h.UUID, Keyslots: m.Keyslots, Room: h.Room()}
	for _, id := range m.TokenIDs() {
		t, err := luks.ParseToken(id, m.Tokens[id])
		if err != nil {
			e.Problems = append(e.Problems, err)
			continue
		}
		e.Tokens = append(e.Tokens, Token{ID: id, Size: len(m.Tokens[id]), Token: t})
		if r, ok := t.(*luks.Recovery); ok {
			e.Recovery = append(e.Recovery, e.existing(r.Keyslots)...)
		}
	}
	slices.Sort(e.Recovery)
	e.Recovery = slices.Compact(e.Recovery)
	e.expect()
	return e
}

// expect joins the bootseal tokens' paths with the tokens that they are about.
func (e *Enrollment) expect() {
	for i := range e.Tokens {
		b, ok := e.Tokens[i].Token.(*luks.Boot)
		if !ok {
			continue
		}
		for j := range b.Paths {
			p := &b.Paths[j]
			if t := e.Token(p.Token); t != nil && t.Expect == nil && t.isFor(p) {
				t.Expect = p
			}
		}
	}
}

// isFor reports whether the path's PCR values lead to the token's policy hash.
func (t *Token) isFor(p *luks.Path) bool {
	k := t.AnyKey()
	if s := t.SystemdTPM2(); k == nil || s != nil && !s.Literal() {
		return false
	}
	_, ok := k.Policy(pcr.Values{p.Bank: p.PCRs})
	return ok
}

// Token returns the token with the number, nil if there is none that can be read.
// It points into e.
func (e *Enrollment) Token(id int) *Token {
	i, ok := slices.BinarySearchFunc(e.Tokens, id, func(t Token, id int) int { return t.ID - id })
	if !ok {
		return nil
	}
	return &e.Tokens[i]
}

// SystemdTPM2 returns the token as one that a TPM keeps the passphrase of, nil if it
// is of another type.
func (t *Token) SystemdTPM2() *luks.SystemdTPM2 {
	s, _ := t.Token.(*luks.SystemdTPM2)
	return s
}

// Boot returns bootseal's own token, nil if there is none. Where there are several,
// which no bootseal writes, it is the first.
func (e *Enrollment) Boot() *Token {
	for i := range e.Tokens {
		if _, ok := e.Tokens[i].Token.(*luks.Boot); ok {
			return &e.Tokens[i]
		}
	}
	return nil
}

// HasKeyslot reports whether one of the token's keyslots is there. A token of keyslots
// that are gone opens nothing.
func (e *Enrollment) HasKeyslot(t *Token) bool { return len(e.existing(t.Token.Slots())) > 0 }

// existing returns those of the keyslots that the header has.
func (e *Enrollment) existing(slots []int) []int {
	return slices.DeleteFunc(slices.Clone(slots), func(slot int) bool {
		_, ok := e.Keyslots[slot]
		return !ok
	})
}
