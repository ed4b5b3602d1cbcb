package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/server"
	"github.com/bootseal/bootseal/vtpm/store"
)

// startupClear is TPM2_Startup(CLEAR).
var startupClear = []byte{0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 0}

// behavior sets what the flags say about how to serve.
func (f *swtpmFlags) behavior(o *server.SwtpmOptions) error {
	flags, err := parseOptions("flags", f.flags, "not-need-init", "startup-clear", "startup-state",
		"startup-none", "startup-deactivated", "disable-auto-shutdown")
	if err != nil {
		return err
	}
	startup := map[string][]byte{
		"startup-clear": startupClear,
		"startup-state": {0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 1},
	}
	var none, deactivated bool
	err = flags.all(map[string]*bool{"not-need-init": &o.Init, "startup-none": &none,
		"startup-deactivated": &deactivated, "disable-auto-shutdown": &o.NoAutoShutdown})
	if err != nil {
		return err
	}
	if deactivated {
		return errors.New("--flags startup-deactivated is for a TPM 1.2")
	}
	for word, cmd := range startup {
		said, err := flags.yes(word)
		if err != nil {
			return err
		}
		if !said {
			continue
		}
		if o.Startup != nil || none {
			return errors.New("--flags: one startup- is enough")
		}
		o.Init, o.Startup = true, cmd
	}
	locality, err := parseOptions("locality", f.locality, "reject-locality-4", "allow-set-locality")
	if err != nil {
		return err
	}
	err = locality.all(map[string]*bool{"reject-locality-4": &o.RejectLocality4, "allow-set-locality": &o.AllowSetLocality})
	if err != nil {
		return err
	}
	migration, err := parseOptions("migration", f.migration, "incoming", "release-lock-outgoing")
	if err != nil {
		return err
	}
	err = migration.all(map[string]*bool{"incoming": &o.Incoming, "release-lock-outgoing": &o.Outgoing})
	if err != nil {
		return err
	}
	seccomp, err := parseOptions("seccomp", f.seccomp, "action")
	if err != nil {
		return err
	}
	if _, err := seccomp.oneOf("action", "kill", "log", "none"); err != nil {
		return err
	}
	o.Terminate = f.terminate
	return nil
}

// keys sets the keys, and how to open the state.
func (f *swtpmFlags) keys(a *app, o *server.SwtpmOptions) error {
	var err error
	if o.MigrationKey, err = readKey("migration-key", f.migrationKey); err != nil {
		return err
	}
	key, err := readKey("key", f.key)
	if err != nil {
		return err
	}
	place, err := f.place()
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
	openState := a.openPlace
	if key != nil {
		openState = func(p swtpmPlace) (*store.Directory, error) { return p.open(store.Options{Key: key}) }
	}
	primes, err := newPrimes(f.primes) // until the process ends
	if err != nil {
		return err
	}
	o.Open = func() (*vtpm.TPM, io.Closer, error) {
		state, err := openState(place)
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

// tpmProfile returns the profile. JSON has commas, and is the whole rest of the value.
func (f *swtpmFlags) tpmProfile() (vtpm.Profile, error) {
	if text, ok := strings.CutPrefix(f.profile, "profile="); ok {
		return profileOf(text)
	}
	if strings.HasPrefix(f.profile, "{") {
		return profileOf(f.profile)
	}
	o, err := parseOptions("profile", f.profile, "name", "file", "fd", "remove-disabled")
	if err != nil || f.profile == "" {
		return vtpm.Profile{}, err // what the TPM was made with
	}
	if o.has("remove-disabled") {
		return vtpm.Profile{}, errors.New("--profile: remove-disabled is for OpenSSL's FIPS mode, which is not used here")
	}
	if !o.has("file") && !o.has("fd") {
		return profileOf(o.values["name"])
	}
	text, err := o.content("file", "fd", maxKeyFile)
	if err != nil {
		return vtpm.Profile{}, err
	}
	return profileOf(string(text))
}

// place returns where the state is.
func (f *swtpmFlags) place() (p swtpmPlace, err error) {
	o, err := parseOptions("tpmstate", f.state, "dir", "mode", "backend-uri", "lock", "backup", "fsync")
	if err != nil {
		return p, err
	}
	if _, err := o.number("mode", 8, 0); err != nil { // bootseal's files are the owner's
		return p, err
	}
	// The state is always locked and on disk, and a backup of it would be an older state.
	for _, word := range []string{"lock", "backup", "fsync"} {
		if _, err := o.yes(word); err != nil {
			return p, err
		}
	}
	p.path = o.values["dir"]
	if o.has("dir") && o.has("backend-uri") {
		return p, errors.New("--tpmstate: dir and backend-uri exclude each other")
	}
	if o.has("backend-uri") {
		if p, err = placeOf(o.values["backend-uri"]); err != nil {
			return p, err
		}
	}
	if p.path == "" {
		p.path = os.Getenv("TPM_PATH")
	}
	if p.path == "" {
		return p, errors.New("--tpmstate dir=DIR is missing, and TPM_PATH is not set")
	}
	return p, p.refuseSwtpm()
}

// openLog returns where errors go that no client is told.
func (f *swtpmFlags) openLog(a *app) (func(error), error) {
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
		file, err := openAppend(name)
		truncate, notBool := o.yes("truncate")
		if err == nil && truncate {
			err = file.Truncate(0)
		}
		if err = errors.Join(err, notBool); err != nil {
			return nil, fmt.Errorf("--log: %w", err)
		}
		w = file
	}
	var mu sync.Mutex
	return func(err error) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(w, "%sbootseal: %v\n", o.values["prefix"], err)
	}, nil
}

// writePID writes the process's number; end removes the file with it.
func (f *swtpmFlags) writePID() (end func(), err error) {
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
