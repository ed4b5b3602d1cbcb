package offline_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/node/offline"
	"github.com/bootseal/bootseal/pcr"
)

func load(t *testing.T, name boots.Name) *boots.Boot {
	t.Helper()
	b, err := boots.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A recorded boot's contents are what it loaded: programs and files, by name.
func TestContents(t *testing.T) {
	var what []string
	for _, c := range offline.Contents(load(t, boots.Second).Log, pcr.SHA256) {
		what = append(what, c.What)
	}
	all := strings.Join(what, "\n")
	for _, part := range []string{"shim", "grub.cfg", "/boot/vmlinuz-6.1.0-54", "/boot/initrd.img-6.1.0-54"} {
		if !strings.Contains(all, part) {
			t.Errorf("%q is not among\n%s", part, all)
		}
	}
	if strings.Contains(all, "menuentry") {
		t.Error("what GRUB runs is in its files")
	}
}

// machine is one that runs, and what could boot from its files.
func machine(t *testing.T, boot string, log *eventlog.Log, files bootchain.Manifest) offline.Now {
	return offline.Now{Boot: boot, Bank: pcr.SHA256, ByTPM: true,
		Coming: offline.Files(files, pcr.SHA256), Running: offline.Contents(log, pcr.SHA256)}
}

func changed(r *offline.Record) []string {
	var out []string
	for _, c := range r.Changed {
		out = append(out, c.What)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// with is a manifest with another file in it, or in the place of one.
func with(m bootchain.Manifest, path, text string) bootchain.Manifest {
	files := map[string]bootchain.File{path: {Digests: map[pcr.Bank]pcr.Digest{pcr.SHA256: pcr.SHA256.Sum([]byte(text))}}}
	for p, f := range m.Volumes[0].Files {
		if p != path {
			files[p] = f
		}
	}
	v := m.Volumes[0]
	v.Files = files
	return bootchain.Manifest{Volumes: append([]bootchain.Volume{v}, m.Volumes[1:]...)}
}

func TestLook(t *testing.T) {
	running := load(t, boots.Second)
	monday := offline.Look(nil, machine(t, "monday", running.Log, running.Manifest))
	const dropped = "/boot/initrd.img-of-a-kernel-that-is-not-booted"
	for _, c := range []struct {
		name string
		now  offline.Now
		want []string
	}{
		{"nothing", machine(t, "tuesday", running.Log, running.Manifest), nil},
		{"while it runs", machine(t, "monday", running.Log, with(running.Manifest, dropped, "new")), nil},
		{"while it is off", machine(t, "tuesday", running.Log, with(running.Manifest, dropped, "new")), []string{dropped}},
		// GRUB writes to its environment block after it has read it.
		{"a file that this boot has read", machine(t, "tuesday", running.Log, with(running.Manifest, "/boot/grub/grub.cfg", "new")), nil},
	} {
		if got := changed(offline.Look(monday, c.now)); !slices.Equal(got, c.want) {
			t.Errorf("%s: changed %v, want %v", c.name, got, c.want)
		}
	}

	// Opened by somebody's recovery key, the running boot vouches for what it loaded alone.
	byHand := machine(t, "tuesday", running.Log, with(running.Manifest, "/boot/grub/grub.cfg", "new"))
	byHand.ByTPM = false
	if got := changed(offline.Look(monday, byHand)); !slices.Equal(got, []string{"/boot/grub/grub.cfg"}) {
		t.Errorf("after a boot by recovery key: %v", got)
	}

	// What was changed stays so, whatever comes after, until it is gone or accepted.
	tuesday := offline.Look(monday, machine(t, "tuesday", running.Log, with(running.Manifest, dropped, "new")))
	later := machine(t, "tuesday", running.Log, with(with(running.Manifest, dropped, "new"), "/boot/vmlinuz-new", "an upgrade"))
	if got := changed(offline.Look(tuesday, later)); !slices.Equal(got, []string{dropped}) {
		t.Errorf("after an upgrade: %v", got)
	}
	if got := changed(offline.Look(tuesday, machine(t, "wednesday", running.Log, running.Manifest))); got != nil {
		t.Errorf("when it is gone: %v", got)
	}
	if got := changed(offline.Look(nil, later)); got != nil {
		t.Errorf("accepted: %v", got)
	}
}

// An initial ramdisk that was changed spoils each that it is joined with.
func TestLookAtJoinedFiles(t *testing.T) {
	running := load(t, boots.Second)
	monday := offline.Look(nil, machine(t, "monday", running.Log, running.Manifest))
	files := with(running.Manifest, "/boot/added.img", "new")
	tuesday := offline.Look(monday, machine(t, "tuesday", running.Log, files))
	files.Volumes[0].Joined = map[string]map[pcr.Bank]pcr.Digest{
		"/boot/initrd.img+/boot/added.img": {pcr.SHA256: pcr.SHA256.Sum([]byte("both"))},
		"/boot/initrd.img+/boot/other.img": {pcr.SHA256: pcr.SHA256.Sum([]byte("neither"))},
	}
	if got := changed(offline.Look(tuesday, machine(t, "tuesday", running.Log, files))); !slices.Equal(got, []string{"/boot/added.img", "/boot/initrd.img+/boot/added.img"}) {
		t.Errorf("changed %v", got)
	}
}

// A boot that loads something changed is refused, and one that does not is not.
func TestRefuse(t *testing.T) {
	running, upgraded := load(t, boots.Second), load(t, boots.Upgraded)
	monday := offline.Look(nil, machine(t, "monday", running.Log, running.Manifest))
	tuesday := offline.Look(monday, machine(t, "tuesday", running.Log, upgraded.Manifest))
	if what := tuesday.Refuse(upgraded.Log); !strings.Contains(what, "6.1.0-56") {
		t.Errorf("refused for %q", what)
	}
	if what := tuesday.Refuse(running.Log); what != "" {
		t.Errorf("the running boot is refused for %q", what)
	}
	if what := (*offline.Record)(nil).Refuse(running.Log); what != "" {
		t.Errorf("without a record: %q", what)
	}
}

func TestFile(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	if r, err := offline.Read(state); r != nil || err != nil {
		t.Errorf("there is none: %v, %v", r, err)
	}
	running, upgraded := load(t, boots.Second), load(t, boots.Upgraded)
	r := offline.Look(offline.Look(nil, machine(t, "monday", running.Log, running.Manifest)), machine(t, "tuesday", running.Log, upgraded.Manifest))
	if err := r.Write(state); err != nil {
		t.Fatal(err)
	}
	again, err := offline.Read(state)
	if err != nil || !again.Equal(r) || len(again.Changed) == 0 {
		t.Errorf("%v, %v", again, err)
	}
	for text, says := range map[string]string{"{": "unexpected end", `{"version":9}`: "another bootseal", `{"version":1,"bank":"0x9999"}`: "no bank"} {
		if err := os.WriteFile(filepath.Join(state, "boot-files.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := offline.Read(state); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
}
