package cryptsetup

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
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
	if _, err := (tpm2.PCRExtend{
		PCRHandle: tpm2.AuthHandle{Handle: 7, Auth: tpm2.PasswordAuth(nil)},
		Digests: tpm2.TPMLDigestValues{Digests: []tpm2.TPMTHA{{
			HashAlg: tpm2.TPMAlgSHA256, Digest: pcr.SHA256.Sum([]byte("another boot")),
		}}},
	}).Execute(tpm); err != nil {
		t.Fatal(err)
	}
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

// sealFor252 seals as systemd 252 does: under a primary key of its template, to PCR 4
// and 7 as they are.
func sealFor252(t *testing.T, tpm transport.TPM, secret []byte) *luks.SystemdTPM2 {
	t.Helper()
	parent, err := (tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpm2.TPMTPublic{
		Type: tpm2.TPMAlgECC, NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{
			FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, Restricted: true, Decrypt: true,
		},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
			CurveID: tpm2.TPMECCNistP256,
			Symmetric: tpm2.TPMTSymDefObject{
				Algorithm: tpm2.TPMAlgAES,
				KeyBits:   tpm2.NewTPMUSymKeyBits(tpm2.TPMAlgAES, tpm2.TPMKeyBits(128)),
				Mode:      tpm2.NewTPMUSymMode(tpm2.TPMAlgAES, tpm2.TPMAlgCFB),
			},
		}),
	})}).Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
	defer tpm2.FlushContext{FlushHandle: parent.ObjectHandle}.Execute(tpm)
	policy := policyPCR(t, tpm)
	made, err := (tpm2.Create{
		ParentHandle: tpm2.AuthHandle{Handle: parent.ObjectHandle, Name: parent.Name, Auth: tpm2.PasswordAuth(nil)},
		InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
			Data: tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: secret}),
		}},
		InPublic: tpm2.New2B(tpm2.TPMTPublic{
			Type: tpm2.TPMAlgKeyedHash, NameAlg: tpm2.TPMAlgSHA256,
			ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true},
			AuthPolicy:       tpm2.TPM2BDigest{Buffer: policy},
		}),
	}).Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
	return &luks.SystemdTPM2{
		PCRs: pcr.Select(4, 7), Bank: pcr.SHA256, PrimaryAlg: "ecc",
		Shards: []luks.Shard{{Blob: luks.Blob{Private: made.OutPrivate.Buffer, Public: made.OutPublic.Bytes()}, PolicyHash: policy}},
	}
}

// policyPCR is the policy digest for PCR 4 and 7 as they are.
func policyPCR(t *testing.T, tpm transport.TPM) []byte {
	t.Helper()
	session, closer, err := tpm2.PolicySession(tpm, tpm2.TPMAlgSHA256, 16, tpm2.Trial())
	if err != nil {
		t.Fatal(err)
	}
	defer closer()
	if _, err := (tpm2.PolicyPCR{PolicySession: session.Handle(), Pcrs: tpm2.TPMLPCRSelection{
		PCRSelections: []tpm2.TPMSPCRSelection{{Hash: tpm2.TPMAlgSHA256, PCRSelect: pcr.Select(4, 7).Octets()}},
	}}).Execute(tpm); err != nil {
		t.Fatal(err)
	}
	digest, err := tpm2.PolicyGetDigest{PolicySession: session.Handle()}.Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
	return digest.PolicyDigest.Buffer
}
