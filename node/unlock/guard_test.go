package unlock_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"testing"

	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/node/unlock"
	"github.com/bootseal/bootseal/node/volumes"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/seal/pcrsig"
)

// A token with a rollback guard opens until its boot is retired; then nobody is even
// asked for a PIN.
func TestARetiredBoot(t *testing.T) {
	m := newMachine(t)
	m.register()
	srk, _, err := seal.EnsureSRK(m.tpm, nil)
	m.check(err)
	guard, err := seal.DefineGuard(m.tpm, srk, nil)
	m.check(err)
	m.pin = []byte("1234")
	m.enrollGuarded("Debian, kernel 6.1.0-54", guard, m.log)
	m.answers = []string{"1234"}
	opened, err := m.unlock()
	m.check(err)
	if opened.Note.By != volumes.ByToken || opened.Note.Label != "Debian, kernel 6.1.0-54" {
		t.Errorf("note %+v", opened.Note)
	}

	// Another boot is compared with what was expected of this one.
	m.boot(recorded(t, boots.Upgraded).Log)
	if _, err := m.unlock(); !errors.Is(err, unlock.ErrClosed) {
		t.Error(err)
	}
	m.says("nearest of 1 expected: Debian, kernel 6.1.0-54")

	m.check(seal.AdvanceGuard(m.tpm, srk, guard.Next(), nil))
	m.boot(recorded(t, boots.Second).Log)
	before := m.failures() // the power went away after a PIN was used, which counts
	m.answers = []string{string(m.key.Passphrase())}
	opened, err = m.unlock()
	m.check(err)
	m.says("not opened by the TPM: this boot was retired")
	if opened.Note.Why != volumes.WhyRetired || m.failures() != before || len(m.prompts) != 1 {
		t.Errorf("note %+v, %d wrong tries, asked %q", opened.Note, m.failures()-before, m.prompts)
	}
}

// A token whose key's owner signs for boots, as systemd-cryptenroll makes them: the unified
// kernel image brings the signature.
func TestASignedPolicy(t *testing.T) {
	m := newMachine(t)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	m.check(err)
	key, err := pcrsig.NewKey(&private.PublicKey)
	m.check(err)
	policy := seal.Policy{Bank: pcr.SHA256, Signed: &seal.Signed{PublicKey: key.PEM, PCRs: pcr.Select(4)}, Branches: []seal.Branch{{}}}
	s, err := seal.Seal(m.tpm, seal.Options{Secret: m.secret, Policy: policy})
	m.check(err)
	digest, err := seal.Digest(policy)
	m.check(err)
	text, err := (&luks.SystemdTPM2{
		Keyslots: []int{m.slot}, Bank: pcr.SHA256, PrimaryAlg: "ecc", PubkeyPCRs: pcr.Select(4), Pubkey: []byte(key.PEM),
		Shards: []luks.Shard{{Blob: luks.Blob{Private: s.Private, Public: s.Public}, PolicyHash: digest}},
		SRK:    &luks.ESYSObject{Kind: luks.ESYSKey, Handle: uint32(s.Parent.Handle), Name: s.Parent.Name, Public: s.Parent.Public},
	}).For(luks.Systemd255)
	m.check(err)
	_, err = m.volume.ImportToken(t.Context(), text)
	m.check(err)

	m.answers = []string{string(m.key.Passphrase())}
	opened, err := m.unlock()
	m.check(err)
	if opened.Note.Why != volumes.WhySignature {
		t.Errorf("note %+v", opened.Note)
	}
	m.says("not opened by the TPM: nobody has signed for this boot", "token 0 wants PCR 4 signed: there is no signature")

	values, err := m.log.Replay()
	m.check(err)
	approved, err := seal.PCRPolicy(values, pcr.BankSelection{Bank: pcr.SHA256, PCRs: pcr.Select(4)})
	m.check(err)
	signer := func(digest []byte) ([]byte, error) {
		return rsa.SignPKCS1v15(rand.Reader, private, crypto.SHA256, digest)
	}
	signature, err := pcrsig.Sign(key, signer, pcr.Select(4), approved)
	m.check(err)
	file := pcrsig.File{}
	file.Add(pcr.SHA256, signature)
	written, err := file.Bytes()
	m.check(err)
	dir := t.TempDir()
	write(t, dir+"/etc/systemd/tpm2-pcr-signature.json", []byte("nothing good"))
	write(t, dir+"/.extra/tpm2-pcr-signature.json", written)
	m.options = func(o *unlock.Options) { o.Signatures = unlock.ReadSignatures(dir) }
	m.boot(m.log)
	opened, err = m.unlock()
	m.check(err)
	if opened.Note.By != volumes.ByToken || opened.Note.Label != enrollment.SignedLabel {
		t.Errorf("note %+v", opened.Note)
	}

	m.enroll("Debian, kernel 6.1.0-54", m.log)
	m.boot(recorded(t, boots.Upgraded).Log)
	m.answers = []string{string(m.key.Passphrase())}
	opened, err = m.unlock()
	m.check(err)
	m.says("nobody has signed for this boot", "token 0 wants PCR 4 signed: there are signatures, of other values",
		"nearest of 1 expected: Debian, kernel 6.1.0-54", "PCR 4 differs", "If you know what changed")
	if opened.Note.Why != volumes.WhySignature || opened.Note.Nearest != "Debian, kernel 6.1.0-54" || len(opened.Note.Differences) == 0 {
		t.Errorf("note %+v", opened.Note)
	}
}
