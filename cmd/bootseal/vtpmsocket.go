package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/bootseal/bootseal/vtpm/server"
	"github.com/spf13/cobra"
)

// socketFlags are the flags of `swtpm socket`.
type socketFlags struct {
	swtpmFlags
	server   string
	port, fd int
}

func (a *app) vtpmSocket() *cobra.Command {
	f := new(socketFlags)
	cmd := &cobra.Command{
		Use:   "socket",
		Short: "Serve a vTPM to QEMU and libvirt, as swtpm does",
		Long: `Serve one vTPM over swtpm's protocol: a control channel for QEMU, libvirt and
swtpm_ioctl, and a data channel for TPM commands. The flags are swtpm's; what starts swtpm
can start bootseal through a link of that name.

The state is in a directory, in bootseal's own format. A client that leaves without a
TPM2_Shutdown is no loss: every change is on disk before it is acknowledged.

Whoever reaches the sockets can use, reset, copy and stop the TPM.`,
		Example: `  bootseal vtpm socket --tpm2 --tpmstate dir=/var/lib/vm0/tpm --ctrl type=unixio,path=/run/vm0/tpm --terminate
  qemu-system-x86_64 ... -chardev socket,id=tpm,path=/run/vm0/tpm \
    -tpmdev emulator,id=tpm0,chardev=tpm -device tpm-crb,tpmdev=tpm0

  bootseal vtpm socket --tpm2 --tpmstate dir=tpm0 --server type=unixio,path=tpm0.sock --flags not-need-init,startup-clear
  bootseal --tpm swtpm:tpm0.sock pcrs`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.serveSwtpm(cmd.Context(), &f.swtpmFlags, f.channels)
		},
	}
	f.define(cmd)
	return cmd
}

func (f *socketFlags) define(cmd *cobra.Command) {
	x := cmd.Flags()
	x.StringVar(&f.server, "server", "", "data channel: `type=unixio,path=PATH[,mode=]...|type=tcp,port=PORT[,bindaddr=]|fd=FD[,disconnect]`")
	x.IntVarP(&f.port, "port", "p", 0, "data channel on a TCP port of 127.0.0.1, a connection a command (default $TPM_PORT)")
	x.IntVarP(&f.fd, "fd", "f", -1, "data channel on an open descriptor, whose end is the program's")
	x.BoolVarP(&f.terminate, "terminate", "t", false, "end when a client closes the data channel")
	f.swtpmFlags.define(cmd)
}

// channels opens the sockets.
func (f *socketFlags) channels(o *server.SwtpmOptions) (closeAll func(), err error) {
	data := f.server
	switch port := os.Getenv("TPM_PORT"); {
	case data != "" && (f.port != 0 || f.fd >= 0), f.port != 0 && f.fd >= 0:
		return nil, errors.New("--server, --port and --fd exclude each other")
	case f.port != 0:
		data = fmt.Sprintf("type=tcp,port=%d,disconnect", f.port)
	case f.fd >= 0:
		data = fmt.Sprintf("fd=%d", f.fd)
	case data == "" && f.control == "" && port != "":
		data = "type=tcp,port=" + port + ",disconnect"
	}
	control, err := openChannel("ctrl", f.control, "clientfd", "terminate")
	if err != nil {
		return nil, err
	}
	server, err := openChannel("server", data, "disconnect")
	closeAll = func() {
		for _, c := range []channel{control, server} {
			if c.Listener != nil {
				c.Close()
			}
			if c.conn != nil {
				c.conn.Close()
			}
		}
	}
	if err == nil && f.control == "" && data == "" {
		err = errors.New("there is nothing to serve: --ctrl or --server is missing")
	}
	if err != nil {
		closeAll()
		return nil, err
	}
	o.Control, o.ControlConn = control.Listener, control.conn
	o.Data, o.DataConn = server.Listener, server.conn
	if server.conn != nil {
		o.Terminate = true // nobody can come after this client
	}
	err = errors.Join(control.options.all(map[string]*bool{"terminate": &o.TerminateControl}),
		server.options.all(map[string]*bool{"disconnect": &o.Disconnect}))
	if err != nil {
		closeAll()
	}
	return closeAll, err
}
