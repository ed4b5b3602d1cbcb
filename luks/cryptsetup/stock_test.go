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
	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/server"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// systemd's plugin, unchanged, opens a volume by a token that is written here: it asks
// the TPM for the passphrase, which opens the keyslot. After the boot has changed it
// does not.
func TestStockSystemdOpensOurToken(t *testing.T) {
	v := volume(t)
	program := byToken(t)
	tpm, device := simulator(t)

	secret := make([]byte, 32)
	rand.Read(secret)
	slot, err := v.AddKey(t.Context(), passphrase, luks.Passphrase(secret), Quick)
	if err != nil {
		t.Fatal(err)
	}
	token := sealFor252(t, tpm, secret)
	token.Keyslots = []int{slot}
	text, err := token.For(luks.Systemd252)
	if err != nil {
		t.Fatal(err)
	}
	id, err := v.ImportToken(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	open := func() (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		out, err := exec.CommandContext(ctx, program, v.Path(), device, strconv.Itoa(id)).Output()
		return strings.TrimSpace(string(out)), err
	}
	if got, err := open(); err != nil || got != strconv.Itoa(slot) {
		t.Errorf("keyslot %q, %v %s, want %d", got, err, stderr(err), slot)
	}
	extend(t, tpm, 7, "another boot")
	if got, err := open(); err == nil {
		t.Errorf("keyslot %s opened in another boot", got)
	}
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

// sealFor252 seals under the parent that systemd 252 makes, to PCR 4 and 7 as they are.
func sealFor252(t *testing.T, tpm transport.TPM, secret []byte) *luks.SystemdTPM2 {
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
	policy := seal.Policy{Bank: sel.Bank, Branches: []seal.Branch{branch}}
	s, err := seal.Seal(tpm, seal.Options{Secret: secret, Policy: policy, Parent: seal.Parent{Template: seal.SystemdECC}})
	if err != nil {
		t.Fatal(err)
	}
	hash, err := seal.Digest(policy)
	if err != nil {
		t.Fatal(err)
	}
	return &luks.SystemdTPM2{
		PCRs: sel.PCRs, Bank: sel.Bank, PrimaryAlg: s.Parent.Template.Alg(),
		Shards: []luks.Shard{{Blob: luks.Blob{Private: s.Private, Public: s.Public}, PolicyHash: hash}},
	}
}

// The other way round: what systemd-cryptenroll writes is opened here, and opens the
// keyslot.
func TestWeOpenStockSystemdsToken(t *testing.T) {
	v := volume(t)
	enroll, err := exec.LookPath("systemd-cryptenroll")
	if err != nil {
		t.Skip("systemd-cryptenroll is not installed: it is in Debian's package systemd")
	}
	byToken(t) // skips without the rest
	tpm, device := simulator(t)
	extend(t, tpm, 7, "firmware")

	// systemd-cryptenroll takes the passphrase of a keyslot from $PASSWORD.
	cmd := exec.CommandContext(t.Context(), enroll, "--tpm2-device="+device, "--tpm2-pcrs=4+7", v.Path())
	cmd.Env = append(os.Environ(), "PASSWORD="+string(passphrase))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	tokens, err := header(t, v).Metadata.AllTokens()
	if err != nil || len(tokens) != 1 {
		t.Fatalf("%d tokens, %v", len(tokens), err)
	}
	token := tokens[0].(*luks.SystemdTPM2)
	if token.SRK != nil {
		t.Skip("this systemd seals under the storage root key")
	}
	values, err := seal.ReadPCRs(tpm, pcr.BankSelection{Bank: token.Bank, PCRs: token.PCRs})
	if err != nil {
		t.Fatal(err)
	}
	parent, err := seal.MakeParent(tpm, nil, seal.SystemdECC)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := seal.Unseal(tpm, &seal.Sealed{
		Version: 1, Parent: parent,
		Policy: seal.Policy{Bank: token.Bank, Branches: []seal.Branch{{PCRs: values[token.Bank]}}},
		Public: token.Shards[0].Public, Private: token.Shards[0].Private,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Test(t.Context(), luks.Passphrase(secret), token.Keyslots[0]); err != nil {
		t.Error(err)
	}
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
