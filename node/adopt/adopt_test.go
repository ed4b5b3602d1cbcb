package adopt_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/adopt"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/seal/pcrsig"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

var secret = []byte("32 bytes that a TPM has unsealed")

// found is what Find makes of tokens for keyslots 1 and 2 of a volume that has 0 to 2.
func found(t *testing.T, texts ...[]byte) []adopt.Token {
	t.Helper()
	return adopt.Find(inspected(t, texts...))
}

func inspected(t *testing.T, texts ...[]byte) *enrollment.Enrollment {
	t.Helper()
	m := &luks.Metadata{Keyslots: map[int]luks.Keyslot{0: {}, 1: {}, 2: {}}, Tokens: map[int]json.RawMessage{}}
	for id, text := range texts {
		m.Tokens[id] = text
	}
	e := enrollment.Inspect(&luks.Header{Copy: luks.Copy{Size: 16384}, Metadata: m})
	if len(e.Problems) > 0 {
		t.Fatal(e.Problems)
	}
	return e
}

func zeros(pcrs ...int) seal.Branch {
	b := seal.Branch{PCRs: map[int]pcr.Digest{}}
	for _, i := range pcrs {
		b.PCRs[i] = make(pcr.Digest, 32)
	}
	return b
}

func signer(t *testing.T) (*pcrsig.Key, pcrsig.Signer) {
	t.Helper()
	text, err := os.ReadFile("../../seal/pcrsig/testdata/key.pem")
	if err != nil {
		t.Fatal(err)
	}
	k, sign, err := pcrsig.ParsePrivateKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return k, sign
}

// systemd seals as a release of systemd-cryptenroll does.
func systemd(t *testing.T, tpm transport.TPM, release int, p seal.Policy, pin string) []byte {
	t.Helper()
	parent, err := enrollment.ParentFor(tpm, release, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.Bank, p.PIN = pcr.SHA256, pin != ""
	s, err := seal.Seal(tpm, seal.Options{Secret: secret, Policy: p, PIN: []byte(pin), Parent: parent, UnsaltedPIN: enrollment.UnsaltedPIN(release)})
	if err != nil {
		t.Fatal(err)
	}
	token, err := enrollment.NewToken(s, 1)
	if err != nil {
		t.Fatal(err)
	}
	if p.Signed != nil {
		token.Pubkey, token.PubkeyPCRs = []byte(p.Signed.PublicKey), p.Signed.PCRs
	}
	text, err := token.For(release)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestOpenSystemd(t *testing.T) {
	key, sign := signer(t)
	policy, err := seal.PCRPolicy(pcr.Values{pcr.SHA256: zeros(11).PCRs}, pcr.BankSelection{Bank: pcr.SHA256, PCRs: pcr.Select(11)})
	if err != nil {
		t.Fatal(err)
	}
	signature, err := pcrsig.Sign(key, sign, pcr.Select(11), policy)
	if err != nil {
		t.Fatal(err)
	}
	signed := &seal.Signed{PublicKey: key.PEM, PCRs: pcr.Select(11)}
	zeroExponent := *signed
	zeroExponent.ZeroExponent = true
	for _, release := range []int{luks.Systemd252, luks.Systemd257} {
		for _, c := range []struct {
			how    string
			policy seal.Policy
			pin    string
		}{
			{"PCRs 4,7 (sha256)", seal.Policy{Branches: []seal.Branch{zeros(4, 7)}}, ""},
			{"PCRs 7 (sha256) and a PIN", seal.Policy{Branches: []seal.Branch{zeros(7)}}, "1234"},
			{"this TPM, at any boot", seal.Policy{Branches: []seal.Branch{{}}}, ""},
			{"PCRs 7 (sha256), a signature for PCRs 11", seal.Policy{Branches: []seal.Branch{zeros(7)}, Signed: signed}, ""},
			{"PCRs 7 (sha256), a signature for PCRs 11 and a PIN", seal.Policy{Branches: []seal.Branch{zeros(7)}, Signed: &zeroExponent}, "1234"},
		} {
			t.Run(fmt.Sprintf("%d %s", release, c.how), func(t *testing.T) {
				tpm := vtpmtest.Open(t)
				old := found(t, systemd(t, tpm, release, c.policy, c.pin))
				if len(old) != 1 || old[0].How != c.how || old[0].By != "systemd-cryptenroll" || old[0].PIN != (c.pin != "") {
					t.Fatalf("%+v", old)
				}
				keys := adopt.Keys{PIN: []byte(c.pin), Signatures: []pcrsig.File{{pcr.SHA256: {signature}}}}
				got, err := old[0].Open(tpm, keys)
				if err != nil || !bytes.Equal(got, luks.Passphrase(secret)) {
					t.Errorf("%q, %v", got, err)
				}
				if c.pin != "" {
					if _, err := old[0].Open(tpm, adopt.Keys{Signatures: keys.Signatures}); !errors.Is(err, seal.ErrPINRequired) {
						t.Errorf("without a PIN: %v", err)
					}
				}
				if len(c.policy.Branches[0].PCRs) == 0 {
					return
				}
				extend(t, tpm, 7)
				var other *seal.UnmetError
				if _, err := old[0].Open(tpm, keys); !errors.As(err, &other) {
					t.Errorf("at another boot: %v", err)
				}
			})
		}
	}
}

func extend(t *testing.T, tpm transport.TPM, index int) {
	t.Helper()
	if _, err := (tpm2.PCRExtend{
		PCRHandle: tpm2.AuthHandle{Handle: tpm2.TPMHandle(index), Auth: tpm2.PasswordAuth(nil)},
		Digests:   tpm2.TPMLDigestValues{Digests: []tpm2.TPMTHA{{HashAlg: tpm2.TPMAlgSHA256, Digest: pcr.SHA256.Sum([]byte("another boot"))}}},
	}).Execute(tpm); err != nil {
		t.Fatal(err)
	}
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// sized puts a TPM2B's size in front.
func sized(b []byte) []byte { return append([]byte{byte(len(b) >> 8), byte(len(b))}, b...) }

// clevis makes a token as clevis-encrypt-tpm2 does: a JWE whose key, a JWK, is sealed.
// clevis itself does in cmd/bootseal's script adopt.txt.
func clevis(t *testing.T, tpm transport.TPM, passphrase string, p seal.Policy, tpm2Fields string) []byte {
	t.Helper()
	key := bytes.Repeat([]byte{7}, 32)
	parent, err := seal.MakeParent(tpm, nil, "clevis-ecc-sha256")
	if err != nil {
		t.Fatal(err)
	}
	jwk := fmt.Sprintf(`{"alg":"A256GCM","k":%q,"key_ops":["encrypt","decrypt"],"kty":"oct"}`, base64url(key))
	s, err := seal.Seal(tpm, seal.Options{Secret: []byte(jwk), Policy: p, Parent: parent})
	if err != nil {
		t.Fatal(err)
	}
	header := fmt.Sprintf(`{"alg":"dir","clevis":{"pin":"tpm2","tpm2":{"hash":"sha256","jwk_priv":%q,"jwk_pub":%q,"key":"ecc"%s}},"enc":"A256GCM"}`,
		base64url(sized(s.Private)), base64url(sized(s.Public)), tpm2Fields)
	return jwe(t, key, header, passphrase)
}

func jwe(t *testing.T, key []byte, header, passphrase string) []byte {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	protected, iv := base64url([]byte(header)), make([]byte, 12)
	out := gcm.Seal(nil, iv, []byte(passphrase), []byte(protected))
	text, err := json.Marshal(map[string]any{"type": "clevis", "keyslots": []string{"2"}, "jwe": map[string]string{
		"protected": protected, "encrypted_key": "", "iv": base64url(iv), "ciphertext": base64url(out[:len(out)-16]), "tag": base64url(out[len(out)-16:]),
	}})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestOpenClevis(t *testing.T) {
	tpm := vtpmtest.Open(t)
	p := seal.Policy{Bank: pcr.SHA256, Branches: []seal.Branch{zeros(4, 7)}}
	old := found(t, clevis(t, tpm, "a passphrase", p, `,"pcr_bank":"sha256","pcr_ids":"4,7"`))
	if len(old) != 1 || old[0].By != "clevis (tpm2)" || old[0].How != "PCRs 4,7 (sha256)" || !slices.Equal(old[0].Keyslots, []int{2}) {
		t.Fatalf("%+v", old)
	}
	if got, err := old[0].Open(tpm, adopt.Keys{}); err != nil || string(got) != "a passphrase" {
		t.Errorf("%q, %v", got, err)
	}
	extend(t, tpm, 4)
	var other *seal.UnmetError
	if _, err := old[0].Open(tpm, adopt.Keys{}); !errors.As(err, &other) {
		t.Errorf("at another boot: %v", err)
	}
}

// What cannot be opened is named, with the reason.
func TestFindNamesWhatCannotBeOpened(t *testing.T) {
	tpm := vtpmtest.Open(t)
	literal := systemd(t, tpm, luks.Systemd257, seal.Policy{Branches: []seal.Branch{zeros(7)}}, "")
	for _, c := range []struct{ text, by, says string }{
		{`{"type":"clevis","keyslots":["1"],"jwe":"` + base64url([]byte(`{"alg":"dir","enc":"A256GCM","clevis":{"pin":"tang","tang":{"url":"http://tang"}}}`)) + `...."}`, "clevis (tang)", `its pin is "tang"`},
		{`{"type":"clevis","keyslots":["1"],"jwe":"` + base64url([]byte(`{"alg":"dir","enc":"A256GCM","clevis":{"pin":"sss","sss":{}}}`)) + `...."}`, "clevis (sss)", `its pin is "sss"`},
		{strings.Replace(string(literal), `"tpm2-policy-hash"`, `"tpm2-new":1,"tpm2-policy-hash"`, 1), "systemd-cryptenroll", `its field "tpm2-new" is not known`},
	} {
		old := found(t, []byte(c.text))
		if len(old) != 1 || old[0].By != c.by || !strings.Contains(old[0].Cannot, c.says) {
			t.Errorf("%+v, want %s and %q", old, c.by, c.says)
			continue
		}
		if _, err := old[0].Open(nil, adopt.Keys{}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Error(err)
		}
	}
	if old := found(t, []byte(strings.Replace(string(literal), `["1"]`, `["9"]`, 1))); len(old) != 0 {
		t.Errorf("a token of a keyslot that is gone: %+v", old)
	}
}

// A keyslot goes with its tokens, unless a token that stays is for it.
func TestReplace(t *testing.T) {
	tpm := vtpmtest.Open(t)
	one := systemd(t, tpm, luks.Systemd257, seal.Policy{Branches: []seal.Branch{zeros(7)}}, "")
	two := []byte(strings.Replace(string(one), `["1"]`, `["2"]`, 1))
	e := inspected(t, one, two, []byte(`{"type":"another","keyslots":["2"]}`))
	old := adopt.Replace(e, adopt.Find(e))
	if !slices.Equal(old.Tokens, []int{0, 1}) || !slices.Equal(old.Keyslots, []int{1}) {
		t.Errorf("%+v", old)
	}
	own, err := (&luks.Boot{Keyslots: []int{2}}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if old := adopt.Find(inspected(t, one, two, own)); len(old) != 1 || old[0].ID != 0 {
		t.Errorf("bootseal's own is taken for another's: %+v", old)
	}
}
