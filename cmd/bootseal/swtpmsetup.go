package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/server"
	"github.com/bootseal/bootseal/vtpm/store"
)

// behavior sets what the flags say about how to serve.
func (f *socketFlags) behavior(o *server.SwtpmOptions) error {
	flags, err := parseOptions("flags", f.flags, "not-need-init", "startup-clear", "startup-state",
		"startup-none", "startup-deactivated", "disable-auto-shutdown")
	if err != nil {
		return err
	}
	startup := map[string][]byte{
		"startup-clear": {0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 0},
		"startup-state": {0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 1},
		"startup-none":  nil,
	}
	o.Init = flags.has("not-need-init")
	for word := range flags.values {
		if word == "startup-deactivated" {
			return errors.New("--flags startup-deactivated is for a TPM 1.2")
		}
		if cmd, ok := startup[word]; ok {
			if o.Startup != nil {
				return errors.New("--flags: one startup- is enough")
			}
			o.Init, o.Startup = true, cmd
		}
	}
	o.NoAutoShutdown = flags.has("disable-auto-shutdown")
	locality, err := parseOptions("locality", f.locality, "reject-locality-4", "allow-set-locality")
	if err != nil {
		return err
	}
	o.RejectLocality4, o.AllowSetLocality = locality.has("reject-locality-4"), locality.has("allow-set-locality")
	migration, err := parseOptions("migration", f.migration, "incoming", "release-lock-outgoing")
	if err != nil {
		return err
	}
	o.Incoming, o.Outgoing = migration.has("incoming"), migration.has("release-lock-outgoing")
	o.Terminate = f.terminate
	return nil
}

// keys sets the keys, and how to open the state.
func (f *socketFlags) keys(a *app, o *server.SwtpmOptions) error {
	var err error
	if o.MigrationKey, err = readKey("migration-key", f.migrationKey); err != nil {
		return err
	}
	key, err := readKey("key", f.key)
	if err != nil {
		return err
	}
	dir, err := f.stateDir()
	if err != nil {
		return err
	}
	profile, err := f.tpmProfile()
	if err != nil {
		return err
	}
	if key != nil && a.stateKey != "" {
		return errors.New("--key and --state-key exclude each other")
	}
	o.FileKey = key != nil || a.stateKey != ""
	openState := a.openState
	if key != nil {
		openState = func(dir string) (*store.Directory, error) {
			return store.OpenDirectoryOptions(dir, store.Options{Key: key})
		}
	}
	primes, err := newPrimes(f.primes) // until the process ends
	if err != nil {
		return err
	}
	o.Open = func() (*vtpm.TPM, io.Closer, error) {
		state, err := openState(dir)
		if err != nil {
			return nil, nil, err
		}
		t, err := vtpm.New(vtpm.Options{Store: state, Profile: profile, Primes: primes})
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("start the vTPM: %w", err), state.Close())
		}
		return t, state, nil
	}
	return nil
}

func (f *socketFlags) tpmProfile() (vtpm.Profile, error) {
	o, err := parseOptions("profile", f.profile, "name")
	if err != nil || f.profile == "" {
		return vtpm.PCClient(), err
	}
	return vtpm.ProfileNamed(o.values["name"])
}

// stateDir returns the state's directory. One with the state of swtpm is refused: it
// must not look as if the TPM had lost its keys.
func (f *socketFlags) stateDir() (string, error) {
	o, err := parseOptions("tpmstate", f.state, "dir", "mode", "backend-uri", "lock")
	if err != nil {
		return "", err
	}
	if _, err := o.number("mode", 8, 0); err != nil { // bootseal's files are the owner's
		return "", err
	}
	dir := o.values["dir"]
	if uri := o.values["backend-uri"]; uri != "" {
		var ok bool
		if dir, ok = strings.CutPrefix(uri, "dir://"); !ok {
			return "", fmt.Errorf("--tpmstate: backend-uri=%s: only dir:// is supported, a state is a directory", uri)
		}
	}
	if dir == "" {
		dir = os.Getenv("TPM_PATH")
	}
	if dir == "" {
		return "", errors.New("--tpmstate dir=DIR is missing, and TPM_PATH is not set")
	}
	return dir, refuseSwtpmState(dir)
}

// refuseSwtpmState returns an error for a directory with a state of swtpm.
func refuseSwtpmState(dir string) error {
	if name := filepath.Join(dir, swtpmFile); fileExists(name) {
		return fmt.Errorf("%s is the state of swtpm: bootseal vtpm import --from-swtpm moves it; move it away if that is done", name)
	}
	return nil
}

func fileExists(name string) bool {
	_, err := os.Stat(name)
	return !errors.Is(err, fs.ErrNotExist)
}

// openLog returns where errors go that no client is told.
func (f *socketFlags) openLog(a *app) (func(error), error) {
	o, err := parseOptions("log", f.log, "file", "fd", "level", "prefix", "truncate")
	if err != nil {
		return nil, err
	}
	if _, err := o.number("level", 10, 0); err != nil {
		return nil, err
	}
	w := a.err
	if file, err := o.fd("fd"); err != nil {
		return nil, err
	} else if file != nil {
		w = file
	}
	if name := o.values["file"]; name == "-" {
		w = io.Discard
	} else if name != "" {
		how := os.O_APPEND
		if o.has("truncate") {
			how = os.O_TRUNC
		}
		if w, err = os.OpenFile(name, os.O_CREATE|os.O_WRONLY|how, 0o640); err != nil {
			return nil, fmt.Errorf("--log: %w", err)
		}
	}
	var mu sync.Mutex
	return func(err error) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(w, "%sbootseal: %v\n", o.values["prefix"], err)
	}, nil
}

// writePID writes the process's number; end removes the file with it.
func (f *socketFlags) writePID() (end func(), err error) {
	end = func() {}
	o, err := parseOptions("pid", f.pid, "file", "fd")
	if err != nil {
		return nil, err
	}
	number := strconv.Itoa(os.Getpid()) + "\n"
	if file, err := o.fd("fd"); err != nil {
		return nil, err
	} else if file != nil {
		_, err := file.WriteString(number)
		return end, errors.Join(err, file.Close())
	}
	if name := o.values["file"]; name != "" {
		if err := os.WriteFile(name, []byte(number), 0o644); err != nil {
			return nil, fmt.Errorf("--pid: %w", err)
		}
		end = func() { os.Remove(name) }
	}
	return end, nil
}

// swtpmVersion is the version of swtpm whose flags and protocol these are.
const swtpmVersion = "0.10.0"

// swtpmFeatures are the features by swtpm's names, which libvirt looks at.
var swtpmFeatures = []string{
	"tpm-2.0", "tpm-send-command-header", "flags-opt-startup", "flags-opt-disable-auto-shutdown",
	"ctrl-opt-terminate", "cmdarg-seccomp", "cmdarg-key-fd", "cmdarg-pwd-fd", "cmdarg-print-states",
	"cmdarg-migration", "nvram-backend-dir", "rsa-keysize-1024", "rsa-keysize-2048", "rsa-keysize-3072",
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
func (a *app) printStates(f *socketFlags) error {
	dir, err := f.stateDir()
	if err != nil {
		return err
	}
	type state struct {
		Name string `json:"name"`
		Size int64  `json:"size"`
	}
	states := []state{}
	if info, err := os.Stat(filepath.Join(dir, "state")); err == nil {
		states = append(states, state{"permall", info.Size()})
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return a.printJSON(struct {
		Type   string  `json:"type"`
		States []state `json:"states"`
	}{"swtpm", states})
}
