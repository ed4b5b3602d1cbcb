package luks

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/pcr"
)

// guarded is a token with every field.
func guarded(t testing.TB) *BootsealTPM2 {
	name := append([]byte{0, 0xb}, pcr.SHA256.Sum([]byte("x"))...)
	sample := sampleToken[*SystemdTPM2](t, 3)
	return &BootsealTPM2{
		Keyslots: []int{1}, Object: sample.Shards[0].Blob, PCRs: pcr.Select(4, 7), Bank: pcr.SHA256,
		Parent:     TPM2Parent{Handle: 0x81000001, Name: name},
		Guard:      &TPM2Guard{Index: 0x0180b580, Name: name, Value: math.MaxUint64},
		PubkeyPCRs: pcr.Select(11), Pubkey: sample.Pubkey, PIN: true, Salt: bytes.Repeat([]byte{7}, 32),
	}
}

func TestBootsealTPM2(t *testing.T) {
	full, bare := guarded(t), guarded(t)
	bare.Parent = TPM2Parent{Template: "systemd-ecc-sha256", Name: bare.Parent.Name}
	bare.Guard, bare.Pubkey, bare.PubkeyPCRs, bare.PIN, bare.Salt = nil, nil, 0, false, nil
	for _, want := range []*BootsealTPM2{full, bare} {
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseToken(0, text)
		if err != nil || !reflect.DeepEqual(got, Token(want)) {
			t.Errorf("%+v, %v", got, err)
		}
	}
	text, err := full.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`{"type":"bootseal-tpm2","keyslots":["1"],"version":1,"blob":"AJ4`, `"pcrs":[4,7],"bank":"sha256","parent":{"handle":"0x81000001","name":"AAst`,
		`"guard":{"index":"0x0180b580","name":"AAst`, `"value":"18446744073709551615"},"pubkey_pcrs":[11],"pubkey":"LS0t`, `"pin":true,"salt":"BwcH`} {
		if !strings.Contains(string(text), part) {
			t.Errorf("%s is not in %s", part, text)
		}
	}
	if want := sampleToken[*SystemdTPM2](t, 3).Shards[0].PolicyHash; !full.PolicyHash().Equal(want) {
		t.Errorf("policy hash %s, want %s", full.PolicyHash(), want)
	}
}

func TestParseBootsealTPM2Refuses(t *testing.T) {
	text, err := guarded(t).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, to, says string }{
		{`"version":1`, `"version":2`, `token 9 (bootseal-tpm2): field "version": 2: want 1; a newer bootseal wrote it`},
		{`"version":1`, `"version":1,"extra":1`, `field "extra": it is not known`},
		{`"version":1,`, ``, `field "version": it is missing`},
		{`"blob":"AJ4`, `"blob":"//4`, `field "blob": TPM2B_PRIVATE: 65534 bytes`},
		{`"pcrs":[4,7]`, `"pcrs":[24]`, `field "pcrs": PCR 24`},
		{`"bank":"sha256"`, `"bank":"md5"`, `field "bank"`},
		{`"handle":"0x81000001"`, `"handle":"0x81000001","template":"x"`, `field "parent": want a handle or a template`},
		{`"handle":"0x81000001",`, ``, `field "parent": want a handle or a template`},
		{`"handle":"0x81000001"`, `"handle":"0x80000001"`, `field "parent": the handle is not that of a key that stays`},
		{`"handle":"0x81000001"`, `"handle":"2164260865"`, `field "parent": field "handle": "2164260865" is no handle`},
		{`"handle":"0x81000001"`, `"handle":"0x81000001","more":1`, `field "parent": field "more": it is not known`},
		{`"name":"AAst`, `"name":"BBst`, `field "parent": it has no Name`},
		{`"index":"0x0180b580","name":"AAst`, `"index":"0x0180b580","name":"BBst`, `field "guard": no NV index with a Name`},
		{`"index":"0x0180b580"`, `"index":"0x8180b580"`, `field "guard": no NV index with a Name`},
		{`"value":"18446744073709551615"`, `"value":"18446744073709551616"`, `field "guard": field "value"`},
		{`"value":"18446744073709551615"`, `"value":"+1"`, `field "guard": field "value"`},
		{`"value":"18446744073709551615"`, `"value":1`, `field "guard": field "value"`},
		{`"pubkey_pcrs":[11],`, ``, `field "pubkey": a public key without PCRs`},
		{`"pin":true,`, ``, `field "salt": a salt without a PIN`},
	} {
		bad := strings.Replace(string(text), c.from, c.to, 1)
		if bad == string(text) {
			t.Errorf("%s is not in %s", c.from, text)
		}
		if _, err := ParseToken(9, []byte(bad)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %s", c.to, err, c.says)
		}
	}
}

// An object of another kind, Name algorithm or length has no policy hash to compare.
func TestBootsealTPM2Object(t *testing.T) {
	for at, to := range map[int]byte{1: 0x23, 3: 4, 9: 20} {
		token := guarded(t)
		token.Object.Public = bytes.Clone(token.Object.Public)
		token.Object.Public[at] = to
		if _, err := token.MarshalJSON(); err == nil || !strings.Contains(err.Error(), `field "blob": no sealed object`) {
			t.Errorf("byte %d: %v", at, err)
		}
	}
	token := guarded(t)
	token.Object.Public = token.Object.Public[:41]
	if token.PolicyHash() != nil {
		t.Error("a policy hash of half an object")
	}
	token = guarded(t)
	token.Object.Seed = []byte{1}
	if _, err := token.MarshalJSON(); err == nil || !strings.Contains(err.Error(), "has to be imported") {
		t.Error(err)
	}
}
