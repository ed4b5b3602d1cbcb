package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bootseal/bootseal/node/state"
	"github.com/bootseal/bootseal/node/status"
	"github.com/spf13/cobra"
)

// statusFlags say which machine is looked at.
type statusFlags struct {
	machine     machineFlags
	root, state string
	imds        string
}

func (a *app) status() *cobra.Command {
	var flags statusFlags
	cmd := &cobra.Command{
		Use:   "status [DEVICE...]",
		Short: "Say whether this node is in order, and what to do where it is not",
		Long: `Look at the TPM, the firmware, the event log, the encrypted volumes and the hooks of this node,
and say of each whether it is in order: will the next boot open the disks, which boots is each
volume sealed to, how was it unlocked this time, is there a recovery key? What is not in order
comes with a remedy. Nothing is changed.

Without DEVICE: the enrolled volumes, ` + volumesListed + `, and others that are open and have a
token for a TPM.

Exit codes: 0 in order, perhaps with warnings; 1 a disk will not open, or what would tell so is
not to be believed; 2 that cannot be told (often: be root).
` + machineHelp,
		Example: `  bootseal status
  bootseal status -o json
  bootseal status --imds                          asks Azure whether this is Trusted Launch
  bootseal status --root /mnt/node                files of another machine`,
		RunE: func(cmd *cobra.Command, args []string) error {
			root, err := openMachine(flags.root)
			if err != nil {
				return err
			}
			flags.inRoot(root)
			f, err := a.gather(root, &flags, args)
			if err != nil {
				return err
			}
			if flags.imds != "" {
				f.Platform.Azure, f.Platform.AzureErr = askAzure(cmd.Context(), flags.imds)
			}
			return a.showStatus(status.Judge(f))
		},
	}
	flags.machine.register(cmd)
	cmd.Flags().StringVar(&flags.root, "root", "/", "the machine's root folder")
	cmd.Flags().StringVar(&flags.state, "state", "", "where bootseal keeps its state (default "+state.Default+")")
	cmd.Flags().StringVar(&flags.imds, "imds", "", "ask Azure's metadata service at this URL")
	cmd.Flags().Lookup("imds").NoOptDefVal = azureMetadata
	return cmd
}

// openMachine returns the files below a folder. Links in another machine's folder do
// not lead out of it.
func openMachine(folder string) (fs.FS, error) {
	if folder == "/" {
		return os.DirFS(folder), nil
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	return root.FS(), nil
}

// inRoot has another machine's log and variables come from its folder.
func (f *statusFlags) inRoot(root fs.FS) {
	if f.root == "/" {
		return
	}
	for path, flag := range map[string]*string{runningLog: &f.machine.log, runningVariables: &f.machine.efivars} {
		if _, err := fs.Stat(root, path[1:]); *flag == "" && err == nil {
			*flag = filepath.Join(f.root, path)
		}
	}
}

// gather collects the facts. What cannot be read is one of them.
func (a *app) gather(root fs.FS, flags *statusFlags, devices []string) (*status.Facts, error) {
	f := status.Gather(root, time.Now())
	if path := flags.machine.log; path != "" && path != "none" {
		f.Log.Path = path
		f.Log.Log, f.Log.Err = a.readLog(path)
	}
	var err error
	if f.Volumes, f.VolumesErr = status.FindVolumes(root); len(devices) > 0 {
		if f.Volumes, err = findVolumes(root, devices); err != nil {
			return nil, err
		}
	}
	stateDir, err := fs.Sub(root, strings.TrimPrefix(state.Default, "/"))
	if err != nil {
		return nil, err
	}
	if flags.state != "" {
		stateDir = os.DirFS(filepath.Clean(flags.state))
	}
	for i := range f.Volumes {
		f.Volumes[i].Attach(root, stateDir)
		if flags.root == "/" {
			withoutItsOwn("/", &f.Volumes[i])
		}
	}
	return f, a.askTPM(root, f, flags)
}

// askTPM reads the TPM, predicts the next boot, and has the TPM try the tokens that
// this boot needs.
func (a *app) askTPM(root fs.FS, f *status.Facts, flags *statusFlags) error {
	f.OtherTPM = a.tpm
	if path := flags.machine.pcrs; path != "" {
		values, err := a.readValues(path)
		if err != nil {
			return err
		}
		f.Values = values
	}
	tpm, err := a.openTPM()
	if err != nil {
		f.NoTPM(root, err)
		a.predictNext(f, flags)
		return nil
	}
	t, values, err := status.ReadTPM(tpm)
	if err != nil {
		f.NoTPM(root, err)
	} else if f.TPM = t; f.Values == nil {
		f.Values = values
	}
	a.predictNext(f, flags)
	for i := range f.Volumes {
		if err == nil {
			err = tryVolume(tpm, &f.Volumes[i], f.Prediction)
		}
	}
	if err = closeAfter(tpm, err); err != nil && f.TPMErr == nil {
		f.TPMErr = err
	}
	return nil
}

func (a *app) predictNext(f *status.Facts, flags *statusFlags) {
	if len(f.Volumes) == 0 {
		return
	}
	if flags.root != "/" && len(flags.machine.esp) == 0 {
		f.PredictionErr = errors.New("--esp names what this machine boots from")
		return
	}
	if flags.machine.pcrs == "" {
		flags.machine.values = f.Values
	}
	_, f.Prediction, f.PredictionErr = a.foretell(&flags.machine, f.Volumes)
}

// showStatus prints a report, and returns what the verb ends with.
func (a *app) showStatus(r *status.Report) error {
	if a.wantsJSON() {
		if err := a.printJSON(r); err != nil {
			return err
		}
	} else {
		a.printStatus(r)
	}
	switch r.Verdict {
	case status.Bad:
		return &noError{"not in order: " + worst(r)}
	case status.Unknown:
		return fmt.Errorf("cannot tell whether all is in order: %s", worst(r))
	}
	return nil
}

// worst names the lines that a report's verdict comes from.
func worst(r *status.Report) string {
	var names []string
	for _, s := range r.Sections {
		for _, l := range s.Lines {
			if l.Verdict == r.Verdict {
				names = append(names, s.Name+", "+l.What)
			}
		}
	}
	return strings.Join(names, "; ")
}
