package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/bootseal/bootseal/vtpm/server"
	"github.com/spf13/cobra"
)

// daemonFD is the hidden flag by which a daemon knows that it is one, and whom to tell
// when it serves.
const daemonFD = "daemon-ready-fd"

// socketFlags are the flags of `swtpm socket`.
type socketFlags struct {
	tpm2                           bool
	state, control, server, flags  string
	key, migrationKey, migration   string
	log, pid, locality, runAs      string
	seccomp, profile               string
	port, fd, daemonFD, primes     int
	daemon, terminate              bool
	printCapabilities, printStates bool
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
		RunE: func(cmd *cobra.Command, _ []string) error { return a.socket(cmd.Context(), f) },
	}
	f.define(cmd)
	return cmd
}

func (f *socketFlags) define(cmd *cobra.Command) {
	x := cmd.Flags()
	x.BoolVar(&f.tpm2, "tpm2", false, "a TPM 2.0; needed, since there is no other")
	x.StringVar(&f.state, "tpmstate", "", "`dir=DIR[,mode=MODE]|backend-uri=dir://DIR`: where the state is (default $TPM_PATH)")
	x.StringVar(&f.control, "ctrl", "", "control channel: `type=unixio,path=PATH[,mode=][,uid=][,gid=]|type=tcp,port=PORT[,bindaddr=]|fd=FD|clientfd=FD[,terminate]`")
	x.StringVar(&f.server, "server", "", "data channel: `type=unixio,path=PATH[,mode=]...|type=tcp,port=PORT[,bindaddr=]|fd=FD[,disconnect]`")
	x.IntVarP(&f.port, "port", "p", 0, "data channel on a TCP port of 127.0.0.1")
	x.IntVarP(&f.fd, "fd", "f", -1, "data channel on an open descriptor")
	x.StringVar(&f.flags, "flags", "", "`not-need-init,startup-clear|startup-state|startup-none,disable-auto-shutdown`")
	x.StringVar(&f.key, "key", "", "encrypts the state at rest: `file=|fd=|pwdfile=|pwdfd=[,mode=aes-256-cbc][,format=hex|binary][,remove=true]`")
	x.StringVar(&f.migrationKey, "migration-key", "", "encrypts the state that is fetched over the control channel: as for --key")
	x.StringVar(&f.migration, "migration", "", "`incoming,release-lock-outgoing`: open the state when a client wants it, close it when it was fetched")
	x.StringVar(&f.log, "log", "", "`file=PATH|fd=FD[,level=N][,prefix=TEXT][,truncate]` (default standard error)")
	x.StringVar(&f.pid, "pid", "", "`file=PATH|fd=FD`: write the process's number there")
	x.StringVar(&f.locality, "locality", "", "`reject-locality-4,allow-set-locality`")
	x.StringVar(&f.profile, "profile", "", "`name=pcclient|libtpms`: what the TPM implements")
	x.IntVar(&f.primes, "primes", 0, "keep so many primes ready, two for each RSA key of 2048 bits that a client creates")
	x.StringVarP(&f.runAs, "runas", "r", "", "`USER` to become when the sockets are there")
	x.BoolVarP(&f.daemon, "daemon", "d", false, "go on in the background")
	x.BoolVarP(&f.terminate, "terminate", "t", false, "end when a client closes the data channel")
	x.StringVar(&f.seccomp, "seccomp", "", "accepted for swtpm's sake, without effect")
	x.BoolVar(&f.printCapabilities, "print-capabilities", false, "print what this program can do, as swtpm's JSON")
	x.BoolVar(&f.printStates, "print-states", false, "print which states are in the directory, as JSON")
	x.IntVar(&f.daemonFD, daemonFD, -1, "")
	if err := x.MarkHidden(daemonFD); err != nil {
		panic(err) // the flag was defined a line above
	}
}

// socket does what the flags say.
func (a *app) socket(ctx context.Context, f *socketFlags) error {
	switch {
	case f.printCapabilities:
		return a.printCapabilities()
	case !f.tpm2:
		return errors.New("--tpm2 is missing: there is no TPM 1.2 here")
	case f.printStates:
		return a.printStates(f)
	case f.daemon && f.daemonFD < 0:
		return a.daemonize(os.Args[1:])
	}
	s, end, err := f.start(a)
	if err == nil {
		defer end()
	}
	if f.daemonFD >= 0 {
		err = errors.Join(err, tellParent(f.daemonFD, err))
	}
	if err != nil {
		return err
	}
	return s.Serve(ctx)
}

// start opens the state and the channels; end removes what is to be gone afterwards.
func (f *socketFlags) start(a *app) (s *server.Swtpm, end func(), err error) {
	var o server.SwtpmOptions
	report, err := f.openLog(a)
	if err != nil {
		return nil, nil, err
	}
	o.Report = report
	if err := f.behavior(&o); err != nil {
		return nil, nil, err
	}
	if err := f.keys(a, &o); err != nil {
		return nil, nil, err
	}
	closeAll, err := f.channels(&o)
	if err != nil {
		return nil, nil, err
	}
	if f.runAs != "" {
		err = runAs(f.runAs)
	}
	if err == nil {
		s, err = server.NewSwtpm(o)
	}
	if err == nil {
		end, err = f.writePID()
	}
	if err != nil {
		closeAll()
		return nil, nil, err
	}
	return s, end, nil
}

// channels opens the sockets.
func (f *socketFlags) channels(o *server.SwtpmOptions) (closeAll func(), err error) {
	data := f.server
	switch {
	case data != "" && (f.port != 0 || f.fd >= 0):
		return nil, errors.New("--server, --port and --fd exclude each other")
	case f.port != 0:
		data = fmt.Sprintf("type=tcp,port=%d", f.port)
	case f.fd >= 0:
		data = fmt.Sprintf("fd=%d", f.fd)
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
	o.TerminateControl = control.options.has("terminate")
	o.Disconnect = server.options.has("disconnect")
	return closeAll, nil
}
