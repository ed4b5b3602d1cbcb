package status_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/internal/efivars"
	"github.com/bootseal/bootseal/internal/gztest"
	"github.com/bootseal/bootseal/internal/lukstest"
	"github.com/bootseal/bootseal/internal/reboot"
	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/status"
	"github.com/bootseal/bootseal/node/volumes"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

const uuid = "0a1b2c3d-1111-4222-8333-444455556666"

var now = time.Date(2026, 11, 30, 4, 0, 0, 0, time.UTC)

// machine is a node in a folder: a recorded boot of Debian 12 on kernel 54, on a vTPM,
// with a disk that is sealed to this boot, and the files of the next.
type machine struct {
	files   fstest.MapFS
	tpm     *vtpmtest.TPM
	tpmErr  error // instead of the TPM, or, late, after it said what it is
	tpmLate bool
	header  *lukstest.Header
	input   predict.Input
	// systemd is the release that tokens are written for, 0 for the newest.
	systemd int
}

// newMachine returns a node that is in order: the next boot is the same again.
func newMachine(t *testing.T) *machine {
	t.Helper()
	boot, err := boots.Load(boots.Second)
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{tpm: vtpmtest.Open(t)}
	if err := reboot.VTPM(m.tpm.TPM, boot.Log); err != nil {
		t.Fatal(err)
	}
	m.input.Machine.Log, m.input.Machine.Files, m.input.Machine.PCRs = boot.Log, boot.Manifest, boot.PCRs
	m.seal(t, "", pcr.Select(4, 7, 8, 9))
	m.files = fstest.MapFS{
		"dev/tpm0":                                          device(0),
		"dev/tpmrm0":                                        device(113),
		"etc/passwd":                                        file("root:x:0:0::/root:/bin/sh\ntss:x:107:113::/:/bin/false\n"),
		"etc/group":                                         file("root:x:0:\ntss:x:113:\n"),
		"etc/kernel/postinst.d/zzz-bootseal":                file(""),
		"proc/self/mountinfo":                               file("24 1 0:22 / /sys rw - sysfs sysfs rw\n25 24 0:7 / /sys/kernel/security rw - securityfs securityfs rw\n"),
		"sys/class/tpm/tpm0/tpm_version_major":              file("2\n"),
		"sys/class/dmi/id/sys_vendor":                       file("QEMU\n"),
		"sys/class/dmi/id/product_name":                     file("Standard PC (Q35 + ICH9, 2009)\n"),
		"sys/class/dmi/id/bios_vendor":                      file("EFI Development Kit II / OVMF\n"),
		"sys/class/dmi/id/bios_version":                     file("2025.02-8\n"),
		"sys/class/block/dm-0/dm/uuid":                      file("CRYPT-LUKS2-" + strings.ReplaceAll(uuid, "-", "") + "-root\n"),
		"sys/class/block/dm-0/slaves/dm-1/dev":              file("254:1\n"), // dm-integrity is between them
		"sys/class/block/dm-1/dm/uuid":                      file("CRYPT-INTEGRITY-root_dif\n"),
		"sys/class/block/dm-1/slaves/sda3/dev":              file("8:3\n"),
		"dev/dm-1":                                          file("not a header"),
		"sys/kernel/security/tpm0/binary_bios_measurements": {Data: boot.LogBytes},
		"dev/disk/by-uuid/" + uuid:                          {Data: []byte("../../sda3"), Mode: fs.ModeSymlink},
		"etc/bootseal/volumes.json":                         {Data: list(t), ModTime: now.Add(-48 * time.Hour)},
		"var/lib/bootseal/" + uuid + "/secret.json":         file("{}"),
		"run/bootseal/" + uuid + ".json":                    file(`{"uuid":"` + uuid + `","name":"root","device":"/dev/sda3","time":"2026-11-30T03:00:00Z","by":"token","token":0,"label":"kernel 54","identity":"same","measured":true}`),
	}
	m.variable("SecureBoot", efivars.Global, 1)
	m.variable("SetupMode", efivars.Global, 0)
	return m
}

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text), Mode: 0o644} }

// device is a character device of user tss (107) with a mode of 0660.
func device(gid uint32) *fstest.MapFile {
	return &fstest.MapFile{Mode: fs.ModeDevice | fs.ModeCharDevice | 0o660, Sys: &syscall.Stat_t{Uid: 107, Gid: gid}}
}

func list(t *testing.T) []byte {
	t.Helper()
	text, err := (&volumes.List{Volumes: []volumes.Volume{{UUID: uuid, Name: "root"}}}).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (m *machine) variable(name, vendor string, value byte) {
	m.files["sys/firmware/efi/efivars/"+name+"-"+vendor] = &fstest.MapFile{Data: []byte{7, 0, 0, 0, value}}
}

// seal enrolls the disk for recorded boots, the present one if none is given.
func (m *machine) seal(t *testing.T, pin string, sel pcr.Selection, names ...boots.Name) {
	t.Helper()
	if len(names) == 0 {
		names = []boots.Name{boots.Second}
	}
	var sealed []lukstest.Boot
	for _, name := range names {
		boot, err := boots.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		label := map[boots.Name]string{boots.Second: "kernel 54", boots.Upgraded: "kernel 56"}[name]
		sealed = append(sealed, lukstest.Boot{Label: label, Values: boot.PCRs})
	}
	var err error
	if m.header, err = lukstest.Enrolled(m.tpm, lukstest.Options{UUID: uuid, PCRs: pcr.BankSelection{Bank: pcr.SHA256, PCRs: sel}, PIN: pin, Systemd: m.systemd}, sealed...); err != nil {
		t.Fatal(err)
	}
}

// upgrade puts kernel 56 on the disk, for the next boot.
func (m *machine) upgrade(t *testing.T) {
	t.Helper()
	boot, err := boots.Load(boots.Upgraded)
	if err != nil {
		t.Fatal(err)
	}
	m.input.Machine.Files = boot.Manifest
}

// clear replaces the TPM by another one, booted the same.
func (m *machine) clear(t *testing.T) {
	t.Helper()
	log := m.input.Machine.Log
	m.tpm = vtpmtest.OpenOptions(t, vtpm.Options{Entropy: strings.NewReader(strings.Repeat("another TPM's entropy ", 4096))})
	if err := reboot.VTPM(m.tpm.TPM, log); err != nil {
		t.Fatal(err)
	}
}

// facts are what the verb gathers.
func (m *machine) facts(t *testing.T) *status.Facts {
	t.Helper()
	if m.files["dev/sda3"] == nil && m.header != nil {
		m.files["dev/sda3"] = &fstest.MapFile{Data: m.header.Bytes()}
	}
	f := status.Gather(m.files, now)
	f.Volumes, f.VolumesErr = status.FindVolumes(m.files)
	state, err := fs.Sub(m.files, "var/lib/bootseal")
	if err != nil {
		t.Fatal(err)
	}
	for i := range f.Volumes {
		f.Volumes[i].Attach(m.files, state)
	}
	f.Prediction, f.PredictionErr = predict.Next(m.input)
	if m.tpmErr != nil && !m.tpmLate {
		f.NoTPM(m.files, m.tpmErr)
		return f
	}
	if f.TPM, f.Values, err = status.ReadTPM(m.tpm); err != nil {
		t.Fatal(err)
	}
	f.TPMErr = m.tpmErr
	for i := range f.Volumes {
		if v := &f.Volumes[i]; v.Enrollment != nil {
			if err := status.Try(m.tpm, v, status.Foresee(f.Prediction, v)[0].Tokens); err != nil {
				t.Fatal(err)
			}
		}
	}
	return f
}

// find returns the line about something, of the first section that has one.
func find(r *status.Report, what string) *status.Line {
	for i := range r.Sections {
		for j := range r.Sections[i].Lines {
			if l := &r.Sections[i].Lines[j]; l.What == what {
				return l
			}
		}
	}
	return nil
}

const kernelLog = "sys/kernel/security/tpm0/binary_bios_measurements"

func (m *machine) noTPM() {
	m.tpmErr = fs.ErrNotExist
	for _, name := range []string{"dev/tpm0", "dev/tpmrm0", "sys/class/tpm/tpm0/tpm_version_major"} {
		delete(m.files, name)
	}
}

func (m *machine) dropAll(folder string) {
	for name := range m.files {
		if strings.HasPrefix(name, folder+"/") {
			delete(m.files, name)
		}
	}
}

func (m *machine) logOf(t *testing.T, name boots.Name) []byte {
	t.Helper()
	boot, err := boots.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return boot.LogBytes
}

// note leaves a note of the last unlock with these fields.
func (m *machine) note(fields string) {
	m.files["run/bootseal/"+uuid+".json"] = file(`{"uuid":"` + uuid + `","device":"/dev/sda3","time":"2026-11-30T03:00:00Z","identity":"same","measured":false,` + fields + `}`)
}

// lock uses up the TPM's tries.
func (m *machine) lock(t *testing.T) {
	t.Helper()
	any := seal.Policy{Bank: pcr.SHA256, Branches: []seal.Branch{{}}, PIN: true}
	s, err := seal.Seal(m.tpm, seal.Options{Secret: []byte("secret"), Policy: any, PIN: []byte("1234")})
	if err != nil {
		t.Fatal(err)
	}
	var locked *seal.LockoutError
	for range 40 {
		if _, err = seal.Unseal(m.tpm, s, []byte("4321")); errors.As(err, &locked) {
			return
		}
	}
	t.Fatalf("no lockout: %v", err)
}

// corrupt flips a bit in the sealed object of token 0.
func (m *machine) corrupt(t *testing.T) {
	t.Helper()
	var token map[string]any
	if err := json.Unmarshal(m.header.Tokens[0], &token); err != nil {
		t.Fatal(err)
	}
	blob, err := base64.StdEncoding.DecodeString(token["tpm2-blob"].(string))
	if err != nil {
		t.Fatal(err)
	}
	blob[50] ^= 1
	token["tpm2-blob"] = base64.StdEncoding.EncodeToString(blob)
	if m.header.Tokens[0], err = json.Marshal(token); err != nil {
		t.Fatal(err)
	}
}

// clevis has a token of clevis in the place of ours: see luks/testdata/README.md.
func (m *machine) clevis(t *testing.T) {
	t.Helper()
	h, err := luks.Read(bytes.NewReader(gztest.Read(t, "../../luks/testdata/debian12.gz")))
	if err != nil {
		t.Fatal(err)
	}
	m.header.Keyslots = 6
	m.header.Tokens = map[int]json.RawMessage{0: h.Metadata.Tokens[4]}
}
