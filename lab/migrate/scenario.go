package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bootseal/bootseal/lab"
)

// scenario is a machine that is booted once or twice and goes through moves. After each move the
// guest says whether its TPM is as it was.
type scenario struct {
	Name, What string
	TPM        func(*yard) (*tpm, error) // of the first boot
	Moves      []move
}

// move is a story with a machine; it leaves the machine that goes on.
type move struct {
	What string
	do   func(context.Context, *journey) error
}

// journey is a machine on its way.
type journey struct {
	*yard
	at   *machine
	pcrs []string // of the boot
	kept string   // what the guest left in the TPM
	// worked is how many commands the guest had executed during the last move.
	worked int
}

// scenarios is the list of all: a new move is a line here and a function.
func scenarios() []scenario {
	return []scenario{
		{Name: "vtpm", What: "from one of bootseal's vTPMs to another", TPM: (*yard).plainTPM, Moves: []move{
			{"boot, and hold keys, sessions, contexts and a hash in progress", hold},
			{"live, to a vTPM of its own, while the TPM works", live},
			{"live, to a process that shares the state's folder", shared},
			{"a snapshot, which more commands are taken back to, twice", snapshot},
			{"suspended to a file, and resumed at `bootseal vtpm serve`", suspended},
			{"live, between two vTPMs of one `bootseal vtpm serve`", hosted},
			{"live, with a migration key", encrypted},
			{"refused: the target has another migration key; the source goes on", otherKey},
			{"refused: the target's vTPM has died; the source goes on", targetDies},
			{"refused: the target is swtpm; the source goes on", toSwtpm},
			{"live, after all that was refused", afterwards},
		}},
		{Name: "swtpm", What: "from swtpm to bootseal's vTPM", TPM: (*yard).swtpmTPM, Moves: []move{
			{"boot on swtpm, and keep a key, a sealed secret and a counter", keep},
			{"refused: a live move from swtpm; the source goes on", fromSwtpm},
			{"shut down, imported, and booted on bootseal's vTPM: the same PCRs, and all that was kept", imported},
		}},
	}
}

func (y *yard) plainTPM() (*tpm, error) { return y.newTPM() }

// boot boots a machine and leaves the journey at it.
func (j *journey) boot(ctx context.Context, t *tpm) (err error) {
	if j.at, err = j.start(t, false); err != nil {
		return err
	}
	return j.at.booted(ctx)
}

func hold(ctx context.Context, j *journey) error {
	a, err := j.at.ask(ctx, "hold")
	j.pcrs = a.PCRs
	if err == nil && len(a.PCRs) < 4*23 {
		err = fmt.Errorf("the guest reads %d PCRs", len(a.PCRs))
	}
	return err
}

// check has the guest use all that it holds, and compares the boot's PCRs.
func (j *journey) check(ctx context.Context) error {
	a, err := j.at.ask(ctx, "check")
	if err != nil {
		return err
	}
	j.worked = a.Commands
	return j.samePCRs(a.PCRs)
}

func (j *journey) samePCRs(pcrs []string) error {
	for i := range max(len(pcrs), len(j.pcrs)) {
		if i >= len(pcrs) || i >= len(j.pcrs) || pcrs[i] != j.pcrs[i] {
			return wrong(fmt.Sprintf("PCRs differ from the %d-th on: %q, before %q", i, pcrs[min(i, len(pcrs)):], j.pcrs[min(i, len(j.pcrs)):]))
		}
	}
	return nil
}

// goTo moves the machine live to one with the TPM, and then is there.
func (j *journey) goTo(ctx context.Context, t *tpm) error {
	next, err := j.start(t, true)
	if err != nil {
		return err
	}
	if err := j.migrate(ctx, next); err != nil {
		return err
	}
	if err := waitFor(ctx, next, "running"); err != nil {
		return err
	}
	before := j.at
	j.at = next
	if err := before.quit(); err != nil { // only now: what the source's end does must not matter
		return err
	}
	before.tpm.kill()
	return j.check(ctx)
}

// migrate moves the machine over a socket. Only with a return path the source learns that the
// target did not take all of it.
func (j *journey) migrate(ctx context.Context, next *machine) error {
	uri := "unix:" + filepath.Join(j.sockets, fmt.Sprintf("migration-%d", j.machines))
	for _, m := range []*machine{j.at, next} {
		if err := m.returnPath(true); err != nil {
			return err
		}
	}
	if err := next.monitor.Do("migrate-incoming", map[string]string{"uri": uri}, nil); err != nil {
		return err
	}
	return j.at.monitor.Migrate(ctx, uri)
}

func (m *machine) returnPath(on bool) error {
	return m.monitor.Do("migrate-set-capabilities", map[string]any{
		"capabilities": []any{map[string]any{"capability": "return-path", "state": on}}}, nil)
}

// waitFor waits until QEMU says that the machine is so.
func waitFor(ctx context.Context, m *machine, status string) error {
	for {
		s, err := m.monitor.Status()
		if err != nil {
			return fmt.Errorf("%w: %s", err, m.lastWords())
		}
		if s == status {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the machine is %s, and not %s: %w", s, status, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// refused is a move that must not happen: the machine goes on where it was, with all that it holds.
// What the target's vTPM says of it has to have the words.
func (j *journey) refused(ctx context.Context, t *tpm, words string, meanwhile func()) error {
	next, err := j.start(t, true)
	if err != nil {
		return err
	}
	if meanwhile != nil {
		meanwhile()
	}
	if err := j.migrate(ctx, next); err == nil {
		return wrong("the target took it")
	} else if !errors.Is(err, lab.ErrMigrationFailed) && next.running() {
		return err
	}
	if err := next.cut(); err != nil {
		return err
	}
	t.kill()
	said, err := os.ReadFile(t.log)
	if err != nil {
		return err
	}
	if !strings.Contains(string(said), words) {
		return fmt.Errorf("it was refused for another reason than %q: %s", words, said)
	}
	return waitFor(ctx, j.at, "running")
}

// stays is a move that is refused, after which the machine has all that it held.
func (j *journey) stays(ctx context.Context, t *tpm, words string, meanwhile func()) error {
	if err := j.refused(ctx, t, words, meanwhile); err != nil {
		return err
	}
	return j.check(ctx)
}

func live(ctx context.Context, j *journey) error {
	if _, err := j.at.ask(ctx, "busy"); err != nil {
		return err
	}
	t, err := j.newTPM()
	if err != nil {
		return err
	}
	err = j.goTo(ctx, t)
	if err == nil && j.worked == 0 {
		err = errors.New("the TPM had nothing to do")
	}
	return err
}

func shared(ctx context.Context, j *journey) error {
	// One that lets go of its folder is moved to first.
	from, err := j.newTPM("--migration", "release-lock-outgoing")
	if err != nil {
		return err
	}
	if err := j.goTo(ctx, from); err != nil {
		return err
	}
	to, err := j.socketTPM(from.state, "--migration", "incoming")
	if err != nil {
		return err
	}
	return j.goTo(ctx, to)
}

func snapshot(ctx context.Context, j *journey) error {
	if err := j.at.monitor.Line("savevm held"); err != nil {
		return err
	}
	for range 2 {
		if err := j.check(ctx); err != nil { // which counts, and uses sessions up
			return err
		}
		if err := j.at.monitor.Line("loadvm held"); err != nil {
			return err
		}
		if err := waitFor(ctx, j.at, "running"); err != nil {
			return err
		}
	}
	return j.check(ctx)
}

func suspended(ctx context.Context, j *journey) error {
	file := filepath.Join(j.work, "machine")
	if err := j.at.returnPath(false); err != nil {
		return err
	}
	if err := j.at.monitor.Migrate(ctx, "exec:cat > '"+file+"'"); err != nil {
		return err
	}
	if err := j.at.quit(); err != nil {
		return err
	}
	j.at.tpm.kill()
	t, err := j.hostedTPM(ctx, "first")
	if err != nil {
		return err
	}
	if j.at, err = j.start(t, true); err != nil {
		return err
	}
	if err := j.at.monitor.Do("migrate-incoming", map[string]string{"uri": "exec:cat '" + file + "'"}, nil); err != nil {
		return err
	}
	if err := waitFor(ctx, j.at, "running"); err != nil {
		return err
	}
	return errors.Join(j.check(ctx), os.Remove(file))
}

func hosted(ctx context.Context, j *journey) error {
	t, err := j.hostedTPM(ctx, "second")
	if err != nil {
		return err
	}
	return j.goTo(ctx, t)
}

// migrationKey writes a key of one byte again and again, and returns the flags for it.
func (j *journey) migrationKey(b byte) ([]string, error) {
	file := filepath.Join(j.work, fmt.Sprintf("key-%x", b))
	return []string{"--migration-key", "file=" + file + ",format=binary,mode=aes-256-cbc"}, os.WriteFile(file, slices.Repeat([]byte{b}, 32), 0o600)
}

func encrypted(ctx context.Context, j *journey) error {
	flags, err := j.migrationKey(1)
	if err != nil {
		return err
	}
	for range 2 { // into one with the key, which knows what is not encrypted, and from there
		t, err := j.newTPM(flags...)
		if err != nil {
			return err
		}
		if err := j.goTo(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

func otherKey(ctx context.Context, j *journey) error {
	flags, err := j.migrationKey(2)
	if err != nil {
		return err
	}
	t, err := j.newTPM(flags...)
	if err != nil {
		return err
	}
	return j.stays(ctx, t, "the migration key is another one", nil)
}

func targetDies(ctx context.Context, j *journey) error {
	if _, err := j.at.ask(ctx, "busy"); err != nil {
		return err
	}
	t, err := j.newTPM()
	if err != nil {
		return err
	}
	return j.stays(ctx, t, "", t.kill)
}

func toSwtpm(ctx context.Context, j *journey) error {
	t, err := j.swtpmTPM()
	if err != nil {
		return err
	}
	return j.stays(ctx, t, "header", nil)
}

func afterwards(ctx context.Context, j *journey) error {
	flags, err := j.migrationKey(1) // as the source has it
	if err != nil {
		return err
	}
	t, err := j.newTPM(flags...)
	if err != nil {
		return err
	}
	return j.goTo(ctx, t)
}

func keep(ctx context.Context, j *journey) error {
	a, err := j.at.ask(ctx, "keep")
	j.pcrs, j.kept = a.PCRs, string(a.Kept)
	return err
}

func fromSwtpm(ctx context.Context, j *journey) error {
	t, err := j.newTPM()
	if err != nil {
		return err
	}
	if err := j.refused(ctx, t, "not a bootseal vTPM permanent state", nil); err != nil {
		return err
	}
	a, err := j.at.ask(ctx, "pcrs")
	if err != nil {
		return err
	}
	return j.samePCRs(a.PCRs)
}

func imported(ctx context.Context, j *journey) error {
	if _, err := j.at.ask(ctx, "end"); err != nil {
		return err
	}
	old := j.at.tpm
	if err := j.at.quit(); err != nil {
		return err
	}
	old.kill()
	state := j.fresh()
	if out, err := exec.CommandContext(ctx, j.bootseal, "vtpm", "import", "--from-swtpm", old.state, "--dir", state).CombinedOutput(); err != nil {
		return fmt.Errorf("bootseal vtpm import: %w: %s", err, out)
	}
	t, err := j.socketTPM(state)
	if err != nil {
		return err
	}
	if err := j.boot(ctx, t); err != nil {
		return err
	}
	a, err := j.at.ask(ctx, "kept "+j.kept)
	if err != nil {
		return err
	}
	return j.samePCRs(a.PCRs)
}
