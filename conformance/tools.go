package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// runTools runs the scripts in tpm2tools, each with a new TPM that the tools reach
// directly.
func runTools(ctx context.Context, h *harness) ([]result, error) {
	return h.runScripts(ctx, func(_ context.Context, tcti string) (string, func() error, error) {
		return tcti, func() error { return nil }, nil
	})
}

// runToolsOverBroker runs the same scripts through tpm2-abrmd, the access broker
// and resource manager, on a D-Bus of their own.
func runToolsOverBroker(ctx context.Context, h *harness) ([]result, error) {
	return h.runScripts(ctx, h.startBroker)
}

// connect turns the TCTI of a TPM into the one for the tools, and says how to end
// what it started.
type connect func(ctx context.Context, tcti string) (string, func() error, error)

func (h *harness) runScripts(ctx context.Context, connect connect) ([]result, error) {
	install := exec.CommandContext(ctx, filepath.Join(h.dir, "tpm2tools", "install"))
	install.Stdout, install.Stderr = h.log, h.log
	if err := install.Run(); err != nil {
		return nil, fmt.Errorf("install the tools: %w", err)
	}
	scripts, err := filepath.Glob(filepath.Join(h.dir, "tpm2tools", "*.sh"))
	if err != nil {
		return nil, err
	}
	var results []result
	for _, script := range scripts {
		r, err := h.runScript(ctx, script, connect)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(script), err)
		}
		results = append(results, r...)
	}
	return append(results, everyTool(results)...), nil
}

// runScript runs one script with a new TPM in a new directory. It writes a line
// to descriptor 3 for each check: "ok NAME", "not ok NAME: DETAIL" or
// "skip NAME: REASON".
func (h *harness) runScript(ctx context.Context, script string, connect connect) (results []result, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tpm, err := h.startTPM(ctx)
	if err != nil {
		return nil, err
	}
	tcti, end, err := connect(ctx, tpm.tcti())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, end()) }()
	work, err := os.MkdirTemp(h.tmp, "script")
	if err != nil {
		return nil, err
	}
	lines, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer lines.Close()
	cmd := exec.CommandContext(ctx, "bash", script)
	cmd.Dir, cmd.ExtraFiles = work, []*os.File{w}
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TPM2TOOLS_TCTI="+tcti, "LIB="+filepath.Join(h.dir, "tpm2tools", "lib"))
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	w.Close()
	results = readChecks(lines)
	if err := cmd.Wait(); err != nil {
		return results, fmt.Errorf("%w\n%s", err, output.Bytes())
	}
	return results, nil
}

func readChecks(r io.Reader) (results []result) {
	for sc := bufio.NewScanner(r); sc.Scan(); {
		line := sc.Text()
		if name, ok := strings.CutPrefix(line, "ok "); ok {
			results = append(results, result{name: name})
			continue
		}
		outcome := skipped
		rest, isFailure := strings.CutPrefix(line, "not ok ")
		if isFailure {
			outcome = failed
		}
		name, detail, _ := strings.Cut(strings.TrimPrefix(rest, "skip "), " # ")
		results = append(results, result{name, outcome, detail})
	}
	return results
}

// everyTool adds a failure for each installed tool that no check begins with.
func everyTool(results []result) (missing []result) {
	used := make(map[string]bool)
	for _, r := range results {
		tool, _, _ := strings.Cut(r.name, ":")
		used[tool] = true
	}
	tools, err := filepath.Glob("/usr/bin/tpm2_*")
	if err != nil {
		panic(err) // the pattern is fixed
	}
	for _, path := range tools {
		if tool := filepath.Base(path); !used[tool] {
			missing = append(missing, result{tool, failed, "no script uses it"})
		}
	}
	return missing
}

// simulator is a running `bootseal vtpm mssim`: HOST:PORT of both ports.
type simulator struct{ command, platform string }

// tcti is how tpm2-tss calls it.
func (s simulator) tcti() string {
	host, port, _ := strings.Cut(s.command, ":")
	return "mssim:host=" + host + ",port=" + port
}

// startTPM starts a TPM that runs until ctx is done.
func (h *harness) startTPM(ctx context.Context) (s simulator, err error) {
	cmd := exec.CommandContext(ctx, h.bootseal, "vtpm", "mssim", "--listen", "127.0.0.1:0")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return s, err
	}
	if err := cmd.Start(); err != nil {
		return s, err
	}
	lines := bufio.NewReader(stderr)
	line, err := lines.ReadString('\n')
	if err != nil {
		return s, errors.Join(fmt.Errorf("start a TPM: %w", err), cmd.Wait())
	}
	go func() {
		io.Copy(h.log, lines)
		cmd.Wait()
	}()
	if _, err := fmt.Sscanf(line, "commands at %s platform signals at %s", &s.command, &s.platform); err != nil {
		return s, fmt.Errorf("start a TPM: it says %q: %w", line, err)
	}
	s.command = strings.TrimSuffix(s.command, ",")
	return s, nil
}

// startBroker starts a D-Bus and tpm2-abrmd on it, in front of the TPM.
func (h *harness) startBroker(ctx context.Context, tcti string) (string, func() error, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(h.dir, "tpm2tools", "broker"), tcti)
	// The broker ends when its input does.
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("start tpm2-abrmd: %w", err), cmd.Wait())
	}
	end := func() error { return errors.Join(stdin.Close(), cmd.Wait()) }
	return strings.TrimSpace(line), end, nil
}
