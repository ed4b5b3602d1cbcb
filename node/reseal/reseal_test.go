package reseal_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/expect"
	"github.com/bootseal/bootseal/node/plan"
	"github.com/bootseal/bootseal/node/reseal"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
)

// The story: kernel 54 runs, 56 is installed, the node reboots into it and commits. For
// each systemd that reads the tokens, with and without a PIN.
func TestUpgrade(t *testing.T) {
	for _, o := range []options{{}, {release: luks.Systemd252}, {pin: "123456"}, {release: luks.Systemd252, pin: "123456"}} {
		n := newNode(t, o)
		n.mustOpen("enrolled", o.pin, boots.Second)
		if n.opens(boots.Upgraded, o.pin) {
			t.Fatal("the volume opens for kernel 56 before anybody sealed it")
		}
		n.boot(boots.Second)
		req := request(t, boots.Second, boots.Upgraded)
		req.PIN = func(context.Context) ([]byte, error) { return []byte(o.pin), nil }
		r := n.run(req)
		if len(r.Added) != 1 || !r.Changed || !r.Opens || r.Source != "token 1" || len(r.Warnings) != 0 {
			t.Errorf("%+v: %+v", o, r)
		}
		n.wantLabels("resealed", "54", "56")
		n.mustOpen("resealed", o.pin, boots.Second, boots.Upgraded)
		events, err := expect.Read(n.Expect, r.UUID)
		if err != nil || len(events) == 0 || kernelOf(events[len(events)-1].Label) != "56" {
			t.Errorf("events %v, %v", len(events), err)
		}

		n.boot(boots.Upgraded)
		commit := request(t, boots.Upgraded, boots.Upgraded)
		commit.Commit = true
		r = n.run(commit)
		if len(r.Plan.Drop) != 1 || r.Source != "" {
			t.Errorf("%+v: commit %+v", o, r.Plan)
		}
		n.wantLabels("committed", "56")
		n.mustOpen("committed", o.pin, boots.Upgraded)
		if n.opens(boots.Second, o.pin) {
			t.Error("kernel 54 opens the volume after the commit")
		}
		if got := n.files(); len(got) != 0 {
			t.Errorf("what is left in the state folder: %v", got)
		}
	}
}

// When nothing is new nothing is written: not to the header, not to the state folder.
func TestNothingNew(t *testing.T) {
	n := newNode(t, options{})
	n.run(request(t, boots.Second, boots.Upgraded))
	before, files := n.seqID(), n.files()
	n.Failpoint = func(point string) error {
		if !strings.HasSuffix(point, "write expected events") {
			t.Errorf("%s", point)
		}
		return nil
	}
	n.boot(boots.Second)
	r := n.run(request(t, boots.Second, boots.Upgraded))
	if r.Changed || !r.Plan.Nothing() || !r.Opens || n.seqID() != before || !slices.Equal(n.files(), files) {
		t.Errorf("%+v, header %d after %d, %v", r, n.seqID(), before, n.files())
	}
}

// A dry run says what would be done, and needs no secret for it.
func TestDryRun(t *testing.T) {
	n := newNode(t, options{pin: "123456"})
	before := n.seqID()
	req := request(t, boots.Second, boots.Upgraded)
	req.DryRun = true
	r := n.run(req)
	if len(r.Plan.Add) != 1 || r.Changed || n.seqID() != before {
		t.Errorf("%+v", r)
	}
	if _, err := os.Stat(n.State); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a state folder: %v", err)
	}
}

// A second update before the reboot: what was predicted for the first one goes, what
// runs stays.
func TestSecondUpdateBeforeTheReboot(t *testing.T) {
	n := newNode(t, options{})
	first := request(t, boots.Second, boots.Upgraded)
	n.run(first)
	second := request(t, boots.Second, boots.Upgraded)
	changeInitrd(second)
	r := n.run(second)
	if len(r.Added) != 1 || len(r.Plan.Drop) != 1 {
		t.Errorf("%+v", r.Plan)
	}
	n.mustOpen("after the second update", "", boots.Second)
	if n.opens(boots.Upgraded, "") {
		t.Error("the first update's boot still opens the volume")
	}
}

// changeInitrd makes the predicted PCR 9 another one.
func changeInitrd(req *reseal.Request) {
	p := &req.Prediction.Paths[0]
	for i := range p.Events {
		if e := &p.Events[i]; e.PCR == 9 && strings.Contains(e.Description, "initrd") {
			e.Digests = map[pcr.Bank]pcr.Digest{pcr.SHA256: pcr.SHA256.Sum([]byte("another initial ramdisk"))}
		}
	}
	values, err := p.Log().Replay()
	if err != nil {
		panic(err)
	}
	p.PCRs[pcr.SHA256][9] = values[pcr.SHA256][9]
}

// After a boot by recovery key no token opens. Nothing is changed without the key, and
// with it a new secret takes the old one's place.
func TestAfterARecoveryBoot(t *testing.T) {
	n := newNode(t, options{})
	n.boot(boots.Upgraded) // nobody resealed
	before := n.seqID()
	_, err := reseal.Run(t.Context(), n.Machine, request(t, boots.Upgraded, boots.Upgraded))
	if !errors.Is(err, reseal.ErrNoSecret) || !strings.Contains(err.Error(), "no token opens") || n.seqID() != before {
		t.Errorf("without the key: %v", err)
	}
	commit := request(t, boots.Upgraded, boots.Upgraded)
	commit.Commit = true
	if _, err := reseal.Run(t.Context(), n.Machine, commit); !errors.Is(err, plan.ErrNotOpened) {
		t.Errorf("commit: %v", err)
	}
	r := n.run(withRecovery(request(t, boots.Upgraded, boots.Upgraded)))
	if r.Source != "a new key" || r.Keyslot != 2 || !slices.Equal(r.Killed, []int{1}) {
		t.Errorf("%+v", r)
	}
	n.wantLabels("with a new key", "56")
	n.mustOpen("with a new key", "", boots.Upgraded)
	if err := n.Volume.Test(t.Context(), luks.Passphrase(secret), -1); err == nil {
		t.Error("the old secret still opens the volume")
	}
}

// The TPM was cleared: a clear sentence, nothing is lost, and with the recovery key it
// is sealed to again.
func TestClearedTPM(t *testing.T) {
	for _, o := range []options{{}, {release: luks.Systemd252}} {
		n := newNode(t, o)
		n.replaceTPM()
		before := n.seqID()
		req := request(t, boots.Second, boots.Second)
		_, err := reseal.Run(t.Context(), n.Machine, req)
		if !errors.Is(err, reseal.ErrNoSecret) || n.seqID() != before {
			t.Errorf("%+v: %v", o, err)
		}
		n.mustOpen("before", "")
		r := n.run(withRecovery(req))
		if len(r.Added) != 1 || len(r.Killed) != 1 {
			t.Errorf("%+v: %+v", o, r)
		}
		n.mustOpen("sealed to the cleared TPM", "", boots.Second)
	}
}

// A damaged object is sealed again, before a boot needs it.
func TestDamagedObject(t *testing.T) {
	n := newNode(t, options{})
	n.run(request(t, boots.Second, boots.Upgraded))
	damaged := n.inspect().Token(3)
	s := damaged.SystemdTPM2()
	s.Shards[0].Private[50] ^= 1
	text, err := s.For(luks.Systemd257)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Volume.ReplaceToken(t.Context(), 3, text); err != nil {
		t.Fatal(err)
	}
	if n.opens(boots.Upgraded, "") {
		t.Fatal("it is not damaged")
	}
	n.boot(boots.Second)
	if r := n.run(request(t, boots.Second, boots.Upgraded)); len(r.Added) != 1 || len(r.Plan.Drop) != 1 {
		t.Errorf("%+v", r.Plan)
	}
	n.mustOpen("sealed again", "", boots.Second, boots.Upgraded)
}

// replaceTPM puts another TPM into the machine, which has booted the same.
func (n *node) replaceTPM() {
	n.tpm = otherTPM(n.t)
	n.TPM = n.tpm
	n.boot(boots.Second)
}

// The kept secret, where it is: after PCR 11 has moved on, and after a recovery boot.
func TestParentIsPinned(t *testing.T) {
	n := newNode(t, options{})
	req := request(t, boots.Second, boots.Upgraded)
	req.Parent = seal.Name("\x00\x0bsomebody else")
	_, err := reseal.Run(t.Context(), n.Machine, req)
	var parent *seal.ParentError
	if !errors.As(err, &parent) || n.inspect().Room.Tokens != luks.MaxTokens-3 {
		t.Errorf("%v", err)
	}
	n.mustOpen("nothing has changed", "", boots.Second)
}

func TestRetire(t *testing.T) {
	n := newNode(t, options{})
	n.run(request(t, boots.Second, boots.Upgraded))
	n.boot(boots.Upgraded)
	retire := request(t, boots.Upgraded, boots.Upgraded)
	retire.Retire = "6.1.0-54"
	n.run(retire)
	n.wantLabels("retired", "56")
	n.mustOpen("retired", "", boots.Upgraded)
	if n.opens(boots.Second, "") {
		t.Error("the retired kernel opens the volume")
	}
	// It is remembered: a reseal that predicts it leaves it out.
	n.boot(boots.Upgraded)
	r := n.run(request(t, boots.Upgraded, boots.Second))
	if len(r.Added) != 0 || r.Opens || len(r.Plan.Left) != 1 || !strings.Contains(r.Plan.Left[0].Reason, "retired") {
		t.Errorf("%+v", r.Plan)
	}
	running := request(t, boots.Upgraded, boots.Upgraded)
	running.Retire = "6.1.0-56"
	if _, err := reseal.Run(t.Context(), n.Machine, running); !errors.Is(err, plan.ErrRunning) {
		t.Errorf("the running boot: %v", err)
	}
	n.wantLabels("refused", "56")
	running.Force = true
	n.run(running)
	n.wantLabels("forced")
	n.mustOpen("only the recovery key is left", "")
	if list, err := reseal.ReadRetired(n.State, n.inspect().UUID); err != nil || len(list) != 2 {
		t.Errorf("%v, %v", list, err)
	}
}

// A boot that is retired before it ever got a token is remembered, too.
func TestRetireWithoutAToken(t *testing.T) {
	n := newNode(t, options{})
	before := n.seqID()
	req := request(t, boots.Second, boots.Upgraded)
	req.Retire, req.Force = "6.1.0-56", true
	n.run(req)
	if list, err := reseal.ReadRetired(n.State, n.inspect().UUID); err != nil || len(list) != 1 || n.seqID() != before {
		t.Errorf("%v, %v", list, err)
	}
	if got := n.files(); !slices.Equal(got, []string{"retired.json"}) {
		t.Errorf("%v", got)
	}
}

// The expected events cannot be written: the volume is sealed all the same, and it is said.
func TestReadOnlyBootPartition(t *testing.T) {
	n := newNode(t, options{})
	if err := os.WriteFile(n.Expect, nil, 0o600); err != nil { // in the way of the folder
		t.Fatal(err)
	}
	r := n.run(request(t, boots.Second, boots.Upgraded))
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], n.Expect) {
		t.Errorf("%v", r.Warnings)
	}
	n.mustOpen("without the events", "", boots.Second, boots.Upgraded)
}

// A state folder that cannot be written to: nothing is changed.
func TestReadOnlyState(t *testing.T) {
	n := newNode(t, options{})
	if err := os.MkdirAll(filepath.Dir(n.State), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(n.State, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	before := n.seqID()
	if _, err := reseal.Run(t.Context(), n.Machine, request(t, boots.Second, boots.Upgraded)); err == nil || !strings.Contains(err.Error(), n.State) {
		t.Errorf("%v", err)
	}
	if n.seqID() != before {
		t.Error("the header was written to")
	}
	n.mustOpen("nothing has changed", "", boots.Second)
}
