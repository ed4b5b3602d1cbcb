package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// runTools runs the scripts in tpm2tools, whose tools reach the TPM directly.
func runTools(ctx context.Context, h *harness) ([]result, error) { return h.runScripts(ctx, "direct") }

// runToolsOverBroker runs the same scripts through tpm2-abrmd, the access broker
// and resource manager.
func runToolsOverBroker(ctx context.Context, h *harness) ([]result, error) {
	return h.runScripts(ctx, "broker")
}

func (h *harness) runScripts(ctx context.Context, via string) ([]result, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(h.dir, "tpm2tools", "run"), "--checks")
	cmd.Env = append(os.Environ(), "VIA="+via, "BOOTSEAL="+h.bootseal)
	cmd.Stderr = h.log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	results, err := readChecks(stdout)
	// 1 says that a check failed, which its line says, too.
	var exit *exec.ExitError
	if waitErr := cmd.Wait(); waitErr != nil && !(errors.As(waitErr, &exit) && exit.ExitCode() == 1) {
		err = errors.Join(err, waitErr)
	}
	return results, err
}

// readChecks reads the scripts' lines: "ok NAME", "not ok NAME # DETAIL" or
// "skip NAME # REASON".
func readChecks(r io.Reader) ([]result, error) {
	var results []result
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		for word, outcome := range map[string]outcome{"ok ": passed, "not ok ": failed, "skip ": skipped} {
			if rest, ok := strings.CutPrefix(sc.Text(), word); ok {
				name, detail, _ := strings.Cut(rest, " # ")
				results = append(results, result{name, outcome, detail})
			}
		}
	}
	return results, sc.Err()
}

// simulator is a running `bootseal vtpm mssim`: HOST:PORT of both ports.
type simulator struct{ command, platform string }

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
