package cryptsetup

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/seal/pcrsig"
	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/server"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// systemd's plugin, unchanged, opens a volume by tokens that are written here: it asks
// the TPM for the passphrase, which opens the keyslot. After the boot has changed it
// does not.
func TestStockSystemdOpensOurTokens(t *testing.T) {
	v := volume(t)
	program := byToken(t)
	tpm, device := simulator(t)
	extend(t, tpm, 11, "kernel")
	signatures := signedFor(t, tpm)

	var tokens []int
	for _, o := range kinds(t, tpm) {
		o.Secret = make([]byte, 32)
		rand.Read(o.Secret)
		slot, err := v.AddKey(t.Context(), passphrase, luks.Passphrase(o.Secret), Quick)
		if err != nil {
			t.Fatal(err)
		}
		token := sealFor252(t, tpm, o)
		token.Keyslots = []int{slot}
		text, err := token.For(luks.Systemd252)
		if err != nil {
			t.Fatal(err)
		}
		id, err := v.ImportToken(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := open(t, program, v.Path(), device, id, signatures, string(o.PIN)); err != nil || got != strconv.Itoa(slot) {
			t.Errorf("token %s: keyslot %q, %v %s, want %d", text, got, err, stderr(err), slot)
		}
		tokens = append(tokens, id)
	}
	extend(t, tpm, 7, "another boot")
	for _, id := range tokens {
		if got, err := open(t, program, v.Path(), device, id, signatures, pin); err == nil {
			t.Errorf("token %d: keyslot %s opened in another boot", id, got)
		}
	}
}

const pin = "a PIN"

// kinds are the policies that systemd 252 knows, for PCR 4 and 7 as they are.
func kinds(t *testing.T, tpm transport.TPM) []seal.Options {
	t.Helper()
	sel := pcr.BankSelection{Bank: pcr.SHA256, PCRs: pcr.Select(4, 7)}
	values, err := seal.ReadPCRs(tpm, sel)
	if err != nil {
		t.Fatal(err)
	}
	branch, err := seal.NewBranch("", values, sel)
	if err != nil {
		t.Fatal(err)
	}
	key, _ := signer(t)
	plain := seal.Policy{Bank: sel.Bank, Branches: []seal.Branch{branch}}
	withPIN, signed := plain, plain
	withPIN.PIN = true
	signed.Signed = &seal.Signed{PublicKey: key.PEM, PCRs: pcr.Select(11)}
	ecc, rsa := seal.Parent{Template: seal.SystemdECC}, seal.Parent{Template: seal.SystemdRSA}
	return []seal.Options{
		{Policy: plain, Parent: ecc},
		{Policy: plain, Parent: rsa},
		{Policy: withPIN, Parent: ecc, PIN: []byte(pin), UnsaltedPIN: true},
		{Policy: signed, Parent: ecc},
	}
}

func signer(t *testing.T) (*pcrsig.Key, pcrsig.Signer) {
	t.Helper()
	text, err := os.ReadFile("../../seal/pcrsig/testdata/key.pem")
	if err != nil {
		t.Fatal(err)
	}
	key, sign, err := pcrsig.ParsePrivateKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return key, sign
}

// signedFor writes a file of signatures for PCR 11 as it is.
func signedFor(t *testing.T, tpm transport.TPM) (path string) {
	t.Helper()
	sel := pcr.BankSelection{Bank: pcr.SHA256, PCRs: pcr.Select(11)}
	values, err := seal.ReadPCRs(tpm, sel)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := seal.PCRPolicy(values, sel)
	if err != nil {
		t.Fatal(err)
	}
	key, sign := signer(t)
	s, err := pcrsig.Sign(key, sign, sel.PCRs, policy)
	if err != nil {
		t.Fatal(err)
	}
	text, err := pcrsig.File{sel.Bank: {s}}.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "tpm2-pcr-signature.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// open has the program open the volume by a token, and returns the keyslot.
func open(t *testing.T, program, volume, device string, token int, signatures, pin string) (string, error) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, volume, device, strconv.Itoa(token), signatures, pin).Output()
	return strings.TrimSpace(string(out)), err
}

func stderr(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(exit.Stderr)
	}
	return ""
}

// byToken compiles testdata/bytoken.c, or skips.
func byToken(t *testing.T) string {
	t.Helper()
	for pattern, where := range map[string]string{
		"/usr/lib/*/cryptsetup/libcryptsetup-token-systemd-tpm2.so": "systemd",
		"/usr/lib/*/libtss2-tcti-mssim.so.0":                        "libtss2-tcti-mssim0",
		"/usr/lib/*/libtss2-esys.so.0":                              "libtss2-esys-3.0.2-0",
		"/usr/lib/*/libcryptsetup.so.12":                            "libcryptsetup12",
	} {
		if found, err := filepath.Glob(pattern); err != nil || len(found) == 0 {
			t.Skipf("%s is not installed: it is in Debian's package %s", filepath.Base(pattern), where)
		}
	}
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("gcc is not installed")
	}
	program := filepath.Join(t.TempDir(), "bytoken")
	out, err := exec.Command(gcc, "-o", program, "testdata/bytoken.c", "-l:libcryptsetup.so.12").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// simulator returns a TPM and the name under which tpm2-tss reaches it.
func simulator(t *testing.T) (transport.TPM, string) {
	t.Helper()
	nv := new(server.NVSwitch)
	tpm, err := vtpm.New(vtpm.Options{Store: nv, Entropy: vtpmtest.Entropy()})
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.ListenMSSim("127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, tpm, nv) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	// The power is on from the start of the first client, which is us; a client's
	// power on does nothing then.
	powerOn(t, s.PlatformAddr())
	if _, err := (tpm2.Startup{StartupType: tpm2.TPMSUClear}).Execute(tpm); err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(s.CommandAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	return tpm, "mssim:host=127.0.0.1,port=" + port
}

// powerOn sends the platform's signals for power and NV.
func powerOn(t *testing.T, platform net.Addr) {
	t.Helper()
	c, err := net.Dial("tcp", platform.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, signal := range []byte{1, 11} {
		var answer [4]byte
		if _, err := c.Write([]byte{0, 0, 0, signal}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(answer[:]); err != nil {
			t.Fatal(err)
		}
	}
}

// sealFor252 seals as the options say, and makes a token of it.
func sealFor252(t *testing.T, tpm transport.TPM, o seal.Options) *luks.SystemdTPM2 {
	t.Helper()
	s, err := seal.Seal(tpm, o)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := seal.Digest(o.Policy)
	if err != nil {
		t.Fatal(err)
	}
	token := &luks.SystemdTPM2{
		PCRs: o.Policy.Selection().PCRs, Bank: o.Policy.Bank, PrimaryAlg: s.Parent.Template.Alg(), PIN: o.Policy.PIN,
		Shards: []luks.Shard{{Blob: luks.Blob{Private: s.Private, Public: s.Public}, PolicyHash: hash}},
	}
	if o.Policy.Signed != nil {
		token.Pubkey, token.PubkeyPCRs = []byte(o.Policy.Signed.PublicKey), o.Policy.Signed.PCRs
	}
	return token
}

// The other way round: what systemd-cryptenroll writes is opened here, and opens the
// keyslot.
func TestWeOpenStockSystemdsTokens(t *testing.T) {
	v := volume(t)
	byToken(t) // skips without what systemd-cryptenroll needs, too
	tpm, device := simulator(t)
	extend(t, tpm, 7, "firmware")
	extend(t, tpm, 11, "kernel")
	key, _ := signer(t)
	public := filepath.Join(t.TempDir(), "public.pem")
	if err := os.WriteFile(public, []byte(key.PEM), 0o600); err != nil {
		t.Fatal(err)
	}
	signatures := signedFor(t, tpm)
	text, err := os.ReadFile(signatures)
	if err != nil {
		t.Fatal(err)
	}
	file, err := pcrsig.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	for id, options := range [][]string{
		{"--tpm2-pcrs=4+7"},
		{"--tpm2-pcrs=7", "--tpm2-with-pin=yes"},
		{"--tpm2-pcrs=7", "--tpm2-public-key=" + public, "--tpm2-public-key-pcrs=11", "--tpm2-signature=" + signatures},
	} {
		cryptenroll(t, v, append(options, "--tpm2-device="+device))
		token, err := luks.ParseToken(id, header(t, v).Metadata.Tokens[id])
		if err != nil {
			t.Fatal(err)
		}
		s := sealed(t, tpm, token.(*luks.SystemdTPM2))
		secret, err := seal.Unseal(tpm, s, []byte(pin), file)
		if err != nil {
			t.Errorf("%v: %v", options, err)
			continue
		}
		if err := v.Test(t.Context(), luks.Passphrase(secret), token.Slots()[0]); err != nil {
			t.Errorf("%v: %v", options, err)
		}
	}
}

// cryptenroll runs systemd-cryptenroll, which takes the passphrase of a keyslot and the PIN
// from the environment.
func cryptenroll(t *testing.T, v *Volume, options []string) {
	t.Helper()
	program, err := exec.LookPath("systemd-cryptenroll")
	if err != nil {
		t.Skip("systemd-cryptenroll is not installed: it is in Debian's package systemd")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append(options, v.Path())...)
	cmd.Env = append(os.Environ(), "PASSWORD="+string(passphrase), "NEWPIN="+pin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", options, err, out)
	}
}

// sealed is a token of systemd 252 for package seal, with the PCRs as they are.
func sealed(t *testing.T, tpm transport.TPM, token *luks.SystemdTPM2) *seal.Sealed {
	t.Helper()
	if token.SRK != nil {
		t.Skip("this systemd seals under the storage root key")
	}
	parent, err := seal.MakeParent(tpm, nil, seal.SystemdECC)
	if err != nil {
		t.Fatal(err)
	}
	values, err := seal.ReadPCRs(tpm, pcr.BankSelection{Bank: token.Bank, PCRs: token.PCRs})
	if err != nil {
		t.Fatal(err)
	}
	p := seal.Policy{Bank: token.Bank, Branches: []seal.Branch{{PCRs: values[token.Bank]}}, PIN: token.PIN}
	if len(token.Pubkey) > 0 {
		p.Signed = &seal.Signed{PublicKey: string(token.Pubkey), PCRs: token.PubkeyPCRs}
	}
	fit, ok := p.Fit(token.Shards[0].PolicyHash)
	if !ok {
		t.Fatalf("no form of %+v leads to policy %s", p, token.Shards[0].PolicyHash)
	}
	return &seal.Sealed{Version: 1, Parent: parent, Policy: fit, Public: token.Shards[0].Public, Private: token.Shards[0].Private}
}

func extend(t *testing.T, tpm transport.TPM, index int, data string) {
	t.Helper()
	if _, err := (tpm2.PCRExtend{
		PCRHandle: tpm2.AuthHandle{Handle: tpm2.TPMHandle(index), Auth: tpm2.PasswordAuth(nil)},
		Digests: tpm2.TPMLDigestValues{Digests: []tpm2.TPMTHA{{
			HashAlg: tpm2.TPMAlgSHA256, Digest: pcr.SHA256.Sum([]byte(data)),
		}}},
	}).Execute(tpm); err != nil {
		t.Fatal(err)
	}
}
