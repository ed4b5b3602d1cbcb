package status

import (
	"errors"
	"io/fs"
	"syscall"
	"time"

	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
)

// Facts are what is known of a machine.
type Facts struct {
	Devices  Devices
	Firmware Firmware
	Platform Platform
	Log      Log
	Hooks    []Hook
	// ResealFailed is why the hooks' last reseal failed, in words; "" if it did not.
	ResealFailed string
	// Held says that the hooks keep systemd from rebooting: see [Gate].
	Held bool
	// Clock is what the machine's clock says, and Written when something here was
	// written that cannot be of the future: zero where there is nothing.
	Clock, Written time.Time

	// OtherTPM names the TPM that was asked instead of the machine's own, "" for its own.
	OtherTPM string
	TPM      *TPM // nil where TPMErr says why not
	TPMErr   error
	Values   pcr.Values // of the running boot; nil where they are not known

	Volumes    []Volume
	VolumesErr error // about the list of enrolled volumes

	Prediction    *predict.Prediction // nil where PredictionErr says why not
	PredictionErr error
}

// Gather reads what files tell: below root are the machine's dev, etc, lib, proc, run,
// sys, usr and var.
func Gather(root fs.FS, now time.Time) *Facts {
	f := &Facts{
		Devices:  readDevices(root),
		Firmware: readFirmware(root),
		Platform: readPlatform(root),
		Log:      readLog(root),
		Hooks:    readHooks(root),
		Clock:    now,

		ResealFailed: readWord(root, resealFailed),
	}
	if _, err := fs.Stat(root, Gate); err == nil {
		f.Held = true
	}
	if info, err := fs.Stat(root, "etc/bootseal/volumes.json"); err == nil {
		f.Written = info.ModTime()
	}
	return f
}

// NoTPM notes why the TPM does not answer. Where it is busy, it looks for who has it.
func (f *Facts) NoTPM(root fs.FS, err error) {
	f.TPM, f.TPMErr = nil, err
	if errors.Is(err, syscall.EBUSY) {
		f.Devices.Holders = holders(root, f.Devices.Raw.Path)
	}
}
