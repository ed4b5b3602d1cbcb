package reseal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/internal/killtest"
	"github.com/bootseal/bootseal/internal/reboot"
	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/luks/cryptsetup"
	"github.com/bootseal/bootseal/node/reseal"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// story is a run that is cut off at every place, and what holds at each.
type story struct {
	name    string
	prepare func(*node)
	running boots.Name
	request func(*node) *reseal.Request
	// always are boots for which the volume opens at every moment; with either, at least
	// one of them.
	always []boots.Name
	either bool
	// after are the boots that it opens for in the end, and tokens what they are for.
	after  []boots.Name
	tokens []string
	// guard: the story moves the TPM's counter, so that each cut needs a TPM of its own.
	guard bool
}

func stories(t testing.TB) []story {
	upgraded := func(n *node) { n.run(request(n.t, boots.Second, boots.Upgraded)) }
	return []story{
		{
			name: "reseal", running: boots.Second, prepare: func(*node) {},
			request: func(*node) *reseal.Request { return request(t, boots.Second, boots.Upgraded) },
			always:  []boots.Name{boots.Second}, after: []boots.Name{boots.Second, boots.Upgraded}, tokens: []string{"54", "56"},
		},
		{
			name: "second update", running: boots.Second, prepare: upgraded,
			request: func(*node) *reseal.Request {
				r := request(t, boots.Second, boots.Upgraded)
				changeInitrd(r)
				return r
			},
			always: []boots.Name{boots.Second}, after: []boots.Name{boots.Second}, tokens: []string{"54", "56"},
		},
		{
			name: "commit", running: boots.Upgraded, prepare: upgraded,
			request: func(*node) *reseal.Request {
				r := request(t, boots.Upgraded, boots.Upgraded)
				r.Commit = true
				return r
			},
			always: []boots.Name{boots.Upgraded}, after: []boots.Name{boots.Upgraded}, tokens: []string{"56"},
		},
		{
			name: "retire", running: boots.Upgraded, prepare: upgraded,
			request: func(*node) *reseal.Request {
				r := request(t, boots.Upgraded, boots.Upgraded)
				r.Retire = "6.1.0-54"
				return r
			},
			always: []boots.Name{boots.Upgraded}, after: []boots.Name{boots.Upgraded}, tokens: []string{"56"},
		},
		{
			name: "commit with a rollback guard", running: boots.Upgraded, guard: true,
			prepare: func(n *node) {
				r := request(n.t, boots.Second, boots.Upgraded)
				r.RollbackGuard = true
				n.run(r)
			},
			request: func(*node) *reseal.Request {
				r := request(t, boots.Upgraded, boots.Upgraded)
				r.Commit = true
				return r
			},
			always: []boots.Name{boots.Upgraded}, after: []boots.Name{boots.Upgraded}, tokens: []string{"56"},
		},
		{
			name: "retire with a rollback guard", running: boots.Upgraded, guard: true,
			prepare: func(n *node) {
				for i, step := range []struct{ running, files boots.Name }{{boots.Second, boots.Upgraded}, {boots.Upgraded, boots.Upgraded}, {boots.Upgraded, boots.Second}} {
					r := request(n.t, step.running, step.files)
					r.RollbackGuard, r.Commit = true, i == 1
					n.boot(step.running)
					n.run(r)
				}
			},
			request: func(*node) *reseal.Request {
				r := request(t, boots.Upgraded, boots.Upgraded)
				r.Retire = "6.1.0-54"
				return r
			},
			always: []boots.Name{boots.Upgraded}, after: []boots.Name{boots.Upgraded}, tokens: []string{"56"},
		},
		{
			name: "new key after a recovery boot", running: boots.Upgraded, prepare: func(*node) {},
			request: func(*node) *reseal.Request { return withRecovery(request(t, boots.Upgraded, boots.Upgraded)) },
			always:  []boots.Name{boots.Second, boots.Upgraded}, either: true, after: []boots.Name{boots.Upgraded}, tokens: []string{"56"},
		},
	}
}

// holds checks what is true at every moment.
func (s *story) holds(n *node, when string) {
	n.t.Helper()
	if !s.either {
		n.mustOpen(when, "", s.always...)
		return
	}
	n.mustOpen(when, "")
	for _, name := range s.always {
		if n.opens(name, "") {
			return
		}
	}
	n.t.Errorf("%s: the volume opens for none of %v; tokens %v", when, s.always, n.labels())
}

// finish runs it again, without an accident, and checks the outcome.
func (s *story) finish(n *node, when string) {
	n.t.Helper()
	n.Failpoint = nil
	n.boot(s.running)
	if _, err := reseal.Run(n.t.Context(), n.Machine, s.request(n)); err != nil {
		n.t.Fatalf("%s: again: %v", when, err)
	}
	n.wantLabels(when, s.tokens...)
	n.mustOpen(when, "", s.after...)
	for _, name := range n.files() {
		if name == "journal.json" || name == "header.img" {
			n.t.Errorf("%s: %s is left", when, name)
		}
	}
	if e := n.inspect(); len(e.Keyslots) != 2 {
		n.t.Errorf("%s: %d keyslots", when, len(e.Keyslots))
	}
}

// snapshot is a volume and its state folder.
type snapshot struct{ dir string }

func (n *node) snapshot() snapshot {
	n.t.Helper()
	s := snapshot{tempDir(n.t)}
	copyFile(n.t, n.Volume.Path(), filepath.Join(s.dir, "volume"))
	if _, err := os.Stat(n.State); err == nil {
		if err := os.CopyFS(filepath.Join(s.dir, "state"), os.DirFS(n.State)); err != nil {
			n.t.Fatal(err)
		}
	}
	return s
}

func (n *node) restore(s snapshot) {
	n.t.Helper()
	copyFile(n.t, filepath.Join(s.dir, "volume"), n.Volume.Path())
	if err := os.RemoveAll(n.State); err != nil {
		n.t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "state")); err == nil {
		if err := os.CopyFS(n.State, os.DirFS(filepath.Join(s.dir, "state"))); err != nil {
			n.t.Fatal(err)
		}
	}
}

var errCut = errors.New("cut off here")

// Cut off before each of its changes, and run again.
func TestCutOffAnywhere(t *testing.T) {
	for _, s := range stories(t) {
		t.Run(s.name, func(t *testing.T) {
			if testing.Short() && s.name != "reseal" {
				t.Skip("it takes seconds")
			}
			t.Parallel()
			n := newNode(t, options{})
			s.prepare(n)
			before := n.snapshot()
			points := 0
			for at := 1; ; at++ {
				if s.guard {
					n = newNode(t, options{})
					s.prepare(n)
				} else {
					n.restore(before)
				}
				n.boot(s.running)
				seen, where := 0, ""
				n.Failpoint = func(point string) error {
					if seen++; strings.HasPrefix(point, "before") && seen == 2*at-1 {
						where = point
						return errCut
					}
					return nil
				}
				_, err := reseal.Run(t.Context(), n.Machine, s.request(n))
				if err == nil {
					break
				}
				if !errors.Is(err, errCut) {
					t.Fatalf("%s: %v", where, err)
				}
				points++
				s.holds(n, where)
				s.finish(n, where+", and again")
			}
			t.Logf("cut off at %d points", points)
			if points < 6 {
				t.Errorf("%d points are too few: the failpoints are not where the changes are", points)
			}
		})
	}
}

const headerCopy = 0x4000 // bytes of each of the two

// The power goes in the midst of each write of the header: cryptsetup writes one copy,
// then the other one.
func TestPowerCutInAWrite(t *testing.T) {
	for _, s := range stories(t) {
		t.Run(s.name, func(t *testing.T) {
			if testing.Short() && s.name != "reseal" {
				t.Skip("it takes seconds")
			}
			t.Parallel()
			if s.guard {
				t.Skip("the counter does not go back with the header: cutting it off between writes is tested")
			}
			n := newNode(t, options{})
			s.prepare(n)
			n.boot(s.running)
			type write struct {
				name          string
				before, after snapshot
			}
			var writes []write
			var before snapshot
			n.Failpoint = func(point string) error {
				name := strings.TrimPrefix(strings.TrimPrefix(point, "before "), "after ")
				touches := strings.Contains(name, "token ") || strings.Contains(name, "keyslot") || name == "write expectations"
				switch {
				case !touches:
				case strings.HasPrefix(point, "before"):
					before = n.snapshot()
				default:
					writes = append(writes, write{name, before, n.snapshot()})
				}
				return nil
			}
			if _, err := reseal.Run(t.Context(), n.Machine, s.request(n)); err != nil {
				t.Fatal(err)
			}
			n.Failpoint = nil
			if len(writes) == 0 {
				t.Fatal("the header was not written to")
			}
			for _, w := range writes {
				old, replaced := header(t, w.before), header(t, w.after)
				if bytes.Equal(old, replaced) {
					t.Errorf("%s: nothing was written", w.name)
				}
				for i, torn := range tear(old, replaced) {
					n.restore(w.after) // key material is written before the header
					put(t, n.Volume.Path(), torn.header)
					when := w.name + ": " + torn.name
					s.holds(n, when)
					if i%2 == 0 {
						continue // the next one is much the same
					}
					put(t, n.Volume.Path(), torn.header) // cryptsetup has mended it meanwhile
					s.finish(n, when+", and again")
				}
			}
		})
	}
}

func header(t testing.TB, s snapshot) []byte {
	t.Helper()
	b := make([]byte, 2*headerCopy)
	f, err := os.Open(filepath.Join(s.dir, "volume"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

func put(t testing.TB, path string, header []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(header, 0); err != nil {
		t.Fatal(err)
	}
}

type torn struct {
	name   string
	header []byte
}

// tear returns what a power cut can leave of a write: a first part of the new primary
// copy, all of it, or that and a first part of the secondary one. Sectors have 512 bytes.
func tear(old, replaced []byte) []torn {
	var out []torn
	for _, c := range []struct {
		name string
		n    int
	}{
		{"the first sector of the primary copy", 512}, {"half of the primary copy", headerCopy / 2}, {"the primary copy", headerCopy},
		{"the primary copy and half of the secondary one", headerCopy + headerCopy/2},
	} {
		out = append(out, torn{c.name, append(bytes.Clone(replaced[:c.n]), old[c.n:]...)})
	}
	return out
}

// Both copies of the header are destroyed: the backup brings back what was there.
func TestBothCopiesDestroyed(t *testing.T) {
	n := newNode(t, options{})
	n.Failpoint = func(point string) error {
		if point == "after add token 1" {
			return errCut
		}
		return nil
	}
	if _, err := reseal.Run(t.Context(), n.Machine, request(t, boots.Second, boots.Upgraded)); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	n.Failpoint = nil
	h, err := n.Volume.Header()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(n.Volume.Path(), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int64{5000, headerCopy + 5000} { // in the JSON areas
		if _, err := f.WriteAt([]byte("garbage"), at); err != nil {
			t.Fatal(err)
		}
	}
	f.Close()
	if _, err := n.Volume.Header(); !errors.Is(err, luks.ErrDamaged) {
		t.Fatalf("%v", err)
	}
	n.boot(boots.Second)
	r := n.run(request(t, boots.Second, boots.Upgraded))
	if !r.Restored || r.UUID != h.UUID || len(r.Warnings) != 1 {
		t.Errorf("%+v", r)
	}
	n.mustOpen("restored", "", boots.Second, boots.Upgraded)
}

// killVariable tells a process of this test's program to reseal until it is killed; it
// is the folder to work in.
const killVariable = "BOOTSEAL_TEST_RESEAL"

// machineIn opens the node of a folder, with a TPM of the same seeds as every other.
func machineIn(dir string) (*reseal.Machine, *vtpm.TPM, error) {
	tpm, err := vtpm.New(vtpm.Options{Entropy: vtpmtest.Entropy()})
	if err == nil {
		err = reboot.Startup(tpm)
	}
	if err != nil {
		return nil, nil, err
	}
	tool, err := cryptsetup.Find(context.Background())
	if err != nil {
		return nil, nil, err
	}
	if _, _, err := seal.EnsureSRK(tpm, nil); err != nil { // the same one
		return nil, nil, err
	}
	v, err := tool.Volume(filepath.Join(dir, "volume"))
	return &reseal.Machine{TPM: tpm, Volume: v, State: filepath.Join(dir, "state"), Host: "/"}, tpm, err
}

// resealUntilKilled goes from kernel 54 to 56 and back, and says each time that it got
// there.
func resealUntilKilled() {
	m, tpm, err := machineIn(os.Getenv(killVariable))
	for n := 1; err == nil; n++ {
		err = upgradeBack(m, tpm)
		fmt.Println(n)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(2)
}

func upgradeBack(m *reseal.Machine, tpm *vtpm.TPM) error {
	t := failing{}
	for _, step := range []struct {
		running, files boots.Name
		commit         bool
	}{
		{boots.Second, boots.Upgraded, false}, {boots.Upgraded, boots.Upgraded, true},
		{boots.Upgraded, boots.Second, false}, {boots.Second, boots.Second, true},
	} {
		if err := reboot.VTPM(tpm, load(t, step.running).Log); err != nil {
			return err
		}
		req := request(t, step.running, step.files)
		req.Commit = step.commit
		if _, err := reseal.Run(context.Background(), m, req); err != nil {
			return err
		}
	}
	return nil
}

// failing is a testing.TB outside of a test.
type failing struct{ testing.TB }

func (failing) Helper()           {}
func (failing) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// A process that is killed at any moment, while cryptsetup may go on: the volume opens,
// and the next run finds its way.
func TestKilledProcess(t *testing.T) {
	n := newNode(t, options{})
	dir := filepath.Dir(n.Volume.Path())
	const rounds = 5
	for range rounds {
		_, last := killtest.Count(t, killVariable+"="+dir, time.Duration(rand.IntN(1500))*time.Millisecond)
		m, tpm, err := machineIn(dir)
		if err != nil {
			t.Fatal(err)
		}
		n.tpm.TPM, m.TPM = tpm, tpm
		n.Machine = m
		old, upgraded := n.opens(boots.Second, ""), n.opens(boots.Upgraded, "")
		if !old && !upgraded {
			t.Fatalf("after %d rounds the volume opens for neither kernel; tokens %v", last, n.labels())
		}
		// Kernel 54 again, whichever was running.
		for _, step := range []struct {
			running boots.Name
			commit  bool
		}{{boots.Upgraded, false}, {boots.Second, false}, {boots.Second, true}} {
			if step.running == boots.Upgraded && !upgraded {
				continue
			}
			n.boot(step.running)
			req := request(t, step.running, boots.Second)
			req.Commit = step.commit
			n.run(req)
		}
		n.wantLabels("committed", "54")
		n.mustOpen("committed", "", boots.Second)
	}
}

// otherTPM is a TPM with other seeds.
func otherTPM(t *testing.T) *vtpmtest.TPM {
	t.Helper()
	entropy := vtpmtest.Entropy()
	var skip [1000]byte
	_, _ = entropy.Read(skip[:])
	return vtpmtest.OpenOptions(t, vtpm.Options{Entropy: entropy})
}
