package grub

import (
	"strings"
)

// Binary is what matters of a GRUB program. [ReadBinary] reads it from the file.
type Binary struct {
	Dialect Dialect `json:"dialect"`
	// Prefix is the folder that the binary names, with or without a device:
	// "/EFI/debian", "(,gpt2)/boot/grub", "(hd0,gpt2)/grub".
	Prefix string `json:"prefix,omitempty"`
	// Config is the script that is built in, "" for none. It is run before
	// anything is measured into PCR 8: by the rescue parser, which does not measure.
	Config string `json:"config,omitempty"`
	// Modules are those that are built in, by name. Nil means that they are not
	// known: then all are taken to be there.
	Modules []string `json:"modules,omitempty"`
	// Memdisk are the files that are built in, by path ("/grub.cfg"): the text of
	// small ones, "" for the others. MemdiskUnread says why they could not be read
	// although there are some.
	Memdisk       map[string]string `json:"memdisk,omitempty"`
	MemdiskUnread string            `json:"memdiskUnread,omitempty"`
}

// Image is a GRUB program, and how the firmware started it.
type Image struct {
	Binary
	// Device and Folder are where the firmware loaded it from: "hd0,gpt1" and
	// "/EFI/BOOT". They become $cmdpath.
	Device, Folder string
	// SecureBoot is whether the firmware enforces Secure Boot: GRUB then loads no
	// modules and no fonts.
	SecureBoot bool
	// CPU and Platform are "x86_64" and "efi" if empty.
	CPU, Platform string
	// Vars are variables that GRUB starts with besides its own: net_default_mac and
	// the like.
	Vars map[string]string
}

func (i *Image) target() string {
	cpu, platform := i.CPU, i.Platform
	if cpu == "" {
		cpu = "x86_64"
	}
	if platform == "" {
		platform = "efi"
	}
	return cpu + "-" + platform
}

// Dialect is what differs between releases and distributions of GRUB, as far as
// measurements go.
type Dialect struct {
	Name string `json:"name"` // for people
	// TPM202: strings are logged without a colon, commands are hashed with a final
	// NUL, and only modules, kernels and initial ramdisks are measured in PCR 9
	// (CoreOS, older Flatcar, RHEL 8).
	TPM202 bool `json:"tpm202,omitempty"`
	// SkipLoopback: the image of a loopback device is not measured (2.14).
	SkipLoopback bool `json:"skipLoopback,omitempty"`
	// MaxDepth is how deeply commands may be nested, 0 for no limit (2.14 and
	// security updates of others: 64).
	MaxDepth int `json:"maxDepth,omitempty"`
	// KeepsStatus: blank lines at the end of a block leave its status as it is (2.14).
	KeepsStatus bool `json:"keepsStatus,omitempty"`
	// RedHat: the menu of Fedora and RHEL: an entry is looked up by id before title,
	// an entry whose last command fails is not booted, $default stays set.
	RedHat bool `json:"redHat,omitempty"`
	// OpensTwice: "normal" opens grub.cfg once to see whether it is there (Fedora, RHEL,
	// Debian since 2.12).
	OpensTwice bool `json:"opensTwice,omitempty"`
	// HexEscapes: \xHH in a word stays as it is (Fedora, RHEL).
	HexEscapes bool `json:"hexEscapes,omitempty"`
	// StrictShim: under Secure Boot, modules and fonts are measured and then refused
	// (all since June 2022).
	StrictShim bool `json:"strictShim,omitempty"`
	// NoModules: under Secure Boot a module's file is not even opened (Fedora, RHEL,
	// SUSE, CoreOS).
	NoModules bool `json:"noModules,omitempty"`
	// MemdiskFonts: a font without a folder is looked for in the memdisk first.
	MemdiskFonts bool `json:"memdiskFonts,omitempty"`
	// Features are the variables feature_* that are set to "y", without that prefix.
	Features []string `json:"features,omitempty"`
}

var features206 = []string{"chainloader_bpb", "ntldr", "platform_search_hint", "default_font_path", "all_video_module",
	"menuentry_id", "menuentry_options", "200_final", "nativedisk_cmd", "timeout_style"}

// The dialects that are known. [DialectOf] tells which one a binary speaks.
var (
	Upstream206 = Dialect{Name: "GRUB 2.06", Features: features206}
	Upstream212 = Dialect{Name: "GRUB 2.12", StrictShim: true, MemdiskFonts: true, Features: features206}
	Upstream214 = Dialect{Name: "GRUB 2.14", SkipLoopback: true, MaxDepth: 64, KeepsStatus: true, StrictShim: true, MemdiskFonts: true,
		Features: append(features206[:len(features206):len(features206)], "search_cryptodisk_only", "tpm2_cap_pcrs", "gcry_hw_accel")}
	Debian = Dialect{Name: "Debian's GRUB", MaxDepth: 64, StrictShim: true, MemdiskFonts: true, Features: features206}
	Ubuntu = Dialect{Name: "Ubuntu's GRUB", MaxDepth: 64, StrictShim: true, MemdiskFonts: true, Features: features206}
	SUSE   = Dialect{Name: "SUSE's GRUB", MaxDepth: 64, StrictShim: true, NoModules: true, MemdiskFonts: true, Features: features206}
	Fedora = Dialect{Name: "Fedora's GRUB", MaxDepth: 64, KeepsStatus: true, RedHat: true, OpensTwice: true, HexEscapes: true,
		StrictShim: true, NoModules: true, MemdiskFonts: true, Features: features206}
	RHEL8 = Dialect{Name: "RHEL 8's GRUB", TPM202: true, RedHat: true, OpensTwice: true, HexEscapes: true, NoModules: true,
		Features: features206}
	CoreOS = Dialect{Name: "CoreOS's GRUB", TPM202: true, NoModules: true, Features: features206}
)

// DialectOf tells a binary's dialect from its SBAT data (the .sbat section's
// text; "" for binaries of before SBAT) and its version ("2.06-13+deb12u2").
func DialectOf(sbat, version string) Dialect {
	if version == "" {
		version = versionOf(sbat)
	}
	has := func(name string) bool { return strings.Contains("\n"+sbat, "\n"+name+",") }
	minor := strings.TrimPrefix(version, "1:")
	old := strings.HasPrefix(minor, "2.02") || strings.HasPrefix(minor, "2.03")
	var d Dialect
	switch {
	case has("grub.debian"):
		d = Debian
	case has("grub.ubuntu"):
		d = Ubuntu
	case has("grub.opensuse"), has("grub.sle"), has("grub.suse"):
		d = SUSE
	case old && (has("grub.rh") || has("grub.rhel8") || has("grub.redhat")):
		d = RHEL8
	case has("grub.rh"), has("grub.fedora"), has("grub.centos"), has("grub.redhat"):
		d = Fedora
	case old:
		d = CoreOS
	case strings.HasPrefix(minor, "2.06"), strings.HasPrefix(minor, "2.04"):
		d = Upstream206
	case strings.HasPrefix(minor, "2.12"):
		d = Upstream212
	default:
		d = Upstream214
	}
	if strings.HasPrefix(minor, "2.14") || strings.HasPrefix(minor, "2.15") {
		d.SkipLoopback, d.MaxDepth, d.KeepsStatus, d.Features = true, 64, true, Upstream214.Features
	}
	if has("grub.debian") || has("grub.ubuntu") {
		d.OpensTwice = !strings.HasPrefix(minor, "2.04") && !strings.HasPrefix(minor, "2.06")
	}
	if version != "" {
		d.Name += " " + version
	}
	return d
}

// versionOf returns the version in an SBAT section: the last vendor's line for
// GRUB, "grub.debian,4,Debian,grub2,2.06-13+deb12u2,https://...".
func versionOf(sbat string) string {
	version := ""
	for line := range strings.Lines(sbat) {
		f := strings.Split(strings.TrimSpace(line), ",")
		if len(f) >= 5 && (f[0] == "grub" || strings.HasPrefix(f[0], "grub.")) {
			version = f[4]
		}
	}
	return version
}
