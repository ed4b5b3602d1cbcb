package bootchain

import (
	"bytes"
	"encoding/csv"
	"regexp"
	"strconv"
	"strings"

	"github.com/bootseal/bootseal/eventlog"
)

// Stages that measure nothing themselves, beside those of package eventlog.
const (
	fallbackLoader eventlog.Stage = "shim fallback" // fbx64.efi, which makes boot entries
	mokManager     eventlog.Stage = "MokManager"
	windowsLoader  eventlog.Stage = "Windows boot manager"
)

// stage says which program it is, by what is in it: its version, its SBAT
// generations, its sections. A file name proves nothing.
func (p *Program) stage() eventlog.Stage {
	if p == nil {
		return eventlog.Unknown
	}
	_, hasLinux := p.section(".linux")
	components := p.sbat()
	switch {
	case strings.HasPrefix(p.Version, "UEFI SHIM"):
		return eventlog.Shim
	case hasLinux:
		return eventlog.SystemdStub
	case strings.HasPrefix(p.Version, "systemd-boot"):
		return eventlog.SystemdBoot
	case strings.HasPrefix(p.Version, "Linux"):
		return eventlog.Kernel
	case strings.HasPrefix(p.Version, "GRUB"), p.GRUB != nil, has(components, "grub"):
		return eventlog.GRUB
	case has(components, "systemd-boot"):
		return eventlog.SystemdBoot
	case has(components, "shim.fallback"), strings.HasPrefix(p.Version, "shim fallback"):
		return fallbackLoader
	case strings.HasPrefix(p.Version, "MokManager"):
		return mokManager
	}
	return eventlog.Unknown
}

func has(list []sbatComponent, name string) bool {
	for _, c := range list {
		if c.name == name {
			return true
		}
	}
	return false
}

// sbatComponent is a line of a .sbat section (shim's SBAT.md): a component, its
// generation, and the versions of those who changed it.
type sbatComponent struct {
	name       string
	generation int
	version    string
}

func (p *Program) sbat() []sbatComponent {
	s, ok := p.section(".sbat")
	if !ok {
		return nil
	}
	return parseSBAT(s.Data)
}

func parseSBAT(data []byte) []sbatComponent {
	r := csv.NewReader(bytes.NewReader(bytes.TrimRight(data, "\x00")))
	r.FieldsPerRecord = -1
	r.LazyQuotes = true
	records, err := r.ReadAll()
	if err != nil {
		return nil
	}
	var out []sbatComponent
	for _, f := range records {
		if len(f) < 2 {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(f[1]))
		if err != nil {
			continue
		}
		c := sbatComponent{name: f[0], generation: n}
		if len(f) > 4 {
			c.version = f[4]
		}
		out = append(out, c)
	}
	return out
}

// version is a version number, most significant part first: 15.8 is {15, 8}.
type version []int

var numbers = regexp.MustCompile(`[0-9]+(\.[0-9]+)*`)

// number returns the first version number in the program's version, nil if
// there is none.
func (p *Program) number() version {
	if p == nil {
		return nil
	}
	return parseVersion(p.Version)
}

func parseVersion(s string) version {
	var v version
	for _, part := range strings.Split(numbers.FindString(s), ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil
		}
		v = append(v, n)
	}
	return v
}

// atLeast reports whether v is not older than the version with these parts.
func (v version) atLeast(parts ...int) bool {
	for i, p := range parts {
		n := 0
		if i < len(v) {
			n = v[i]
		}
		if n != p {
			return n > p
		}
	}
	return true
}

func (v version) String() string {
	parts := make([]string, len(v))
	for i, n := range v {
		parts[i] = strconv.Itoa(n)
	}
	return strings.Join(parts, ".")
}
