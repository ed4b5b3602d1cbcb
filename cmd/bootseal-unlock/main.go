// Bootseal-unlock opens a node's encrypted volume in an initial ramdisk: what `bootseal
// unlock` does, in a program that is small enough for that. See package node/unlock.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/bootseal/bootseal/cmd/internal/tpmlink"
	"github.com/bootseal/bootseal/internal/secretmem"
	"github.com/bootseal/bootseal/internal/version"
	"github.com/bootseal/bootseal/node/unlock"
	"github.com/google/go-tpm/tpm2/transport"
)

const usage = `Usage:
  bootseal-unlock keyscript [KEY]      for crypttab's option keyscript= in an initial ramdisk
  bootseal-unlock open DEVICE NAME     opens DEVICE as /dev/mapper/NAME
  bootseal-unlock test DEVICE [NAME]   says which token opens DEVICE, and changes nothing
  bootseal-unlock close                closes the TPM until the next boot, before a shell is given
  bootseal-unlock root DIR             is the root file system at DIR on the enrolled volume? closes
                                       the TPM where it is not
  bootseal-unlock --version

The TPM opens the volume if this boot is one that it was enrolled for. Otherwise the console
says which measurement differs, and the recovery key is asked for: in any case, with or without
dashes. A volume that is not the enrolled one is refused, whoever opens it.

Examples:
  bootseal-unlock test /dev/sda3
  bootseal-unlock open /dev/disk/by-uuid/0a1b2c3d-1111-4222-8333-444455556666 root

Exit codes: 0 done, or a token opens it; 1 the volume or the root file system is another one, or
no token opens it; 2 not done.

Flags:
`

func main() {
	secretmem.Protect()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	if len(args) > 0 && (args[0] == "--version" || args[0] == "-version") {
		fmt.Fprintln(out, "bootseal-unlock", version.Read())
		return unlock.ExitOK
	}
	mode := unlock.Mode("")
	if len(args) > 0 {
		mode, args = unlock.Mode(args[0]), args[1:]
	}
	var c unlock.Config
	var tpm, format string
	flags := flag.NewFlagSet("bootseal-unlock", flag.ContinueOnError)
	flags.SetOutput(errOut)
	flags.Usage = func() {
		fmt.Fprint(errOut, usage)
		flags.PrintDefaults()
	}
	c.Register(flags)
	flags.StringVar(&tpm, "tpm", "", "the TPM: device:PATH, or swtpm:SOCKET (default: /dev/tpmrm0, or /dev/tpm0)")
	switch mode {
	case unlock.Keyscript, unlock.Closing, unlock.Rooting:
	case unlock.Opening:
		c.RegisterOpening(flags)
	case unlock.Testing:
		flags.StringVar(&format, "o", "text", "output format: text or json")
	case "help", "--help", "-help", "-h":
		c.RegisterOpening(flags)
		flags.SetOutput(out)
		flags.Usage = nil
		fmt.Fprint(out, usage)
		flags.PrintDefaults()
		return unlock.ExitOK
	default:
		flags.Usage()
		return unlock.ExitError
	}
	operands, err := parse(flags, args)
	if errors.Is(err, flag.ErrHelp) {
		return unlock.ExitOK
	}
	if err != nil {
		return unlock.ExitError
	}
	if format != "" && format != "text" && format != "json" {
		fmt.Fprintf(errOut, "bootseal-unlock: -o %s: choose text or json\n", format)
		return unlock.ExitError
	}
	c.JSON = format == "json"
	named, err := openNamed(tpm)
	if err != nil {
		fmt.Fprintf(errOut, "bootseal-unlock: %v\n", err)
		return unlock.ExitError
	}
	return c.Run(ctx, mode, operands, unlock.Env{In: in, Out: out, Err: errOut, Getenv: os.Getenv, Named: named, Device: tpmlink.Device})
}

// parse takes flags before and behind operands.
func parse(flags *flag.FlagSet, args []string) (operands []string, err error) {
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		rest := flags.Args()
		if len(rest) == 0 {
			return operands, nil
		}
		operands, args = append(operands, rest[0]), rest[1:]
	}
}

// openNamed returns what opens the TPM that --tpm names, or nil.
func openNamed(tpm string) (func() (transport.TPMCloser, error), error) {
	kind, where, _ := strings.Cut(tpm, ":")
	switch {
	case tpm == "":
		return nil, nil
	case kind == "device" && where != "":
		return func() (transport.TPMCloser, error) { return tpmlink.Device(where) }, nil
	case kind == "swtpm" && where != "":
		return func() (transport.TPMCloser, error) { return tpmlink.Socket(where) }, nil
	}
	return nil, fmt.Errorf("--tpm %s names no TPM: want device:PATH or swtpm:SOCKET", tpm)
}
