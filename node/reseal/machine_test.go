package reseal_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/internal/reboot"
	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/luks/cryptsetup"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/node/plan"
	"github.com/bootseal/bootseal/node/reseal"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// recovery stands for the recovery key: it is in keyslot 0.
var recovery = []byte("correct horse battery staple")

// node is a machine with a TPM that has booted, and a volume in a file.
type node struct {
	*reseal.Machine
	t   *testing.T
	tpm *vtpmtest.TPM
}

// options are how a node is enrolled.
type options struct {
	release int // 0: 257
	pin     string
}

// newNode returns a machine that runs kernel 54, and whose volume opens for that.
func newNode(t *testing.T, o options) *node {
	t.Helper()
	dir := tempDir(t)
	path := filepath.Join(dir, "volume")
	tool := findTool(t)
	copyFile(t, formatted(t, tool), path)
	v, err := tool.Volume(path)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, tpm: vtpmtest.Open(t)}
	n.Machine = &reseal.Machine{TPM: n.tpm, Volume: v, State: filepath.Join(dir, "state"), Host: "/", Expect: filepath.Join(dir, "esp")}
	n.boot(boots.Second)
	if o.release == 0 {
		o.release = luks.Systemd257
	}
	n.enroll(o, n.predictedBoots(boots.Second)...)
	return n
}

func findTool(t *testing.T) *cryptsetup.Tool {
	t.Helper()
	tool, err := cryptsetup.Find(t.Context())
	if errors.Is(err, cryptsetup.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return tool
}

// memory is a folder in memory, where there is one: what is synced there costs nothing.
func memory() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return ""
}

func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(memory(), "bootseal-reseal-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

var (
	formatOnce sync.Once
	formatDir  string
)

// formatted returns a volume with the recovery key, formatted once and to be copied.
func formatted(t *testing.T, tool *cryptsetup.Tool) string {
	t.Helper()
	formatOnce.Do(func() {
		var err error
		if formatDir, err = os.MkdirTemp(memory(), "bootseal-reseal-"); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(formatDir, "volume")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, 17<<20); err != nil {
			t.Fatal(err)
		}
		v, err := tool.Volume(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Format(context.Background(), recovery, cryptsetup.Quick); err != nil {
			t.Fatal(err)
		}
		if _, err := v.ImportToken(context.Background(), []byte(`{"type":"systemd-recovery","keyslots":["0"]}`)); err != nil {
			t.Fatal(err)
		}
	})
	return filepath.Join(formatDir, "volume")
}

func TestMain(m *testing.M) {
	if os.Getenv(killVariable) != "" {
		resealUntilKilled()
		return
	}
	code := m.Run()
	if formatDir != "" {
		_ = os.RemoveAll(formatDir)
	}
	os.Exit(code)
}

// copyFile copies a file with its holes.
func copyFile(t testing.TB, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	const block = 64 << 10
	zero := make([]byte, block)
	for at := 0; at < len(data); at += block {
		part := data[at:min(at+block, len(data))]
		if bytes.Equal(part, zero[:len(part)]) {
			continue
		}
		if _, err := out.WriteAt(part, int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Truncate(int64(len(data))); err != nil {
		t.Fatal(err)
	}
}

func load(t testing.TB, name boots.Name) *boots.Boot {
	t.Helper()
	b, err := boots.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// boot boots the TPM as a recorded machine did.
func (n *node) boot(name boots.Name) {
	n.t.Helper()
	if err := reboot.VTPM(n.tpm.TPM, load(n.t, name).Log); err != nil {
		n.t.Fatal(err)
	}
}

// predicted is the prediction of a boot into the files of a recorded boot, made while
// kernel 54 runs; for kernel 56 that is the upgrade.
func predicted(t testing.TB, files boots.Name) *predict.Prediction {
	t.Helper()
	running, next := load(t, boots.Second), load(t, files)
	p, err := predict.Next(predict.Input{Machine: bootchain.Machine{
		Log: running.Log, Booted: &running.Manifest, Files: next.Manifest, PCRs: running.PCRs}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (n *node) predictedBoots(files boots.Name) []plan.Boot {
	n.t.Helper()
	p := predicted(n.t, files)
	c, err := plan.Choose(p, plan.Options{})
	if err != nil {
		n.t.Fatal(err)
	}
	out, _ := plan.Boots(p, c)
	return out
}

// request is for a reseal into the files of a recorded boot, while another one runs.
func request(t testing.TB, running, files boots.Name) *reseal.Request {
	return &reseal.Request{Prediction: predicted(t, files), Log: load(t, running).Log}
}

// withRecovery has the recovery key at hand.
func withRecovery(req *reseal.Request) *reseal.Request {
	req.Passphrase = func(context.Context, ...int) ([]byte, error) { return bytes.Clone(recovery), nil }
	return req
}

var secret = []byte("32 bytes that a TPM has unsealed")

// enroll adds keyslot 1, a token for each boot, and the bootseal token.
func (n *node) enroll(o options, list ...plan.Boot) {
	n.t.Helper()
	ctx := n.t.Context()
	slot, err := n.Volume.AddKey(ctx, recovery, luks.Passphrase(secret), cryptsetup.Quick)
	if err != nil {
		n.t.Fatal(err)
	}
	b := &luks.Boot{Keyslots: []int{slot}}
	for _, boot := range list {
		id := n.addToken(o, slot, boot)
		b.Paths = append(b.Paths, luks.Path{Token: id, Label: boot.Label, Bank: boot.Bank, PCRs: boot.PCRs, Events: boot.Events})
	}
	n.importToken(b)
}

// addToken adds a token for a boot, sealed for a systemd.
func (n *node) addToken(o options, slot int, boot plan.Boot) int {
	n.t.Helper()
	parent, err := enrollment.ParentFor(n.tpm, o.release, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	s, err := seal.Seal(n.tpm, seal.Options{Secret: secret, Policy: boot.Policy(o.pin != ""), PIN: []byte(o.pin), Parent: parent,
		UnsaltedPIN: o.pin != "" && enrollment.UnsaltedPIN(o.release)})
	if err != nil {
		n.t.Fatal(err)
	}
	token, err := enrollment.NewToken(s, slot)
	if err != nil {
		n.t.Fatal(err)
	}
	return n.importToken(token)
}

func (n *node) importToken(t luks.Token) int {
	n.t.Helper()
	text, err := t.MarshalJSON()
	if err != nil {
		n.t.Fatal(err)
	}
	id, err := n.Volume.ImportToken(n.t.Context(), text)
	if err != nil {
		n.t.Fatal(err)
	}
	return id
}

func (n *node) run(req *reseal.Request) *reseal.Result {
	n.t.Helper()
	result, err := reseal.Run(n.t.Context(), n.Machine, req)
	if err != nil {
		n.t.Fatal(err)
	}
	return result
}

func (n *node) inspect() *enrollment.Enrollment {
	n.t.Helper()
	h, err := n.Volume.Header()
	if err != nil {
		n.t.Fatal(err)
	}
	return enrollment.Inspect(h)
}

// labels are those of the tokens, and "?" for a token without an expectation.
func (n *node) labels() []string {
	var out []string
	for _, t := range n.inspect().Tokens {
		switch {
		case t.Key() == nil:
		case t.Expect == nil:
			out = append(out, "?")
		default:
			out = append(out, kernelOf(t.Expect.Label))
		}
	}
	return out
}

func kernelOf(label string) string {
	for _, k := range []string{"54", "56"} {
		if bytes.Contains([]byte(label), []byte("6.1.0-"+k)) {
			return k
		}
	}
	return label
}

// opens reports whether the volume opens at a boot, as an initial ramdisk would try: by
// each token whose policy the PCRs satisfy.
func (n *node) opens(name boots.Name, pin string) bool {
	n.t.Helper()
	n.boot(name)
	now, err := seal.ReadPCRs(n.tpm, pcr.BankSelection{Bank: pcr.SHA256, PCRs: pcr.AllPCRs})
	if err != nil {
		n.t.Fatal(err)
	}
	e := n.inspect()
	for _, id := range e.Fits(now) {
		k := e.Token(id).Key()
		s, err := k.Sealed("", now)
		if err != nil {
			n.t.Fatal(err)
		}
		if len(s.Parent.Name) == 0 {
			if s.Parent, err = seal.MakeParent(n.tpm, nil, s.Parent.Template); err != nil {
				n.t.Fatal(err)
			}
		}
		secret, err := seal.Unseal(n.tpm, s, []byte(pin))
		if err != nil {
			n.t.Logf("token %d: %v", id, err)
			continue // another TPM's
		}
		if n.Volume.Test(n.t.Context(), luks.Passphrase(secret), k.Keyslot) == nil {
			return true
		}
	}
	return false
}

// mustOpen fails unless the volume opens at the boots, and by the recovery key.
func (n *node) mustOpen(when, pin string, names ...boots.Name) {
	n.t.Helper()
	for _, name := range names {
		if !n.opens(name, pin) {
			n.t.Errorf("%s: the volume does not open at %s; tokens %v", when, name, n.labels())
		}
	}
	if err := n.Volume.Test(n.t.Context(), recovery, cryptsetup.AnySlot); err != nil {
		n.t.Errorf("%s: the recovery key: %v", when, err)
	}
}

func (n *node) wantLabels(when string, want ...string) {
	n.t.Helper()
	if got := n.labels(); !slices.Equal(got, want) {
		n.t.Errorf("%s: tokens for %v, want %v", when, got, want)
	}
}

// files are the names in the volume's state folder.
func (n *node) files() []string {
	entries, _ := os.ReadDir(filepath.Join(n.State, n.inspect().UUID))
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func (n *node) seqID() uint64 {
	h, err := n.Volume.Header()
	if err != nil {
		n.t.Fatal(err)
	}
	return h.SeqID
}
