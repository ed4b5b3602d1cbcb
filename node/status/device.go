package status

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"syscall"
)

// Device is a TPM device file.
type Device struct {
	Path  string // "/dev/tpmrm0"
	Found bool
	// Special says that it is a character device.
	Special bool
	Mode    fs.FileMode
	// Owner and Group are names, or numbers where the machine has none for them.
	Owner, Group string
}

// Devices are the TPM's device files, and what the kernel knows of it.
type Devices struct {
	// Raw is /dev/tpm0, which one program at a time can use, Managed is
	// /dev/tpmrm0, which shares it.
	Raw, Managed Device
	// Driver says that the kernel has found a TPM, and Major is the version that it
	// speaks: 1 or 2, 0 where the kernel does not say.
	Driver bool
	Major  int
	// Holders are the programs that have /dev/tpm0 open, "tpm2-abrmd (612)". They
	// are looked for only where the TPM is busy.
	Holders []string
}

func readDevices(root fs.FS) Devices {
	names := accounts{fsys: root}
	d := Devices{Raw: readDevice(root, "/dev/tpm0", names), Managed: readDevice(root, "/dev/tpmrm0", names)}
	if _, err := fs.Stat(root, "sys/class/tpm/tpm0"); err == nil {
		d.Driver = true
	}
	d.Major, _ = strconv.Atoi(readWord(root, "sys/class/tpm/tpm0/tpm_version_major"))
	return d
}

func readDevice(root fs.FS, name string, names accounts) Device {
	d := Device{Path: name}
	info, err := fs.Stat(root, strings.TrimPrefix(name, "/"))
	if err != nil {
		return d
	}
	d.Found, d.Special, d.Mode = true, info.Mode()&fs.ModeCharDevice != 0, info.Mode().Perm()
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		d.Owner, d.Group = names.of("etc/passwd", sys.Uid), names.of("etc/group", sys.Gid)
	}
	return d
}

// accounts finds the names of users and groups.
type accounts struct{ fsys fs.FS }

// of returns the name that a file in the form of passwd(5) has for a number, else
// the number.
func (a accounts) of(file string, id uint32) string {
	number := strconv.FormatUint(uint64(id), 10)
	f, err := a.fsys.Open(file)
	if err != nil {
		return number
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Split(lines.Text(), ":"); len(fields) > 2 && fields[2] == number {
			return fields[0]
		}
	}
	return number
}

// holders lists the programs that have a file open, as far as this user may see.
func holders(root fs.FS, name string) []string {
	links, err := fs.Glob(root, "proc/[0-9]*/fd/*")
	if err != nil {
		return nil
	}
	var out []string
	seen := make(map[string]bool)
	for _, link := range links {
		target, err := fs.ReadLink(root, link)
		process := path.Dir(path.Dir(link))
		if err != nil || target != name || seen[process] {
			continue
		}
		seen[process] = true
		out = append(out, fmt.Sprintf("%s (%s)", readWord(root, process+"/comm"), path.Base(process)))
	}
	return out
}

// readWord returns a small file's contents without white space around it, "" if
// it cannot be read.
func readWord(root fs.FS, name string) string {
	data, err := fs.ReadFile(root, name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// judgeDevices tells whether there is a TPM, and who may use it.
func judgeDevices(f *Facts) Line {
	l := Line{What: "device", Verdict: Bad}
	d := &f.Devices
	switch {
	case f.OtherTPM != "":
		l.Verdict, l.Says = OK, f.OtherTPM+", as asked for"
	case !d.Raw.Found && !d.Managed.Found && d.Driver:
		l.Says = "the kernel has a TPM, and there is neither /dev/tpmrm0 nor /dev/tpm0"
		l.Remedy = "in a container, pass /dev/tpmrm0 in; else ask udev for it: udevadm trigger --subsystem-match=tpm"
	case !d.Raw.Found && !d.Managed.Found:
		l.Says, l.Remedy = "the kernel has found no TPM", f.Platform.attachTPM()
	case d.Major == 1:
		l.Says, l.Remedy = "this is a TPM 1.2", "bootseal needs a TPM 2.0: some machines switch between them in the firmware's setup"
	case !d.Managed.Found:
		l.Says, l.Remedy = "there is /dev/tpm0 and no /dev/tpmrm0", "a kernel with the TPM resource manager (4.12 or later) has it; until then use --tpm device:/dev/tpm0"
	case !d.Managed.Special:
		l.Says, l.Remedy = d.Managed.Path+" is no character device", "remove it, and ask udev for the device: udevadm trigger --subsystem-match=tpm"
	case d.Managed.Mode&0o006 != 0:
		l.Verdict, l.Says = Warn, d.Managed.String()+": every user can use the TPM, and lock it out"
		l.Remedy = "chmod 0660 " + d.Managed.Path + ", and look for the udev rule that says otherwise"
	default:
		l.Verdict, l.Says = OK, d.Managed.String()
		if d.Raw.Found {
			l.Says += "; " + d.Raw.String()
		}
	}
	return l
}

// String is the device with its permissions: "/dev/tpmrm0 tss:tss 0660".
func (d Device) String() string {
	s := d.Path
	if d.Owner != "" {
		s += " " + d.Owner + ":" + d.Group
	}
	return fmt.Sprintf("%s %04o", s, d.Mode.Perm())
}

// judgeAccess says why the TPM does not answer.
func judgeAccess(f *Facts) Line {
	l := Line{What: "access", Verdict: Bad, Says: f.TPMErr.Error()}
	switch {
	case errors.Is(f.TPMErr, fs.ErrPermission):
		l.Verdict, l.Remedy = Unknown, "run this as root"
	case errors.Is(f.TPMErr, syscall.EBUSY):
		l.Verdict, l.Says = Unknown, "the TPM is busy: another program has it open"
		if len(f.Devices.Holders) > 0 {
			l.Says = "the TPM is busy: " + strings.Join(f.Devices.Holders, ", ") + " has /dev/tpm0 open"
		}
		l.Remedy = "use /dev/tpmrm0, which is shared; or stop that program (tpm2-abrmd, often) and try again"
	default:
		l.Remedy = "look at the kernel's messages about it: journalctl -k -g tpm"
	}
	return l
}
