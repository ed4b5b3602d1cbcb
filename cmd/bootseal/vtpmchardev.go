package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/bootseal/bootseal/vtpm/server"
	"github.com/spf13/cobra"
)

// chardevFlags are the flags of `swtpm chardev`.
type chardevFlags struct {
	swtpmFlags
	device string
	fd     int
	proxy  bool
}

func (a *app) vtpmChardev() *cobra.Command {
	f := new(chardevFlags)
	cmd := &cobra.Command{
		Use:   "chardev",
		Short: "Serve a vTPM over a character device, or as a TPM of this machine",
		Long: `Serve one vTPM over a character device, as "swtpm chardev" does. With --vtpm-proxy Linux
makes a TPM device of this machine, /dev/tpmN, whose commands bootseal executes; that needs root and the
module tpm_vtpm_proxy.

The flags are swtpm's; "bootseal vtpm socket --help" has those of the state and the control channel.`,
		Example: `  modprobe tpm_vtpm_proxy
  bootseal vtpm chardev --tpm2 --tpmstate dir=tpm0 --vtpm-proxy`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.serveSwtpm(cmd.Context(), &f.swtpmFlags, func(o *server.SwtpmOptions) (func(), error) {
				return f.channels(a, o)
			})
		},
	}
	x := cmd.Flags()
	x.StringVarP(&f.device, "chardev", "c", "", "the character `DEVICE`")
	x.IntVarP(&f.fd, "fd", "f", -1, "an open descriptor of one")
	x.BoolVar(&f.proxy, "vtpm-proxy", false, "a new TPM device of this machine")
	f.define(cmd)
	return cmd
}

// channels opens the device and the control channel.
func (f *chardevFlags) channels(a *app, o *server.SwtpmOptions) (closeAll func(), err error) {
	device, err := f.open(a, o)
	if err != nil {
		return nil, err
	}
	control, err := openChannel("ctrl", f.control, "clientfd", "terminate")
	closeAll = func() {
		device.Close()
		if control.Listener != nil {
			control.Close()
		}
		if control.conn != nil {
			control.conn.Close()
		}
	}
	if err == nil {
		err = control.options.all(map[string]*bool{"terminate": &o.TerminateControl})
	}
	if err != nil {
		closeAll()
		return nil, err
	}
	o.Device, o.Control, o.ControlConn = device, control.Listener, control.conn
	return closeAll, nil
}

// open opens the one device that the flags name.
func (f *chardevFlags) open(a *app, o *server.SwtpmOptions) (*os.File, error) {
	ways := 0
	for _, there := range []bool{f.device != "", f.fd >= 0, f.proxy} {
		if there {
			ways++
		}
	}
	switch {
	case ways != 1:
		return nil, errors.New("say which device: one of --chardev, --fd and --vtpm-proxy")
	case f.proxy:
		device, name, err := newProxyDevice()
		if err != nil {
			return nil, fmt.Errorf("--vtpm-proxy: %w", err)
		}
		// The kernel sets the locality by a command, and asks a TPM that was started.
		o.AllowSetLocality = true
		if f.flags == "" {
			o.Init, o.Startup = true, startupClear
		}
		fmt.Fprintf(a.err, "New TPM device: %s\n", name)
		return device, nil
	case f.fd >= 0:
		if f.fd < 3 {
			return nil, errors.New("--fd: 0, 1 and 2 are no devices for this")
		}
		return optionList{"fd", map[string]string{"fd": fmt.Sprint(f.fd)}}.fd("fd")
	}
	device, err := os.OpenFile(f.device, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("--chardev: %w", err)
	}
	if info, err := device.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		device.Close()
		return nil, fmt.Errorf("--chardev: %s is no character device", f.device)
	}
	return device, nil
}

// vtpmCuse refuses swtpm's third interface, with the way to what it is for.
func (a *app) vtpmCuse() *cobra.Command {
	return &cobra.Command{
		Use:                "cuse",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("there is no CUSE device here: the kernel's vTPM proxy does the same, see chardev --vtpm-proxy")
		},
	}
}
