package unlock

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/seal/pcrsig"
	"github.com/google/go-tpm/tpm2/transport"
)

// sealedVersion is the version of [seal.Sealed] that is filled in here.
const sealedVersion = 1

// want is what a token asks of the TPM, of whichever type it is. The PCR values that
// it is for are not in it.
type want struct {
	token  *enrollment.Token
	banks  []pcr.Bank // that come into question
	pcrs   pcr.Selection
	hash   pcr.Digest // the object's policy
	policy seal.Policy
	sealed seal.Sealed // without policy
}

// wants returns the tokens that a TPM keeps a passphrase for, and whose policy can be
// satisfied here: not pcrlock's, nor what only a newer systemd knows.
func wants(e *enrollment.Enrollment) []want {
	var all []want
	for i := range e.Tokens {
		t := &e.Tokens[i]
		switch s := t.Token.(type) {
		case *luks.SystemdTPM2:
			if len(s.Shards) == 1 && !s.PCRLock && len(s.Others) == 0 && s.Shards[0].Seed == nil {
				all = append(all, systemdWant(t, s))
			}
		case *luks.BootsealTPM2:
			all = append(all, bootsealWant(t, s))
		}
	}
	return slices.DeleteFunc(all, func(w want) bool { return !hasKeyslot(e, w.token) })
}

func hasKeyslot(e *enrollment.Enrollment, t *enrollment.Token) bool {
	return slices.ContainsFunc(t.Token.Slots(), func(slot int) bool { _, ok := e.Keyslots[slot]; return ok })
}

func systemdWant(t *enrollment.Token, s *luks.SystemdTPM2) want {
	w := want{token: t, banks: []pcr.Bank{s.Bank}, pcrs: s.PCRs, hash: s.Shards[0].PolicyHash}
	if s.Bank == 0 { // as systemd, which tries both
		w.banks = []pcr.Bank{pcr.SHA256, pcr.SHA1}
	}
	w.policy.PIN, w.policy.Signed = s.PIN, signed(s.Pubkey, s.PubkeyPCRs)
	w.sealed = seal.Sealed{Parent: enrollment.Parent(s), PINSalt: s.Salt, Public: s.Shards[0].Public, Private: s.Shards[0].Private}
	return w
}

func bootsealWant(t *enrollment.Token, s *luks.BootsealTPM2) want {
	w := want{token: t, banks: []pcr.Bank{s.Bank}, pcrs: s.PCRs, hash: s.PolicyHash()}
	w.policy.PIN, w.policy.Signed = s.PIN, signed(s.Pubkey, s.PubkeyPCRs)
	if g := s.Guard; g != nil {
		w.policy.Guard = &seal.Guard{Index: seal.Handle(g.Index), Name: g.Name, Value: g.Value}
	}
	parent := seal.Parent{Handle: seal.Handle(s.Parent.Handle), Template: seal.Template(s.Parent.Template), Name: s.Parent.Name}
	w.sealed = seal.Sealed{Parent: parent, PINSalt: s.Salt, Public: s.Object.Public, Private: s.Object.Private}
	return w
}

func signed(key []byte, pcrs pcr.Selection) *seal.Signed {
	if len(key) == 0 {
		return nil
	}
	return &seal.Signed{PublicKey: string(key), PCRs: pcrs}
}

// open returns the sealed object, if these PCR values are what it was sealed for: the
// digest of the policy that they lead to is the object's. Whether somebody has signed
// for them, and where a guard's counter stands, the TPM finds out.
func (w *want) open(values pcr.Values) (*seal.Sealed, bool) {
	for _, bank := range w.banks {
		p, err := enrollment.LiteralPolicy("", values, pcr.BankSelection{Bank: bank, PCRs: w.pcrs}, w.policy.PIN)
		if err != nil {
			continue
		}
		p.Signed, p.Guard = w.policy.Signed, w.policy.Guard
		if p, ok := p.Fit(w.hash); ok {
			s := w.sealed
			s.Version, s.Policy = sealedVersion, p
			return &s, true
		}
	}
	return nil, false
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
		if s, ok := all[i].open(values); ok {
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
		for _, bank := range w.banks {
			selected[bank] = selected[bank].Union(w.pcrs)
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
// them, in an initial ramdisk and after it (systemd, src/shared/tpm2-util.c,
// tpm2_load_pcr_signature). A unified kernel image brings its own. Files that cannot be
// read are passed over; nothing in them is believed.
func ReadSignatures(host string) []pcrsig.File {
	var all []pcrsig.File
	for _, dir := range []string{"etc/systemd", "run/systemd", "usr/local/lib/systemd", "usr/lib/systemd", ".extra"} {
		text, err := readBounded(filepath.Join(host, dir, "tpm2-pcr-signature.json"), pcrsig.MaxFile)
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
