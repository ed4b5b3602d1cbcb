package enroll

import (
	"fmt"
	"maps"
	"slices"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
)

// kernelImage is the PCR that a unified kernel image is signed for, and programs the one
// that has the same image as one program among others.
const (
	kernelImage = 11
	programs    = 4
)

// Beside returns which of a boot's PCRs stand literally beside a signed policy: those that
// nobody signs, and not PCR 4 where PCR 11 is signed, which has each image in it, too.
func Beside(pcrs map[int]pcr.Digest, signed pcr.Selection) map[int]pcr.Digest {
	out := maps.Clone(pcrs)
	for i := range out {
		if signed.Has(i) || i == programs && signed.Has(kernelImage) {
			delete(out, i)
		}
	}
	return out
}

// prepareSigned seals for what will be signed: a token for each of the boots' values of
// the other PCRs, which are mostly the same for all. It returns what is left of so many
// free numbers and bytes.
func (a *Added) prepareSigned(out *texts, req *Request, numbers, free int) (int, error) {
	if req.Signed == nil {
		return free, nil
	}
	var done []map[int]pcr.Digest
	for _, b := range req.Boots {
		pcrs := Beside(b.PCRs, req.Signed.PCRs)
		if slices.ContainsFunc(done, func(d map[int]pcr.Digest) bool { return samePCRs(d, pcrs) }) {
			continue
		}
		done = append(done, pcrs)
		text, err := a.sealFor(seal.Policy{Bank: b.Bank, Branches: []seal.Branch{{Label: "signed", PCRs: pcrs}}, Signed: req.Signed, PIN: len(req.PIN) > 0}, req)
		if err != nil {
			return 0, fmt.Errorf("seal for what is signed: %w", err)
		}
		cost := luks.Cost(luks.MaxTokens-1, len(text))
		// A boot's token and the bootseal token come after it.
		if fits := numbers-len(out.signed) >= 3 && cost <= free/2; !fits && len(out.signed) > 0 {
			break
		} else if !fits {
			return 0, &Problem{fmt.Sprintf("%d bytes are free in its header, and the token for what is signed takes %d of them", free, cost),
				"remove tokens that nobody needs: cryptsetup token remove --token-id ID " + a.machine.Volume.Path()}
		}
		free -= cost
		out.signed = append(out.signed, text)
	}
	return free, nil
}

func samePCRs(a, b map[int]pcr.Digest) bool {
	return maps.EqualFunc(a, b, func(x, y pcr.Digest) bool { return x.Equal(y) })
}
