// Package lukstest makes LUKS2 headers for tests, without cryptsetup. They hold no
// key: what reads tokens takes them, and no passphrase opens them.
package lukstest

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/google/go-tpm/tpm2/transport"
)

const (
	copySize   = 0x4000 // bytes of a header's copy, as cryptsetup makes them
	binarySize = 0x1000
)

// Header is what a header shall say.
type Header struct {
	UUID     string
	Keyslots int                     // numbers 0 to Keyslots-1
	Tokens   map[int]json.RawMessage // their texts
}

// Boot is a boot that a volume opens for.
type Boot struct {
	Label  string
	Values pcr.Values
}

// Options say how a volume is enrolled.
type Options struct {
	UUID    string
	PCRs    pcr.BankSelection
	PIN     string
	Systemd int // the release that reads the tokens, 0 for the newest
}

// Enrolled returns a header as bootseal leaves it: keyslot 0 for a passphrase, 1 for the
// TPM with a token for each boot, and 2 for the recovery key. The tokens are numbered
// from 0; bootseal's own and the recovery key's follow.
func Enrolled(tpm transport.TPM, o Options, boots ...Boot) (*Header, error) {
	release := cmp.Or(o.Systemd, luks.Systemd257)
	parent, err := enrollment.ParentFor(tpm, release, nil)
	if err != nil {
		return nil, err
	}
	h := &Header{UUID: o.UUID, Keyslots: 3, Tokens: make(map[int]json.RawMessage)}
	expect := &luks.Boot{Keyslots: []int{1}}
	for id, b := range boots {
		p, err := enrollment.LiteralPolicy(b.Label, b.Values, o.PCRs, o.PIN != "")
		if err != nil {
			return nil, err
		}
		s, err := seal.Seal(tpm, seal.Options{Secret: make([]byte, 32), Policy: p, PIN: []byte(o.PIN), Parent: parent, UnsaltedPIN: enrollment.UnsaltedPIN(release)})
		if err != nil {
			return nil, err
		}
		token, err := enrollment.NewToken(s, 1)
		if err != nil {
			return nil, err
		}
		if h.Tokens[id], err = token.For(release); err != nil {
			return nil, err
		}
		expect.Paths = append(expect.Paths, luks.Path{Token: id, Label: b.Label, Bank: o.PCRs.Bank, PCRs: p.Branches[0].PCRs})
	}
	for _, token := range []luks.Token{expect, &luks.Recovery{Keyslots: []int{2}}} {
		text, err := token.MarshalJSON()
		if err != nil {
			return nil, err
		}
		h.Tokens[len(h.Tokens)] = text
	}
	return h, nil
}

// Bytes returns both copies.
func (h *Header) Bytes() []byte {
	text := h.metadata()
	return slices.Concat(h.copy("LUKS\xba\xbe", 0, text), h.copy("SKUL\xba\xbe", copySize, text))
}

func (h *Header) metadata() []byte {
	slots := make(map[string]any)
	for i := range h.Keyslots {
		slots[strconv.Itoa(i)] = map[string]any{"type": "luks2", "key_size": 64,
			"area": map[string]any{"type": "raw", "offset": strconv.Itoa(2*copySize + i*258048), "size": "258048", "encryption": "aes-xts-plain64", "key_size": 64},
			"kdf":  map[string]any{"type": "pbkdf2", "hash": "sha512", "iterations": 1000, "salt": "AAAA"}}
	}
	tokens := make(map[string]json.RawMessage)
	for id, t := range h.Tokens {
		tokens[strconv.Itoa(id)] = t
	}
	text, err := json.Marshal(map[string]any{"keyslots": slots, "tokens": tokens,
		"segments": map[string]any{"0": map[string]any{"type": "crypt", "offset": "16777216", "size": "dynamic", "encryption": "aes-xts-plain64", "sector_size": 512, "iv_tweak": "0"}},
		"digests":  map[string]any{"0": map[string]any{"type": "pbkdf2", "hash": "sha256", "iterations": 1000, "keyslots": []string{"0"}, "segments": []string{"0"}, "salt": "AAAA", "digest": "AAAA"}},
		"config":   map[string]any{"json_size": strconv.Itoa(copySize - binarySize), "keyslots_size": "16744448"}})
	if err != nil {
		panic(fmt.Sprintf("lukstest: %v", err)) // a token's text that is no JSON
	}
	return text
}

// copy is one copy: struct luks2_hdr_disk of cryptsetup's lib/luks2/luks2.h.
func (h *Header) copy(magic string, offset uint64, text []byte) []byte {
	b := make([]byte, copySize)
	copy(b, magic)
	binary.BigEndian.PutUint16(b[6:], 2)
	binary.BigEndian.PutUint64(b[8:], copySize)
	binary.BigEndian.PutUint64(b[16:], 1)
	copy(b[72:], "sha256")
	copy(b[168:], h.UUID)
	binary.BigEndian.PutUint64(b[256:], offset)
	if len(text) >= copySize-binarySize {
		panic("lukstest: the metadata do not fit")
	}
	copy(b[binarySize:], text)
	sum := sha256.Sum256(b)
	copy(b[448:], sum[:])
	return b
}
