package luks

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/bootseal/bootseal/pcr"
)

const typeClevis = "clevis"

// Clevis is a passphrase in a JWE whose key a clevis pin keeps (clevis,
// src/pins/tpm2/clevis-encrypt-tpm2 and src/luks/clevis-luks-bind). It is read
// only, to take a volume over: bootseal writes no such tokens.
type Clevis struct {
	Keyslots []int
	// Pin is clevis's name for what keeps the key: "tpm2", "tang", "sss". Only
	// tpm2 is taken apart.
	Pin  string
	TPM2 *ClevisTPM2 // nil with other pins
	JWE  JWE
	// Text is the token as it stands in the header.
	Text json.RawMessage
}

// ClevisTPM2 is a JWK that is sealed by a TPM.
type ClevisTPM2 struct {
	Hash string // the primary key's and the object's Name algorithm: "sha256"
	Key  string // the primary key: "ecc", "rsa", "keyedhash", "symcipher"
	// PCRs and Bank are those of the PolicyPCR. Without PCRs the object has no policy.
	PCRs pcr.Selection
	Bank pcr.Bank
	// Object is the sealed object. What it unseals to is for [JWE.Open].
	Object Blob
}

// JWE is an encrypted passphrase (RFC 7516).
type JWE struct {
	Alg, Enc    string
	protected   string // in base64url, as it is authenticated
	iv, ct, tag []byte
}

func (t *Clevis) Type() string                 { return typeClevis }
func (t *Clevis) Slots() []int                 { return t.Keyslots }
func (t *Clevis) MarshalJSON() ([]byte, error) { return t.Text, nil }

func parseClevis(o *object, slots []int, text []byte) (*Clevis, error) {
	t := &Clevis{Keyslots: slots, Text: bytes.Clone(text)}
	raw := o.must("jwe")
	if o.err != nil {
		return nil, o.err
	}
	header, err := t.JWE.parse(raw)
	if err == nil {
		err = t.readHeader(header)
	}
	if err != nil {
		return nil, fmt.Errorf("field \"jwe\": %w", err)
	}
	return t, nil
}

// parse reads a JWE in its flattened JSON form (RFC 7516, section 7.2.2), or compact
// in a string. It returns the protected header.
func (j *JWE) parse(raw []byte) (*object, error) {
	var compact string
	var part [5]string // protected, encrypted_key, iv, ciphertext, tag
	if json.Unmarshal(raw, &compact) == nil {
		split := strings.Split(compact, ".")
		if len(split) != len(part) {
			return nil, fmt.Errorf("a compact JWE of %d parts: want %d", len(split), len(part))
		}
		copy(part[:], split)
	} else {
		o, err := parseObject(raw)
		if err != nil {
			return nil, err
		}
		for i, name := range []string{"protected", "encrypted_key", "iv", "ciphertext", "tag"} {
			if name == "encrypted_key" {
				o.read(name, &part[i]) // empty, or absent, where the key is used directly
			} else {
				o.need(name, &part[i])
			}
		}
		if o.err != nil {
			return nil, o.err
		}
	}
	j.protected = part[0]
	var err error
	for _, f := range []struct {
		name, text string
		to         *[]byte
	}{{"iv", part[2], &j.iv}, {"ciphertext", part[3], &j.ct}, {"tag", part[4], &j.tag}} {
		if *f.to, err = unbase64url(f.text); err != nil {
			return nil, fmt.Errorf("field %q: %w", f.name, err)
		}
	}
	header, err := unbase64url(j.protected)
	if err != nil {
		return nil, fmt.Errorf("field \"protected\": %w", err)
	}
	o, err := parseObject(header)
	if err != nil {
		return nil, fmt.Errorf("field \"protected\": %w", err)
	}
	o.read("alg", &j.Alg)
	o.read("enc", &j.Enc)
	return o, o.err
}

func (t *Clevis) readHeader(header *object) error {
	raw := header.must("clevis")
	if header.err != nil {
		return header.err
	}
	o, err := parseObject(raw)
	if err != nil {
		return fmt.Errorf("field \"clevis\": %w", err)
	}
	o.need("pin", &t.Pin)
	if o.err != nil || t.Pin != "tpm2" {
		return o.err
	}
	if raw = o.must("tpm2"); o.err != nil {
		return o.err
	}
	if o, err = parseObject(raw); err != nil {
		return fmt.Errorf("field \"tpm2\": %w", err)
	}
	t.TPM2 = &ClevisTPM2{Hash: "sha256", Key: "ecc"} // clevis-encrypt-tpm2's defaults
	return t.TPM2.read(o)
}

func (t *ClevisTPM2) read(o *object) error {
	o.read("hash", &t.Hash)
	o.read("key", &t.Key)
	bank, pcrs := "sha1", "" // clevis's default, which it also writes
	o.read("pcr_bank", &bank)
	if o.read("pcr_ids", &pcrs); pcrs != "" && o.err == nil {
		var err error
		t.PCRs, err = pcr.ParseSelection(strings.ReplaceAll(pcrs, " ", ""))
		o.fail("pcr_ids", err)
		t.Bank, err = pcr.ParseBank(bank)
		o.fail("pcr_bank", err)
	}
	// Each is a TPM2B with its size, in base64url: put together they are a blob.
	var joined []byte
	for _, name := range []string{"jwk_priv", "jwk_pub"} {
		var text string
		o.need(name, &text)
		b, err := unbase64url(text)
		if err == nil {
			p := parts{rest: b}
			p.sized("TPM2B")
			err = p.done()
		}
		o.fail(name, err)
		joined = append(joined, b...)
	}
	if o.err != nil {
		return o.err
	}
	var err error
	t.Object, err = ParseBlob(joined)
	return err
}

// Open decrypts the passphrase with the JWK that the TPM unsealed: {"alg":
// "A256GCM","k":...}. The caller zeroes jwk and what is returned.
func (j *JWE) Open(jwk []byte) ([]byte, error) {
	if j.Alg != "dir" || j.Enc != "A256GCM" {
		return nil, fmt.Errorf("JWE with alg %q and enc %q: want dir and A256GCM", j.Alg, j.Enc)
	}
	o, err := parseObject(jwk)
	if err != nil {
		return nil, errors.New("what was unsealed is no JWK") // the error could quote the secret
	}
	var k string
	if !o.read("k", &k) {
		return nil, errors.New("what was unsealed is a JWK without a key")
	}
	key, err := unbase64url(k)
	if err != nil || len(key) != 32 {
		return nil, errors.New("what was unsealed is a JWK without a key of 32 bytes")
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	if len(j.iv) != gcm.NonceSize() || len(j.tag) != gcm.Overhead() {
		return nil, fmt.Errorf("JWE with an iv of %d and a tag of %d bytes: want 12 and 16", len(j.iv), len(j.tag))
	}
	sealed := append(bytes.Clone(j.ct), j.tag...)
	passphrase, err := gcm.Open(nil, j.iv, sealed, []byte(j.protected))
	if err != nil {
		return nil, errors.New("the JWE does not open with the key that was unsealed")
	}
	return passphrase, nil
}

func unbase64url(text string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("not base64url: %w", err)
	}
	return b, nil
}
