package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/server"
)

// swtpmVersion is the version of swtpm whose flags and protocol these are.
const swtpmVersion = "0.10.0"

// swtpmFeatures are the features by swtpm's names, which libvirt looks at.
var swtpmFeatures = []string{
	"tpm-2.0", "tpm-send-command-header", "flags-opt-startup", "flags-opt-disable-auto-shutdown",
	"ctrl-opt-terminate", "cmdarg-seccomp", "cmdarg-key-fd", "cmdarg-pwd-fd", "cmdarg-print-states",
	"cmdarg-chroot", "cmdarg-migration", "nvram-backend-dir", "nvram-backend-file", "cmdarg-profile", "cmdarg-print-profiles",
	"cmdarg-print-info", "tpmstate-opt-lock", "tpmstate-dir-backend-opt-backup",
	"tpmstate-dir-backend-opt-fsync", "systemd-notify", "rsa-keysize-1024", "rsa-keysize-2048", "rsa-keysize-3072",
	"rsa-keysize-4096",
}

func (a *app) printCapabilities() error {
	return a.printJSON(struct {
		Type     string   `json:"type"`
		Features []string `json:"features"`
		Version  string   `json:"version"`
	}{"swtpm", swtpmFeatures, swtpmVersion})
}

// printStates says whether there is a state, without opening it: a TPM may be using it.
func (a *app) printStates(f *swtpmFlags) error {
	place, err := f.place()
	if err != nil {
		return err
	}
	type state struct {
		Name string `json:"name"`
		Size int64  `json:"size"`
	}
	states := []state{}
	if info, err := os.Stat(place.stateFile()); err == nil {
		states = append(states, state{"permall", info.Size()})
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return a.printJSON(struct {
		Type   string  `json:"type"`
		States []state `json:"states"`
	}{"swtpm", states})
}

// printServedProfiles prints the profiles by swtpm's names and bootseal's.
func (a *app) printServedProfiles() error {
	type profile struct{ Name string }
	return a.printJSON(struct {
		AvailableProfiles []profile
	}{[]profile{{"pcclient"}, {"libtpms"}, {"null"}, {"default-v1"}, {"default-v2"}}})
}

// printTPMInfo prints what GET_INFO would answer. A state is not made for that.
func (a *app) printTPMInfo(f *swtpmFlags) error {
	flags, err := strconv.ParseUint(f.printInfo, 0, 32)
	if err != nil {
		return fmt.Errorf("--print-info %s: no number", f.printInfo)
	}
	profile, err := f.tpmProfile()
	if err != nil {
		return err
	}
	t, err := vtpm.New(vtpm.Options{Profile: profile})
	if err != nil {
		return err
	}
	text, err := json.Marshal(server.InfoOf(t, flags))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "%s\n", text)
	return err
}
