package enrollment

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/seal/pcrsig"
)

// SignedLabel is what a boot is called that opens by a signed policy: its token has no name for
// it.
const SignedLabel = "a boot that the key's owner has signed"

// Approved reports whether the owner of the key of a signed policy has signed for these PCR
// values, all of which must be there. Without such a policy it is true.
func (k *Key) Approved(values pcr.Values, files []pcrsig.File) bool {
	if k.Signed == nil {
		return true
	}
	public, err := pcrsig.ParseKey(k.Signed.PublicKey)
	return err == nil && k.signs(public, values, files)
}

// ApprovedForSystemd is [Key.Approved] for an initial ramdisk with systemd, which measures that it
// was entered (systemd-pcrphase.service(8)), where values are without that.
func (k *Key) ApprovedForSystemd(values pcr.Values, files []pcrsig.File) bool {
	const phases = 11
	entered := values.Clone()
	for _, bank := range values.Banks() {
		at, ok := values.Get(bank, phases)
		if !ok || !bank.Available() {
			continue
		}
		if next, err := pcr.Extend(bank, at, bank.Sum([]byte("enter-initrd"))); err == nil {
			entered.Set(bank, phases, next)
		}
	}
	return k.Approved(entered, files)
}

func (k *Key) signs(public *pcrsig.Key, values pcr.Values, files []pcrsig.File) bool {
	for _, bank := range k.Banks {
		policy, err := seal.PCRPolicy(values, pcr.BankSelection{Bank: bank, PCRs: k.Signed.PCRs})
		if err != nil {
			continue
		}
		for _, file := range files {
			if slices.ContainsFunc(file.Find(bank, k.Signed.PCRs, public.Fingerprint(), policy), func(s pcrsig.Signature) bool { return public.Verify(&s) == nil }) {
				return true
			}
		}
	}
	return false
}

// WhyNotApproved says in words what there is in the place of a signature for these PCR values
// that would count. It is for a key with a signed policy, where [Key.Approved] is false.
func (k *Key) WhyNotApproved(values pcr.Values, files []pcrsig.File) string {
	public, err := pcrsig.ParseKey(k.Signed.PublicKey)
	if err != nil {
		return err.Error()
	}
	if k.ApprovedForSystemd(values, files) {
		return "there is a signature for the phase enter-initrd, which systemd measures in an initial ramdisk; for one without systemd: bootseal policy sign --phase :"
	}
	wanted := public.Fingerprint()
	var others []string // keys
	all, ours := 0, 0
	for _, file := range files {
		for bank, signatures := range file {
			for _, s := range signatures {
				all++
				if s.Key != wanted && !slices.Contains(others, short(s.Key)) {
					others = append(others, short(s.Key))
				}
				if s.Key == wanted && slices.Contains(k.Banks, bank) && s.PCRs == k.Signed.PCRs {
					ours++
				}
			}
		}
	}
	slices.Sort(others)
	by := fmt.Sprintf("by another key (%s in the place of %s)", strings.Join(others[:min(len(others), 3)], ", "), short(wanted))
	switch {
	case all == 0:
		return "there is no signature"
	case ours > 0 && len(others) > 0:
		return "there are signatures, of other values, and " + by
	case ours > 0:
		return "there are signatures, of other values"
	case len(others) > 0:
		return "there are signatures, " + by
	}
	return "there are signatures, of other PCRs"
}

func short(f pcrsig.Fingerprint) string { return f.String()[:12] }
