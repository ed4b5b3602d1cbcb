package main

import (
	"context"
	"errors"
	"os"

	"github.com/bootseal/bootseal/vtpm/server"
	systemd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
)

// daemonFD is the hidden flag by which a daemon knows that it is one, and whom to tell
// when it serves.
const daemonFD = "daemon-ready-fd"

// swtpmFlags are the flags that all interfaces of swtpm have.
type swtpmFlags struct {
	tpm2                          bool
	state, control, flags         string
	key, migrationKey, migration  string
	log, pid, locality            string
	runAs, chroot                 string
	seccomp, profile              string
	daemonFD, primes              int
	daemon, terminate             bool
	printCapabilities             bool
	printStates, printAllProfiles bool
	printInfo                     string
}

func (f *swtpmFlags) define(cmd *cobra.Command) {
	x := cmd.Flags()
	x.BoolVar(&f.tpm2, "tpm2", false, "a TPM 2.0; needed, since there is no other")
	x.StringVar(&f.state, "tpmstate", "", "`dir=DIR[,mode=MODE]|backend-uri=dir://DIR`: where the state is (default $TPM_PATH)")
	x.StringVar(&f.control, "ctrl", "", "control channel: `type=unixio,path=PATH[,mode=][,uid=][,gid=]|type=tcp,port=PORT[,bindaddr=]|fd=FD|clientfd=FD[,terminate]`")
	x.StringVar(&f.flags, "flags", "", "`not-need-init,startup-clear|startup-state|startup-none,disable-auto-shutdown`")
	x.StringVar(&f.key, "key", "", "encrypts the state at rest: `file=|fd=|pwdfile=|pwdfd=[,mode=aes-256-cbc][,format=hex|binary][,remove=true]`")
	x.StringVar(&f.migrationKey, "migration-key", "", "encrypts the state that is fetched over the control channel: as for --key")
	x.StringVar(&f.migration, "migration", "", "`incoming,release-lock-outgoing`: open the state when a client wants it, close it when it was fetched")
	x.StringVar(&f.log, "log", "", "`file=PATH|fd=FD[,level=N][,prefix=TEXT][,truncate]` (default standard error)")
	x.StringVar(&f.pid, "pid", "", "`file=PATH|fd=FD`: write the process's number there")
	x.StringVar(&f.locality, "locality", "", "`reject-locality-4,allow-set-locality`")
	x.StringVar(&f.profile, "profile", "", "`name=NAME|profile=JSON|file=PATH|fd=FD`: what the TPM implements: pcclient, libtpms, or a name of swtpm's")
	x.IntVar(&f.primes, "primes", 0, "keep so many primes ready, two for each RSA key of 2048 bits that a client creates")
	x.StringVarP(&f.runAs, "runas", "r", "", "`USER` to become when the sockets are there")
	x.StringVarP(&f.chroot, "chroot", "R", "", "`DIR` to take for the file system's root")
	x.BoolVarP(&f.daemon, "daemon", "d", false, "go on in the background")
	x.StringVar(&f.seccomp, "seccomp", "", "`action=none|log|kill`: accepted for swtpm's sake, without effect")
	x.BoolVar(&f.printCapabilities, "print-capabilities", false, "print what this program can do, as swtpm's JSON")
	x.BoolVar(&f.printStates, "print-states", false, "print which states are in the directory, as JSON")
	x.BoolVar(&f.printAllProfiles, "print-profiles", false, "print the profiles as JSON")
	x.StringVar(&f.printInfo, "print-info", "", "print what the TPM says of itself, as JSON: the `FLAGS` of swtpm_ioctl --info")
	x.IntVar(&f.daemonFD, daemonFD, -1, "")
	if err := x.MarkHidden(daemonFD); err != nil {
		panic(err) // the flag was defined a line above
	}
}

// openChannels opens the ways to reach a TPM and sets them; closeAll closes them.
type openChannels func(*server.SwtpmOptions) (closeAll func(), err error)

// serveSwtpm does what the flags say.
func (a *app) serveSwtpm(ctx context.Context, f *swtpmFlags, channels openChannels) error {
	switch {
	case f.printCapabilities:
		return a.printCapabilities()
	case !f.tpm2:
		return errors.New("--tpm2 is missing: there is no TPM 1.2 here")
	case f.printAllProfiles:
		return a.printServedProfiles()
	case f.printStates:
		return a.printStates(f)
	case f.printInfo != "":
		return a.printTPMInfo(f)
	case f.daemon && f.daemonFD < 0:
		return a.daemonize(os.Args[1:])
	}
	s, end, err := f.start(a, channels)
	if err == nil {
		defer end()
		_, err = systemd.SdNotify(false, systemd.SdNotifyReady)
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
func (f *swtpmFlags) start(a *app, channels openChannels) (s *server.Swtpm, end func(), err error) {
	if f.chroot != "" {
		if err := chroot(f.chroot); err != nil {
			return nil, nil, err
		}
	}
	var o server.SwtpmOptions
	if o.Report, err = f.openLog(a); err != nil {
		return nil, nil, err
	}
	if err := f.behavior(&o); err != nil {
		return nil, nil, err
	}
	if err := f.keys(a, &o); err != nil {
		return nil, nil, err
	}
	closeAll, err := channels(&o)
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
