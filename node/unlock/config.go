package unlock

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/luks/cryptsetup"
	"github.com/bootseal/bootseal/node/expect"
	"github.com/bootseal/bootseal/node/volumes"
	"github.com/google/go-tpm/tpm2/transport"
	"golang.org/x/term"
)

// Mode is what the program does with a volume.
type Mode string

// The modes.
const (
	// Keyscript is for crypttab's option keyscript= of initramfs-tools: the volume is named
	// by the environment, and the passphrase goes to standard output (crypttab(5)).
	Keyscript Mode = "keyscript"
	Opening   Mode = "open" // has cryptsetup open it
	Testing   Mode = "test" // says which token opens it, and changes nothing
	// Closing closes the TPM until the next boot, before a shell is given.
	Closing Mode = "close"
	// Rooting says whether the root file system is on the enrolled volume.
	Rooting Mode = "root"
)

// Exit codes, those of every verb.
const (
	ExitOK    = 0
	ExitNo    = 1 // the volume is another one; a test says that the TPM does not open it
	ExitError = 2
)

// Config is what a command line says, see [Config.Register].
type Config struct {
	List, Notes, Log, Askpass, Console, Host string

	Tries              int
	Wait               time.Duration
	Discards, ReadOnly bool
	JSON               bool // for Testing
}

// defaultAskpass is Debian's, which asks on the console, by plymouth and by systemd
// at the same time, and takes an answer from cryptroot-unlock, which is how somebody
// far away answers.
const defaultAskpass = "/lib/cryptsetup/askpass"

// Register defines the flags.
func (c *Config) Register(flags *flag.FlagSet) {
	flags.StringVar(&c.List, "volumes", volumes.ListFile, "the machine's enrolled volumes")
	flags.StringVar(&c.Notes, "run", volumes.NoteDir, "folder for the note about how the volume was opened")
	flags.StringVar(&c.Log, "log", "", "event log of this boot (default the kernel's)")
	flags.StringVar(&c.Askpass, "askpass", "", "program that asks: it gets a prompt and prints the answer\n(default: in a keyscript "+defaultAskpass+", otherwise plymouth, the terminal, or systemd's)")
	flags.StringVar(&c.Console, "console", "", "terminal for messages and questions, as /dev/console (default: standard error and input)")
	flags.StringVar(&c.Host, "host", "/", "folder that has the machine's dev and sys")
	flags.IntVar(&c.Tries, "tries", 3, "how often the recovery key, or a PIN, may be typed")
	flags.DurationVar(&c.Wait, "tpm-wait", 10*time.Second, "how long to wait for a TPM whose driver is still loading")
}

// RegisterOpening defines the flags of Opening alone.
func (c *Config) RegisterOpening(flags *flag.FlagSet) {
	flags.BoolVar(&c.Discards, "allow-discards", false, "pass TRIM requests through: an onlooker learns which sectors are in use")
	flags.BoolVar(&c.ReadOnly, "readonly", false, "open it read-only")
}

// Env is what a program has of its surroundings.
type Env struct {
	In     io.Reader
	Out    io.Writer
	Err    io.Writer
	Getenv func(string) string
	// Named opens the TPM that the command line names; nil where it names none, and then
	// Device opens the machine's.
	Named  func() (transport.TPMCloser, error)
	Device func(path string) (transport.TPMCloser, error)
}

// Usage is the arguments of a mode.
func (m Mode) Usage() string {
	switch m {
	case Opening:
		return "open DEVICE NAME"
	case Testing:
		return "test DEVICE [NAME]"
	case Closing:
		return "close"
	case Rooting:
		return "root DIR"
	}
	return "keyscript [KEY]"
}

// Run does what a command line says, and returns the exit code.
func (c *Config) Run(ctx context.Context, mode Mode, args []string, env Env) int {
	console := NewConsole(env.Err)
	if c.Console != "" {
		f, err := os.OpenFile(c.Console, os.O_RDWR, 0)
		if err != nil {
			console.Say("%v", err)
			return ExitError
		}
		defer f.Close()
		console, env.In, env.Err = NewConsole(f), f, f
	}
	code, err := c.run(ctx, mode, args, env, console)
	switch {
	case err == nil:
	case errors.Is(err, ErrSwapped), errors.Is(err, ErrOtherRoot): // it has been said
		code = ExitNo
	case errors.Is(err, ErrClosed):
		code = ExitError
		if mode == Testing {
			code = ExitNo
		}
	default:
		console.Say("%v", err)
		code = ExitError
	}
	return code
}

// target is the volume that a command line names.
type target struct {
	device, name string
	tries        int
}

func (c *Config) target(mode Mode, args []string, env Env) (target, error) {
	t := target{tries: c.Tries}
	switch mode {
	case Keyscript:
		t.device, t.name = env.Getenv("CRYPTTAB_SOURCE"), env.Getenv("CRYPTTAB_NAME")
		if t.device == "" || t.name == "" {
			return t, errors.New("keyscript: CRYPTTAB_SOURCE and CRYPTTAB_NAME are not set: this is for crypttab's option keyscript= in an initial ramdisk; by hand, use open or test")
		}
		if header := env.Getenv("CRYPTTAB_OPTION_header"); header != "" {
			t.device = header
		}
		if n, err := strconv.Atoi(env.Getenv("CRYPTTAB_TRIED")); err == nil && n > 0 {
			t.tries = 1 // initramfs-tools counts as well
		}
		return t, nil
	case Opening:
		if len(args) != 2 {
			return t, errors.New("open: want a device, and the name to open it as")
		}
		t.name = args[1]
	case Testing:
		if len(args) < 1 || len(args) > 2 {
			return t, errors.New("test: want a device, and perhaps the name that it is opened as")
		}
		if len(args) == 2 {
			t.name = args[1]
		}
	}
	t.device = args[0]
	return t, nil
}

func (c *Config) run(ctx context.Context, mode Mode, args []string, env Env, console *Console) (int, error) {
	if isTerminal(env.Out) && mode == Keyscript {
		return 0, errors.New("keyscript: the passphrase would be shown: standard output is a terminal")
	}
	if mode == Closing {
		if len(args) > 0 {
			return 0, fmt.Errorf("close: %q is too much: it has no arguments", args[0])
		}
		return ExitOK, c.close(ctx, env, console)
	}
	if mode == Rooting {
		if len(args) != 1 {
			return 0, errors.New("root: want the folder where the root file system is mounted")
		}
		return ExitOK, c.root(ctx, args[0], env, console)
	}
	t, err := c.target(mode, args, env)
	if err != nil {
		return 0, err
	}
	tool, err := cryptsetup.Find(ctx)
	if err != nil {
		return 0, err
	}
	volume, err := tool.Volume(t.device)
	if err != nil {
		return 0, err
	}
	list, err := volumes.Read(c.List)
	if err != nil {
		// Without the list a swapped disk would not be noticed.
		return 0, err
	}
	asker, splash := c.asker(ctx, mode, env)
	console.mirror = splash
	if mode != Testing && c.Log == "" {
		mountSecurityFS(c.Host)
	}
	opened, err := Open(ctx, Options{
		Volume: volume, Name: t.name, List: list, Ask: asker, Console: console, Tries: t.tries,
		Trial: mode == Testing, Evidence: c.evidence(), Signatures: ReadSignatures(c.Host), Now: time.Now,
		Measured: func(uuid string) bool {
			n, err := volumes.ReadNote(c.Notes, uuid)
			return err == nil && n.Measured
		},
		TPM: func(ctx context.Context) (transport.TPMCloser, error) { return c.openTPM(ctx, env, console) },
	})
	if err != nil {
		return 0, err
	}
	defer clear(opened.Passphrase)
	return ExitOK, c.finish(ctx, mode, volume, t, opened, env, console)
}

// openTPM opens the TPM that the command line names, or else the machine's.
func (c *Config) openTPM(ctx context.Context, env Env, console *Console) (transport.TPMCloser, error) {
	if env.Named != nil {
		return env.Named()
	}
	return WaitTPM(ctx, c.Host, c.Wait, env.Device, console)
}

// finish hands over what was found.
func (c *Config) finish(ctx context.Context, mode Mode, volume *cryptsetup.Volume, t target, opened *Opened, env Env, console *Console) error {
	if mode == Testing {
		return c.report(env.Out, opened.Note)
	}
	if mode == Opening {
		o := cryptsetup.OpenOptions{ReadOnly: c.ReadOnly, Discards: c.Discards}
		if err := volume.Open(ctx, opened.Passphrase, opened.Keyslot, t.name, o); err != nil {
			return err
		}
	}
	if err := opened.Note.Write(c.Notes); err != nil {
		console.Say("%s: %v", t.name, err)
	}
	if mode == Keyscript {
		if _, err := env.Out.Write(opened.Passphrase); err != nil {
			return fmt.Errorf("hand the passphrase to cryptsetup: %w", err)
		}
	}
	return nil
}

// report says which token opens the volume.
func (c *Config) report(w io.Writer, n *volumes.Note) error {
	if c.JSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(n)
	}
	text := fmt.Sprintf("token %d opens %s", *n.Token, readable(n.Device))
	if n.Label != "" {
		text += ": " + readable(n.Label)
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

func (c *Config) evidence() Evidence {
	path := c.Log
	if path == "" {
		path = filepath.Join(c.Host, "sys/kernel/security/tpm0/binary_bios_measurements")
	}
	return Evidence{
		Log: func() (*eventlog.Log, error) { return ReadLog(path) },
		Expected: func(ctx context.Context, uuid string) ([]expect.Boot, error) {
			return FindExpected(ctx, c.Host, uuid)
		},
	}
}

// asker chooses who asks, and returns what shows messages on a splash screen, if there
// is one.
func (c *Config) asker(ctx context.Context, mode Mode, env Env) (Asker, func([]string)) {
	splash := plymouth(ctx)
	var show func([]string)
	if splash != "" && mode != Testing {
		show = func(lines []string) { showSplash(ctx, splash, lines) }
	}
	switch path := c.Askpass; {
	case path != "":
		return Program{Path: path}, show
	case mode == Keyscript && executable(defaultAskpass):
		return Program{Path: defaultAskpass}, show
	case splash != "" && mode != Testing:
		return Program{Path: splash, Args: []string{"ask-for-password", "--prompt="}, Joined: true}, show
	}
	if f, ok := env.In.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return Terminal{In: f, Out: env.Err}, nil
	}
	// systemd asks on whatever its agents find, where this program has no terminal.
	if ask, err := exec.LookPath("systemd-ask-password"); err == nil && mode == Opening && exists("/run/systemd/ask-password") {
		return Program{Path: ask, Args: []string{"--timeout=0"}}, nil
	}
	return NewLines(env.In), nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
