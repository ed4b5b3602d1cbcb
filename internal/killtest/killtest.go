// Package killtest kills processes that count, for tests of what survives.
package killtest

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// Count starts this test's program again with one more variable in its environment
// ("NAME=value"), and kills it some time after the first number that it says on standard
// output. It returns the first number and the last one.
func Count(t *testing.T, variable string, after time.Duration) (first, last int) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), variable)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			break // cut off by the kill
		}
		if first == 0 {
			first = n
			time.AfterFunc(after, func() { _ = child.Process.Kill() })
		}
		last = n
	}
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the child was not killed: %v", err)
	}
	return first, last
}
