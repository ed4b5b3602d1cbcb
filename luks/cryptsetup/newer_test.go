package cryptsetup

import (
	"context"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/seal/pcrsig"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// newer is the root of a Debian 13, whose systemd 257 is held against ours. testdata/debian13
// makes it.
type newer struct {
	t    *testing.T
	root string
	dir  string // a folder in it
}

func openNewer(t *testing.T) *newer {
	t.Helper()
	root := os.Getenv("BOOTSEAL_TEST_DEBIAN13")
	if root == "" {
		t.Skip("BOOTSEAL_TEST_DEBIAN13 does not name the root of a Debian 13: testdata/debian13 makes one")
	}
	dir, err := os.MkdirTemp(filepath.Join(root, "tmp"), "bootseal-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return &newer{t: t, root: root, dir: dir}
}

// inside is a path as a program in the root has it.
func (n *newer) inside(path string) string { return strings.TrimPrefix(path, n.root) }

func (n *newer) write(name string, data []byte) string {
	n.t.Helper()
	path := filepath.Join(n.dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		n.t.Fatal(err)
	}
	return path
}

func (n *newer) run(env []string, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(n.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "chroot", append([]string{n.root, program}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

func (n *newer) volume() *Volume {
	n.t.Helper()
	tool := find(n.t)
	path := n.write("volume", nil)
	if err := os.Truncate(path, 20<<20); err != nil {
		n.t.Fatal(err)
	}
	v, err := tool.Volume(path)
	if err != nil {
		n.t.Fatal(err)
	}
	if err := v.Format(n.t.Context(), passphrase, Quick); err != nil {
		n.t.Fatal(err)
	}
	return v
}

// What systemd-cryptenroll 257 writes is opened here: the storage root key, which is the one
// that is made here, salted PINs, a public key.
func TestWeOpenSystemd257sTokens(t *testing.T) {
	n := openNewer(t)
	byToken(t) // skips without what reaches the TPM
	tpm, device := simulator(t)
	extend(t, tpm, 7, "firmware")
	extend(t, tpm, 11, "kernel")
	signatures, file := n.signatures(tpm)
	key, _ := signer(t)
	public := n.write("public.pem", []byte(key.PEM))

	v := n.volume()
	for id, options := range [][]string{
		{"--tpm2-pcrs=4+7"},
		{"--tpm2-pcrs=7", "--tpm2-with-pin=yes"},
		{"--tpm2-pcrs=7", "--tpm2-public-key=" + n.inside(public), "--tpm2-public-key-pcrs=11", "--tpm2-signature=" + n.inside(signatures)},
	} {
		token := n.cryptenroll(v, id, append(options, "--tpm2-pcrlock=", "--tpm2-device="+device))
		secret, err := seal.OpenForeign(tpm, foreign(token), []byte(pin), file)
		if err != nil {
			t.Errorf("%v: %v", options, err)
			continue
		}
		if err := v.Test(t.Context(), luks.Passphrase(secret), token.Keyslots[0]); err != nil {
			t.Errorf("%v: %v", options, err)
		}
	}
	theirs, err := seal.ReadParent(tpm, seal.SRKHandle)
	if err != nil {
		t.Fatal(err)
	}
	evict(t, tpm, theirs)
	ours, created, err := seal.EnsureSRK(tpm, nil)
	if err != nil || !created || ours.Name.String() != theirs.Name.String() {
		t.Errorf("SRK %s, %v, systemd's is %s", ours.Name, err, theirs.Name)
	}
}

// signatures writes a file of signatures for PCR 11 as it is.
func (n *newer) signatures(tpm transport.TPM) (path string, file pcrsig.File) {
	n.t.Helper()
	text, err := os.ReadFile(signedFor(n.t, tpm))
	if err != nil {
		n.t.Fatal(err)
	}
	if file, err = pcrsig.Parse(text); err != nil {
		n.t.Fatal(err)
	}
	return n.write("signatures.json", text), file
}

// cryptenroll enrolls, and returns the token that was made.
func (n *newer) cryptenroll(v *Volume, id int, options []string) *luks.SystemdTPM2 {
	n.t.Helper()
	env := []string{"PASSWORD=" + string(passphrase), "NEWPIN=" + pin}
	if _, err := n.run(env, "systemd-cryptenroll", append(options, n.inside(v.Path()))...); err != nil {
		n.t.Fatalf("%v: %v %s", options, err, stderr(err))
	}
	token, err := luks.ParseToken(id, header(n.t, v).Metadata.Tokens[id])
	if err != nil {
		n.t.Fatal(err)
	}
	return token.(*luks.SystemdTPM2)
}

// And what is written here is opened by systemd 257's plugin.
func TestSystemd257OpensOurTokens(t *testing.T) {
	n := openNewer(t)
	program, err := os.ReadFile(byToken(t))
	if err != nil {
		t.Fatal(err)
	}
	bytoken := n.write("bytoken", program)
	if err := os.Chmod(bytoken, 0o700); err != nil {
		t.Fatal(err)
	}
	tpm, device := simulator(t)
	extend(t, tpm, 11, "kernel")
	signatures, _ := n.signatures(tpm)
	v := n.volume()
	for _, o := range kinds257(t, tpm) {
		o.Secret = make([]byte, 32)
		rand.Read(o.Secret)
		slot, err := v.AddKey(t.Context(), passphrase, luks.Passphrase(o.Secret), Quick)
		if err != nil {
			t.Fatal(err)
		}
		token := tokenFor257(t, tpm, o)
		token.Keyslots = []int{slot}
		text, err := token.For(luks.Systemd257)
		if err != nil {
			t.Fatal(err)
		}
		id, err := v.ImportToken(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := n.run(nil, n.inside(bytoken), n.inside(v.Path()), device, strconv.Itoa(id), n.inside(signatures), string(o.PIN))
		if err != nil || got != strconv.Itoa(slot) {
			t.Errorf("token %s: keyslot %q, %v %s, want %d", text, got, err, stderr(err), slot)
		}
	}
}

// foreign is a token of systemd's for package seal.
func foreign(token *luks.SystemdTPM2) seal.Foreign {
	f := seal.Foreign{
		Parent: seal.Parent{Template: seal.SystemdECC}, Bank: token.Bank, PCRs: token.PCRs, PIN: token.PIN, PINSalt: token.Salt,
	}
	if token.SRK != nil {
		f.Parent = seal.Parent{Handle: seal.Handle(token.SRK.Handle), Name: token.SRK.Name}
	}
	if len(token.Pubkey) > 0 {
		f.Signed = &seal.Signed{PublicKey: string(token.Pubkey), PCRs: token.PubkeyPCRs}
	}
	for _, s := range token.Shards {
		f.Objects = append(f.Objects, seal.Object{Public: s.Public, Private: s.Private, Seed: s.Seed})
	}
	return f
}

// kinds257 are the policies of kinds, sealed as systemd 257 does; and a public key in 252's
// form, too.
func kinds257(t *testing.T, tpm transport.TPM) []seal.Options {
	var list []seal.Options
	for _, o := range kinds(t, tpm) {
		if o.Parent.Template == seal.SystemdRSA {
			continue
		}
		o.Parent, o.UnsaltedPIN = seal.Parent{}, false
		if o.Policy.Signed != nil {
			list = append(list, o)
			zero := *o.Policy.Signed
			zero.ZeroExponent = true
			o.Policy.Signed = &zero
		}
		list = append(list, o)
	}
	return list
}

func tokenFor257(t *testing.T, tpm transport.TPM, o seal.Options) *luks.SystemdTPM2 {
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
		PCRs: o.Policy.Selection().PCRs, Bank: pcr.SHA256, PrimaryAlg: "ecc", PIN: o.Policy.PIN, Salt: s.PINSalt,
		SRK:    &luks.ESYSObject{Kind: luks.ESYSKey, Handle: uint32(s.Parent.Handle), Name: s.Parent.Name, Public: s.Parent.Public},
		Shards: []luks.Shard{{Blob: luks.Blob{Private: s.Private, Public: s.Public}, PolicyHash: hash}},
	}
	if o.Policy.Signed != nil {
		token.Pubkey, token.PubkeyPCRs = []byte(o.Policy.Signed.PublicKey), o.Policy.Signed.PCRs
	}
	return token
}

func evict(t *testing.T, tpm transport.TPM, p seal.Parent) {
	t.Helper()
	if _, err := (tpm2.EvictControl{
		Auth:             tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		ObjectHandle:     &tpm2.NamedHandle{Handle: tpm2.TPMHandle(p.Handle), Name: tpm2.TPM2BName{Buffer: p.Name}},
		PersistentHandle: tpm2.TPMHandle(p.Handle),
	}).Execute(tpm); err != nil {
		t.Fatal(err)
	}
}
