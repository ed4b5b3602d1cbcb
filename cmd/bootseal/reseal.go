package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/bootseal/bootseal/luks/cryptsetup"
	"github.com/bootseal/bootseal/node/plan"
	"github.com/bootseal/bootseal/node/reseal"
	"github.com/bootseal/bootseal/node/volumes"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// resealFlags are those of reseal and retire.
type resealFlags struct {
	machine machineFlags
	volume  volumeFlags

	keyFile, pinFile, ownerFile string
	unmeasured, shell, offline  bool
	bootID                      string
	sealTo                      string
	systemd                     int
	commit, dryRun              bool
	guard                       bool
	retire                      string
	force                       bool
}

func (f *resealFlags) register(cmd *cobra.Command) {
	f.machine.register(cmd)
	f.volume.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.keyFile, "key-file", "", "file with a passphrase or the recovery key, - for standard input: for when the secret\ncannot be had otherwise (default: ask on the terminal)")
	flags.StringVar(&f.pinFile, "pin-file", "", "file with the PIN, - for standard input (default: ask if there is one)")
	flags.StringVar(&f.ownerFile, "owner-password-file", "", "file with the password of the TPM's owner hierarchy, if it has one")
	flags.StringVar(&f.sealTo, "seal-to", "", "other PCRs than so far, as 4,7,9")
	flags.BoolVar(&f.offline, "accept-offline-changes", false, "seal for boot files, too, that were changed while this machine was off")
	flags.StringVar(&f.bootID, "boot-id", "", "identifier of the running boot (default: the kernel's; with --esp: none)")
	flags.BoolVar(&f.unmeasured, "allow-unmeasured-initrd", false, "seal though anybody who writes to the boot partition can replace the initial ramdisk")
	flags.BoolVar(&f.shell, "allow-shell", false, "seal for boots that come up with a root shell, as recovery mode does")
	flags.IntVar(&f.systemd, "systemd", 0, "release of the systemd that will read the tokens: 252, 255, 257 (default: as so far)")
	flags.BoolVar(&f.dryRun, "dry-run", false, "say what would be done, and do nothing")
	completeWords(cmd, "systemd", "252", "255", "257")
}

func (a *app) reseal() *cobra.Command {
	var flags resealFlags
	cmd := &cobra.Command{
		Use:   "reseal [DEVICE...]",
		Short: "Seal the disks for the boots that come next",
		Long: `Seal the enrolled volumes for every way that the next boot may take: a token is added for each that
has none, before anything is dropped. Run it after whatever changes the boot: a kernel, an initial
ramdisk, a boot loader, a UEFI variable; the installed hooks do. Where nothing is new it writes
nothing.

The running boot's token stays. When a boot has worked, --commit drops what is over. Whatever
happens in between, a crash or a power cut, the volume opens for the running boot; the next run
goes on from what is on the disk.

The secret to seal comes from a token that opens now, or was kept on the volume itself. Where
neither is to be had, as after a boot by recovery key on some machines, a passphrase is asked for,
and a new secret takes the old one's place.

With --file it seals for the boots that come when a file has been replaced, beside those that come
as it is: whoever replaces the file then leaves no moment at which the next boot is not sealed for.

Exit codes: 0 the next boot opens the volumes; 1 it does not, and why was said; 2 not done.
` + machineHelp,
		Example: `  bootseal reseal
  grub-mkconfig -o new.cfg && bootseal reseal --file /boot/grub/grub.cfg=new.cfg
  bootseal reseal --dry-run
  bootseal reseal --commit
  bootseal reseal --key-file recovery.txt /dev/sda3
  bootseal reseal --log eventlog.bin --esp esp.img --efivars efivars.json --tpm swtpm:tpm.sock disk.img`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runReseal(cmd.Context(), &flags, args)
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&flags.guard, "rollback-guard", false, "from now on, what is dropped stays closed, even for a copy of the header: by an NV counter of\nthe TPM. Only bootseal unlock opens such tokens, no systemd")
	cmd.Flags().BoolVar(&flags.commit, "commit", false, "this boot has worked: drop the tokens of boots that are over")
	return cmd
}

// resealed is "reseal -o json" and "retire -o json".
type resealed struct {
	Volumes []*reseal.Result `json:"volumes"`
	Notes   []string         `json:"notes,omitempty"` // about the input
}

func (a *app) runReseal(ctx context.Context, flags *resealFlags, devices []string) error {
	list, err := volumes.Read(flags.volume.list)
	if err != nil {
		return err
	}
	if len(devices) == 0 {
		if devices = enrolledDevices(list); len(devices) == 0 {
			return a.nothingEnrolled(flags)
		}
	}
	m, err := a.readMachine(&flags.machine)
	a.doneReading()
	if err != nil {
		return err
	}
	p, err := m.predictNext()
	if err != nil {
		return err
	}
	req, err := a.resealRequest(flags, m, p)
	if err != nil {
		return err
	}
	files, err := lookAtBootFiles(flags, m, p, devices)
	if err != nil {
		return err
	}
	req.BootFiles = files.now
	// Before anything else: what is new now is this system's doing, whatever cuts the run off.
	if !flags.dryRun {
		if err := files.write(flags.volume.state); err != nil {
			m.note("What there is to boot from was not written down: %v.", err)
		}
	}
	defer clear(req.OwnerAuth)
	tpm, err := a.openTPM()
	if err != nil {
		return err
	}
	out := &resealed{Volumes: []*reseal.Result{}, Notes: m.notes}
	var failed []error
	for _, device := range devices {
		r, err := a.resealDevice(ctx, tpm, flags, list, req, device)
		if err != nil {
			failed = append(failed, withAdvice(err))
			continue
		}
		out.Volumes = append(out.Volumes, r)
	}
	failed = append(failed, tpm.Close())
	if err := a.showResealed(out, flags); err != nil {
		return err
	}
	if err := errors.Join(failed...); err != nil {
		return err
	}
	return out.err()
}

// enrolledDevices are the paths of the listed volumes.
func enrolledDevices(list *volumes.List) []string {
	var out []string
	for _, v := range list.Volumes {
		out = append(out, "/dev/disk/by-uuid/"+v.UUID)
	}
	return out
}

func (a *app) nothingEnrolled(flags *resealFlags) error {
	if a.wantsJSON() {
		return a.printJSON(resealed{Volumes: []*reseal.Result{}})
	}
	_, err := fmt.Fprintf(a.out, "No volume is enrolled (%s): there is nothing to seal.\n", flags.volume.list)
	return err
}

// resealRequest is what is the same for all volumes.
func (a *app) resealRequest(flags *resealFlags, m *machine, p *predict.Prediction) (*reseal.Request, error) {
	req := &reseal.Request{Prediction: p, Log: m.Log, Release: flags.systemd, Installed: installedSystemd("/"),
		Commit: flags.commit, RollbackGuard: flags.guard, Retire: flags.retire, Force: flags.force, DryRun: flags.dryRun,
		Options: plan.Options{AllowUnmeasuredInitrd: flags.unmeasured, AllowShell: flags.shell}}
	var err error
	if flags.sealTo != "" {
		if req.Options.PCRs, err = pcr.ParseSelection(flags.sealTo); err != nil {
			return nil, fmt.Errorf("--seal-to: %w", err)
		}
	}
	if len(m.Banks) == 1 {
		req.Options.Bank = m.Banks[0]
	}
	if flags.ownerFile != "" {
		if req.OwnerAuth, err = a.secretFile(flags.ownerFile); err != nil {
			return nil, fmt.Errorf("--owner-password-file: %w", err)
		}
		req.OwnerAuth = bytes.TrimRight(req.OwnerAuth, "\r\n")
	}
	req.PIN = func(ctx context.Context) ([]byte, error) {
		a.doneReading()
		return a.readPIN(ctx, flags.pinFile, false)
	}
	return req, nil
}

func (a *app) resealDevice(ctx context.Context, tpm transport.TPM, flags *resealFlags, list *volumes.List, req *reseal.Request, device string) (*reseal.Result, error) {
	tool, err := cryptsetup.Find(ctx)
	if err != nil {
		return nil, err
	}
	v, err := tool.Volume(device)
	if err != nil {
		return nil, err
	}
	mine := *req
	if flags.keyFile != "" || a.terminalIn() {
		mine.Passphrase = func(ctx context.Context, without ...int) ([]byte, error) {
			a.doneReading()
			open, err := a.readPassphrase(ctx, v, flags.keyFile, without...)
			if err != nil {
				return nil, err
			}
			return open.passphrase, nil
		}
	}
	var listed volumes.Volume
	if h, err := v.Header(); err == nil {
		listed, _ = list.Find(h.UUID)
	}
	mine.Parent = listed.Parent
	machine := &reseal.Machine{TPM: tpm, Volume: v, State: flags.volume.state, Host: "/", Expect: flags.volume.expect, Progress: a.step}
	if machine.Expect == "" && len(flags.machine.esp) == 0 {
		machine.Expect = expectFolder()
	}
	r, err := reseal.Run(ctx, machine, &mine)
	a.doneReading()
	if err != nil {
		return nil, err
	}
	if listed.UUID != "" && len(r.Parent) > 0 && !bytes.Equal(r.Parent, listed.Parent) {
		listed.Parent = r.Parent
		list.Put(listed)
		if err := list.Write(flags.volume.list); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// terminalIn reports whether somebody can be asked.
func (a *app) terminalIn() bool {
	f, ok := a.in.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// err is that the next boot does not open one of the volumes.
func (r *resealed) err() error {
	var locked []string
	for _, v := range r.Volumes {
		if !v.Opens {
			locked = append(locked, v.Device)
		}
	}
	if len(locked) == 0 {
		return nil
	}
	return &noError{"the next boot does not open " + strings.Join(locked, ", ")}
}
