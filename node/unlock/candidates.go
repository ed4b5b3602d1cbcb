package unlock

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/seal/pcrsig"
	"github.com/google/go-tpm/tpm2/transport"
)

// want is what a token asks of the TPM. The PCR values that it is for are not in it.
type want struct {
	token *enrollment.Token
	*enrollment.Key
}

// wants returns the tokens that a TPM keeps a passphrase for, and whose policy can be
// satisfied here: not pcrlock's, nor what only a newer systemd knows.
func wants(e *enrollment.Enrollment) []want {
	var all []want
	for i := range e.Tokens {
		t := &e.Tokens[i]
		if k := t.AnyKey(); k != nil && !k.Opaque && k.Object.Seed == nil && e.HasKeyslot(t) {
			all = append(all, want{t, k})
		}
	}
	return all
}

// candidate is a token that may open the volume in this boot.
type candidate struct {
	token  *enrollment.Token
	sealed *seal.Sealed
}

// candidates returns the tokens for these PCR values, those without a PIN first: they
// cost nothing.
func candidates(all []want, values pcr.Values) []candidate {
	var found []candidate
	for i := range all {
		if s, err := all[i].Sealed("", values); err == nil {
			found = append(found, candidate{all[i].token, s})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return pinLast(a) - pinLast(b) })
	return found
}

func pinLast(c candidate) int {
	if c.sealed.Policy.PIN {
		return 1
	}
	return 0
}

// read reads the PCRs that tokens look at, in those banks that the TPM has.
func read(tpm transport.TPM, all []want) (pcr.Values, error) {
	has, err := seal.Banks(tpm)
	if err != nil {
		return nil, err
	}
	selected := map[pcr.Bank]pcr.Selection{}
	for _, w := range all {
		for _, bank := range w.Banks {
			selected[bank] = selected[bank].Union(w.PCRs)
			if w.Signed != nil {
				selected[bank] = selected[bank].Union(w.Signed.PCRs)
			}
		}
	}
	values := make(pcr.Values)
	for bank, pcrs := range selected {
		if !slices.Contains(has, bank) || pcrs == 0 {
			continue
		}
		got, err := seal.ReadPCRs(tpm, pcr.BankSelection{Bank: bank, PCRs: pcrs})
		if err != nil {
			return nil, err
		}
		values[bank] = got[bank]
	}
	return values, nil
}

// ReadSignatures reads the signatures of PCR policies where systemd-cryptsetup looks for
// them, in an initial ramdisk and after it. Files that cannot be read are passed over;
// nothing in them is believed.
func ReadSignatures(host string) []pcrsig.File {
	var all []pcrsig.File
	for _, path := range append(pcrsig.Places(), ".extra/"+pcrsig.FileName) {
		text, err := readBounded(filepath.Join(host, path), pcrsig.MaxFile)
		if err != nil {
			continue
		}
		if f, err := pcrsig.Parse(text); err == nil {
			all = append(all, f)
		}
	}
	return all
}

func readBounded(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, fs.ErrInvalid
	}
	return io.ReadAll(io.LimitReader(f, most))
}
