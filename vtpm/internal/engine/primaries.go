package engine

import (
	"bytes"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// rememberedPrimaries is how many primary keys a hierarchy remembers: an endorsement key
// or a storage root key, and some of other sizes.
const rememberedPrimaries = 4

// primary is what follows from a primary seed and a template, and from nothing else.
type primary struct {
	id        []byte
	sensitive wire.TPMTSensitive // without authValue
	unique    wire.TPMUPublicID
}

// Derive returns what derive makes from the hierarchy's seed for a template, data of the
// caller's and proofs. RSA keys take tens of milliseconds to find, and clients ask for the
// same ones at each start: the last few are remembered until the seed or the proof
// changes. While the seed is in memory, its keys are no further secret.
//
// The sensitive area is the caller's, and its authValue is empty.
func (h *Hierarchy) Derive(template *wire.TPMTPublic, data []byte, proofs [][]byte,
	derive func() (wire.TPMTSensitive, wire.TPMUPublicID, error)) (wire.TPMTSensitive, wire.TPMUPublicID, error) {
	if template.Type != wire.AlgRSA {
		return derive()
	}
	id := h.primaryID(template, data, proofs)
	for i, p := range h.primaries {
		if bytes.Equal(p.id, id) {
			copy(h.primaries[1:], h.primaries[:i])
			h.primaries[0] = p
			return p.copySensitive(), wire.TPMUPublicID{RSA: bytes.Clone(p.unique.RSA)}, nil
		}
	}
	sensitive, unique, err := derive()
	if err != nil {
		return sensitive, unique, err
	}
	p := primary{id: id, sensitive: sensitive, unique: wire.TPMUPublicID{RSA: bytes.Clone(unique.RSA)}}
	p.sensitive = p.copySensitive()
	if len(h.primaries) == rememberedPrimaries {
		h.primaries[rememberedPrimaries-1].wipe()
		h.primaries = h.primaries[:rememberedPrimaries-1]
	}
	h.primaries = append([]primary{p}, h.primaries...)
	return sensitive, unique, nil
}

// primaryID is a MAC by the seed of all that the key depends on: that of another seed
// never fits.
func (h *Hierarchy) primaryID(template *wire.TPMTPublic, data []byte, proofs [][]byte) []byte {
	var w wire.Writer
	template.Write(&w)
	w.Sized(data)
	for _, p := range proofs {
		w.Sized(p)
	}
	defer func() { clear(w.Data()) }()
	return crypt.HMAC(wire.AlgSHA256, h.Seed, w.Data())
}

// forgetPrimaries is for a seed or a proof that changes.
func (h *Hierarchy) forgetPrimaries() {
	for _, p := range h.primaries {
		p.wipe()
	}
	h.primaries = nil
}

func (p *primary) copySensitive() wire.TPMTSensitive {
	return wire.TPMTSensitive{
		SensitiveType: p.sensitive.SensitiveType,
		SeedValue:     bytes.Clone(p.sensitive.SeedValue),
		Sensitive:     bytes.Clone(p.sensitive.Sensitive),
	}
}

func (p *primary) wipe() {
	clear(p.sensitive.SeedValue)
	clear(p.sensitive.Sensitive)
}
