package kept

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
	"github.com/google/go-tpm/tpm2"
)

const uuid = "0f8fad5b-d9cb-469f-a165-70867728950e"

func TestKeepAndOpen(t *testing.T) {
	tpm, root := vtpmtest.Open(t), t.TempDir()
	if _, _, err := Open(tpm, root, uuid); !errors.Is(err, ErrNone) {
		t.Errorf("before: %v", err)
	}
	secret := []byte("32 bytes that open a keyslot ...")
	if err := Keep(tpm, root, uuid, 3, secret, nil); err != nil {
		t.Fatal(err)
	}
	// The boot goes on, as systemd-pcrphase has it: the secret must still be there.
	if _, err := (tpm2.PCRExtend{
		PCRHandle: tpm2.AuthHandle{Handle: 11, Auth: tpm2.PasswordAuth(nil)},
		Digests:   tpm2.TPMLDigestValues{Digests: []tpm2.TPMTHA{{HashAlg: tpm2.TPMAlgSHA256, Digest: pcr.SHA256.Sum([]byte("ready"))}}},
	}).Execute(tpm); err != nil {
		t.Fatal(err)
	}
	got, slot, err := Open(tpm, root, uuid)
	if err != nil || string(got) != string(secret) || slot != 3 {
		t.Errorf("%q of keyslot %d, %v", got, slot, err)
	}
	path := filepath.Join(root, uuid, fileName)
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if text, err := os.ReadFile(path); err != nil || strings.Contains(string(text), string(secret)) {
		t.Errorf("%s, %v", text, err)
	}
	var foreign *seal.ParentError
	if _, _, err := Open(vtpmtest.Open(t), root, uuid); !errors.As(err, &foreign) {
		t.Errorf("with another TPM: %v", err)
	}
	for range 2 {
		if err := Remove(root, uuid); err != nil {
			t.Error(err)
		}
	}
	if _, err := Has(root, uuid); !errors.Is(err, ErrNone) {
		t.Errorf("after: %v", err)
	}
}

// A file that was copied from another volume's folder is not taken for this one's.
func TestOneVolumesFileIsNotAnothers(t *testing.T) {
	tpm, root := vtpmtest.Open(t), t.TempDir()
	if err := Keep(tpm, root, uuid, 0, []byte("secret"), nil); err != nil {
		t.Fatal(err)
	}
	const other = "11111111-d9cb-469f-a165-70867728950e"
	if err := os.Rename(filepath.Join(root, uuid), filepath.Join(root, other)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(tpm, root, other); err == nil || !strings.Contains(err.Error(), uuid) {
		t.Error(err)
	}
}

func TestKeepOnAReadOnlyFileSystem(t *testing.T) {
	// A file where the folder should be stands for every way in which it cannot be made.
	root := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(root, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Keep(vtpmtest.Open(t), root, uuid, 0, []byte("secret"), nil); err == nil || !strings.Contains(err.Error(), root) {
		t.Error(err)
	}
}

// device makes a block device as sysfs shows it: what it is made of, and its mapping's
// name or "".
func device(t *testing.T, host, id, name, dmUUID string, slaves ...string) {
	t.Helper()
	dir := filepath.Join(host, "sys/devices/virtual/block", name)
	makeDirs(t, filepath.Join(dir, "slaves"), filepath.Join(host, "sys/dev/block"))
	if dmUUID != "" {
		makeDirs(t, filepath.Join(dir, "dm"))
		write(t, filepath.Join(dir, "dm/uuid"), dmUUID+"\n")
	}
	for _, s := range slaves {
		symlink(t, filepath.Join("../..", s), filepath.Join(dir, "slaves", s))
	}
	symlink(t, filepath.Join("../../devices/virtual/block", name), filepath.Join(host, "sys/dev/block", id))
}

func TestOnVolume(t *testing.T) {
	const plain = "0f8fad5bd9cb469fa16570867728950e"
	host := t.TempDir()
	device(t, host, "8:0", "sda", "")
	device(t, host, "254:0", "dm-0", "CRYPT-LUKS2-"+plain+"-root", "sda")
	device(t, host, "254:1", "dm-1", "LVM-xyz", "dm-0")
	device(t, host, "254:2", "dm-2", "CRYPT-LUKS2-11111111d9cb469fa16570867728950e-data", "sda")
	device(t, host, "254:3", "dm-3", "LVM-two", "dm-0", "sda")
	device(t, host, "254:4", "dm-4", "CRYPT-PLAIN-"+plain, "sda")
	device(t, host, "254:5", "dm-5", "LVM-loop", "dm-5")
	// A partition has no slaves, and lies in its disk's folder.
	part := filepath.Join(host, "sys/devices/virtual/block/sda/sda1")
	makeDirs(t, part)
	write(t, filepath.Join(part, "partition"), "1\n")
	symlink(t, "../../devices/virtual/block/sda/sda1", filepath.Join(host, "sys/dev/block/8:1"))
	// btrfs has numbers of its own.
	makeDirs(t, filepath.Join(host, "sys/fs/btrfs/f1/devices"), filepath.Join(host, "sys/fs/btrfs/f2/devices"), filepath.Join(host, "dev"), filepath.Join(host, "proc/self"))
	for pool, names := range map[string][]string{"f1": {"dm-0"}, "f2": {"dm-1", "sda"}} {
		for _, name := range names {
			write(t, filepath.Join(host, "dev", name), "")
			symlink(t, filepath.Join("../../../../devices/virtual/block", name), filepath.Join(host, "sys/fs/btrfs", pool, "devices", name))
		}
	}
	write(t, filepath.Join(host, "proc/self/mountinfo"), strings.Join([]string{
		"22 1 0:30 / / rw - btrfs " + filepath.Join(host, "dev/dm-0") + " rw",
		"23 1 0:31 / /two rw - btrfs " + filepath.Join(host, "dev/dm-1") + " rw",
		"24 1 0:32 / /run rw,nosuid shared:1 - tmpfs tmpfs rw", "",
	}, "\n"))
	for _, c := range []struct {
		major, minor uint32
		says         string // what it is on instead
	}{
		{254, 0, ""}, {254, 1, ""}, {0, 30, ""},
		{8, 0, "it is on sda"}, {8, 1, "it is on sda"},
		{254, 2, "it is on sda"}, // another volume, whose key this is not
		{254, 3, "it is on sda"}, // one of two disks is not encrypted
		{254, 4, "it is on sda"}, // no LUKS
		{0, 31, "it is on sda"}, {0, 32, "a file system of type tmpfs"},
	} {
		err := onVolume(host, "/var/lib/bootseal", c.major, c.minor, uuid)
		if c.says == "" && err != nil || c.says != "" && (!errors.Is(err, ErrElsewhere) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%d:%d: %v, want %q", c.major, c.minor, err, c.says)
		}
	}
	for _, minor := range []uint32{5, 99} { // a circle, and what is not there: neither is allowed
		if err := onVolume(host, "/var", 254, minor, uuid); err == nil {
			t.Errorf("254:%d is allowed", minor)
		}
	}
}

// This machine's own: whatever it is, a folder that is not there yet counts as the one
// above it.
func TestAllowedHere(t *testing.T) {
	dir := t.TempDir()
	one, other := Allowed("/", dir, uuid), Allowed("/", filepath.Join(dir, "not", "there"), uuid)
	if one == nil || other == nil {
		t.Fatalf("a temporary folder is on a volume that there is not: %v, %v", one, other)
	}
	if errors.Is(one, ErrElsewhere) != errors.Is(other, ErrElsewhere) || errors.Is(other, fs.ErrNotExist) {
		t.Errorf("%v, %v", one, other)
	}
}

func makeDirs(t *testing.T, dirs ...string) {
	t.Helper()
	for _, d := range dirs {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func symlink(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

func FuzzParse(f *testing.F) {
	root := f.TempDir()
	if err := Keep(vtpmtest.Open(f), root, uuid, 1, []byte("secret"), nil); err != nil {
		f.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, uuid, fileName))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := parse(text)
		if err != nil {
			return
		}
		again, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parse(again); err != nil {
			t.Errorf("%s: %v", again, err)
		}
	})
}
