package host

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os/user"
	"strconv"
	"time"

	"github.com/bootseal/bootseal/vtpm"
)

// Spec is how an instance is to be made. The zero value is a TPM of the PC Client
// profile as it leaves no factory: without keys, for the host's own user.
type Spec struct {
	// Profile is the name of a vtpm.Profile; "" is pcclient.
	Profile string `json:"profile,omitempty"`
	// Layout is what Options.Manufacture makes of the TPM; "" is nothing.
	Layout string `json:"layout,omitempty"`
	// Owner and Group own the sockets, by name or number; "" is the host's own.
	Owner string `json:"owner,omitempty"`
	Group string `json:"group,omitempty"`
	// Mode is that of the sockets in octal; "" is 0660.
	Mode string `json:"mode,omitempty"`
	// PowerOn switches the TPM on, with TPM2_Startup(CLEAR), whenever the instance is
	// started. Without it a client does, as QEMU.
	PowerOn bool `json:"powerOn,omitempty"`
	// Adopt takes over the TPM whose state is in Options.OpenStore's store already, as when
	// it was another host's. Profile is to be the TPM's, Layout of no meaning.
	Adopt bool `json:"adopt,omitempty"`
	// Start starts the instance when it is made.
	Start bool `json:"start,omitempty"`
}

// configVersion is the version of instance.json.
const configVersion = 1

// Config is what is kept of an instance beside its TPM's state, as instance.json.
type Config struct {
	Version int    `json:"version"`
	Profile string `json:"profile"`
	Layout  string `json:"layout,omitempty"`
	// UID and GID own the sockets; -1 is whom the host runs as.
	UID     int    `json:"uid"`
	GID     int    `json:"gid"`
	Mode    string `json:"mode"` // octal
	PowerOn bool   `json:"powerOn,omitempty"`
	// Started says that the instance is to run: it is started with the host.
	Started bool      `json:"started"`
	Created time.Time `json:"created"`
	// Incomplete is an instance that nobody was promised, or that is being removed. KeepState
	// says that the state in Options.OpenStore's store then stays: it was there before, or
	// is for another host.
	Incomplete bool `json:"incomplete,omitempty"`
	KeepState  bool `json:"keepState,omitempty"`
	// Manufactured is what Options.Manufacture said of what it made.
	Manufactured json.RawMessage `json:"manufactured,omitempty"`
}

// configOf checks a spec and returns its configuration.
func configOf(s Spec, now time.Time) (Config, error) {
	c := Config{Version: configVersion, Profile: s.Profile, Layout: s.Layout, Mode: s.Mode, PowerOn: s.PowerOn, Created: now}
	if c.Profile == "" {
		c.Profile = vtpm.PCClient().Name()
	}
	if c.Mode == "" {
		c.Mode = "0660"
	}
	if err := c.check(); err != nil {
		return c, fmt.Errorf("%w: %w", ErrSpec, err)
	}
	var err error
	if c.UID, err = lookup(s.Owner, func(name string) (string, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	}); err != nil {
		return c, fmt.Errorf("%w: owner %q: %w", ErrSpec, s.Owner, err)
	}
	if c.GID, err = lookup(s.Group, func(name string) (string, error) {
		g, err := user.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	}); err != nil {
		return c, fmt.Errorf("%w: group %q: %w", ErrSpec, s.Group, err)
	}
	return c, nil
}

// lookup returns the number of a user or group that is given by name or number; -1 for "".
func lookup(name string, find func(string) (string, error)) (int, error) {
	if name == "" {
		return -1, nil
	}
	id, err := strconv.ParseUint(name, 10, 31)
	if err == nil {
		return int(id), nil
	}
	number, err := find(name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(number)
}

// check returns what is wrong with a configuration, whoever wrote it.
func (c *Config) check() error {
	if c.Version != configVersion {
		return fmt.Errorf("version %d of an instance is unknown; version %d is known", c.Version, configVersion)
	}
	if _, err := vtpm.ProfileNamed(c.Profile); err != nil {
		return err
	}
	_, err := c.mode()
	return err
}

// mode returns the sockets' mode.
func (c *Config) mode() (fs.FileMode, error) {
	mode, err := strconv.ParseUint(c.Mode, 8, 32)
	if err != nil || mode > 0o777 {
		return 0, fmt.Errorf("the mode %q of the sockets is no octal number up to 0777", c.Mode)
	}
	return fs.FileMode(mode), nil
}
