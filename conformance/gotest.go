package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// The suites in Go, by exact version.
const (
	goTPMModule        = "github.com/google/go-tpm"
	goTPMVersion       = "v0.9.8"
	goTPMToolsModule   = "github.com/google/go-tpm-tools"
	goTPMToolsVersion  = "v0.4.9"
	simulatorDirectory = "simulator" // in go-tpm-tools: a C TPM in the process
)

// runGoTPM runs go-tpm's tests. They open go-tpm-tools' simulator, a module of
// its own, in whose place they get ours.
func runGoTPM(ctx context.Context, h *harness) ([]result, error) {
	dir, err := h.copyModule(ctx, goTPMModule, goTPMVersion)
	if err != nil {
		return nil, err
	}
	simulator := filepath.Join(h.tmp, "simulator-module")
	if err := os.MkdirAll(filepath.Join(simulator, simulatorDirectory), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(simulator, "go.mod"), []byte("module "+goTPMToolsModule+"\n\ngo 1.24\n"), 0o644); err != nil {
		return nil, err
	}
	if err := h.placeSimulator(filepath.Join(simulator, simulatorDirectory)); err != nil {
		return nil, err
	}
	if err := h.goCommand(ctx, dir, "mod", "edit", "-replace", goTPMToolsModule+"="+simulator).Run(); err != nil {
		return nil, err
	}
	results, err := h.goTest(ctx, dir, "./tpm2", "./tpm2/test", "./legacy/tpm2/credactivation")
	if err != nil {
		return nil, err
	}
	legacy, err := h.goTest(ctx, dir, "./legacy/tpm2/test", "-run-clear")
	if err != nil {
		return nil, err
	}
	// The client of the simulator's protocol is tested with a simulator on a port.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tpm, err := h.startTPM(ctx)
	if err != nil {
		return nil, err
	}
	tcp, err := h.goTest(ctx, dir, "./tpm2/transport/tcp", "-cmd_addr="+tpm.command, "-plat_addr="+tpm.platform)
	return slices.Concat(results, legacy, tcp), err
}

// runGoTPMTools runs the tests of go-tpm-tools' client and server.
func runGoTPMTools(ctx context.Context, h *harness) ([]result, error) {
	dir, err := h.copyModule(ctx, goTPMToolsModule, goTPMToolsVersion)
	if err != nil {
		return nil, err
	}
	simulator := filepath.Join(dir, simulatorDirectory)
	for _, c := range []string{"internal", "ms-tpm-20-ref"} {
		if err := os.RemoveAll(filepath.Join(simulator, c)); err != nil {
			return nil, err
		}
	}
	if err := h.placeSimulator(simulator); err != nil {
		return nil, err
	}
	return h.goTest(ctx, dir, "./simulator", "./client/...", "./server/...")
}

// placeSimulator puts our package simulator into dir.
func (h *harness) placeSimulator(dir string) error {
	src, err := os.ReadFile(filepath.Join(h.dir, "testdata", "simulator", "simulator.go"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "simulator.go"), src, 0o644)
}

// copyModule copies a module from the module cache to a directory that can be
// written.
func (h *harness) copyModule(ctx context.Context, module, version string) (string, error) {
	cmd := h.goCommand(ctx, h.dir, "mod", "download", "-json", module+"@"+version)
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("download %s@%s: %w", module, version, err)
	}
	var m struct{ Dir string }
	if err := json.Unmarshal(out, &m); err != nil {
		return "", err
	}
	dir := filepath.Join(h.tmp, path.Base(module))
	if err := os.CopyFS(dir, os.DirFS(m.Dir)); err != nil {
		return "", err
	}
	return dir, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return os.Chmod(path, 0o755)
	})
}

func (h *harness) goCommand(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Stderr = dir, h.log
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "BOOTSEAL="+h.bootseal)
	return cmd
}

// goTest runs go test with the arguments, packages and flags of tests, and returns
// a result for each test and subtest.
func (h *harness) goTest(ctx context.Context, dir string, args ...string) ([]result, error) {
	cmd := h.goCommand(ctx, dir, append([]string{"test", "-json", "-p", "1", "-count", "1"}, args...)...)
	cmd.Stderr = io.Discard // the same is in the events
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	results, err := readEvents(stdout)
	var exit *exec.ExitError
	if waitErr := cmd.Wait(); waitErr != nil && !errors.As(waitErr, &exit) {
		err = errors.Join(err, waitErr)
	}
	return results, err
}

// readEvents reads the events of go test -json (go doc test2json). A test or a
// package that failed because of a test in it is no result of its own.
func readEvents(r io.Reader) ([]result, error) {
	var results []result
	said := make(map[string]string)    // by test: its last line of its own
	explained := make(map[string]bool) // by test: a test in it failed
	for dec := json.NewDecoder(r); ; {
		var e struct{ Action, Package, Test, Output string }
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			return results, nil
		} else if err != nil {
			return nil, fmt.Errorf("read the output of go test: %w", err)
		}
		name := path.Join(strings.Join(strings.Split(e.Package, "/")[3:], "/"), e.Test) // without HOST/OWNER/MODULE
		switch e.Action {
		case "output":
			line := strings.TrimSpace(e.Output)
			if line != "" && !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "===") {
				said[name] = line
			}
		case "pass":
			if e.Test != "" {
				results = append(results, result{name: name})
			}
		case "skip":
			if e.Test != "" {
				results = append(results, result{name, skipped, said[name]})
			}
		case "fail":
			if !explained[name] {
				results = append(results, result{name, failed, said[name]})
			}
			for ; name != "."; name = path.Dir(name) {
				explained[name] = true
			}
		}
	}
}
