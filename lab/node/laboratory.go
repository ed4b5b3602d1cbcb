package main

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/bootseal/bootseal/lab"
)

//go:embed scenarios
var scenarios embed.FS

// laboratory is what all scenarios of a run share.
type laboratory struct {
	cache, work, keep string
	deb               string // bootseal's package
	foreign           bool   // fetch from archives of other distributions, too
	host              string // a folder with that unpacked, for what a script runs on the host
	qemu              string // its version: saved memory is for the same one
	patience          time.Duration
	watch             func(scenario, line string) // gets the consoles, or is nil
	say               func(string)
	slots             chan struct{} // holds one for each story that is being told, and does not wait for another

	// Two stories can want the same at a time.
	told   onces[result]            // by the scenario
	saved  onces[outcome[string]]   // folders of nodes, by their state
	opened onces[outcome[*release]] // by the state of a disk that was never booted
}

// scenario is a script, one file.
type scenario struct {
	Name  string // of its file
	Title string // its first sentence
	Quick bool   // it is in the set that every change runs
	text  string
}

// allScenarios are in the order of their files.
func allScenarios() ([]scenario, error) {
	entries, err := fs.ReadDir(scenarios, "scenarios")
	if err != nil {
		return nil, err
	}
	var out []scenario
	for _, e := range entries {
		text, err := scenarios.ReadFile("scenarios/" + e.Name())
		if err != nil {
			return nil, err
		}
		out = append(out, newScenario(strings.TrimSuffix(e.Name(), path.Ext(e.Name())), string(text)))
	}
	return out, nil
}

func newScenario(name, text string) scenario {
	var comment []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			break
		}
		comment = append(comment, strings.TrimSpace(strings.TrimPrefix(line, "#")))
	}
	title, _, _ := strings.Cut(strings.Join(comment, " "), ". ")
	return scenario{Name: name, Title: strings.TrimSuffix(title, "."), Quick: slices.Contains(comment, "quick"), text: text}
}

// word returns the first argument of a command's first line in the script.
func (s *scenario) word(command string) string {
	m := regexp.MustCompile(`(?m)^` + command + `(?:[ \t]+(\S+))?`).FindStringSubmatch(s.text)
	if m == nil {
		return ""
	}
	return m[1]
}

func (s *scenario) uses(command string) bool {
	return regexp.MustCompile(`(?m)^` + command + `\b`).MatchString(s.text)
}

// maker returns the scenario that saves the state.
func maker(state string) (scenario, error) {
	all, err := allScenarios()
	if err != nil {
		return scenario{}, err
	}
	for _, s := range all {
		if s.word("save") == state {
			return s, nil
		}
	}
	return scenario{}, fmt.Errorf("no scenario saves the state %q", state)
}

// releaseOf returns the release whose node the saved one is.
func (l *laboratory) releaseOf(ctx context.Context, state string) (*release, error) {
	for distributionOf(state) == nil {
		s, err := maker(state)
		if err != nil {
			return nil, err
		}
		state = s.word("from")
	}
	r := l.opened.get(state, func() outcome[*release] { return outcomeOf(l.open(ctx, distributionOf(state))) })
	return r.value, r.err
}

// state returns the folder of a saved node. Where the cache does not have it, the scenario that
// saves it is run.
func (l *laboratory) state(ctx context.Context, name string) (string, error) {
	s := l.saved.get(name, func() outcome[string] {
		dir, err := l.makeState(ctx, name)
		if err == nil {
			err = touch(dir)
		}
		return outcomeOf(dir, err)
	})
	return s.value, s.err
}

// stateFolder returns where a saved node is, or will be: in the folder of what it begins as, without
// which it is good for nothing. Its name has the hash of all else that it comes from: scripts,
// packages, QEMU and its machine.
func (l *laboratory) stateFolder(ctx context.Context, state string) (string, error) {
	r, err := l.releaseOf(ctx, state)
	if err != nil {
		return "", err
	}
	if state == r.State {
		return filepath.Join(filepath.Dir(r.disk), state+"-"+contentKey(l.qemu, strings.Join(lab.Flags("", ""), " "))), nil
	}
	s, err := maker(state)
	if err != nil {
		return "", err
	}
	before, err := l.stateFolder(ctx, s.word("from"))
	if err != nil {
		return "", err
	}
	parts := []string{s.text}
	if s.uses("unpack") {
		parts = append(parts, r.payloadKey)
	}
	return filepath.Join(before, state+"-"+contentKey(parts...)), nil
}

func (l *laboratory) makeState(ctx context.Context, name string) (string, error) {
	dir, err := l.stateFolder(ctx, name)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	r, err := l.releaseOf(ctx, name)
	if err != nil {
		return "", err
	}
	if name == r.State {
		return dir, l.newNode(ctx, r.disk, dir)
	}
	s, err := maker(name)
	if err != nil {
		return "", err
	}
	if r := l.once(ctx, s); r.Failed != "" {
		return "", fmt.Errorf("the scenario %s, which makes %s nodes, failed: %s", s.Name, name, r.Failed)
	}
	return dir, nil
}

// keepState puts a node that is off into the cache.
func (l *laboratory) keepState(ctx context.Context, n *node, name string) error {
	dir, err := l.stateFolder(ctx, name)
	if err != nil {
		return err
	}
	return l.intoCache(n.dir, dir)
}
