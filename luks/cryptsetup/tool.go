package cryptsetup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/bootseal/bootseal/internal/secretmem"
)

// ErrMissing is returned where there is no cryptsetup.
var ErrMissing = errors.New("cryptsetup is not installed: install the package cryptsetup-bin (Debian, Ubuntu) or cryptsetup (Fedora, Flatcar has it)")

// Timeout is how long a run may take where the context has no deadline. The longest
// that is normal is a memory-hard key derivation on a small machine: 10 s.
const Timeout = 2 * time.Minute

// Tool is a cryptsetup program.
type Tool struct {
	Path    string
	Version Version
}

// Version is cryptsetup's.
type Version struct{ Major, Minor, Patch int }

func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }

// Less reports whether v is older than w.
func (v Version) Less(w Version) bool {
	if v.Major != w.Major {
		return v.Major < w.Major
	}
	if v.Minor != w.Minor {
		return v.Minor < w.Minor
	}
	return v.Patch < w.Patch
}

// Oldest is the oldest cryptsetup that bootseal works with: it prints metadata as
// JSON, and loads systemd's token plugin.
var Oldest = Version{2, 4, 0}

// Find looks for cryptsetup in PATH and where distributions put it, and asks for its
// version. It fails with [ErrMissing], or where the version is too old.
func Find(ctx context.Context) (*Tool, error) {
	path, err := exec.LookPath("cryptsetup")
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/bin"} {
		if err != nil { // the PATH of users lacks sbin
			path, err = exec.LookPath(filepath.Join(dir, "cryptsetup"))
		}
	}
	if err != nil {
		return nil, ErrMissing
	}
	t := &Tool{Path: path}
	out, err := t.run(ctx, call{action: "ask cryptsetup for its version", args: []string{"--version"}})
	if err != nil {
		return nil, err
	}
	if t.Version, err = parseVersion(string(out)); err != nil {
		return nil, err
	}
	if t.Version.Less(Oldest) {
		return nil, fmt.Errorf("cryptsetup %s is too old: want %s or later", t.Version, Oldest)
	}
	return t, nil
}

var versionPattern = regexp.MustCompile(`^cryptsetup (\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?`)

func parseVersion(text string) (v Version, err error) {
	m := versionPattern.FindStringSubmatch(text)
	if m == nil {
		return v, fmt.Errorf("cryptsetup's version is not known: it says %.60q", text)
	}
	for i, to := range []*int{&v.Major, &v.Minor, &v.Patch} {
		*to, _ = strconv.Atoi(m[i+1]) // the pattern has digits only; an absent patch is 0
	}
	return v, nil
}

// call is one run.
type call struct {
	action string // for errors: "add a key to /dev/sda3"
	args   []string
	stdin  []byte
	// secrets are given in pipes, which are /proc/self/fd/3 and up.
	secrets [][]byte
	// out takes the output, in place of what run returns, where that is a secret.
	out *secretmem.Output
}

// secretFile is the name under which cryptsetup finds call.secrets[i].
func secretFile(i int) string { return "/proc/self/fd/" + strconv.Itoa(3+i) }

// maxOutput bounds what is kept of cryptsetup's output, in bytes: a JSON area and more.
const maxOutput = 8 << 20

func (t *Tool) run(ctx context.Context, c call) ([]byte, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, Timeout)
		defer cancel()
	}
	cmd := exec.CommandContext(ctx, t.Path, c.args...)
	// Nothing of our environment: it could change the program's language, and what
	// libraries it loads.
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Stdin = bytes.NewReader(c.stdin)
	out, errs := &limited{}, &limited{}
	cmd.Stdout, cmd.Stderr = out, errs
	if c.out != nil {
		cmd.Stdout = c.out
	}
	// Asked to stop, it can tidy up; a header that is cut off has its other copy.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	for _, secret := range c.secrets {
		r, err := pipe(secret)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.action, err)
		}
		defer r.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, r)
	}
	err := cmd.Run()
	if err == nil {
		return out.b.Bytes(), nil
	}
	e := &Error{Action: c.action, Output: message(errs.b.String())}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		e.Err = ctx.Err()
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		e.Code = exit.ExitCode()
	default:
		e.Err = err
	}
	return nil, e
}

// maxSecret is the longest passphrase, in bytes: what a pipe takes without a reader.
const maxSecret = 4096

// pipe returns a pipe from which the secret can be read.
func pipe(secret []byte) (*os.File, error) {
	if len(secret) == 0 || len(secret) > maxSecret {
		return nil, fmt.Errorf("a passphrase of %d bytes: want 1 to %d", len(secret), maxSecret)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	_, err = w.Write(secret)
	if err = errors.Join(err, w.Close()); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// limited keeps the first of what is written, and takes the rest.
type limited struct{ b bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	l.b.Write(p[:min(len(p), maxOutput-l.b.Len())])
	return len(p), nil
}

// message is the program's complaint in one line.
func message(stderr string) string {
	var lines []string
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "Usage:") {
			return lastLine(stderr) // the reason comes below all options
		}
		if line != "" && !strings.HasPrefix(line, "WARNING:") {
			lines = append(lines, strings.TrimSuffix(line, "."))
		}
	}
	return readable(strings.Join(lines, "; "))
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return readable(text[strings.LastIndexByte(text, '\n')+1:])
}

// readable is the text without what steers a terminal: it may quote the header, which
// anybody can have written.
func readable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}
