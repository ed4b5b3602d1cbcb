package luks

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/pcr"
)

const typeSystemdTPM2 = "systemd-tpm2"

// SystemdTPM2 is a passphrase that a TPM keeps, as systemd-cryptenroll writes it
// and systemd-cryptsetup and its libcryptsetup plugin read it (systemd,
// src/shared/tpm2-util.c, tpm2_make_luks2_json and tpm2_parse_luks2_json).
//
// The keyslot's passphrase is the standard base64 of what the TPM unseals, with
// padding, and no newline; see [Passphrase].
type SystemdTPM2 struct {
	Keyslots []int
	// Shards are the sealed objects: one, or two where a signed policy and pcrlock
	// are combined. Their contents, one behind the other, are the secret.
	Shards []Shard
	// PCRs are those of the literal PolicyPCR; it may be empty.
	PCRs pcr.Selection
	// Bank is 0 where the token names none: the reader then tries SHA-256 and SHA-1.
	Bank pcr.Bank
	// PrimaryAlg is the parent key's: "ecc", "rsa", or "" (which systemd takes for ecc).
	PrimaryAlg string
	PIN        bool
	// Salt is what the PIN is stretched with, 32 bytes; empty with systemd 252.
	Salt []byte
	// SRK is the parent. Without it the parent is made from systemd 252's template
	// each time.
	SRK *ESYSObject
	// PubkeyPCRs and Pubkey are those of a signed policy; Pubkey is PEM.
	PubkeyPCRs pcr.Selection
	Pubkey     []byte
	// PCRLock is whether the policy is systemd-pcrlock's, and PCRLockNV the NV index
	// that holds it.
	PCRLock   bool
	PCRLockNV *ESYSObject
	// Others are the fields that bootseal does not know: some newer systemd's.
	// Such a token may have a policy that nothing here describes.
	Others []Field
}

// Shard is one sealed object.
type Shard struct {
	Blob
	PolicyHash pcr.Digest // the object's authPolicy, SHA-256
}

// Literal reports whether the policy is a PolicyPCR and perhaps a PIN, and nothing
// else: what bootseal writes.
func (t *SystemdTPM2) Literal() bool {
	return len(t.Shards) == 1 && len(t.Pubkey) == 0 && t.PubkeyPCRs == 0 && !t.PCRLock && len(t.Others) == 0
}

func (t *SystemdTPM2) Type() string { return typeSystemdTPM2 }
func (t *SystemdTPM2) Slots() []int { return t.Keyslots }

func parseSystemdTPM2(o *object, slots []int) (*SystemdTPM2, error) {
	t := &SystemdTPM2{Keyslots: slots}
	t.Shards = shards(o)
	if pcrs := o.take("tpm2-pcrs"); pcrs == nil {
		o.fail("tpm2-pcrs", errMissing)
	} else {
		t.PCRs = selection(o, "tpm2-pcrs", pcrs)
	}
	var bank string
	if o.read("tpm2-pcr-bank", &bank) {
		var err error
		t.Bank, err = pcr.ParseBank(bank)
		o.fail("tpm2-pcr-bank", err)
	}
	o.read("tpm2-primary-alg", &t.PrimaryAlg)
	o.read("tpm2-pin", &t.PIN)
	o.read("tpm2_pcrlock", &t.PCRLock)
	if pcrs := o.take("tpm2_pubkey_pcrs"); pcrs != nil {
		t.PubkeyPCRs = selection(o, "tpm2_pubkey_pcrs", pcrs)
	}
	t.Pubkey = o.bytes("tpm2_pubkey")
	t.Salt = o.bytes("tpm2_salt")
	t.SRK = esys(o, "tpm2_srk", ESYSKey)
	t.PCRLockNV = esys(o, "tpm2_pcrlock_nv", ESYSNV)
	if o.err != nil {
		return nil, o.err
	}
	t.Others = o.fields
	return t, t.Check()
}

func shards(o *object) []Shard {
	blobs, hashes := o.list("tpm2-blob"), o.list("tpm2-policy-hash")
	if o.err != nil {
		return nil
	}
	if len(blobs) != len(hashes) {
		o.fail("tpm2-blob", fmt.Errorf("%d blobs and %d policy hashes: want as many", len(blobs), len(hashes)))
		return nil
	}
	all := make([]Shard, len(blobs))
	for i := range blobs {
		raw, err := unbase64(blobs[i])
		if err == nil {
			all[i].Blob, err = ParseBlob(raw)
		}
		o.fail("tpm2-blob", err)
		if all[i].PolicyHash, err = hex.DecodeString(hashes[i]); err != nil {
			o.fail("tpm2-policy-hash", errors.New("not hex"))
		}
	}
	return all
}

func selection(o *object, name string, raw []byte) pcr.Selection {
	numbers, err := numberList(raw)
	if err != nil {
		o.fail(name, err)
		return 0
	}
	var s pcr.Selection
	for _, n := range numbers {
		if n < 0 || n >= pcr.Count {
			o.fail(name, fmt.Errorf("PCR %d: want 0 to %d", n, pcr.Count-1))
			return 0
		}
		s = s.With(n)
	}
	return s
}

func esys(o *object, name string, kind ESYSKind) *ESYSObject {
	raw := o.bytes(name)
	if raw == nil {
		return nil
	}
	e, err := ParseESYS(raw)
	if err == nil && e.Kind != kind {
		err = fmt.Errorf("it is a %s: want a %s", e.Kind, kind)
	}
	o.fail(name, err)
	return e
}

// Check reports what is wrong with the token's fields, as far as that can be seen
// without a TPM.
func (t *SystemdTPM2) Check() error {
	switch {
	case len(t.Shards) == 0 || len(t.Shards) > 2:
		return fmt.Errorf("field %q: %d blobs: want 1 or 2", "tpm2-blob", len(t.Shards))
	case t.PrimaryAlg != "" && t.PrimaryAlg != "ecc" && t.PrimaryAlg != "rsa":
		return fmt.Errorf("field %q: %q: want ecc or rsa", "tpm2-primary-alg", t.PrimaryAlg)
	case len(t.Shards) == 2 && !(t.PCRLock && len(t.Pubkey) > 0):
		return fmt.Errorf("field %q: 2 blobs, which takes a public key and pcrlock", "tpm2-blob")
	case len(t.Salt) > 0 && !t.PIN:
		return fmt.Errorf("field %q: a salt without a PIN", "tpm2_salt")
	case len(t.Pubkey) == 0 && t.PubkeyPCRs != 0:
		return fmt.Errorf("field %q: PCRs of a public key that is missing", "tpm2_pubkey_pcrs")
	}
	for _, s := range t.Shards {
		if len(s.PolicyHash) != pcr.SHA256.Size() {
			return fmt.Errorf("field %q: %d bytes: want %d", "tpm2-policy-hash", len(s.PolicyHash), pcr.SHA256.Size())
		}
	}
	return nil
}

// The releases of systemd that changed the token.
const (
	Systemd252 = 252 // no salt, no SRK: the oldest that is written for
	Systemd255 = 255 // salted PINs, the SRK, pcrlock
	Systemd257 = 257 // two shards
)

// MarshalJSON writes the token in the form of the newest systemd, whether or not that
// can use it: what was read can be shown and written. For a token that a certain
// systemd shall open use [SystemdTPM2.For].
func (t *SystemdTPM2) MarshalJSON() ([]byte, error) { return t.write(false) }

// For writes the token for the release of systemd that will read it, 252 or later.
// It fails where that release would take the token for something else: an old one
// ignores the fields that it does not know, uses another parent and derives a PIN
// in another way.
func (t *SystemdTPM2) For(release int) ([]byte, error) {
	old := release < Systemd255
	for _, rule := range []struct {
		broken bool
		why    string
	}{
		{release < Systemd252, "it knows no tokens that bootseal can write: 252 is the oldest"},
		{len(t.Keyslots) != 1, fmt.Sprintf("it reads tokens of one keyslot, and this has %d", len(t.Keyslots))},
		{old && t.SRK != nil, "it ignores the SRK and makes another parent: seal to its template, and leave the SRK out"},
		{old && len(t.Salt) > 0, "it does not salt PINs: seal with an unsalted one"},
		{old && (t.PCRLock || t.PCRLockNV != nil), "it has no pcrlock"},
		{release < Systemd257 && len(t.Shards) > 1, "it reads one blob, and the token has two"},
	} {
		if rule.broken {
			return nil, fmt.Errorf("token (%s) for systemd %d: %s", typeSystemdTPM2, release, rule.why)
		}
	}
	return t.write(old)
}

func (t *SystemdTPM2) write(old bool) ([]byte, error) {
	if err := t.Check(); err != nil {
		return nil, fmt.Errorf("token (%s): %w", typeSystemdTPM2, err)
	}
	w := begin(t, nil)
	w.add("tpm2-blob", oneOrAll(t.Shards, func(s Shard) string { return base64.StdEncoding.EncodeToString(s.Bytes()) }))
	w.add("tpm2-pcrs", indexes(t.PCRs))
	if t.Bank != 0 {
		w.add("tpm2-pcr-bank", t.Bank.String())
	}
	if t.PrimaryAlg != "" {
		w.add("tpm2-primary-alg", t.PrimaryAlg)
	}
	w.add("tpm2-policy-hash", oneOrAll(t.Shards, func(s Shard) string { return s.PolicyHash.String() }))
	if t.PIN || old { // 252 always says it, 257 only when there is one
		w.add("tpm2-pin", t.PIN)
	}
	if t.PCRLock {
		w.add("tpm2_pcrlock", true)
	}
	if len(t.Pubkey) > 0 {
		w.add("tpm2_pubkey_pcrs", indexes(t.PubkeyPCRs))
		w.add("tpm2_pubkey", t.Pubkey)
	}
	if len(t.Salt) > 0 {
		w.add("tpm2_salt", t.Salt)
	}
	if t.SRK != nil {
		w.add("tpm2_srk", t.SRK.Bytes())
	}
	if t.PCRLockNV != nil {
		w.add("tpm2_pcrlock_nv", t.PCRLockNV.Bytes())
	}
	w.others(t.Others)
	return w.done()
}

func oneOrAll(shards []Shard, text func(Shard) string) any {
	all := make([]string, len(shards))
	for i, s := range shards {
		all[i] = text(s)
	}
	if len(all) == 1 {
		return all[0]
	}
	return all
}

// Passphrase returns the keyslot's passphrase for what the TPM unsealed (systemd,
// src/shared/cryptsetup-tpm2.c). The caller zeroes both.
func Passphrase(unsealed []byte) []byte {
	p := make([]byte, base64.StdEncoding.EncodedLen(len(unsealed)))
	base64.StdEncoding.Encode(p, unsealed)
	return p
}

// indexes are the selection's, as an array that is never null.
func indexes(s pcr.Selection) []int { return append([]int{}, s.Indexes()...) }
