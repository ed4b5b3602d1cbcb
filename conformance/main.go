// Conformance runs suites that others wrote, and tools that others use, against
// bootseal's vTPM: go-tpm's tests, go-tpm-tools' tests, and Debian's tpm2-tools.
// Nothing of them is in this project: modules come from the module cache, tools
// from the distribution.
//
//	go run ./conformance             all suites
//	go run ./conformance go-tpm      one of them
//	go run ./conformance -v ...      every check
//
// It exits with 1 when a check fails that the known differences do not list, or
// when one passes that they do. docs/conformance.md explains the results.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

// suite is a set of checks from one source.
type suite struct {
	name string
	run  func(ctx context.Context, h *harness) ([]result, error)
}

var errUnexpected = errors.New("some results are not as expected")

func suites() []suite {
	return []suite{
		{"go-tpm", runGoTPM},
		{"go-tpm-tools", runGoTPMTools},
		{"tpm2-tools", runTools},
		{"tpm2-abrmd", runToolsOverBroker},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "conformance: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, errOut io.Writer) error {
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	flags.SetOutput(errOut)
	verbose := flags.Bool("v", false, "print every check")
	if err := flags.Parse(args); err != nil {
		return err
	}
	selected, err := choose(flags.Args())
	if err != nil {
		return err
	}
	h, err := newHarness(ctx, errOut)
	if err != nil {
		return err
	}
	defer os.RemoveAll(h.tmp)
	unexpected := false
	for _, s := range selected {
		known, err := readKnown(filepath.Join(h.dir, "known", s.name+".txt"))
		if err != nil {
			return err
		}
		results, err := s.run(ctx, h)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		r := judge(s.name, results, known)
		r.print(out, *verbose)
		unexpected = unexpected || r.unexpected()
	}
	if unexpected {
		return errUnexpected
	}
	return nil
}

// choose returns the suites of the names, all without names.
func choose(names []string) ([]suite, error) {
	all := suites()
	if len(names) == 0 {
		return all, nil
	}
	var selected []suite
	for _, name := range names {
		i := slices.IndexFunc(all, func(s suite) bool { return s.name == name })
		if i < 0 {
			var have []string
			for _, s := range all {
				have = append(have, s.name)
			}
			return nil, fmt.Errorf("no suite %q; there are %s", name, strings.Join(have, ", "))
		}
		selected = append(selected, all[i])
	}
	return selected, nil
}

// harness is what all suites share.
type harness struct {
	dir      string // this package's directory
	tmp      string
	bootseal string // the program under test
	log      io.Writer
}

// newHarness builds bootseal, or takes the one that $BOOTSEAL names.
func newHarness(ctx context.Context, log io.Writer) (*harness, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return nil, fmt.Errorf("find the module: %w", err)
	}
	tmp, err := os.MkdirTemp("", "conformance")
	if err != nil {
		return nil, err
	}
	h := &harness{
		dir:      filepath.Join(strings.TrimSpace(string(root)), "conformance"),
		tmp:      tmp,
		bootseal: os.Getenv("BOOTSEAL"),
		log:      log,
	}
	if h.bootseal != "" {
		return h, nil
	}
	h.bootseal = filepath.Join(tmp, "bootseal")
	build := exec.CommandContext(ctx, "go", "build", "-o", h.bootseal, "./cmd/bootseal")
	build.Dir, build.Stderr = filepath.Dir(h.dir), log
	if err := build.Run(); err != nil {
		return nil, errors.Join(fmt.Errorf("build bootseal: %w", err), os.RemoveAll(tmp))
	}
	return h, nil
}
