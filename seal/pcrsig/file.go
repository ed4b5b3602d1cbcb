package pcrsig

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/bootseal/bootseal/pcr"
)

// Bounds of what Parse reads: some hundred kernels, four phases and four banks each.
const (
	MaxFile    = 1 << 20 // bytes
	maxEntries = 4096    // in a bank
	maxSig     = 512     // bytes: RSA 4096
)

// File is the contents of a file of signatures: those of each bank, in order.
type File map[pcr.Bank][]Signature

// Signature is an entry.
type Signature struct {
	PCRs pcr.Selection
	Key  Fingerprint
	// Policy is the policy digest that is signed, 32 bytes.
	Policy pcr.Digest
	Sig    []byte
	// read is the entry as it was read, which may have fields of a newer systemd.
	read json.RawMessage
}

// entry is a Signature in JSON, in systemd's order of fields.
type entry struct {
	PCRs []int  `json:"pcrs"`
	Key  string `json:"pkfp"`
	Pol  string `json:"pol"`
	Sig  []byte `json:"sig"`
}

// Parse reads a file. Fields that are not known are kept; an entry that makes no sense
// fails it, named by its bank and number from 0.
func Parse(text []byte) (File, error) {
	if len(text) > MaxFile {
		return nil, fmt.Errorf("policy signatures: %d bytes: want at most %d", len(text), MaxFile)
	}
	var banks map[string][]json.RawMessage
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&banks); err != nil {
		return nil, fmt.Errorf("policy signatures: not the JSON of systemd-measure: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("policy signatures: something follows the JSON object")
	}
	f := make(File)
	for _, name := range slices.Sorted(maps.Keys(banks)) {
		bank, err := pcr.ParseBank(name)
		if err != nil {
			return nil, fmt.Errorf("policy signatures: %w", err)
		}
		if _, twice := f[bank]; twice || len(banks[name]) > maxEntries {
			return nil, fmt.Errorf("policy signatures: bank %s comes twice, or with more than %d entries", bank, maxEntries)
		}
		f[bank] = make([]Signature, len(banks[name]))
		for i, raw := range banks[name] {
			if err := f[bank][i].parse(raw); err != nil {
				return nil, fmt.Errorf("policy signatures: %s: entry %d: %w", bank, i, err)
			}
		}
	}
	return f, nil
}

func (s *Signature) parse(raw json.RawMessage) error {
	var e entry
	if err := json.Unmarshal(raw, &e); err != nil {
		return err
	}
	for _, n := range e.PCRs {
		if n < 0 || n >= pcr.Count {
			return fmt.Errorf("field \"pcrs\": PCR %d: want 0 to %d", n, pcr.Count-1)
		}
		s.PCRs = s.PCRs.With(n)
	}
	key, err := hex.DecodeString(e.Key)
	if err != nil || len(key) != len(s.Key) {
		return fmt.Errorf("field \"pkfp\": want %d bytes in hex", len(s.Key))
	}
	s.Key = Fingerprint(key)
	if s.Policy, err = hex.DecodeString(e.Pol); err != nil || len(s.Policy) != sha256.Size {
		return fmt.Errorf("field \"pol\": want %d bytes in hex", sha256.Size)
	}
	if len(e.Sig) == 0 || len(e.Sig) > maxSig {
		return fmt.Errorf("field \"sig\": %d bytes: want 1 to %d", len(e.Sig), maxSig)
	}
	s.Sig, s.read = e.Sig, bytes.Clone(raw)
	return nil
}

// MarshalJSON writes the entry as systemd-measure does, or as it was read.
func (s Signature) MarshalJSON() ([]byte, error) {
	if s.read != nil {
		return s.read, nil
	}
	return json.Marshal(entry{
		PCRs: append([]int{}, s.PCRs.Indexes()...), Key: s.Key.String(), Pol: s.Policy.String(), Sig: s.Sig,
	})
}

// Bytes returns the file's text, compact with a newline, as systemd-measure's --json=short.
func (f File) Bytes() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, bank := range slices.Sorted(maps.Keys(f)) {
		if i > 0 {
			out.WriteByte(',')
		}
		entries := f[bank]
		if entries == nil {
			entries = []Signature{}
		}
		text, err := json.Marshal(entries)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, "%q:%s", bank.String(), text)
	}
	out.WriteString("}\n")
	if out.Len() > MaxFile {
		return nil, fmt.Errorf("policy signatures: %d bytes: want at most %d; leave old ones out", out.Len(), MaxFile)
	}
	return out.Bytes(), nil
}

// Add adds signatures of a bank, in place of those of the same key for the same policy
// of the same PCRs. It reports how many are new.
func (f File) Add(bank pcr.Bank, signatures ...Signature) int {
	added := 0
	for _, s := range signatures {
		at := slices.IndexFunc(f[bank], func(have Signature) bool { return have.same(s) })
		if at >= 0 {
			f[bank][at] = s
			continue
		}
		f[bank] = append(f[bank], s)
		added++
	}
	return added
}

func (s Signature) same(o Signature) bool {
	return s.PCRs == o.PCRs && s.Key == o.Key && s.Policy.Equal(o.Policy)
}

// Find returns the signatures of a key that approve of exactly these PCRs with this
// policy. Nothing is verified.
func (f File) Find(bank pcr.Bank, pcrs pcr.Selection, key Fingerprint, policy pcr.Digest) []Signature {
	var found []Signature
	for _, s := range f[bank] {
		if s.same(Signature{PCRs: pcrs, Key: key, Policy: policy}) {
			found = append(found, s)
		}
	}
	return found
}
