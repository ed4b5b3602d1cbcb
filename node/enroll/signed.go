package enroll

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/plan"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
)

// kernelImage is the PCR that a unified kernel image is signed for. The same image is in two
// others: in that of the programs, and in that of what the kernel is given.
const (
	programs    = 4
	secureBoot  = 7
	kernelInput = 9
	kernelImage = 11
	shimState   = 14
)

// Beside returns which of a boot's PCRs stand literally beside a signed policy: those that
// nobody signs, and where PCR 11 is signed not PCRs 4 and 9, in which each image is another
// value. PCR 11 has the command line and the initial ramdisk of the image, too. PCR 12 stays, for
// what came from beside the image; systemd-boot before 256 has it move with the image's own
// command line as well.
func Beside(pcrs map[int]pcr.Digest, signed pcr.Selection) map[int]pcr.Digest {
	out := maps.Clone(pcrs)
	for i := range out {
		if signed.Has(i) || (i == programs || i == kernelInput) && signed.Has(kernelImage) {
			delete(out, i)
		}
	}
	return out
}

// CheckSigned reports why a signed policy would open for more than its key's owner has signed:
// any program can bring PCR 11 to a value that it has seen. So either the programs are in the
// policy (PCR 4), or Secure Boot decides about them, and is in it (PCR 7).
func CheckSigned(s *seal.Signed, boots []plan.Boot) error {
	for _, b := range boots {
		pcrs := Beside(b.PCRs, s.PCRs)
		_, beside := pcrs[secureBoot]
		if _, ok := pcrs[programs]; ok || s.PCRs.Has(programs) || (beside || s.PCRs.Has(secureBoot)) && enforces(b.Log) {
			continue
		}
		return &Problem{fmt.Sprintf("a signed policy without PCR 4 needs Secure Boot, with a shim that validates, and PCR 7: without, any program that boots this machine could make PCR %s what was signed, and get the key", s.PCRs),
			"turn Secure Boot on (and mokutil --enable-validation), or have PCR 4 signed, too (--signed-pcrs 4,11)"}
	}
	return nil
}

// enforces reports whether the firmware checked signatures in the boot, and shim, where it ran, was
// not told to leave that out (mokutil --disable-validation).
func enforces(log *eventlog.Log) bool {
	if log == nil {
		return false
	}
	for i := range log.Events {
		e := &log.Events[i]
		if e.PCR != shimState || string(bytes.TrimRight(e.Data, "\x00")) != "MokSBState" {
			continue
		}
		for bank, digest := range e.Digests {
			if !digest.Equal(bank.Sum([]byte{0})) {
				return false
			}
		}
	}
	for _, x := range eventlog.Explain(log) {
		if v, ok := x.Body.(eventlog.Variable); ok && v.Name == "SecureBoot" && !v.Authority && v.On != nil {
			return *v.On
		}
	}
	return false
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
