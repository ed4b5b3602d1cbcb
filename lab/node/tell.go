package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/bootseal/bootseal/lab/matrix"
)

// result is how a scenario went.
type result struct {
	Name    string  `json:"name"`
	Title   string  `json:"title"`
	Seconds float64 `json:"seconds"`           // without those of the scenario that it begins with
	Failed  string  `json:"failed,omitempty"`  // a sentence: what was not as it should be
	Skipped string  `json:"skipped,omitempty"` // why it was not told
	Kept    string  `json:"kept"`              // the folder with the console, the log of the script, PCRs

	rows     []matrix.Row // boots that were predicted
	versions []matrix.Version
}

// tell runs a scenario. All about it is kept in a folder.
func (l *laboratory) tell(ctx context.Context, s scenario) result {
	l.slots <- struct{}{}
	defer func() { <-l.slots }()
	began := time.Now()
	out := result{Name: s.Name, Title: s.Title, Kept: filepath.Join(l.keep, s.Name)}
	r, err := l.releaseOf(ctx, s.word("from"))
	if skips(err) {
		out.Skipped = err.Error()
		l.say(fmt.Sprintf("%s: skipped: %s", s.Name, out.Skipped))
		return out
	}
	l.say(fmt.Sprintf("%s: %s", s.Name, s.Title))
	if err == nil {
		err = l.act(ctx, r, s, &out)
	}
	out.Seconds += time.Since(began).Seconds()
	if err != nil {
		out.Failed = err.Error()
	}
	if out.Failed != "" {
		l.say(fmt.Sprintf("%s: FAILED after %.0f s: %s", s.Name, out.Seconds, out.Failed))
	} else {
		l.say(fmt.Sprintf("%s: passed, %.0f s", s.Name, out.Seconds))
	}
	return out
}

func (l *laboratory) act(ctx context.Context, r *release, s scenario, out *result) error {
	var err error
	if out.versions, err = r.versions(); err != nil {
		return err
	}
	if err := os.RemoveAll(out.Kept); err != nil {
		return err
	}
	if err := os.MkdirAll(out.Kept, 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(l.work, s.Name+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, s.Name+".txt")
	if err := os.WriteFile(file, []byte(s.text), 0o644); err != nil {
		return err
	}
	st := &story{l: l, release: r, ctx: ctx, name: s.Name, dir: dir, kept: out.Kept}
	rec := &recorder{}
	rec.run(func() {
		testscript.RunT(rec, testscript.Params{
			Files: []string{file}, Cmds: l.commands(), WorkdirRoot: dir,
			Setup: func(e *testscript.Env) error {
				e.Values[storyKey{}] = st
				e.Setenv("PATH", filepath.Join(l.host, "usr/bin")+string(os.PathListSeparator)+e.Getenv("PATH"))
				return nil
			},
		})
	})
	out.rows, out.Seconds = st.rows, -st.waited.Seconds()
	if rec.failed {
		out.Failed = rec.sentence()
	}
	if err := st.end(rec.failed); err != nil && out.Failed == "" {
		return err
	}
	return os.WriteFile(filepath.Join(out.Kept, "script.log"), []byte(rec.log.String()), 0o644)
}

// recorder is testscript's T: it keeps the log of a script.
type recorder struct {
	log    strings.Builder
	failed bool
}

type stopScript struct{}

// run runs f until it ends, or ends the script.
func (r *recorder) run(f func()) {
	defer func() {
		if stopped := recover(); stopped != nil {
			if _, ok := stopped.(stopScript); !ok {
				panic(stopped)
			}
		}
	}()
	f()
}

func (r *recorder) Skip(args ...any)  { r.Log(args...); panic(stopScript{}) }
func (r *recorder) Fatal(args ...any) { r.Log(args...); r.FailNow() }
func (r *recorder) Parallel()         {}
func (r *recorder) Log(args ...any)   { fmt.Fprintln(&r.log, args...) }
func (r *recorder) FailNow()          { r.failed = true; panic(stopScript{}) }
func (r *recorder) Verbose() bool     { return true }

func (r *recorder) Run(_ string, f func(testscript.T)) { r.run(func() { f(r) }) }

var failure = regexp.MustCompile(`(?m)^FAIL: (?:.*/)?([^/\s]+:\d+): ((?s).*)`)

// sentence is what the script failed with, and in which line.
func (r *recorder) sentence() string {
	m := failure.FindStringSubmatch(r.log.String())
	if m == nil {
		return "the script did not run to its end; see script.log"
	}
	return strings.TrimSpace(m[1] + ": " + m[2])
}
