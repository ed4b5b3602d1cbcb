package status_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/internal/efivars"
	"github.com/bootseal/bootseal/node/status"
	"github.com/bootseal/bootseal/pcr"
)

func TestInOrder(t *testing.T) {
	r := status.Judge(newMachine(t).facts(t))
	if r.Verdict != status.OK {
		for _, s := range r.Sections {
			for _, l := range s.Lines {
				t.Logf("%s: %s %s: %s", s.Name, l.Verdict, l.What, l.Says)
			}
		}
		t.Fatalf("verdict %s", r.Verdict)
	}
	for what, says := range map[string]string{
		"device":      "/dev/tpmrm0 tss:tss 0660; /dev/tpm0 tss:root 0660",
		"PCR banks":   "sha1, sha256, sha384, sha512",
		"lockout":     "0 of 3 wrong tries",
		"Secure Boot": "on",
		"event log":   "lead to the TPM's PCRs",
		"platform":    "QEMU/KVM, firmware EFI Development Kit II / OVMF 2025.02-8",
		"header":      "LUKS2, 3 keyslots, 3 tokens",
		"last unlock": "by the TPM, token 0 (kernel 54)",
		"next boot":   "opens by token 0 (kernel 54)",
		"recovery":    "the recovery key (keyslot 2)",
		"reseal":      "the secret is kept",
		"hooks":       "a reseal follows kernels",
	} {
		if l := find(r, what); l == nil || !strings.Contains(l.Says, says) {
			t.Errorf("%s: %+v: want %q", what, l, says)
		}
	}
	if l := find(r, "tokens"); l == nil || len(l.More) != 1 || l.More[0] != "0: sha256 4,7-9, kernel 54, this boot" {
		t.Errorf("tokens: %+v", l)
	}
}

// Each bad day has a sentence and a remedy, and the verdict that a gate goes by.
func TestBadDays(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(t *testing.T, m *machine)
		sum    status.Verdict
		what   string
		says   string
		remedy string
	}{
		{"no TPM", func(_ *testing.T, m *machine) { m.noTPM() },
			status.Bad, "device", "the kernel has found no TPM", "attach a vTPM to the VM"},
		{"no device files, as in a container", func(_ *testing.T, m *machine) {
			m.noTPM()
			m.files["sys/class/tpm/tpm0/tpm_version_major"] = file("2\n")
		}, status.Bad, "device", "neither /dev/tpmrm0 nor /dev/tpm0", "pass /dev/tpmrm0 in"},
		{"a TPM 1.2", func(_ *testing.T, m *machine) { m.files["sys/class/tpm/tpm0/tpm_version_major"] = file("1\n") },
			status.Bad, "device", "this is a TPM 1.2", "TPM 2.0"},
		{"a kernel without resource manager", func(_ *testing.T, m *machine) { delete(m.files, "dev/tpmrm0") },
			status.Bad, "device", "no /dev/tpmrm0", "--tpm device:/dev/tpm0"},
		{"a file in the device's place", func(_ *testing.T, m *machine) { m.files["dev/tpmrm0"] = file("") },
			status.Bad, "device", "no character device", "udev"},
		{"a device for everybody", func(_ *testing.T, m *machine) { m.files["dev/tpmrm0"].Mode |= 0o006 },
			status.Warn, "device", "every user can use the TPM", "chmod 0660 /dev/tpmrm0"},
		{"not root", func(_ *testing.T, m *machine) { m.tpmErr = fmt.Errorf("/dev/tpmrm0: %w", fs.ErrPermission) },
			status.Unknown, "access", "permission denied", "run this as root"},
		{"a TPM that is busy", func(_ *testing.T, m *machine) {
			m.tpmErr = &fs.PathError{Op: "open", Path: "/dev/tpm0", Err: syscall.EBUSY}
			m.files["proc/612/fd/7"] = &fstest.MapFile{Data: []byte("/dev/tpm0"), Mode: fs.ModeSymlink}
			m.files["proc/612/comm"] = file("tpm2-abrmd\n")
		}, status.Unknown, "access", "tpm2-abrmd (612) has /dev/tpm0 open", "/dev/tpmrm0, which is shared"},
		{"a TPM that is broken", func(_ *testing.T, m *machine) { m.tpmErr = syscall.EIO },
			status.Bad, "access", "input/output error", "journalctl -k"},
		{"a TPM that breaks while it is asked", func(_ *testing.T, m *machine) { m.tpmErr, m.tpmLate = syscall.EIO, true },
			status.Bad, "access", "input/output error", "journalctl -k"},
		{"lockout, with a PIN", func(t *testing.T, m *machine) { m.seal(t, "1234", pcr.Select(4, 7)); m.lock(t) },
			status.Bad, "lockout", "the TPM is in lockout", "the recovery key opens the disk"},
		{"lockout, without a PIN", func(t *testing.T, m *machine) { m.lock(t) },
			status.Warn, "lockout", "exempt", "find out who tried"},
		{"a cleared TPM", func(t *testing.T, m *machine) { m.clear(t) },
			status.Bad, "tokens", "this TPM takes none of them", "bootseal reseal --key-file"},
		{"a cleared TPM, the next boot", func(t *testing.T, m *machine) { m.clear(t) },
			status.Bad, "next boot", "asks for the recovery key", "bootseal reseal"},
		{"a cleared TPM, with systemd 252", func(t *testing.T, m *machine) {
			m.systemd = 252
			m.seal(t, "", pcr.Select(4, 7), boots.Second, boots.Upgraded)
			m.clear(t)
		}, status.Bad, "tokens", "this TPM takes none of them", "bootseal reseal --key-file"},
		{"lockout, with systemd 252", func(t *testing.T, m *machine) {
			m.systemd = 252
			m.seal(t, "", pcr.Select(4, 7))
			m.lock(t)
		}, status.Bad, "lockout", "nor one with systemd 252's parent", "the recovery key opens the disk"},
		{"systemd 252", func(t *testing.T, m *machine) { m.systemd = 252; m.seal(t, "", pcr.Select(4, 7)) },
			status.OK, "next boot", "opens by token 0 (kernel 54)", ""},
		{"BIOS", func(_ *testing.T, m *machine) { m.dropAll("sys/firmware/efi") },
			status.Warn, "firmware", "by a BIOS", "boot this machine by UEFI"},
		{"no efivarfs", func(_ *testing.T, m *machine) {
			m.dropAll("sys/firmware/efi/efivars")
			m.files["sys/firmware/efi/fw_platform_size"] = file("64\n")
		}, status.Unknown, "firmware", "efivarfs is not mounted", "mount -t efivarfs"},
		{"Secure Boot off", func(_ *testing.T, m *machine) { m.variable("SecureBoot", efivars.Global, 0) },
			status.Warn, "Secure Boot", "off", "reseal"},
		{"setup mode", func(_ *testing.T, m *machine) { m.variable("SetupMode", efivars.Global, 1) },
			status.Warn, "Secure Boot", "setup mode", "platform key"},
		{"shim without validation", func(_ *testing.T, m *machine) { m.variable("MokSBStateRT", efivars.Shim, 1) },
			status.Warn, "Secure Boot", "shim was told not to check", "mokutil --enable-validation"},
		{"no log", func(_ *testing.T, m *machine) { delete(m.files, kernelLog) },
			status.Warn, "event log", "the kernel shows none", ""},
		{"an empty log, as on Azure", func(_ *testing.T, m *machine) { m.files[kernelLog] = file("") },
			status.Warn, "event log", "it is empty", ""},
		{"securityfs not mounted", func(_ *testing.T, m *machine) {
			delete(m.files, kernelLog)
			m.files["proc/self/mountinfo"] = file("")
		}, status.Unknown, "event log", "securityfs is not mounted", "mount -t securityfs"},
		{"a log cut off", func(_ *testing.T, m *machine) { m.files[kernelLog].Data = m.files[kernelLog].Data[:5000] },
			status.Bad, "event log", "it cannot be read", "look for an update of the firmware"},
		{"a log of another boot", func(t *testing.T, m *machine) { m.files[kernelLog].Data = m.logOf(t, boots.Upgraded) },
			status.Bad, "event log", "PCR 4,8,9, which a disk is sealed to", "treat the machine as tampered with"},
		{"a log of another boot, no disk sealed to the difference", func(t *testing.T, m *machine) {
			m.seal(t, "", pcr.Select(7))
			m.files[kernelLog].Data = m.logOf(t, boots.Upgraded)
		}, status.Warn, "event log", "not to 4,8,9, which no disk is sealed to", ""},
		{"an update without a reseal", func(t *testing.T, m *machine) { m.upgrade(t) },
			status.Bad, "next boot", "asks for the recovery key (keyslot 2)", "bootseal reseal"},
		{"a boot by recovery key", func(_ *testing.T, m *machine) {
			m.note(`"by":"recovery-key","why":"pcrs","reason":"no token is for this boot","differences":[{"bank":"sha256","pcr":4,"have":"","want":"","event":"GRUB was another"}]`)
		}, status.Warn, "last unlock", "by the recovery key: no token is for this boot", "treat the machine as tampered with"},
		{"a boot by recovery key, the TPM was cleared", func(_ *testing.T, m *machine) { m.note(`"by":"recovery-key","why":"parent"`) },
			status.Warn, "last unlock", "by the recovery key", "seals to this TPM"},
		{"a boot by recovery key, no TPM in the initrd", func(_ *testing.T, m *machine) { m.note(`"by":"passphrase","why":"no-tpm"`) },
			status.Warn, "last unlock", "by a passphrase", "is its driver in the initial ramdisk?"},
		{"no recovery key, but a passphrase", func(_ *testing.T, m *machine) { delete(m.header.Tokens, 2) },
			status.OK, "recovery", "a passphrase (keyslot 0); there is no recovery key", ""},
		{"nothing but the TPM", func(_ *testing.T, m *machine) {
			delete(m.header.Tokens, 2)
			m.header.Tokens[5] = json.RawMessage(`{"type":"else","keyslots":["0","2"]}`)
		}, status.Warn, "recovery", "nothing opens this volume but the TPM", "systemd-cryptenroll --recovery-key /dev/sda3"},
		{"a reseal that was cut off", func(_ *testing.T, m *machine) { m.files["var/lib/bootseal/"+uuid+"/journal.json"] = file("{}") },
			status.Warn, "reseal", "one began and did not end", "bootseal reseal finishes it"},
		{"an enrollment that was cut off", func(_ *testing.T, m *machine) { m.files["var/lib/bootseal/"+uuid+"/enroll.json"] = file("{}") },
			status.Warn, "reseal", "an enrollment began and did not end", "bootseal enroll /dev/sda3 again"},
		{"no kept secret", func(_ *testing.T, m *machine) { delete(m.files, "var/lib/bootseal/"+uuid+"/secret.json") },
			status.OK, "reseal", "no secret is kept", ""},
		{"all keyslots used", func(_ *testing.T, m *machine) { m.header.Keyslots = 32 },
			status.Warn, "header", "all 32 keyslots are used", "luksKillSlot"},
		{"a header without room", func(_ *testing.T, m *machine) {
			m.header.Tokens[9] = json.RawMessage(`{"type":"else","keyslots":[],"pad":"` + strings.Repeat("x", 9300) + `"}`)
		}, status.Warn, "header", "full", "reseal --commit"},
		{"a corrupted token", func(_ *testing.T, m *machine) {
			m.header.Tokens[7] = json.RawMessage(`{"type":"systemd-tpm2","keyslots":["1"],"tpm2-pcrs":[99]}`)
		}, status.Warn, "tokens", "1 damaged", "cryptsetup token remove"},
		{"a token whose sealed object is damaged", func(t *testing.T, m *machine) { m.corrupt(t) },
			status.Bad, "next boot", "asks for the recovery key", "bootseal reseal"},
		{"only a token of clevis", func(t *testing.T, m *machine) { m.clevis(t) },
			status.Unknown, "tokens", "none that a TPM is asked for", "bootseal adopt /dev/sda3"},
		{"a damaged header", func(_ *testing.T, m *machine) {
			b := m.header.Bytes()
			b[5000] ^= 1
			b[0x4000+5000] ^= 1
			m.files["dev/sda3"] = &fstest.MapFile{Data: b}
		}, status.Bad, "header", "damaged", "cryptsetup repair /dev/sda3"},
		{"one copy of the header damaged", func(_ *testing.T, m *machine) {
			b := m.header.Bytes()
			b[5000] ^= 1
			m.files["dev/sda3"] = &fstest.MapFile{Data: b}
		}, status.Warn, "header", "primary copy: the checksum does not match", "cryptsetup mends it"},
		{"the disk is gone", func(_ *testing.T, m *machine) { m.header = nil; delete(m.files, "dev/disk/by-uuid/"+uuid) },
			status.Bad, "header", "is not there", "bootseal unenroll"},
		{"another volume in its place", func(_ *testing.T, m *machine) { m.header.UUID = strings.Replace(uuid, "0a", "0b", 1) },
			status.Bad, "header", "was enrolled", "somebody put another volume in its place"},
		{"a damaged list of volumes", func(_ *testing.T, m *machine) { m.files["etc/bootseal/volumes.json"].Data = []byte("{") },
			status.Bad, "list", "volumes.json", "put it back"},
		{"not in the list, and open", func(_ *testing.T, m *machine) { delete(m.files, "etc/bootseal/volumes.json") },
			status.OK, "next boot", "opens by token 0 (kernel 54)", ""},
		{"nothing enrolled", func(_ *testing.T, m *machine) {
			delete(m.files, "etc/bootseal/volumes.json")
			m.header.Tokens = nil
		}, status.Warn, "enrolled", "no volume asks the TPM", "bootseal enroll"},
		{"a clock that was reset", func(_ *testing.T, m *machine) {
			m.files["etc/bootseal/volumes.json"].ModTime = now.Add(200 * time.Hour)
		},
			status.Warn, "clock", "it was reset", "NTP"},
		{"hooks that are missing", func(_ *testing.T, m *machine) {
			delete(m.files, "etc/kernel/postinst.d/zzz-bootseal")
			m.files["etc/kernel/postinst.d/initramfs-tools"] = file("")
		}, status.Warn, "hooks", "somebody has to reseal", "install bootseal's package"},
		{"one hook that is missing", func(_ *testing.T, m *machine) { m.files["etc/apt/apt.conf.d/01autoremove"] = file("") },
			status.Warn, "hooks", "some updates are not followed by a reseal", "install bootseal's package again"},
		{"a reseal by a hook that failed", func(_ *testing.T, m *machine) {
			m.files["run/bootseal/reseal-failed"] = file("bootseal: apt: resealing the disk failed (2026-11-30):\n  the ESP is full\n")
		}, status.Warn, "last reseal", "apt: resealing the disk failed", "hook now"},
		{"a reboot that is held", func(_ *testing.T, m *machine) { m.files[status.Gate] = file("") },
			status.Warn, "reboot", "systemd refuses it", "bootseal reboot"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			c.change(t, m)
			r := status.Judge(m.facts(t))
			l := find(r, c.what)
			if l == nil || !strings.Contains(l.Says, c.says) || !strings.Contains(l.Remedy, c.remedy) || c.remedy == "" && l.Verdict != status.OK && l.Remedy != "" {
				t.Errorf("%s: %+v: want %q, remedy %q", c.what, l, c.says, c.remedy)
			}
			if r.Verdict != c.sum {
				for _, s := range r.Sections {
					for _, l := range s.Lines {
						t.Logf("%s: %s %s: %s %s", s.Name, l.Verdict, l.What, l.Says, l.More)
					}
				}
				t.Errorf("verdict %s: want %s", r.Verdict, c.sum)
			}
		})
	}
}

// Old kernels and recovery modes may rely on a key that somebody types, if there is one.
func TestOtherWays(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(m *machine)
		verdict status.Verdict
		says    string
	}{
		{"with a recovery key", func(*machine) {}, status.OK, "1 of 2 open by the TPM, the rest by the recovery key (keyslot 2)"},
		{"without", func(m *machine) {
			delete(m.header.Tokens, 2)
			m.header.Tokens[5] = json.RawMessage(`{"type":"else","keyslots":["0","2"]}`)
		}, status.Bad, "1 of 2 open by the TPM, the rest by a key that there is none of"},
	} {
		m := newMachine(t)
		c.change(m)
		f := m.facts(t)
		old := f.Prediction.Paths[0]
		old.PCRs = old.PCRs.Clone()
		old.PCRs.Set(pcr.SHA256, 4, pcr.SHA256.Sum([]byte("an old kernel")))
		f.Prediction.Paths = append(f.Prediction.Paths, old, f.Prediction.Paths[0])
		r := status.Judge(f)
		if l := find(r, "other ways"); l == nil || l.Verdict != c.verdict || l.Says != c.says {
			t.Errorf("%s: %+v", c.name, l)
		}
	}
}
