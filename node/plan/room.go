package plan

import "github.com/bootseal/bootseal/luks"

// budget is what the header has for the planned tokens.
type budget struct{ tokens, bytes int }

// newBudget counts what is free and what the planned tokens and the bootseal token take
// now.
func (v *Volume) newBudget(tokens []own) *budget {
	b := &budget{tokens: v.Room.Tokens, bytes: v.Room.Bytes}
	for _, t := range tokens {
		b.tokens++
		b.bytes += luks.Cost(t.ID, t.Size)
	}
	if old := v.Boot(); old != nil {
		b.tokens++
		b.bytes += luks.Cost(old.ID, old.Size)
	}
	b.tokens-- // the bootseal token
	b.bytes -= luks.Cost(luks.MaxTokens-1, textSize(&luks.Boot{Keyslots: []int{v.Keyslot}}))
	return b
}

// take takes the room for a token and its expectation. A token that must stay is never
// refused.
func (b *budget) take(cost int, must bool) bool {
	if !must && (b.tokens < 1 || b.bytes < cost) {
		return false
	}
	b.tokens--
	b.bytes -= cost
	return true
}

// cost is what a token and its expectation take, in bytes.
func (v *Volume) cost(w wanted) int {
	n := luks.Cost(luks.MaxTokens-1, v.TokenSize)
	if w.token != nil {
		n = luks.Cost(w.token.ID, w.token.Size)
	}
	return n + v.expectationCost(w)
}

func (v *Volume) expectationCost(w wanted) int {
	empty := textSize(&luks.Boot{Keyslots: []int{v.Keyslot}})
	var p luks.Path
	switch {
	case w.boot != nil:
		p = w.boot.expectation(luks.MaxTokens - 1)
	case w.token.Expect != nil:
		p = *w.token.Expect
	default:
		return 0
	}
	return textSize(&luks.Boot{Keyslots: []int{v.Keyslot}, Paths: []luks.Path{p}}) - empty + len(",")
}

// textSize is what a token's text takes in the header; one that cannot be written takes
// nothing, and is refused when it is.
func textSize(t luks.Token) int {
	text, err := t.MarshalJSON()
	if err != nil {
		return 0
	}
	return len(text)
}

// makeRoom moves as many of the tokens to be dropped before the others as it takes, so
// that the additions fit: by default everything that opens the volume is there until all
// that is new is there, too. The bootseal token is written after the drops.
func (v *Volume) makeRoom(p *Plan) {
	tokens, bytes := v.Room.Tokens, v.Room.Bytes
	for range p.Add {
		tokens--
		bytes -= luks.Cost(luks.MaxTokens-1, v.TokenSize)
	}
	for (tokens < 0 || bytes < 0) && len(p.Drop) > 0 {
		d := p.Drop[0] // the one that is the least likely to be missed
		p.Drop = p.Drop[1:]
		p.Room = append(p.Room, d)
		tokens++
		bytes += luks.Cost(d.Token, v.Token(d.Token).Size)
	}
}
