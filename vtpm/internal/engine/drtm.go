package engine

import (
	"hash"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// hashSequence is the event that _TPM_Hash_Start began: a hash in each bank.
type hashSequence struct {
	algs   []wire.Alg
	hashes []hash.Hash
}

// HashStart is the signal _TPM_Hash_Start (Part 3). It begins an H-CRTM event
// before TPM2_Startup, and a dynamic launch after.
func (t *TPM) HashStart() {
	s := &hashSequence{algs: t.PCR.Banks()}
	for _, alg := range s.algs {
		s.hashes = append(s.hashes, crypt.New(alg))
	}
	t.drtm = s
}

// HashData is the signal _TPM_Hash_Data; without a sequence it does nothing.
func (t *TPM) HashData(data []byte) {
	if t.drtm == nil {
		return
	}
	for _, h := range t.drtm.hashes {
		h.Write(data)
	}
}

// HashEnd is the signal _TPM_Hash_End: PCR 0 takes an H-CRTM event and starts from
// 4, or PCRs 17 to 22 restart and PCR 17 takes the launch. Without a sequence it
// does nothing.
func (t *TPM) HashEnd() {
	s := t.drtm
	if s == nil {
		return
	}
	t.drtm = nil
	pcr := pcrHCRTM
	if t.started {
		pcr = pcrDRTM
		t.PCR.dynamicLaunch()
		t.Clock.RestartCount++
	} else {
		t.hcrtm = true
	}
	for i, alg := range s.algs {
		v := t.PCR.Value(alg, pcr)
		if v == nil {
			continue
		}
		fill(v, false)
		if !t.started {
			v[len(v)-1] = 4
		}
		t.PCR.Extend(alg, pcr, s.hashes[i].Sum(nil))
	}
}
