package cryptsetup

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// systemd-pcrlock 257 makes a policy: PCR 12 and 13, which nothing was measured into, and
// PCR 16 with either of two values. systemd-cryptenroll seals to it: alone, and in two
// parts with a public key and a PIN.
func TestSystemd257PCRLock(t *testing.T) {
	n := openNewer(t)
	byToken(t) // skips without what reaches the TPM
	tpm, device := simulator(t)
	extend(t, tpm, 11, "kernel")
	signatures, file := n.signatures(tpm)
	key, _ := signer(t)
	public := n.write("public.pem", []byte(key.PEM))

	n.components("today", "tomorrow")
	measure(t, tpm, "today")
	policy := n.makePolicy(device)
	lock, err := os.ReadFile(policy)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := seal.ParsePCRLock(lock)
	if err != nil || len(parsed.Values[16]) != 2 || len(parsed.Values) != 3 {
		t.Fatalf("%+v, %v", parsed, err)
	}

	v := n.volume()
	both := []string{"--tpm2-public-key=" + n.inside(public), "--tpm2-public-key-pcrs=11", "--tpm2-signature=" + n.inside(signatures), "--tpm2-with-pin=yes"}
	for id, options := range [][]string{{}, both} {
		token := n.cryptenroll(v, id, append(options, "--tpm2-pcrlock="+n.inside(policy), "--tpm2-pcrs=", "--tpm2-device="+device))
		if !token.PCRLock || len(token.Shards) != id+1 {
			t.Fatalf("%+v", token)
		}
		f := foreign(token)
		f.PCRLock = parsed
		secret, err := seal.OpenForeign(tpm, f, []byte(pin), file)
		if err != nil {
			t.Errorf("%v: %v", options, err)
			continue
		}
		if err := v.Test(t.Context(), luks.Passphrase(secret), token.Keyslots[0]); err != nil {
			t.Errorf("%v: %v", options, err)
		}
	}
}

// components writes variants of a component for PCR 16, and logs of a boot that has
// measured the first.
func (n *newer) components(variants ...string) {
	n.t.Helper()
	components := filepath.Join(n.dir, "components", "500-test.pcrlock.d")
	if err := os.MkdirAll(components, 0o700); err != nil {
		n.t.Fatal(err)
	}
	for _, v := range variants {
		if _, err := n.run(nil, "/usr/lib/systemd/systemd-pcrlock", "lock-raw", "--pcr=16",
			"--pcrlock="+n.inside(filepath.Join(components, v+".pcrlock")), n.inside(n.write(v, []byte(v)))); err != nil {
			n.t.Fatalf("%v %s", err, stderr(err))
		}
	}
	firmware, err := os.ReadFile("../../eventlog/testdata/boots/c-uki-nosb/2-k54-second/eventlog.bin")
	if err != nil {
		n.t.Fatal(err)
	}
	n.write("firmware.log", firmware)
	record := map[string]any{"pcr": 16, "content_type": "systemd", "content": map[string]any{"string": variants[0], "eventType": "phase"}}
	var digests []map[string]string
	for _, bank := range []pcr.Bank{pcr.SHA1, pcr.SHA256, pcr.SHA384, pcr.SHA512} {
		digests = append(digests, map[string]string{"hashAlg": bank.String(), "digest": bank.Sum([]byte(variants[0])).String()})
	}
	record["digests"] = digests
	text, err := json.Marshal(record)
	if err != nil {
		n.t.Fatal(err)
	}
	n.write("userspace.log", append(append([]byte{0x1e}, text...), '\n')) // RFC 7464
}

// makePolicy has systemd-pcrlock write the policy and its NV index.
func (n *newer) makePolicy(device string) string {
	n.t.Helper()
	policy := filepath.Join(n.dir, "pcrlock.json")
	env := []string{"SYSTEMD_TPM2_DEVICE=" + device,
		"SYSTEMD_MEASURE_LOG_FIRMWARE=" + n.inside(filepath.Join(n.dir, "firmware.log")),
		"SYSTEMD_MEASURE_LOG_USERSPACE=" + n.inside(filepath.Join(n.dir, "userspace.log"))}
	if _, err := n.run(env, "/usr/lib/systemd/systemd-pcrlock", "make-policy", "--pcr=12", "--pcr=13", "--pcr=16",
		"--components="+n.inside(filepath.Join(n.dir, "components")), "--policy="+n.inside(policy)); err != nil {
		n.t.Fatalf("%v %s", err, stderr(err))
	}
	return policy
}

// measure extends PCR 16 in all banks.
func measure(t *testing.T, tpm transport.TPM, data string) {
	t.Helper()
	var list tpm2.TPMLDigestValues
	for _, bank := range []pcr.Bank{pcr.SHA1, pcr.SHA256, pcr.SHA384, pcr.SHA512} {
		list.Digests = append(list.Digests, tpm2.TPMTHA{HashAlg: tpm2.TPMIAlgHash(bank), Digest: bank.Sum([]byte(data))})
	}
	if _, err := (tpm2.PCRExtend{PCRHandle: tpm2.AuthHandle{Handle: tpm2.TPMHandle(16), Auth: tpm2.PasswordAuth(nil)}, Digests: list}).Execute(tpm); err != nil {
		t.Fatal(err)
	}
}
