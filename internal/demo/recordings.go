package demo

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/boots"
)

// Recordings are the boots that the story plays.
type Recordings struct {
	Description string // of the machine, for people
	First       Recording
	Second      Recording // the same software again
	Upgraded    Recording // another kernel
}

// Recording is a recorded boot and the version of the kernel that it booted.
type Recording struct {
	*boots.Boot
	Kernel string
}

// Builtin returns the recordings that come with the program.
func Builtin() (*Recordings, error) {
	r, err := load(boots.Load)
	if err != nil {
		return nil, err
	}
	r.Description = "Debian 12 with Secure Boot, shim, GRUB and a signed kernel"
	return r, nil
}

// LoadFrom returns recordings from a directory with a folder for each of
// boots.Names.
func LoadFrom(dir fs.FS) (*Recordings, error) {
	r, err := load(func(name boots.Name) (*boots.Boot, error) { return boots.LoadFrom(dir, name) })
	if err != nil {
		return nil, err
	}
	r.Description = "one that was given"
	return r, nil
}

func load(read func(boots.Name) (*boots.Boot, error)) (*Recordings, error) {
	r := new(Recordings)
	for _, x := range []struct {
		name boots.Name
		into *Recording
	}{{boots.First, &r.First}, {boots.Second, &r.Second}, {boots.Upgraded, &r.Upgraded}} {
		b, err := read(x.name)
		if err != nil {
			return nil, err
		}
		version, err := kernelVersion(b.Log)
		if err != nil {
			return nil, fmt.Errorf("recorded boot %s: %w", x.name, err)
		}
		*x.into = Recording{b, version}
	}
	return r, nil
}

// kernelVersion returns the version in the name of the kernel that GRUB booted.
func kernelVersion(log *eventlog.Log) (string, error) {
	for i := range log.Events {
		b, ok := eventlog.Decode(&log.Events[i]).(eventlog.BootString)
		if !ok || b.Source != eventlog.KernelCommand {
			continue
		}
		file, _, _ := strings.Cut(b.Text, " ")
		if version, ok := strings.CutPrefix(path.Base(file), "vmlinuz-"); ok {
			return version, nil
		}
	}
	return "", fmt.Errorf("no kernel command line with a versioned kernel in the log")
}
