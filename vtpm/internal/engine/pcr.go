package engine

import (
	"slices"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// PCRs of the PC Client profile with a role of their own.
const (
	pcrHCRTM = 0  // where an H-CRTM event before Startup goes
	pcrDRTM  = 17 // where a dynamic launch goes
)

// pcrAttributes are a PCR's fixed properties (PC Client Platform TPM Profile,
// "PCR attributes"): locality masks, and whether changes count in pcrUpdateCounter.
// The one group that can have authorization is the reference implementation's.
type pcrAttributes struct {
	reset    uint8 // localities that may PCR_Reset it, a bit each
	extend   uint8 // localities that may extend it
	saved    bool  // kept over Shutdown(STATE) and Resume
	uncount  bool  // changes do not move pcrUpdateCounter
	drtmOnes bool  // -1 after Startup, 0 after a dynamic launch
	group    bool  // of the group that has an authValue and an authPolicy
}

func pcrAttributesOf(pcr int) pcrAttributes {
	switch {
	case pcr < 16:
		return pcrAttributes{extend: 0x1F, saved: true}
	case pcr == 16, pcr == 23:
		return pcrAttributes{reset: 0x0F, extend: 0x1F, uncount: true}
	case pcr == 17, pcr == 18:
		return pcrAttributes{reset: 0x10, extend: 0x1C, drtmOnes: true}
	case pcr == 19:
		return pcrAttributes{reset: 0x10, extend: 0x0C, drtmOnes: true}
	case pcr == 20:
		return pcrAttributes{reset: 0x14, extend: 0x0E, drtmOnes: true, group: true}
	default: // 21 and 22
		return pcrAttributes{reset: 0x14, extend: 0x04, uncount: true, drtmOnes: true, group: true}
	}
}

// pcrBank is one bank's PCRs.
type pcrBank struct {
	alg    wire.Alg
	values [PCRCount][]byte // nil: not allocated
}

// PCRs are the platform configuration registers.
type PCRs struct {
	UpdateCounter uint32 // changes, but for the PCRs that do not count
	Allocated     wire.TPMLPCRSelection
	Pending       bool // PCR_Allocate changed the allocation; it takes effect at _TPM_Init

	banks []pcrBank
	group pcrGroup
}

// powerOn makes banks for what is allocated, all zero until Startup.
func (p *PCRs) powerOn() {
	p.Pending = false
	p.banks = nil
	for _, s := range p.Allocated {
		bank := pcrBank{alg: s.Hash}
		for i := range bank.values {
			if s.Has(i) {
				bank.values[i] = make([]byte, crypt.Size(s.Hash))
			}
		}
		p.banks = append(p.banks, bank)
	}
}

// startup sets the PCRs to their initial values, or on Resume keeps the saved
// ones. hcrtm says that an H-CRTM event went into PCR 0 already.
func (p *PCRs) startup(kind startupKind, locality uint8, hcrtm bool) {
	if kind == startupReset {
		p.UpdateCounter = 0
	}
	if kind != startupResume {
		p.group.clearAuth()
	}
	for i := range PCRCount {
		a := pcrAttributesOf(i)
		if kind == startupResume && a.saved {
			continue
		}
		p.changed(i)
		if i == pcrHCRTM && hcrtm {
			continue
		}
		for _, bank := range p.banks {
			v := bank.values[i]
			fill(v, a.drtmOnes)
			if i == pcrHCRTM && v != nil {
				v[len(v)-1] = locality
			}
		}
	}
}

func fill(v []byte, ones bool) {
	for i := range v {
		v[i] = 0
		if ones {
			v[i] = 0xFF
		}
	}
}

func (p *PCRs) changed(pcr int) {
	if !pcrAttributesOf(pcr).uncount {
		p.UpdateCounter++
	}
}

func (p *PCRs) bank(alg wire.Alg) *pcrBank {
	for i := range p.banks {
		if p.banks[i].alg == alg {
			return &p.banks[i]
		}
	}
	return nil
}

// Banks returns the algorithms of the banks that have a PCR allocated, in order.
func (p *PCRs) Banks() []wire.Alg {
	var algs []wire.Alg
	for _, b := range p.banks {
		if slices.ContainsFunc(b.values[:], func(v []byte) bool { return v != nil }) {
			algs = append(algs, b.alg)
		}
	}
	return algs
}

// Value returns the PCR's value in a bank, or nil when it is not allocated. The
// caller must not change it.
func (p *PCRs) Value(alg wire.Alg, pcr int) []byte {
	if b := p.bank(alg); b != nil && pcr >= 0 && pcr < PCRCount {
		return b.values[pcr]
	}
	return nil
}

// Extend extends the PCR in the bank of alg; nothing happens where the bank or
// the PCR is not allocated. Count the change once an operation with Changed.
func (p *PCRs) Extend(alg wire.Alg, pcr int, digest []byte) {
	if b := p.bank(alg); b != nil && b.values[pcr] != nil {
		copy(b.values[pcr], crypt.Digest(alg, b.values[pcr], digest))
		p.changed(pcr)
	}
}

// Reset sets the PCR to zero in all banks (TPM2_PCR_Reset).
func (p *PCRs) Reset(pcr int) {
	for _, b := range p.banks {
		fill(b.values[pcr], false)
	}
	p.changed(pcr)
}

// MayReset reports whether TPM2_PCR_Reset of the PCR is allowed at the locality.
// At locality 4 it is not: what the attributes allow there is a dynamic launch's.
func (p *PCRs) MayReset(pcr int, locality uint8) bool {
	return locality < 4 && p.ResetAttribute(pcr, locality)
}

// ResetAttribute reports whether the PCR's attributes have a reset at the
// locality, for TPM_PT_PCR_RESET_L0 to _L4.
func (p *PCRs) ResetAttribute(pcr int, locality uint8) bool {
	return locality < 8 && pcrAttributesOf(pcr).reset&(1<<locality) != 0
}

// MayExtend reports whether the PCR can be extended at the locality.
func (p *PCRs) MayExtend(pcr int, locality uint8) bool {
	return locality < 8 && pcrAttributesOf(pcr).extend&(1<<locality) != 0
}

// StateSaved reports whether the PCR survives Shutdown(STATE) and Resume.
func (p *PCRs) StateSaved(pcr int) bool { return pcrAttributesOf(pcr).saved }

// PropertySelect returns the PCRs that have the property, as a select of
// PCRCount bits, for GetCapability's TPM_CAP_PCR_PROPERTIES.
func (p *PCRs) PropertySelect(has func(pcr int) bool) []byte {
	s := make([]byte, PCRCount/8)
	for i := range PCRCount {
		if has(i) {
			s[i/8] |= 1 << (i % 8)
		}
	}
	return s
}

// Uncounted reports whether changes of the PCR do not move pcrUpdateCounter.
func (p *PCRs) Uncounted(pcr int) bool { return pcrAttributesOf(pcr).uncount }

// DRTMReset reports whether a dynamic launch resets the PCR.
func (p *PCRs) DRTMReset(pcr int) bool { return pcrAttributesOf(pcr).drtmOnes }

// Filter clears the bits of PCRs that are not allocated and pads each select to
// full length, as TPM2_PCR_Read and TPM2_Quote report a selection.
func (p *PCRs) Filter(s wire.TPMLPCRSelection) wire.TPMLPCRSelection {
	out := make(wire.TPMLPCRSelection, len(s))
	for i, x := range s {
		out[i] = wire.TPMSPCRSelection{Hash: x.Hash, PCRSelect: make([]byte, max(len(x.PCRSelect), PCRCount/8))}
		for pcr := range PCRCount {
			if x.Has(pcr) && p.Value(x.Hash, pcr) != nil {
				out[i].PCRSelect[pcr/8] |= 1 << (pcr % 8)
			}
		}
	}
	return out
}

// Composite returns the digest, by alg, of the selected PCRs' values (Part 1,
// "Selecting multiple PCR"). The selection must be filtered.
func (p *PCRs) Composite(alg wire.Alg, s wire.TPMLPCRSelection) []byte {
	h := crypt.New(alg)
	for _, x := range s {
		for pcr := range PCRCount {
			if x.Has(pcr) {
				h.Write(p.Value(x.Hash, pcr))
			}
		}
	}
	return h.Sum(nil)
}

// dynamicLaunch resets the dynamic PCRs to zero (_TPM_Hash_End after Startup).
func (p *PCRs) dynamicLaunch() {
	for i := range PCRCount {
		if pcrAttributesOf(i).drtmOnes {
			for _, b := range p.banks {
				fill(b.values[i], false)
			}
		}
	}
}

func (p *PCRs) writePersistent(w *wire.Writer) {
	p.Allocated.Write(w)
	w.Sized(p.group.policy)
	w.U16(uint16(p.group.policyAlg))
}

func (p *PCRs) readPersistent(r *wire.Reader) {
	p.Allocated = nil
	p.Allocated.Read(r)
	p.group.policy, p.group.policyAlg = readPolicy(r)
}

// writeClear writes the values that a Resume brings back.
func (p *PCRs) writeClear(w *wire.Writer) {
	w.Sized(p.group.auth)
	for _, b := range p.banks {
		for i, v := range b.values {
			if pcrAttributesOf(i).saved {
				w.Sized(v)
			}
		}
	}
}

func (p *PCRs) readClear(r *wire.Reader) {
	p.group.auth = readBytes(r)
	for _, b := range p.banks {
		for i, v := range b.values {
			if pcrAttributesOf(i).saved {
				copy(v, readExactly(r, len(v)))
			}
		}
	}
}
