package enroll_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/internal/reboot"
	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/luks/cryptsetup"
	"github.com/bootseal/bootseal/luks/recoverykey"
	"github.com/bootseal/bootseal/node/enroll"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/node/plan"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/seal/pcrsig"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
	"github.com/google/go-tpm/tpm2"
)

// twoBoots are those that the volumes are to open for.
var twoBoots = []boots.Name{boots.Second, boots.Upgraded}

var passphrase = []byte("an old passphrase")

// machine is a volume in a file, and a TPM that has booted.
type machine struct {
	enroll.Machine
	tpm *vtpmtest.TPM
}

// newMachine formats a volume and boots the TPM. A test calls it once.
func newMachine(t *testing.T) *machine {
	t.Helper()
	t.Parallel() // most of the time goes into waiting for cryptsetup and the disk
	tool, err := cryptsetup.Find(t.Context())
	if errors.Is(err, cryptsetup.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "volume")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 20<<20); err != nil {
		t.Fatal(err)
	}
	v, err := tool.Volume(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Format(t.Context(), passphrase, cryptsetup.Quick); err != nil {
		t.Fatal(err)
	}
	m := &machine{tpm: vtpmtest.Open(t)}
	m.Machine = enroll.Machine{TPM: m.tpm, Volume: v, State: filepath.Join(dir, "state")}
	m.boot(t, boots.Second)
	return m
}

// boot boots the TPM as a recorded boot.
func (m *machine) boot(t *testing.T, name boots.Name) {
	t.Helper()
	b, err := boots.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := reboot.VTPM(m.tpm.TPM, b.Log); err != nil {
		t.Fatal(err)
	}
}

// recorded is a recorded boot as one to seal to.
func recorded(t *testing.T, name boots.Name) plan.Boot {
	t.Helper()
	b, err := boots.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	values, err := b.Log.Replay()
	if err != nil {
		t.Fatal(err)
	}
	out := plan.Boot{Label: string(name), Bank: pcr.SHA256, PCRs: map[int]pcr.Digest{}, Log: b.Log, Events: pcr.SHA256.Sum([]byte(name))}
	for _, i := range []int{4, 7, 8, 9, 14} {
		if v, ok := values.Get(pcr.SHA256, i); ok {
			out.PCRs[i] = v
		}
	}
	return out
}

func request(t *testing.T) enroll.Request {
	t.Helper()
	r := enroll.Request{Existing: passphrase, Release: luks.Systemd257, Recovery: recoverykey.New()}
	for _, name := range twoBoots {
		r.Boots = append(r.Boots, recorded(t, name))
	}
	return r
}

func header(t *testing.T, m *machine) *luks.Header {
	t.Helper()
	h, err := m.Volume.Header()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// opens unseals by each token that opens now, and returns the keyslot, -1 for none.
func opens(t *testing.T, m *machine, pin string) int {
	t.Helper()
	e := enrollment.Inspect(header(t, m))
	values, err := seal.ReadPCRs(m.TPM, pcr.BankSelection{Bank: pcr.SHA256, PCRs: pcr.AllPCRs})
	if err != nil {
		t.Fatal(err)
	}
	ids := e.Fits(values)
	if len(ids) == 0 {
		return -1
	}
	k := e.Token(ids[0]).Key()
	s, err := k.Sealed("", values)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Parent.Name) == 0 {
		if s.Parent, err = seal.MakeParent(m.TPM, nil, s.Parent.Template); err != nil {
			t.Fatal(err)
		}
	}
	secret, err := seal.Unseal(m.TPM, s, []byte(pin))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Volume.Test(t.Context(), luks.Passphrase(secret), k.Keyslot); err != nil {
		t.Fatal(err)
	}
	return k.Keyslot
}

// For each systemd, with and without a PIN: what is added opens the volume at this boot
// and at the next, at no other, and by the recovery key.
func TestAdd(t *testing.T) {
	for _, release := range []int{luks.Systemd252, luks.Systemd255} {
		for _, pin := range []string{"", "1234"} {
			t.Run(fmt.Sprintf("systemd %d PIN %q", release, pin), func(t *testing.T) {
				m, req := newMachine(t), request(t)
				req.Release, req.PIN = release, []byte(pin)
				a, err := enroll.Add(t.Context(), &m.Machine, req)
				if err != nil {
					t.Fatal(err)
				}
				if a.Recovery != 1 || a.Keyslot != 2 || len(a.Tokens) != len(req.Boots) || a.Opened != a.Tokens[0] || len(a.Left) != 0 {
					t.Errorf("%+v", a)
				}
				if err := a.Finish(); err != nil {
					t.Fatal(err)
				}
				for _, name := range twoBoots {
					m.boot(t, name)
					if got := opens(t, m, pin); got != a.Keyslot {
						t.Errorf("%s: keyslot %d", name, got)
					}
				}
				if err := m.Volume.Test(t.Context(), req.Recovery.Passphrase(), a.Recovery); err != nil {
					t.Error(err)
				}
				e := enrollment.Inspect(header(t, m))
				if !slices.Equal(e.Recovery, []int{a.Recovery}) || len(e.Problems) != 0 {
					t.Errorf("%+v", e)
				}
				if slots, ok := enroll.Enrolled(e); !ok || !slices.Equal(slots, []int{a.Keyslot}) {
					t.Errorf("enrolled %v %v", slots, ok)
				}
				extend(t, m, 4)
				if got := opens(t, m, pin); got != -1 {
					t.Errorf("a tampered boot opens keyslot %d", got)
				}
			})
		}
	}
}

func extend(t *testing.T, m *machine, index int) {
	t.Helper()
	if _, err := (tpm2.PCRExtend{
		PCRHandle: tpm2.AuthHandle{Handle: tpm2.TPMHandle(index), Auth: tpm2.PasswordAuth(nil)},
		Digests:   tpm2.TPMLDigestValues{Digests: []tpm2.TPMTHA{{HashAlg: tpm2.TPMAlgSHA256, Digest: pcr.SHA256.Sum([]byte("tampered"))}}},
	}).Execute(m.TPM); err != nil {
		t.Fatal(err)
	}
}

// A signed policy stands beside the boots: what the key's owner signs opens, too, and
// what nobody signed does not.
func TestAddSigned(t *testing.T) {
	text, err := os.ReadFile("../../seal/pcrsig/testdata/key.pem")
	if err != nil {
		t.Fatal(err)
	}
	key, sign, err := pcrsig.ParsePrivateKey(text)
	if err != nil {
		t.Fatal(err)
	}
	m, req := newMachine(t), request(t)
	req.Signed = &seal.Signed{PublicKey: key.PEM, PCRs: pcr.Select(4, 8, 9)}
	a, err := enroll.Add(t.Context(), &m.Machine, req)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Finish(); err != nil {
		t.Fatal(err)
	}
	if len(a.Signed) != 1 || a.Signed[0] <= a.Tokens[len(a.Tokens)-1] || a.Boot <= a.Signed[0] {
		t.Fatalf("tokens %v, signed %v, bootseal's %d", a.Tokens, a.Signed, a.Boot)
	}
	token := enrollment.Inspect(header(t, m)).Token(a.Signed[0])
	if s := token.SystemdTPM2(); s.PCRs != pcr.Select(7, 14) || s.PubkeyPCRs != pcr.Select(4, 8, 9) {
		t.Errorf("PCRs %s, signed %s", s.PCRs, s.PubkeyPCRs)
	}
	extend(t, m, 9) // a boot that nobody predicted
	if got := opens(t, m, ""); got != -1 {
		t.Errorf("it opens keyslot %d without a signature", got)
	}
	sel := pcr.BankSelection{Bank: pcr.SHA256, PCRs: req.Signed.PCRs}
	values, err := seal.ReadPCRs(m.TPM, sel)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := seal.PCRPolicy(values, sel)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := pcrsig.Sign(key, sign, sel.PCRs, policy)
	if err != nil {
		t.Fatal(err)
	}
	s := token.SystemdTPM2()
	secret, err := seal.OpenForeign(m.TPM, seal.Foreign{
		Parent: enrollment.Parent(s), Bank: s.Bank, PCRs: s.PCRs, Signed: req.Signed,
		Objects: []seal.Object{{Public: s.Shards[0].Public, Private: s.Shards[0].Private}},
	}, nil, pcrsig.File{pcr.SHA256: {signature}})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Volume.Test(t.Context(), luks.Passphrase(secret), a.Keyslot); err != nil {
		t.Error(err)
	}
}

// With a rollback guard the tokens are of a type that systemd leaves alone; when the
// counter moves, none of them opens any more. What is undone leaves no counter.
func TestAddGuarded(t *testing.T) {
	m, req := newMachine(t), request(t)
	req.RollbackGuard = true
	a, err := enroll.Add(t.Context(), &m.Machine, req)
	if err != nil {
		t.Fatal(err)
	}
	if a.Opened != a.Tokens[0] {
		t.Errorf("opened %d of %v", a.Opened, a.Tokens)
	}
	h := header(t, m)
	e := enrollment.Inspect(h)
	if _, ok := e.Token(a.Tokens[0]).Token.(*luks.BootsealTPM2); !ok {
		t.Errorf("%T", e.Token(a.Tokens[0]).Token)
	}
	guards := enroll.Guards(e)
	if len(guards) != 1 {
		t.Fatalf("%+v", guards)
	}
	if old, err := enroll.Own(e, false); err != nil || !slices.Equal(old.Keyslots, []int{a.Keyslot}) || len(old.Tokens) != len(a.Tokens)+1 {
		t.Errorf("%+v, %v", old, err)
	}
	passphrase2, err := enroll.OpenNow(t.Context(), &m.Machine, h, nil)
	if err != nil || !bytes.Equal(passphrase2, luks.Passphrase(a.Secret())) {
		t.Errorf("%v", err)
	}
	srk, _, err := seal.EnsureSRK(m.TPM, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := seal.AdvanceGuard(m.TPM, srk, guards[0].Next(), nil); err != nil {
		t.Fatal(err)
	}
	var moved *seal.GuardError
	if _, err := enroll.OpenNow(t.Context(), &m.Machine, h, nil); !errors.As(err, &moved) {
		t.Errorf("after the counter has moved: %v", err)
	}
	if err := a.Undo(t.Context(), nil, passphrase); err != nil {
		t.Error(err)
	}
	if _, err := seal.ReadGuard(m.TPM, srk, guards[0]); !errors.As(err, &moved) || moved.Err == nil {
		t.Errorf("after undoing: %v", err)
	}
	if err := enroll.RemoveGuard(m.TPM, guards[0], nil); err != nil {
		t.Errorf("once more: %v", err)
	}
}

// What is left of a header that only its sequence number has changed.
func contents(h *luks.Header) any {
	h.Metadata.Length = 0
	return *h.Metadata
}

// Whatever fails, the volume is as it was.
func TestAddUndoesWhatItDid(t *testing.T) {
	m, req := newMachine(t), request(t)
	before := contents(header(t, m))
	req.KeyFile = filepath.Join(t.TempDir(), "recovery.key")
	points := 0
	count := func(string) { points++ }
	m.Failpoint = count
	a, err := enroll.Add(t.Context(), &m.Machine, req)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(req.KeyFile); err != nil || string(text) != string(req.Recovery.Passphrase())+"\n" {
		t.Errorf("the file of the recovery key: %d bytes, %v", len(text), err)
	}
	reason := errors.New("the terminal is gone")
	if err := a.Undo(t.Context(), reason, passphrase); !errors.Is(err, reason) {
		t.Error(err)
	}
	unchanged(t, m, req, before)
	for n := range points {
		ctx, cancel := context.WithCancel(t.Context())
		at := 0
		m.Failpoint = func(string) {
			if at++; at == n+1 {
				cancel()
			}
		}
		a, err := enroll.Add(ctx, &m.Machine, req)
		if err == nil { // it was done when it was told
			err = a.Undo(ctx, context.Canceled, passphrase)
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("point %d: %v", n, err)
		}
		unchanged(t, m, req, before)
		cancel()
	}
}

func unchanged(t *testing.T, m *machine, req enroll.Request, before any) {
	t.Helper()
	if after := contents(header(t, m)); !reflect.DeepEqual(before, after) {
		t.Fatalf("before %+v\nafter %+v", before, after)
	}
	if _, err := os.Stat(req.KeyFile); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the recovery key's file: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(m.State, "*/*")); err != nil || len(left) != 0 {
		t.Errorf("left in the state folder: %v, %v", left, err)
	}
}

// killed stands for SIGKILL: nothing that was to happen afterwards happens.
type killed struct{ point string }

// Killed at any moment, and the cleaning up as well: the passphrase opens the volume, and
// a new run starts from where the first one did.
func TestKilledAnywhere(t *testing.T) {
	m, req := newMachine(t), request(t)
	before := contents(header(t, m))
	req.KeyFile = filepath.Join(t.TempDir(), "recovery.key")
	req.RollbackGuard = true
	finished := false
	for n := 1; !finished; n++ {
		point := dies(m, n, func() {
			a, err := enroll.Add(t.Context(), &m.Machine, req)
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Finish(); err != nil {
				t.Fatal(err)
			}
		})
		if err := m.Volume.Test(t.Context(), passphrase, 0); err != nil {
			t.Fatalf("after %q: %v", point, err)
		}
		if point == "" || point == "finished" {
			finished = true
			break
		}
		if _, err := enroll.Add(t.Context(), &m.Machine, req); point != "journal" && !errors.Is(err, enroll.ErrUnfinished) {
			t.Fatalf("after %q: %v", point, err)
		}
		for k := 1; ; k++ { // the cleaning up, cut off ever later
			if dies(m, k, func() {
				if _, err := enroll.Recover(t.Context(), &m.Machine, passphrase); err != nil {
					t.Fatal(err)
				}
			}) == "" {
				break
			}
		}
		if point == "journal" { // the first Add above had nothing to be told
			cleanAll(t, m)
		}
		unchanged(t, m, req, before)
	}
	if got := opens(t, m, ""); got != 2 {
		t.Errorf("keyslot %d", got)
	}
}

// cleanAll undoes an enrollment that went through.
func cleanAll(t *testing.T, m *machine) {
	t.Helper()
	if _, err := enroll.Recover(t.Context(), &m.Machine, passphrase); err != nil {
		t.Fatal(err)
	}
}

// dies runs f and kills it at the nth point, whose name it returns; "" where it ended before.
func dies(m *machine, nth int, f func()) (point string) {
	at := 0
	m.Failpoint = func(p string) {
		if at++; at == nth {
			panic(killed{p})
		}
	}
	defer func() {
		m.Failpoint = nil
		if r := recover(); r != nil {
			k, ok := r.(killed)
			if !ok {
				panic(r)
			}
			point = k.point
		}
	}()
	f()
	return ""
}

// Between the crash and the next run somebody added a passphrase, in the number that
// was about to be taken: it stays.
func TestRecoverLeavesOthersAlone(t *testing.T) {
	m, req := newMachine(t), request(t)
	for n := 1; ; n++ {
		if dies(m, n, func() { _, _ = enroll.Add(t.Context(), &m.Machine, req) }) == "keyslot" {
			break
		}
		cleanAll(t, m)
	}
	slot, err := m.Volume.AddKey(t.Context(), passphrase, []byte("somebody else's"), cryptsetup.Quick)
	if err != nil || slot != 1 {
		t.Fatalf("keyslot %d, %v", slot, err)
	}
	theirs, err := (&luks.Recovery{Keyslots: []int{1}, Others: []luks.Field{{Name: "by", Value: []byte(`"others"`)}}}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Volume.ImportToken(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	c, err := enroll.Recover(t.Context(), &m.Machine, passphrase)
	if err != nil || len(c.Keyslots) != 0 || len(c.Tokens) != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	if err := m.Volume.Test(t.Context(), []byte("somebody else's"), 1); err != nil {
		t.Error(err)
	}
}

// A boot that there is no room for is left out, the least important first, and said so.
func TestAddLeavesOutWhatDoesNotFit(t *testing.T) {
	m, req := newMachine(t), request(t)
	for i := range 30 {
		b := recorded(t, boots.Second)
		b.Label = fmt.Sprintf("kernel %d", i)
		b.PCRs = maps.Clone(b.PCRs)
		b.PCRs[4] = pcr.SHA256.Sum([]byte(b.Label))
		req.Boots = append(req.Boots, b)
	}
	a, err := enroll.Add(t.Context(), &m.Machine, req)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Tokens) < 5 || len(a.Left) == 0 || len(a.Tokens)+len(a.Left) != len(req.Boots) || a.Left[len(a.Left)-1].Label != "kernel 29" {
		t.Errorf("%d tokens, %d left", len(a.Tokens), len(a.Left))
	}
	if free := header(t, m).Room().Bytes; free > 2000 {
		t.Errorf("%d bytes are free", free)
	}
}

func TestAddRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(t *testing.T, m *machine, req *enroll.Request)
		says   string
	}{
		{"a wrong passphrase", func(_ *testing.T, _ *machine, req *enroll.Request) { req.Existing = []byte("wrong") }, "no keyslot opens with this passphrase"},
		{"a file that is there", func(t *testing.T, _ *machine, req *enroll.Request) {
			req.KeyFile = filepath.Join(t.TempDir(), "mine")
			if err := os.WriteFile(req.KeyFile, []byte("mine"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "file exists"},
		{"a state folder that cannot be made", func(t *testing.T, m *machine, _ *enroll.Request) {
			if err := os.WriteFile(m.State, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "not a directory"},
		{"all keyslots in use", func(t *testing.T, m *machine, _ *enroll.Request) {
			for range luks.MaxKeyslots - 2 {
				if _, err := m.Volume.AddKey(t.Context(), passphrase, []byte("another"), cryptsetup.Quick); err != nil {
					t.Fatal(err)
				}
			}
		}, "31 of 32 keyslots are in use, and 2 more are needed"},
		{"a TPM whose owner has a password", func(t *testing.T, m *machine, _ *enroll.Request) {
			if _, err := (tpm2.HierarchyChangeAuth{
				AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)}, NewAuth: tpm2.TPM2BAuth{Buffer: []byte("owner")},
			}).Execute(m.TPM); err != nil {
				t.Fatal(err)
			}
		}, "the owner hierarchy's password is wrong or missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, req := newMachine(t), request(t)
			c.change(t, m, &req)
			before := contents(header(t, m))
			_, err := enroll.Add(t.Context(), &m.Machine, req)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
			if after := contents(header(t, m)); !reflect.DeepEqual(before, after) {
				t.Errorf("the volume has changed")
			}
			if text, err := os.ReadFile(req.KeyFile); err == nil && !bytes.Equal(text, []byte("mine")) {
				t.Errorf("the file has changed: %s", text)
			}
		})
	}
}
