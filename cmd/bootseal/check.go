package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/node/kept"
	"github.com/bootseal/bootseal/node/state"
	"github.com/bootseal/bootseal/node/status"
	"github.com/bootseal/bootseal/predict"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/spf13/cobra"
)

// checked is "check -o json".
type checked struct {
	Verdict status.Verdict       `json:"verdict"`
	Reboot  bool                 `json:"reboot"` // the machine may
	Volumes []status.VolumeCheck `json:"volumes"`
	Notes   []string             `json:"notes,omitempty"` // about the input
}

// checkFlags say what is checked, and what passes. "reboot" has them, too.
type checkFlags struct {
	machine  machineFlags
	fallback string
}

func (f *checkFlags) register(cmd *cobra.Command) {
	f.machine.register(cmd)
	cmd.Flags().StringVar(&f.fallback, "fallback", string(status.FallbackOthers), "which ways may rely on the recovery key or a passphrase: others (than the one that the\nboot goes by itself), recovery (all), none")
	completeWords(cmd, "fallback", string(status.FallbackOthers), string(status.FallbackRecovery), string(status.FallbackNone))
}

const fallbackHelp = `
For each volume, every way of the next boot is walked: load options of the firmware, entries of
the boot menu. The one that the boot goes by itself must be opened by the TPM; the others may
rely on the recovery key, or on a passphrase, if there is one: --fallback says otherwise.
`

func (a *app) check() *cobra.Command {
	var flags checkFlags
	var sentinel string
	cmd := &cobra.Command{
		Use:   "check [DEVICE...]",
		Short: "Say whether the next boot opens the disks",
		Long: `Say whether the next boot of this machine opens its disks: which token opens each of them, or
what somebody would have to type, and why.
` + fallbackHelp + `
Without DEVICE: the enrolled volumes, ` + volumesListed + `, or all that are open and
have a token for a TPM.

Exit codes: 0 it boots; 1 it does not; 2 that cannot be told. For a reboot gate, anything but 0
means: do not reboot.
` + machineHelp,
		Example: `  bootseal check
  bootseal check --fallback none -o json
  bootseal check --sentinel                       kured's --reboot-sentinel-command
  bootseal check --log eventlog.bin --esp esp.img --efivars efivars.json --pcrs pcrs.txt header.img`,
		RunE: func(_ *cobra.Command, args []string) error {
			if sentinel != "" && !exists(sentinel) {
				return &noError{"no reboot is wanted: there is no " + sentinel}
			}
			c, err := a.checkNext(&flags, args)
			if err != nil {
				return err
			}
			if err := a.showCheck(c); err != nil {
				return err
			}
			return c.err()
		},
	}
	flags.register(cmd)
	wantedFlag(cmd, &sentinel, "sentinel", "say yes only if a reboot is wanted, too: this file is there")
	return cmd
}

const (
	volumesListed = "/etc/bootseal/volumes.json"
	// rebootRequired is what Debian's packages leave when they want a reboot.
	rebootRequired = "/run/reboot-required"
)

// wantedFlag is a flag that stands for [rebootRequired], and takes another file.
func wantedFlag(cmd *cobra.Command, file *string, name, usage string) {
	cmd.Flags().StringVar(file, name, "", usage)
	cmd.Flags().Lookup(name).NoOptDefVal = rebootRequired
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// showCheck prints a check in the format that was asked for.
func (a *app) showCheck(c *checked) error {
	if a.wantsJSON() {
		return a.printJSON(c)
	}
	a.printCheck(c)
	return nil
}

// checkNext predicts the next boot and holds the volumes against it.
func (a *app) checkNext(flags *checkFlags, devices []string) (*checked, error) {
	allowed, err := status.ParseFallback(flags.fallback)
	if err != nil {
		return nil, fmt.Errorf("--fallback: %w", err)
	}
	root := os.DirFS("/")
	list, err := findVolumes(root, devices)
	if err != nil {
		return nil, err
	}
	if len(flags.machine.esp) == 0 {
		stateDir := os.DirFS(state.Default)
		for i := range list {
			list[i].Attach(root, stateDir)
			withoutItsOwn("/", &list[i])
		}
	}
	if len(list) == 0 {
		return &checked{Verdict: status.OK, Reboot: true, Volumes: []status.VolumeCheck{}, Notes: []string{"No volume asks the TPM for its key: there is nothing that could stay locked."}}, nil
	}
	m, p, err := a.foretell(&flags.machine, list)
	if err != nil {
		return nil, err
	}
	if err := a.tryTokens(&flags.machine, list, p); err != nil {
		m.note("The TPM was not asked whether it takes the tokens: %v.", err)
	}
	out := &checked{Verdict: status.OK, Notes: m.notes}
	for i := range list {
		v := status.Check(&list[i], status.Foresee(p, &list[i]), allowed)
		out.Volumes = append(out.Volumes, v)
		out.Verdict = out.Verdict.Worse(v.Verdict)
	}
	out.Reboot = out.Verdict == status.OK || out.Verdict == status.Warn
	return out, nil
}

// signatureFolder is where a machine's own signatures lie.
const signatureFolder = "/etc/systemd"

// withoutItsOwn drops signatures that lie on the volume itself: they are not there yet when it
// is to be opened. host is where the machine's /sys and /proc are.
func withoutItsOwn(host string, v *status.Volume) {
	if len(v.Signatures) > 0 && kept.Allowed(host, signatureFolder, v.UUID) == nil {
		v.Signatures = nil
	}
}

// findVolumes reads the headers of the devices, or of those that the machine has.
func findVolumes(root fs.FS, devices []string) ([]status.Volume, error) {
	if len(devices) == 0 {
		list, err := status.FindVolumes(root)
		listed := slices.ContainsFunc(list, func(v status.Volume) bool { return v.Listed })
		return slices.DeleteFunc(list, func(v status.Volume) bool { return listed && !v.Listed }), err
	}
	var list []status.Volume
	for _, path := range devices {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		v := status.ReadVolume(path, f)
		if err := errors.Join(v.Err, f.Close()); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		list = append(list, v)
	}
	return list, nil
}

// foretell predicts the next boot in the banks that the volumes are sealed to: to
// hash a kernel in four takes three times as long as in one.
func (a *app) foretell(flags *machineFlags, list []status.Volume) (*machine, *predict.Prediction, error) {
	flags.only = status.Banks(list)
	m, err := a.readMachine(flags)
	a.doneReading()
	if err != nil {
		return nil, nil, err
	}
	p, err := predict.Next(m.Input)
	return m, p, err
}

// tryTokens has the machine's TPM load the tokens that the next boot needs. About
// another machine there is nothing to ask.
func (a *app) tryTokens(flags *machineFlags, list []status.Volume, p *predict.Prediction) error {
	if a.tpm == "" && len(flags.esp) > 0 {
		return nil
	}
	tpm, err := a.openTPM()
	if err != nil {
		return err
	}
	for i := range list {
		if err == nil {
			err = tryVolume(tpm, &list[i], p)
		}
	}
	return closeAfter(tpm, err)
}

// err is what the verb ends with.
func (c *checked) err() error {
	var names []string
	for _, v := range c.Volumes {
		if v.Verdict == c.Verdict {
			names = append(names, v.Volume)
		}
	}
	switch c.Verdict {
	case status.Bad:
		return &noError{"the next boot will not open " + strings.Join(names, ", ")}
	case status.Unknown:
		return fmt.Errorf("cannot tell whether the next boot opens %s", strings.Join(names, ", "))
	}
	return nil
}

// tryVolume tries the tokens that the next boot needs.
func tryVolume(tpm transport.TPM, v *status.Volume, p *predict.Prediction) error {
	if p == nil {
		return status.Try(tpm, v, nil)
	}
	var ids []int
	for _, w := range status.Foresee(p, v) {
		if w.Default {
			ids = w.Tokens
		}
	}
	return status.Try(tpm, v, ids)
}
