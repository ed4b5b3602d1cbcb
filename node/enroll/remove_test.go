package enroll_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/luks/cryptsetup"
	"github.com/bootseal/bootseal/node/enroll"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/node/volumes"
)

// added enrolls for good.
func added(t *testing.T, m *machine, req enroll.Request) *enroll.Added {
	t.Helper()
	a, err := enroll.Add(t.Context(), &m.Machine, req)
	if err == nil {
		err = a.Finish()
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Killed at any moment of a removal, and then done again: all is gone that bootseal put
// there, and nothing else.
func TestRemoveKilledAnywhere(t *testing.T) {
	m, req := newMachine(t), request(t)
	before := contents(header(t, m))
	for n := 1; ; n++ {
		added(t, m, req)
		remove := func() {
			h := header(t, m)
			old, err := enroll.Own(enrollment.Inspect(h), true)
			if errors.Is(err, enroll.ErrNotEnrolled) {
				return
			}
			if err == nil {
				err = enroll.Remove(t.Context(), &m.Machine, h, old, passphrase)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		point := dies(m, n, remove)
		if err := m.Volume.Test(t.Context(), passphrase, 0); err != nil {
			t.Fatal(err)
		}
		remove()
		if after := contents(header(t, m)); !reflect.DeepEqual(before, after) {
			t.Fatalf("after %q:\nbefore %+v\nafter %+v", point, before, after)
		}
		if point == "" {
			break
		}
	}
}

func TestRemoveNeedsAnotherWayIn(t *testing.T) {
	m, req := newMachine(t), request(t)
	a := added(t, m, req)
	h := header(t, m)
	old, err := enroll.Own(enrollment.Inspect(h), false)
	if err != nil || !slices.Equal(old.Keyslots, []int{a.Keyslot}) || old.Tokens[len(old.Tokens)-1] != a.Boot {
		t.Fatalf("%+v, %v", old, err)
	}
	for _, wrong := range [][]byte{[]byte("wrong"), luks.Passphrase(a.Secret())} {
		if err := enroll.Remove(t.Context(), &m.Machine, h, old, wrong); !errors.Is(err, cryptsetup.ErrPassphrase) {
			t.Errorf("%v", err)
		}
	}
	if !reflect.DeepEqual(contents(h), contents(header(t, m))) {
		t.Error("something was removed")
	}
}

// Whoever holds the disk can write a bootseal token that names the keyslot of a
// passphrase: it is not destroyed.
func TestRemoveIsNotTalkedIntoOtherKeyslots(t *testing.T) {
	m, req := newMachine(t), request(t)
	a := added(t, m, req)
	evil, err := (&luks.Boot{Keyslots: []int{0, a.Recovery, a.Keyslot}}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Volume.ReplaceToken(t.Context(), a.Boot, evil); err != nil {
		t.Fatal(err)
	}
	old, err := enroll.Own(enrollment.Inspect(header(t, m)), false)
	if err != nil || !slices.Equal(old.Keyslots, []int{a.Keyslot}) {
		t.Errorf("%+v, %v", old, err)
	}
}

// A token that has changed since it was looked at is not removed.
func TestRemoveSeesOthersAtWork(t *testing.T) {
	m, req := newMachine(t), request(t)
	a := added(t, m, req)
	h := header(t, m)
	old, err := enroll.Own(enrollment.Inspect(h), false)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Volume.ReplaceToken(t.Context(), a.Tokens[0], []byte(`{"type":"another","keyslots":[]}`)); err != nil {
		t.Fatal(err)
	}
	if err := enroll.Remove(t.Context(), &m.Machine, h, old, passphrase); err == nil || !strings.Contains(err.Error(), "another one now") {
		t.Error(err)
	}
}

// What the machine knows of the volume is its identity, which follows from the volume key.
func TestRecordAndForget(t *testing.T) {
	m, req := newMachine(t), request(t)
	a := added(t, m, req)
	list, uuid := filepath.Join(t.TempDir(), "etc", "volumes.json"), header(t, m).UUID
	if err := enroll.Record(t.Context(), list, m.Volume, "root", passphrase, a.Parent.Name); err != nil {
		t.Fatal(err)
	}
	all, err := volumes.Read(list)
	if err != nil {
		t.Fatal(err)
	}
	key, err := m.Volume.VolumeKey(t.Context(), req.Recovery.Passphrase())
	if err != nil {
		t.Fatal(err)
	}
	v, ok := all.Find(uuid)
	if !ok || v.Name != "root" || !v.Identity.Equal(volumes.Identify(key, "root", uuid)) || v.Parent.String() != a.Parent.Name.String() {
		t.Errorf("%+v, %v", v, ok)
	}
	for range 2 {
		if err := enroll.Forget(list, uuid); err != nil {
			t.Error(err)
		}
	}
	if all, err := volumes.Read(list); err != nil || len(all.Volumes) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestMappingName(t *testing.T) {
	const uuid = "0f8fad5b-d9cb-469f-a165-70867728950e"
	host := t.TempDir()
	device := filepath.Join(host, "vda3")
	if err := os.MkdirAll(filepath.Join(host, "etc"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(device, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	is := func(want string) {
		t.Helper()
		if got := enroll.MappingName(host, device, uuid); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	is("luks-" + uuid)
	for _, line := range []string{"a UUID=" + strings.ToUpper(uuid) + " none", "a /dev/disk/by-uuid/" + uuid, "a\t" + device + "\tnone luks", "a " + filepath.Join(host, ".", "etc", "..", "vda3")} {
		if err := os.WriteFile(filepath.Join(host, "etc/crypttab"), []byte("# comment\nother UUID=11111111-d9cb-469f-a165-70867728950e none\nbroken\n"+line+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		is("a")
	}
	dm := filepath.Join(host, "sys/block/dm-0/dm")
	if err := os.MkdirAll(dm, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dm, "uuid"), []byte("CRYPT-LUKS2-0f8fad5bd9cb469fa16570867728950e-my-root\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	is("my-root")
}

func TestCheck(t *testing.T) {
	h := func(change func(*luks.Header)) *luks.Header {
		h := &luks.Header{Copy: luks.Copy{UUID: "0f8fad5b-d9cb-469f-a165-70867728950e", Size: 16384}, Metadata: &luks.Metadata{
			Keyslots: map[int]luks.Keyslot{0: {Type: "luks2", KeySize: 64, Area: luks.Area{Offset: "32768", Size: "258048"}}},
			Config:   luks.Config{KeyslotsSize: "16744448"},
		}}
		change(h)
		return h
	}
	for _, c := range []struct {
		change func(*luks.Header)
		says   string
	}{
		{func(*luks.Header) {}, ""},
		{func(h *luks.Header) { h.UUID = "../etc" }, "which is none"},
		{func(h *luks.Header) { h.Metadata.Config.Requirements.Mandatory = []string{"online-reencrypt-v2"} }, "in the middle of being encrypted anew"},
		{func(h *luks.Header) { h.Metadata.Config.Requirements.Mandatory = []string{"opal"} }, `requires ["opal"]`},
		{func(h *luks.Header) { h.Metadata.Keyslots = nil }, "it has no keyslot"},
		{func(h *luks.Header) { h.Metadata.Config.KeyslotsSize = "262144" }, "room for the key material of 0 more keyslots"},
		{func(h *luks.Header) {
			h.Metadata.Tokens = map[int]json.RawMessage{}
			for i := range 30 {
				h.Metadata.Tokens[i] = json.RawMessage(`{}`)
			}
		}, "30 of 32 tokens are in use, and 3 more are needed"},
	} {
		err := enroll.Check(h(c.change), "/dev/vda3", 2, 3)
		if c.says == "" && err == nil {
			continue
		}
		var p *enroll.Problem
		if !errors.As(err, &p) || !strings.Contains(p.Error(), c.says) || p.Remedy() == "" {
			t.Errorf("%v, want %q", err, c.says)
		}
	}
}
