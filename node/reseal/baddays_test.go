package reseal_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/luks/cryptsetup"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/node/kept"
	"github.com/bootseal/bootseal/node/reseal"
	"github.com/bootseal/bootseal/node/state"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
	"github.com/google/go-tpm/tpm2"
	"golang.org/x/sys/unix"
)

// unchanged runs a reseal into kernel 56 that must fail, and the volume must be as it was.
func (n *node) unchanged(when string, req *reseal.Request) error {
	n.t.Helper()
	before := n.seqID()
	_, err := reseal.Run(n.t.Context(), n.Machine, req)
	if err == nil {
		n.t.Fatalf("%s: it went through", when)
	}
	if n.seqID() != before {
		n.t.Errorf("%s: the header was written to", when)
	}
	return err
}

// foreign adds a token of another program.
func (n *node) foreign(value string) int {
	return n.importToken(&luks.Unknown{Name: "other", Text: []byte(`{"type":"other","keyslots":["0"],"value":"` + value + `"}`)})
}

// The header has no room: it is said for which boot, and what is there stays.
func TestFullTokenArea(t *testing.T) {
	for _, fill := range []func(*node){
		func(n *node) { n.foreign(strings.Repeat("x", n.inspect().Room.Bytes-300)) },
		func(n *node) {
			for n.inspect().Room.Tokens > 0 {
				n.foreign("")
			}
		},
	} {
		n := newNode(t, options{})
		fill(n)
		before := n.seqID()
		r := n.run(request(t, boots.Second, boots.Upgraded))
		if r.Opens || r.Changed || len(r.Plan.Left) != 1 || !strings.Contains(r.Plan.Left[0].Reason, "no room") || n.seqID() != before {
			t.Errorf("%+v", r)
		}
		n.mustOpen("full", "", boots.Second)
	}
}

// The header is full, but for what a commit would drop: that makes room.
func TestFullTokenAreaWithOldTokens(t *testing.T) {
	n := newNode(t, options{})
	n.addToken(options{release: luks.Systemd257}, 1, n.predictedBoots(boots.Upgraded)[0])
	for n.inspect().Room.Tokens > 0 {
		n.foreign("")
	}
	req := request(t, boots.Second, boots.Upgraded)
	changeInitrd(req)
	r := n.run(req)
	if len(r.Plan.Room) != 1 || len(r.Added) != 1 || !r.Opens {
		t.Errorf("%+v", r.Plan)
	}
	n.mustOpen("full", "", boots.Second)
}

// All 32 keyslots are in use, whose entries leave no room for a token; a new key is refused.
func TestAllKeyslotsInUse(t *testing.T) {
	n := newNode(t, options{})
	for i := len(n.inspect().Keyslots); i < luks.MaxKeyslots; i++ {
		if _, err := n.Volume.AddKey(t.Context(), recovery, fmt.Appendf(nil, "passphrase %d", i), cryptsetup.Quick); err != nil {
			t.Fatal(err)
		}
	}
	if r := n.run(request(t, boots.Second, boots.Upgraded)); r.Opens || len(r.Plan.Left) != 1 {
		t.Errorf("%+v", r.Plan)
	}
	n.replaceTPM()
	req := withRecovery(request(t, boots.Second, boots.Second))
	if err := n.unchanged("a new key", req); !errors.Is(err, luks.ErrFull) {
		t.Errorf("%v", err)
	}
	n.mustOpen("refused", "")
}

// strayBoot makes the TPM's boot one that no token is for.
func strayBoot(n *node) error {
	_, err := tpm2.PCRExtend{
		PCRHandle: tpm2.AuthHandle{Handle: 9, Auth: tpm2.PasswordAuth(nil)},
		Digests:   tpm2.TPMLDigestValues{Digests: []tpm2.TPMTHA{{HashAlg: tpm2.TPMAlgSHA256, Digest: make([]byte, 32)}}},
	}.Execute(n.tpm)
	return err
}

// Tokens of other programs are the same bytes afterwards.
func TestForeignTokens(t *testing.T) {
	n := newNode(t, options{})
	id := n.foreign(`<&> \u00e9`)
	slot, err := n.Volume.AddKey(t.Context(), recovery, luks.Passphrase([]byte("somebody else's secret, of 32 by")), cryptsetup.Quick)
	if err != nil {
		t.Fatal(err)
	}
	theirs := n.addToken(options{release: luks.Systemd257}, slot, n.predictedBoots(boots.Second)[0])
	text := func(id int) []byte {
		h, err := n.Volume.Header()
		if err != nil {
			t.Fatal(err)
		}
		return h.Metadata.Tokens[id]
	}
	before := [][]byte{text(id), text(theirs)}
	n.run(request(t, boots.Second, boots.Upgraded))
	n.boot(boots.Upgraded)
	commit := request(t, boots.Upgraded, boots.Upgraded)
	commit.Commit = true
	n.run(commit)
	if !bytes.Equal(text(id), before[0]) || !bytes.Equal(text(theirs), before[1]) {
		t.Errorf("they are now %s and %s", text(id), text(theirs))
	}
	n.mustOpen("committed", "", boots.Upgraded)
}

// Damaged tokens hide nothing. bootseal's own is written anew.
func TestDamagedTokens(t *testing.T) {
	n := newNode(t, options{})
	own := n.inspect().Boot().ID
	if err := n.Volume.ReplaceToken(t.Context(), own, []byte(`{"type":"bootseal","keyslots":["1"],"version":1,"paths":"garbage"}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Volume.ImportToken(t.Context(), []byte(`{"type":"systemd-tpm2","keyslots":["1"],"tpm2-pcrs":[7],"tpm2-blob":"AAAA","tpm2-policy-hash":"`+
		strings.Repeat("00", 32)+`"}`)); err != nil {
		t.Fatal(err)
	}
	n.run(request(t, boots.Second, boots.Upgraded))
	e := n.inspect()
	if e.Boot() == nil || e.Boot().ID != own || len(e.Problems) != 1 {
		t.Errorf("bootseal token %+v, problems %v", e.Boot(), e.Problems)
	}
	n.wantLabels("damaged", "?", "56") // nothing tells any more what the first is called
	n.mustOpen("damaged", "", boots.Second, boots.Upgraded)
}

// The disk with the state folder is full: nothing is changed.
func TestFullDisk(t *testing.T) {
	n := newNode(t, options{})
	if err := os.MkdirAll(n.State, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("bootseal-test", n.State, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("mounting a small tmpfs takes root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(n.State, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	if err := n.unchanged("full disk", request(t, boots.Second, boots.Upgraded)); !strings.Contains(err.Error(), "back up the header") {
		t.Errorf("%v", err)
	}
	n.mustOpen("full disk", "", boots.Second)
	if got := n.files(); len(got) != 0 {
		t.Errorf("what is left: %v", got)
	}
	if err := unix.Mount("", n.State, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	n.boot(boots.Second)
	if err := n.unchanged("read-only", request(t, boots.Second, boots.Upgraded)); !errors.Is(err, unix.EROFS) {
		t.Errorf("%v", err)
	}
}

// The boot partition is full: the volume is sealed all the same, and only the file that
// explains refused boots is not written.
func TestFullBootPartition(t *testing.T) {
	n := newNode(t, options{})
	if err := os.MkdirAll(n.Expect, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("bootseal-test", n.Expect, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("mounting a small tmpfs takes root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(n.Expect, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(filepath.Join(n.Expect, "kernel"), make([]byte, 1<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("filling it: %v", err)
	}
	r := n.run(request(t, boots.Second, boots.Upgraded))
	if len(r.Added) != 1 || !r.Opens || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "no space left") {
		t.Errorf("%+v", r)
	}
	n.mustOpen("full boot partition", "", boots.Second, boots.Upgraded)
}

// busy is a TPM that another program uses: it answers TPM_RC_RETRY so many times.
type busy struct {
	*vtpmtest.TPM
	times int
}

func (b *busy) Send(command []byte) ([]byte, error) {
	if b.times > 0 {
		b.times--
		return binary.BigEndian.AppendUint32([]byte{0x80, 0x01, 0, 0, 0, 10}, uint32(tpm2.TPMRCRetry)), nil
	}
	return b.TPM.Send(command)
}

func TestBusyTPM(t *testing.T) {
	n := newNode(t, options{})
	n.TPM = &busy{n.tpm, 3}
	n.run(request(t, boots.Second, boots.Upgraded))
	n.mustOpen("after a while", "", boots.Second, boots.Upgraded)
	n.boot(boots.Second)
	n.TPM = &busy{n.tpm, 1 << 30}
	req := request(t, boots.Second, boots.Upgraded)
	changeInitrd(req)
	if err := n.unchanged("busy all the time", req); !errors.Is(err, tpm2.TPMRCRetry) {
		t.Errorf("%v", err)
	}
}

// A wrong PIN costs one try and changes nothing. In lockout nothing that has a PIN can be
// sealed again; what has none is not concerned.
func TestPINAndLockout(t *testing.T) {
	n := newNode(t, options{pin: "123456"})
	req := request(t, boots.Second, boots.Upgraded)
	if err := n.unchanged("no PIN", req); !errors.Is(err, seal.ErrPINRequired) {
		t.Errorf("%v", err)
	}
	req.PIN = func(context.Context) ([]byte, error) { return []byte("wrong"), nil }
	var wrong *seal.PINError
	if err := n.unchanged("wrong PIN", req); !errors.As(err, &wrong) || wrong.Lockout == nil || wrong.Lockout.Failures != 1 {
		t.Errorf("%v", err)
	}
	for range 40 {
		if _, err := reseal.Run(t.Context(), n.Machine, req); !errors.As(err, &wrong) {
			break
		}
	}
	var locked *seal.LockoutError
	req.PIN = func(context.Context) ([]byte, error) { return []byte("123456"), nil }
	if err := n.unchanged("lockout", req); !errors.As(err, &locked) {
		t.Errorf("%v", err)
	}
	n.tpm.Advance(365 * 24 * time.Hour)
	n.run(req)
	n.mustOpen("when the lockout is over", "123456", boots.Second, boots.Upgraded)
}

func TestLockoutWithoutAPIN(t *testing.T) {
	n := newNode(t, options{})
	other := newNodeBeside(n, "1234")
	for range 40 {
		if err := tryPIN(n.tpm, other, "wrong"); errors.As(err, new(*seal.LockoutError)) {
			break
		}
	}
	if err := tryPIN(n.tpm, other, "1234"); !errors.As(err, new(*seal.LockoutError)) {
		t.Fatalf("the TPM is not in lockout: %v", err)
	}
	n.run(request(t, boots.Second, boots.Upgraded))
	if !n.opens(boots.Upgraded, "") {
		t.Error("the volume does not open in lockout")
	}
}

// newNodeBeside seals something with a PIN in the node's TPM.
func newNodeBeside(n *node, pin string) *seal.Sealed {
	n.t.Helper()
	b := n.predictedBoots(boots.Second)[0]
	s, err := seal.Seal(n.tpm, seal.Options{Secret: secret, Policy: b.Policy(true), PIN: []byte(pin)})
	if err != nil {
		n.t.Fatal(err)
	}
	return s
}

func tryPIN(tpm *vtpmtest.TPM, s *seal.Sealed, pin string) error {
	_, err := seal.Unseal(tpm, s, []byte(pin))
	return err
}

// The secret is kept on the volume's own file system. With it, a boot that nobody sealed
// to is no reason to ask for the recovery key.
func TestKeptSecret(t *testing.T) {
	n := newNode(t, options{})
	n.State = filepath.Join(t.TempDir(), "state") // on a disk, which the host below says is the volume
	n.Host = hostWith(t, filepath.Dir(n.State), n.inspect().UUID)
	n.run(request(t, boots.Second, boots.Upgraded))
	if slot, err := kept.Has(n.State, n.inspect().UUID); err != nil || slot != 1 {
		t.Fatalf("keyslot %d, %v", slot, err)
	}
	n.boot(boots.First)
	if err := strayBoot(n); err != nil {
		t.Fatal(err)
	}
	req := request(t, boots.Second, boots.Upgraded)
	changeInitrd(req)
	r := n.run(req)
	if r.Source != "the kept secret" || len(r.Added) != 1 {
		t.Errorf("%+v", r)
	}
	n.mustOpen("with the kept secret", "", boots.Second)
}

// hostWith is a machine whose sysfs says that the folder lies on the volume.
func hostWith(t *testing.T, dir, uuid string) string {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		t.Fatal(err)
	}
	if unix.Major(st.Dev) == 0 {
		t.Skip("the temporary folder is on no block device")
	}
	host := t.TempDir()
	dm := filepath.Join(host, "sys/devices/virtual/block/dm-0")
	for _, d := range []string{filepath.Join(dm, "dm"), filepath.Join(dm, "slaves"), filepath.Join(host, "sys/dev/block")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dm, "dm/uuid"), []byte("CRYPT-LUKS2-"+strings.ReplaceAll(uuid, "-", "")+"-root\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(host, "sys/dev/block", fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev)))
	if err := os.Symlink("../../devices/virtual/block/dm-0", link); err != nil {
		t.Fatal(err)
	}
	if err := kept.Allowed(host, dir, uuid); err != nil {
		t.Fatal(err)
	}
	return host
}

// Two reseals at once: one waits for the other, and finds that it has nothing to do.
func TestTwoAtOnce(t *testing.T) {
	n := newNode(t, options{})
	unlock, err := state.Lock(t.Context(), n.State, n.inspect().UUID)
	if err != nil {
		t.Fatal(err)
	}
	short, stop := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer stop()
	if _, err := reseal.Run(short, n.Machine, request(t, boots.Second, boots.Upgraded)); !errors.Is(err, state.ErrLocked) {
		t.Errorf("%v", err)
	}
	done := make(chan error)
	go func() {
		_, err := reseal.Run(t.Context(), n.Machine, request(t, boots.Second, boots.Upgraded))
		done <- err
	}()
	unlock()
	if err := <-done; err != nil {
		t.Error(err)
	}
	n.wantLabels("both", "54", "56")
}

// A volume that is not enrolled, or whose keyslot is gone, is named.
func TestNotEnrolled(t *testing.T) {
	n := newNode(t, options{})
	if err := n.Volume.KillSlot(t.Context(), 1, recovery); err != nil {
		t.Fatal(err)
	}
	before := enrollment.Inspect(mustHeader(t, n))
	if err := n.unchanged("keyslot gone", request(t, boots.Second, boots.Upgraded)); !strings.Contains(err.Error(), "enroll") {
		t.Errorf("%v (%+v)", err, before.Tokens)
	}
}

func mustHeader(t *testing.T, n *node) *luks.Header {
	h, err := n.Volume.Header()
	if err != nil {
		t.Fatal(err)
	}
	return h
}
