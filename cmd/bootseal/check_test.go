package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/node/status"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal/pcrsig"
	"golang.org/x/sys/unix"
)

// Signatures on the volume's own file system are not there yet when it is opened, and do not
// count; for another volume they do.
func TestSignaturesOnTheVolumeItself(t *testing.T) {
	const own, other = "0f8fad5b-d9cb-469f-a165-70867728950e", "11111111-d9cb-469f-a165-70867728950e"
	host := hostWithSignaturesOn(t, "CRYPT-LUKS2-0f8fad5bd9cb469fa16570867728950e-root")
	for uuid, counts := range map[string]bool{own: false, other: true} {
		v := status.Volume{UUID: uuid, Signatures: []pcrsig.File{{pcr.SHA256: nil}}}
		withoutItsOwn(host, &v)
		if counts != (len(v.Signatures) > 0) {
			t.Errorf("of volume %s %d signatures are left", uuid, len(v.Signatures))
		}
	}
}

// hostWithSignaturesOn makes a /sys in which the file system that the signatures' folder lies on
// here is a mapping of that name. Where it has no device of its own, as in a container, it
// becomes a btrfs on that mapping.
func hostWithSignaturesOn(t *testing.T, mapping string) string {
	t.Helper()
	var st unix.Stat_t
	folder := signatureFolder
	for unix.Stat(folder, &st) != nil {
		folder = filepath.Dir(folder)
	}
	id := fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))
	host := t.TempDir()
	source := filepath.Join(host, "dev/dm-0")
	device := filepath.Join("sys/dev/block", id)
	if unix.Major(st.Dev) == 0 {
		device = "sys/fs/btrfs/pool/devices/dm-0"
	}
	for path, text := range map[string]string{
		filepath.Join(host, device, "dm/uuid"):     mapping + "\n",
		filepath.Join(host, "proc/self/mountinfo"): fmt.Sprintf("22 1 %s / / rw - btrfs %s rw\n", id, source),
		source: "",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return host
}

// Two of the firmware's load options lead to the same boot loader: what it does is told once, but
// not where anything is different.
func TestCheckTellsLikeWaysOnce(t *testing.T) {
	ways := func(option, says string) []status.Checked {
		return []status.Checked{
			{Way: status.Way{Name: option + ", shim, GRUB, Debian", Entry: "Debian"}, Verdict: status.OK, Says: "opens by token 3"},
			{Way: status.Way{Name: option + ", shim, GRUB, Other", Entry: "Other"}, Verdict: status.Warn, Says: says},
		}
	}
	list := append(ways("Boot0004 debian", "asks"), ways("Boot0001 Misc", "asks")...)
	list = append(list, ways("Boot0002 disk", "cannot tell")...)
	var out bytes.Buffer
	a := &app{out: &out}
	a.printCheck(&checked{Volumes: []status.VolumeCheck{{Volume: "root", Device: "/dev/vda3", Ways: list}}})
	for text, times := range map[string]int{
		"Boot0001 Misc: as Boot0004 debian, 1 to 2\n": 1, "1. Debian\n": 1, "3. Debian\n": 0, "5. Debian\n": 1, "6. Other\n": 1, "opens by token 3\n": 2,
	} {
		if got := strings.Count(out.String(), text); got != times {
			t.Errorf("%q is there %d times, want %d:\n%s", text, got, times, out.String())
		}
	}
}
