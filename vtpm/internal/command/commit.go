package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type commitIn struct {
	SignHandle wire.TPMIDHObject
	P1         wire.TPM2BECCPoint
	S2         wire.TPM2BSensitiveData
	Y2         wire.TPM2BECCParameter
}

type commitOut struct {
	K       wire.TPM2BECCPoint
	L       wire.TPM2BECCPoint
	E       wire.TPM2BECCPoint
	Counter uint16
}

// TPM2_Commit, Part 3, 19.2: make the first step of an anonymous signature. The
// second is a signing command's, which names it by its counter.
func commit(t *engine.TPM, in *commitIn) (*commitOut, error) {
	key := t.Objects.At(in.SignHandle.Handle())
	if key.Public.Type != wire.AlgECC {
		return nil, wire.RCKey.Handle(1)
	}
	parms := &key.Public.Parameters.ECC
	if !isAnonymous(parms.Scheme.Scheme) {
		return nil, wire.RCScheme.Handle(1)
	}
	if (len(in.S2) == 0) != (len(in.Y2) == 0) {
		return nil, wire.RCSize.Param(3)
	}
	r, err := t.CommitRandom(parms.CurveID, key.Name)
	if err != nil {
		return nil, err
	}
	defer clear(r)
	var p1, p2 *wire.TPMSECCPoint
	if len(in.S2) != 0 {
		if key.Public.NameAlg == wire.AlgNull {
			return nil, wire.RCHash.Handle(1)
		}
		p := crypt.CommitPoint(parms.CurveID, key.Public.NameAlg, in.S2, in.Y2)
		if !crypt.OnCurve(parms.CurveID, &p) {
			return nil, wire.RCECCPoint.Param(2)
		}
		p2 = &p
	}
	// An empty point, two empty coordinates, is none.
	if p := &in.P1.Point; len(p.X)+len(p.Y) != 0 {
		if !crypt.OnCurve(parms.CurveID, p) {
			return nil, wire.RCECCPoint.Param(1)
		}
		p1 = p
	}
	k, l, e, err := crypt.Commit(parms.CurveID, key.Sensitive.Sensitive, r, p1, p2)
	if err != nil {
		return nil, err
	}
	return &commitOut{
		K: wire.TPM2BECCPoint{Point: k}, L: wire.TPM2BECCPoint{Point: l}, E: wire.TPM2BECCPoint{Point: e},
		Counter: t.CountCommit(),
	}, nil
}
