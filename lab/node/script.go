package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/bootseal/bootseal/lab/matrix"
)

// story is a scenario that is being told: a script and its node.
type story struct {
	l       *laboratory
	release *release
	ctx     context.Context
	name    string
	dir     string // its node is in a folder of it
	kept    string // where what is to be looked at stays
	node    *node
	// boots is how often the node was seen to be up.
	boots int
	// waited is how long the state took that the story begins with.
	waited time.Duration

	forecast *forecast    // of the boot that is coming
	byHand   bool         // somebody chose in GRUB's menu
	rows     []matrix.Row // what came of forecasts
}

// A command's usage is the first word of its line here; docs/lab.md has the list for people.
func (l *laboratory) commands() map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	out := make(map[string]func(ts *testscript.TestScript, neg bool, args []string))
	for _, c := range []command{
		{"from", 1, "STATE", (*story).from},
		{"boot", 0, "", (*story).boot},
		{"reboot", -1, "[CHANGE]", (*story).reboot},
		{"cut", 0, "", (*story).cut},
		{"off", 0, "", (*story).powerOff},
		{"expect", 1, "PATTERN", (*story).expect},
		{"unseen", 1, "PATTERN", (*story).unseen},
		{"type", 1, "TEXT", (*story).typeLine},
		{"type-file", 1, "FILE", (*story).typeFile},
		{"keys", -1, "KEY...", (*story).keys},
		{"opened", 0, "", (*story).opened},
		{"locked", 0, "", (*story).locked},
		{"put", 2, "FILE PATH", (*story).put},
		{"get", 2, "PATH FILE", (*story).get},
		{"new-tpm", 0, "", (*story).newTPM},
		{"swtpm", 0, "", (*story).useSwtpm},
		{"swap-root", 1, "PASSPHRASE", (*story).swapRoot},
		{"unpack", 0, "", (*story).unpack},
		{"save", 1, "STATE", (*story).save},
	} {
		out[c.name] = func(ts *testscript.TestScript, neg bool, args []string) {
			if neg || (c.args >= 0 && len(args) != c.args) {
				ts.Fatalf("usage: %s %s", c.name, c.usage)
			}
			ts.Check(c.do(storyOf(ts), ts, args))
		}
	}
	out["node"] = nodeCommand
	out["cuts"] = cutsCommand
	return out
}

type command struct {
	name  string
	args  int // how many, or -1
	usage string
	do    func(*story, *testscript.TestScript, []string) error
}

type storyKey struct{}

func storyOf(ts *testscript.TestScript) *story { return ts.Value(storyKey{}).(*story) }

// from begins with a saved node, which another script makes where the cache has none.
func (s *story) from(ts *testscript.TestScript, args []string) error {
	if s.node != nil {
		return errors.New("a story begins once")
	}
	asked := time.Now()
	<-s.l.slots // for who makes it
	saved, err := s.l.state(s.ctx, args[0])
	s.l.slots <- struct{}{}
	s.waited = time.Since(asked)
	if err != nil {
		return err
	}
	s.node = &node{dir: filepath.Join(s.dir, "node"), payload: s.release.payload, patience: s.l.patience, heard: s.heard}
	return fork(s.ctx, saved, s.node.dir)
}

func (s *story) boot(*testscript.TestScript, []string) error {
	s.forecast, s.byHand = nil, false
	thawed := s.node.frozen()
	if err := s.node.start(s.ctx); err != nil {
		return err
	}
	s.boots = 0
	if thawed {
		s.boots = 1
	}
	return nil
}

func (s *story) cut(*testscript.TestScript, []string) error {
	s.node.cut()
	return nil
}

func (s *story) powerOff(*testscript.TestScript, []string) error {
	if _, err := s.node.do(s.ctx, "systemctl --no-block poweroff"); err != nil {
		return err
	}
	return s.node.goesOff(s.ctx)
}

func (s *story) expect(ts *testscript.TestScript, args []string) error {
	pattern, err := regexp.Compile("(?m)" + args[0])
	if err != nil {
		return err
	}
	found, err := s.node.expect(s.ctx, pattern)
	if err == nil {
		ts.Logf("[console] %s", strings.TrimSpace(found))
	}
	return err
}

// unseen fails where the console has said it, ever.
func (s *story) unseen(_ *testscript.TestScript, args []string) error {
	pattern, err := regexp.Compile("(?m)" + args[0])
	if err != nil {
		return err
	}
	if said := pattern.FindString(s.node.console.all()); said != "" {
		return fmt.Errorf("the console says %q", said)
	}
	return nil
}

func (s *story) typeLine(_ *testscript.TestScript, args []string) error {
	return s.node.enter(args[0] + "\r")
}

// typeFile types what a command of the node printed, such as a recovery key.
func (s *story) typeFile(ts *testscript.TestScript, args []string) error {
	return s.node.enter(strings.TrimSpace(ts.ReadFile(args[0])) + "\r")
}

// keyCodes are what a serial terminal sends.
var keyCodes = map[string]string{
	"<up>": "\x1b[A", "<down>": "\x1b[B", "<right>": "\x1b[C", "<left>": "\x1b[D", "<end>": "\x05", "<home>": "\x01",
	"<enter>": "\r", "<esc>": "\x1b", "<ctrl-x>": "\x18", "<ctrl-k>": "\x0b", "<space>": " ",
}

// keys are typed one by one, with time for the firmware, which loses what comes too fast.
func (s *story) keys(_ *testscript.TestScript, args []string) error {
	s.byHand = true
	for _, word := range args {
		parts := strings.Split(word, "")
		if code, ok := keyCodes[word]; ok {
			parts = []string{code}
		}
		for _, p := range parts {
			if err := s.node.enter(p); err != nil {
				return err
			}
			select {
			case <-time.After(150 * time.Millisecond):
			case <-s.ctx.Done():
				return s.ctx.Err()
			}
		}
	}
	return nil
}

// prompt is a line in which somebody asks for a key before the root is there.
var prompt = regexp.MustCompile(`(?im)^(please unlock disk|recovery key for|PIN for|enter passphrase for)[^\n]*: *(\(press TAB for no echo\) *)?$`)

// opened waits until the node is up, and nobody had to type a key.
func (s *story) opened(ts *testscript.TestScript, _ []string) error {
	err := s.node.wait(s.ctx, "the node to be up", func() (bool, error) {
		if s.node.agent.bootCount() > s.boots {
			return true, nil
		}
		if asked := prompt.FindString(s.node.console.unread()); asked != "" {
			return false, fmt.Errorf("the disk did not open by itself: the console asks %q; its last lines:\n%s", strings.TrimSpace(asked), s.node.console.lastLines(15))
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	s.boots = s.node.agent.bootCount()
	s.node.console.skip()
	err = s.holdAgainst(ts)
	s.byHand = false
	return err
}

// locked waits until somebody asks for a key.
func (s *story) locked(ts *testscript.TestScript, _ []string) error {
	return s.node.wait(s.ctx, "the node to ask for a key", func() (bool, error) {
		if s.node.agent.bootCount() > s.boots {
			return false, fmt.Errorf("the disk opened, and it had to stay locked; the console's last lines:\n%s", s.node.console.lastLines(15))
		}
		asked, found := s.node.console.find(prompt)
		if found {
			s.tellLine(asked)
		}
		return found, nil
	})
}

// put writes a file of the script to the node, by way of its second disk: the agent's line is slow.
func (s *story) put(ts *testscript.TestScript, args []string) error {
	data := ts.ReadFile(args[0])
	if err := s.node.lend(data); err != nil {
		return fmt.Errorf("put %s: %w", args[1], err)
	}
	a, err := s.node.do(s.ctx, fmt.Sprintf("mkdir -p %s && dd if=/dev/vdb iflag=direct bs=%d skip=%d count=%d status=none | head -c %d >%s",
		quote(filepath.Dir(args[1])), mib, lentAt/mib, (len(data)+mib-1)/mib, len(data), quote(args[1])))
	if err == nil && a.code != 0 {
		err = fmt.Errorf("put %s: %s", args[1], a.stderr)
	}
	return err
}

// get reads a file of the node.
func (s *story) get(ts *testscript.TestScript, args []string) error {
	a, err := s.node.do(s.ctx, "cat "+quote(args[0]))
	if err != nil {
		return err
	}
	if a.code != 0 {
		return fmt.Errorf("get %s: %s", args[0], a.stderr)
	}
	return os.WriteFile(ts.MkAbs(args[1]), []byte(a.stdout), 0o644)
}

// unpack brings the packages of the run to the node's folder /payload.
func (s *story) unpack(*testscript.TestScript, []string) error {
	a, err := s.node.do(s.ctx, "mkdir -p /payload && tar -C /payload -xf /dev/vdb")
	if err == nil && a.code != 0 {
		err = fmt.Errorf("unpack the second disk: %s", a.stderr)
	}
	return err
}

// save keeps the node, up as it is, for scripts that begin from there.
func (s *story) save(_ *testscript.TestScript, args []string) error {
	if err := s.node.freeze(s.ctx); err != nil {
		return err
	}
	if err := s.keepConsole(); err != nil {
		return err
	}
	return s.l.keepState(s.ctx, s.node, args[0])
}

// nodeCommand runs a program in the node: its output and its exit code are what stdout, stderr
// and a leading "!" are about.
func nodeCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: [!] node PROGRAM ARGUMENT...")
	}
	s := storyOf(ts)
	quoted := make([]string, len(args))
	for i, a := range args {
		quoted[i] = quote(a)
	}
	s.tellLine("$ " + strings.Join(args, " "))
	a, err := s.node.do(s.ctx, strings.Join(quoted, " "))
	ts.Check(err)
	s.tellOutput(strings.Split(strings.TrimSpace(a.stdout+a.stderr), "\n"))
	fmt.Fprint(ts.Stdout(), a.stdout)
	fmt.Fprint(ts.Stderr(), a.stderr)
	if neg != (a.code != 0) {
		ts.Fatalf("in the node, %s ended with exit code %d%s", strings.Join(args, " "), a.code, lastWords(a.stderr))
	}
}

// lastWords is what a program complained of, to end a sentence with: its last line, "" for none.
func lastWords(stderr string) string {
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		return ": " + last
	}
	return ""
}

func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
