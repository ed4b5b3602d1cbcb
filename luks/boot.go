package luks

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/pcr"
)

const typeBoot = "bootseal"

// bootVersion is the version of [Boot]'s encoding.
const bootVersion = 1

// maxLabel is the longest label of a path in bytes.
const maxLabel = 128

// Boot is bootseal's own token: which boot each of the others is for, and what
// was expected of it, for which systemd's token has no field. It opens nothing, and
// nothing is lost with it but explanations. docs/luks.md has an example.
//
// A [Path] refers to a token by its number, which another program may have given to
// another token since: it counts only where its PCR values lead to the policy
// hash of that token.
type Boot struct {
	Keyslots []int
	Paths    []Path
}

// Path is a boot that a token is for.
type Path struct {
	Token int    // the number of the token, systemd-tpm2 or bootseal-tpm2
	Label string // what a person calls the boot, at most 128 bytes: "Debian, kernel 6.1.0-56"
	Bank  pcr.Bank
	// PCRs are the values that the token's policy stands for.
	PCRs map[int]pcr.Digest
	// Events is a digest of the events that led there, in the bank's algorithm; it
	// tells whether two expectations are the same boot. It may be empty.
	Events pcr.Digest
}

func (t *Boot) Type() string { return typeBoot }
func (t *Boot) Slots() []int { return t.Keyslots }

// bootPath is a Path in JSON. Digests are base64: a third shorter than hex, in an
// area that has 12 KiB for all tokens.
type bootPath struct {
	Token  int            `json:"token"`
	Label  string         `json:"label"`
	Bank   string         `json:"bank"`
	PCRs   map[int][]byte `json:"pcrs"`
	Events []byte         `json:"events,omitempty"`
}

func parseBoot(o *object, slots []int) (*Boot, error) {
	var version int
	o.need("version", &version)
	if o.err == nil && version != bootVersion {
		o.fail("version", fmt.Errorf("%d: want %d; a newer bootseal wrote it", version, bootVersion))
	}
	raw := o.must("paths")
	if o.err != nil {
		return nil, o.err
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil || list == nil {
		return nil, errors.New(`field "paths": want an array`)
	}
	t := &Boot{Keyslots: slots}
	for i, raw := range list {
		p, err := parsePath(raw)
		if err != nil {
			return nil, fmt.Errorf("field \"paths\": %d: %w", i, err)
		}
		t.Paths = append(t.Paths, p)
	}
	if o.nothingElse(); o.err != nil {
		return nil, o.err
	}
	return t, t.Check()
}

func parsePath(raw []byte) (Path, error) {
	o, err := parseObject(raw)
	if err != nil {
		return Path{}, err
	}
	p, bank := Path{}, ""
	o.need("token", &p.Token)
	o.need("label", &p.Label)
	o.need("bank", &bank)
	if o.err == nil {
		p.Bank, err = pcr.ParseBank(bank)
		o.fail("bank", err)
	}
	if pcrs := o.must("pcrs"); pcrs != nil {
		p.PCRs, err = parsePCRs(pcrs)
		o.fail("pcrs", err)
	}
	p.Events = o.bytes("events")
	o.nothingElse()
	return p, o.err
}

func parsePCRs(raw []byte) (map[int]pcr.Digest, error) {
	o, err := parseObject(raw)
	if err != nil {
		return nil, err
	}
	all := make(map[int]pcr.Digest)
	for len(o.fields) > 0 {
		name := o.fields[0].Name
		n, err := parseID(name)
		if err != nil {
			return nil, err
		}
		if all[n] = o.bytes(name); o.err != nil {
			return nil, o.err
		}
	}
	return all, nil
}

// Check reports what is wrong with the token's fields.
func (t *Boot) Check() error {
	seen := map[int]bool{}
	for i, p := range t.Paths {
		if err := p.check(); err != nil {
			return fmt.Errorf("field \"paths\": %d: %w", i, err)
		}
		if seen[p.Token] {
			return fmt.Errorf("field \"paths\": %d: token %d comes twice", i, p.Token)
		}
		seen[p.Token] = true
	}
	return nil
}

func (p *Path) check() error {
	switch {
	case p.Token < 0 || p.Token >= MaxTokens:
		return fmt.Errorf("field \"token\": %d: want 0 to %d", p.Token, MaxTokens-1)
	case len(p.Label) > maxLabel || !printable(p.Label): // it goes to consoles, and whoever holds the disk can write it
		return fmt.Errorf("field \"label\": %q: want at most %d bytes that can be printed", p.Label, maxLabel)
	case p.Bank.Size() == 0:
		return fmt.Errorf("field \"bank\": %s: the size of its digests is not known", p.Bank)
	case len(p.Events) != 0 && len(p.Events) != p.Bank.Size():
		return fmt.Errorf("field \"events\": %d bytes: want %d", len(p.Events), p.Bank.Size())
	}
	for n, v := range p.PCRs {
		if n < 0 || n >= pcr.Count || len(v) != p.Bank.Size() {
			return fmt.Errorf("field \"pcrs\": PCR %d with %d bytes: want PCR 0 to %d with %d", n, len(v), pcr.Count-1, p.Bank.Size())
		}
	}
	return nil
}

// MarshalJSON writes the token.
func (t *Boot) MarshalJSON() ([]byte, error) {
	if err := t.Check(); err != nil {
		return nil, fmt.Errorf("token (%s): %w", typeBoot, err)
	}
	paths := make([]bootPath, len(t.Paths))
	for i, p := range t.Paths {
		paths[i] = bootPath{Token: p.Token, Label: p.Label, Bank: p.Bank.String(), Events: p.Events, PCRs: make(map[int][]byte, len(p.PCRs))}
		for n, v := range p.PCRs {
			paths[i].PCRs[n] = v
		}
	}
	w := begin(t, nil)
	w.add("version", bootVersion)
	w.add("paths", paths)
	return w.done()
}
