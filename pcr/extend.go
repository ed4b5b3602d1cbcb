package pcr

import (
	"bytes"
	"fmt"
)

// Extend returns the value of a PCR that held old after digest was extended
// into it: H(old || digest) (Part 1, "Extend of a PCR"). Both must have the
// bank's digest size.
func Extend(b Bank, old, digest []byte) (Digest, error) {
	if !b.Available() {
		return nil, fmt.Errorf("extend: no hash for bank %s", b)
	}
	if len(old) != b.Size() || len(digest) != b.Size() {
		return nil, fmt.Errorf("extend: %s needs a value and a digest of %d bytes, have %d and %d",
			b, b.Size(), len(old), len(digest))
	}
	return b.Sum(old, digest), nil
}

// Reset returns what PCR index of the bank holds after TPM2_Startup(CLEAR),
// before any measurement: zero; all ones for the dynamic-launch PCRs 17 to 22
// (PTP, "PCR Initial and Reset Values"). In PCR 0 the last byte is the locality
// at which the TPM was started, or 4 after an H-CRTM (Part 3, "TPM2_Startup").
// It returns nil for a bank without a name.
func Reset(b Bank, index int, locality byte) Digest {
	if b.Size() == 0 {
		return nil
	}
	d := make(Digest, b.Size())
	switch {
	case index >= 17 && index <= 22:
		copy(d, bytes.Repeat([]byte{0xFF}, len(d)))
	case index == 0:
		d[len(d)-1] = locality
	}
	return d
}

// Composite returns the digest that TPM2_PolicyPCR and TPM2_Quote make of the
// selected PCRs: alg's hash over their values, entry by entry and in ascending
// order within an entry (Part 1, "Selecting Multiple PCR"). alg is the hash of
// the policy session or of the signing scheme, not of a bank. Every selected
// PCR must have a value.
func Composite(alg Bank, values Values, sel ...BankSelection) (Digest, error) {
	if !alg.Available() {
		return nil, fmt.Errorf("PCR composite: no hash %s", alg)
	}
	h := alg.New()
	for _, s := range sel {
		for _, i := range s.PCRs.Indexes() {
			v, ok := values.Get(s.Bank, i)
			if !ok {
				return nil, fmt.Errorf("PCR composite: no value for %s PCR %d", s.Bank, i)
			}
			h.Write(v)
		}
	}
	return h.Sum(nil), nil
}
