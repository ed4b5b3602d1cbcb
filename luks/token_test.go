package luks

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/pcr"
)

func sampleToken[T Token](t testing.TB, id int) T {
	t.Helper()
	token, err := ParseToken(id, sampleMetadata(t).Tokens[id])
	if err != nil {
		t.Fatal(err)
	}
	return token.(T)
}

// What systemd-cryptenroll 252 wrote is written again to the byte.
func TestSystemd252(t *testing.T) {
	m := sampleMetadata(t)
	for id, want := range map[int]SystemdTPM2{
		0: {Keyslots: []int{1}, PCRs: pcr.Select(4, 7)},
		1: {Keyslots: []int{2}, PCRs: pcr.Select(7), PIN: true},
		3: {Keyslots: []int{5}, PCRs: pcr.Select(7), PubkeyPCRs: pcr.Select(11)},
	} {
		got := sampleToken[*SystemdTPM2](t, id)
		if text, err := got.For(Systemd252); err != nil || string(text) != string(m.Tokens[id]) {
			t.Errorf("token %d, %v:\nhave %s\nwant %s", id, err, text, m.Tokens[id])
		}
		if len(got.Shards) != 1 || len(got.Shards[0].Public) != 0x4e || got.Shards[0].Seed != nil {
			t.Fatalf("token %d: %+v", id, got.Shards)
		}
		// The object's authPolicy is the hash that stands beside it: type, nameAlg and
		// attributes come before it, and its size.
		if policy := got.Shards[0].Public[10:42]; !got.Shards[0].PolicyHash.Equal(policy) {
			t.Errorf("token %d: policy hash %s, the object's policy %x", id, got.Shards[0].PolicyHash, policy)
		}
		if (len(got.Pubkey) > 0) != (id == 3) || got.Literal() != (id != 3) {
			t.Errorf("token %d: public key %q, literal %v", id, got.Pubkey, got.Literal())
		}
		if id == 3 && !bytes.HasPrefix(got.Pubkey, []byte("-----BEGIN PUBLIC KEY-----\n")) {
			t.Errorf("public key %q", got.Pubkey)
		}
		want.Shards, want.Pubkey, want.Bank, want.PrimaryAlg, want.Others = got.Shards, got.Pubkey, pcr.SHA256, "ecc", []Field{}
		if !reflect.DeepEqual(*got, want) {
			t.Errorf("token %d: %+v", id, got)
		}
	}
}

// newest is a token with every field that systemd 257 has.
func newest(t testing.TB) *SystemdTPM2 {
	token := sampleToken[*SystemdTPM2](t, 3)
	public := token.Shards[0].Public // any public area has a Name
	token.PIN, token.Salt = true, bytes.Repeat([]byte{7}, 32)
	token.SRK = &ESYSObject{Kind: ESYSKey, Handle: 0x81000001, Name: append([]byte{0, 0xb}, pcr.SHA256.Sum(public)...), Public: public}
	token.PCRLock = true
	token.PCRLockNV = &ESYSObject{Kind: ESYSNV, Handle: 0x01800001, Name: append([]byte{0, 0xb}, make([]byte, 32)...), Public: []byte{1, 0x80, 0, 1}}
	token.Shards = append(token.Shards, sampleToken[*SystemdTPM2](t, 0).Shards...)
	token.Shards[0].Seed = []byte{1, 2, 3}
	return token
}

func TestSystemd257(t *testing.T) {
	want := newest(t)
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	o, err := parseObject(text)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range o.fields {
		names = append(names, f.Name)
	}
	if got := strings.Join(names, " "); got != "type keyslots tpm2-blob tpm2-pcrs tpm2-pcr-bank tpm2-primary-alg tpm2-policy-hash tpm2-pin "+
		"tpm2_pcrlock tpm2_pubkey_pcrs tpm2_pubkey tpm2_salt tpm2_srk tpm2_pcrlock_nv" {
		t.Errorf("fields %s", got)
	}
	got, err := ParseToken(3, text)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, Token(want)) {
		t.Errorf("have %+v\nwant %+v", got, want)
	}
}

// 257 says nothing of a PIN that is not there, 252 always does. Both read both.
func TestPINIsSaidAsTheTargetDoes(t *testing.T) {
	token := sampleToken[*SystemdTPM2](t, 0)
	for release, want := range map[int]bool{252: true, 254: true, 255: false, 257: false} {
		text, err := token.For(release)
		if err != nil || strings.Contains(string(text), `"tpm2-pin":false`) != want {
			t.Errorf("%d: %s, %v", release, text, err)
		}
	}
}

func TestForRefusesWhatTheTargetWouldMisread(t *testing.T) {
	for _, c := range []struct {
		release int
		change  func(*SystemdTPM2)
		says    string
	}{
		{251, func(*SystemdTPM2) {}, "252 is the oldest"},
		{252, func(s *SystemdTPM2) { s.Keyslots = nil }, "it reads tokens of one keyslot, and this has 0"},
		{252, func(s *SystemdTPM2) { s.SRK = newest(t).SRK }, "it ignores the SRK"},
		{254, func(s *SystemdTPM2) { s.PIN, s.Salt = true, make([]byte, 32) }, "it does not salt PINs"},
		{252, func(s *SystemdTPM2) { s.PCRLock = true }, "it has no pcrlock"},
		{256, func(s *SystemdTPM2) { *s = *newest(t) }, "the token has two"},
		{257, func(s *SystemdTPM2) { s.Salt = make([]byte, 32) }, "a salt without a PIN"},
		{257, func(s *SystemdTPM2) { s.Shards = nil }, "0 blobs"},
	} {
		token := sampleToken[*SystemdTPM2](t, 0)
		c.change(token)
		if _, err := token.For(c.release); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%d: %v, want %q", c.release, err, c.says)
		}
	}
}

// Fields of a systemd to come stay, and keep bootseal from calling the policy literal.
func TestUnknownFieldsStay(t *testing.T) {
	text := []byte(strings.Replace(string(sampleMetadata(t).Tokens[0]), `"tpm2-blob"`, `"tpm2_new":{"a":1.0},"tpm2-blob"`, 1))
	token, err := ParseToken(0, text)
	if err != nil {
		t.Fatal(err)
	}
	if token.(*SystemdTPM2).Literal() {
		t.Error("it is called literal")
	}
	if out, err := json.Marshal(token); err != nil || !strings.Contains(string(out), `"tpm2_new":{"a":1.0}`) {
		t.Errorf("%s, %v", out, err)
	}
}

func TestParseTokenRefuses(t *testing.T) {
	good := string(sampleMetadata(t).Tokens[0])
	for _, c := range []struct{ from, to, says string }{
		{`"type":"systemd-tpm2"`, `"Type":"systemd-tpm2"`, `token 9: field "type": it is missing`},
		{`"type":"systemd-tpm2"`, `"type":7`, `token 9: field "type": json`},
		{`"type":"systemd-tpm2","keyslots":["1"]`, `"type":"\u001b[2J","keyslots":["x"]`, `token 9 ("\x1b[2J"): field "keyslots"`},
		{`"keyslots":["1"]`, `"keyslots":[1]`, `token 9 (systemd-tpm2): field "keyslots": want an array like`},
		{`"keyslots":["1"]`, `"keyslots":["1","1"]`, `field "keyslots": 1 comes twice`},
		{`"keyslots":["1"]`, `"keyslots":["-1"]`, `field "keyslots": "-1": want a number`},
		{`"tpm2-pcrs":[4,7]`, `"tpm2-pcrs":[24]`, `field "tpm2-pcrs": PCR 24: want 0 to 23`},
		{`"tpm2-pcrs":[4,7]`, `"tpm2-pcrs":[null]`, `field "tpm2-pcrs": null`},
		{`"tpm2-pcrs":[4,7],`, ``, `field "tpm2-pcrs": it is missing`},
		{`"tpm2-pcr-bank":"sha256"`, `"tpm2-pcr-bank":"md5"`, `field "tpm2-pcr-bank"`},
		{`"tpm2-primary-alg":"ecc"`, `"tpm2-primary-alg":"dsa"`, `field "tpm2-primary-alg": "dsa": want ecc or rsa`},
		{`"tpm2-blob":"`, `"tpm2-blob":"A`, `field "tpm2-blob": not base64`},
		{`"tpm2-blob":"AJ4`, `"tpm2-blob":"//4`, `field "tpm2-blob": TPM2B_PRIVATE: 65534 bytes: want at most 4096`},
		{`"tpm2-policy-hash":"`, `"tpm2-policy-hash":"00`, `field "tpm2-policy-hash": 33 bytes: want 32`},
		{`"tpm2-policy-hash":"`, `"tpm2-policy-hash":"xy`, `field "tpm2-policy-hash": not hex`},
		{`"tpm2-pin":false`, `"tpm2-pin":null`, `field "tpm2-pin": null`},
		{`"tpm2-pin":false`, `"tpm2-pin":false,"tpm2-pin":true`, `field "tpm2-pin" comes twice`},
		{`"tpm2-pin":false`, `"tpm2_srk":"AAAA"`, `field "tpm2_srk": handle: 3 bytes are left: want 4`},
		{`"tpm2-pin":false`, `"tpm2_salt":"AAAA"`, `field "tpm2_salt": a salt without a PIN`},
	} {
		bad := strings.Replace(good, c.from, c.to, 1)
		if bad == good {
			t.Errorf("%s is not in the sample", c.from)
		}
		if _, err := ParseToken(9, []byte(bad)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %s", c.to, err, c.says)
		}
	}
}

func TestUnknownTypesStayByteForByte(t *testing.T) {
	m := sampleMetadata(t)
	const text = `{"type":"example.com/other","keyslots":[],"x":[1.0,"a/b","é"]}`
	token := sampleToken[*Unknown](t, 5)
	if got, err := token.MarshalJSON(); err != nil || string(got) != string(m.Tokens[5]) || string(got) != text {
		t.Errorf("%s, %v", got, err)
	}
}

func TestRecovery(t *testing.T) {
	token := sampleToken[*Recovery](t, 2)
	if got, err := json.Marshal(token); err != nil || string(got) != `{"type":"systemd-recovery","keyslots":["3"]}` {
		t.Errorf("%s, %v", got, err)
	}
}

// tpm2-tss serialized this SRK (tpm2_readpublic -t).
func TestParseESYSReadsTheRealThing(t *testing.T) {
	raw, err := unbase64("gQAAAQAiAAuipXsmrLMhlSs3nBgamaduONdPsGtHrdJQm5QHkdTY/QAAAAEAWgAjAAsAAwRyAAAABgCAAEMAEAADABAAIEpJMkb4R53Og35iQy+Gd1eb" +
		"IrDtDBTzirw6tBKPUMr8ACBx0SLchLrE1cPZuYL/cGyetAteu5zIpEL9X6XBjekl6g==")
	if err != nil {
		t.Fatal(err)
	}
	srk, err := ParseESYS(raw)
	if err != nil {
		t.Fatal(err)
	}
	if srk.Kind != ESYSKey || srk.Handle != 0x81000001 || len(srk.Name) != 34 || len(srk.Public) != 0x5a || !bytes.Equal(srk.Bytes(), raw) {
		t.Errorf("%+v", srk)
	}
}

func TestESYSNameMustBeThePublicAreas(t *testing.T) {
	key := newest(t).SRK
	if got, err := ParseESYS(key.Bytes()); err != nil || !reflect.DeepEqual(got, key) {
		t.Errorf("%+v, %v", got, err)
	}
	key.Name[5] ^= 1
	if _, err := ParseESYS(key.Bytes()); err == nil || !strings.Contains(err.Error(), "not that of the public area") {
		t.Error(err)
	}
	key.Kind = 3
	if _, err := ParseESYS(key.Bytes()); err == nil || !strings.Contains(err.Error(), "type 3") {
		t.Error(err)
	}
}

func FuzzParseToken(f *testing.F) {
	for _, text := range sampleMetadata(f).Tokens {
		f.Add([]byte(text))
	}
	for _, token := range []Token{newest(f), bootToken(), guarded(f)} {
		text, err := json.Marshal(token)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		token, err := ParseToken(0, text)
		if err != nil {
			return
		}
		out, err := json.Marshal(token)
		if err != nil {
			t.Fatalf("%+v cannot be written: %v", token, err)
		}
		again, err := ParseToken(0, out)
		if err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		// What comes second has the form that is written, and stays as it is.
		if third, err := json.Marshal(again); err != nil || !bytes.Equal(out, third) {
			t.Errorf("%v:\n%s\n%s", err, out, third)
		}
	})
}

func FuzzBinary(f *testing.F) {
	f.Add(newest(f).SRK.Bytes())
	f.Add(newest(f).Shards[0].Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		if blob, err := ParseBlob(b); err == nil && !bytes.Equal(blob.Bytes(), b) {
			t.Errorf("blob %x became %x", b, blob.Bytes())
		}
		if e, err := ParseESYS(b); err == nil && !bytes.Equal(e.Bytes(), b) {
			t.Errorf("object %x became %x", b, e.Bytes())
		}
	})
}
