package enroll

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/bootseal/bootseal/luks/cryptsetup"
	"github.com/bootseal/bootseal/node/kept"
	"github.com/bootseal/bootseal/node/volumes"
	"github.com/bootseal/bootseal/seal"
)

// Record writes into the machine's list of volumes that the volume is enrolled: by
// its identity, which nobody can copy who has not opened it, and the parent key.
func Record(ctx context.Context, list string, v *cryptsetup.Volume, name string, passphrase []byte, parent seal.Name) error {
	h, err := v.Header()
	if err != nil {
		return err
	}
	key, err := v.VolumeKey(ctx, passphrase)
	if err != nil {
		return err
	}
	defer clear(key)
	all, err := volumes.Read(list)
	if err != nil {
		return err
	}
	all.Put(volumes.Volume{
		UUID: h.UUID, Name: name, Identity: volumes.Identify(key, name, h.UUID), Parent: parent,
		Root: kept.Allowed("/", "/", h.UUID) == nil,
	})
	if err := os.MkdirAll(filepath.Dir(list), 0o755); err != nil {
		return fmt.Errorf("volume list: %w", err)
	}
	return all.Write(list)
}

// Forget takes a volume out of the machine's list.
func Forget(list, uuid string) error {
	all, err := volumes.Read(list)
	if err != nil || !all.Remove(uuid) {
		return err
	}
	return all.Write(list)
}

// MappingName returns the name under which a volume is open, or is going to be opened
// after crypttab, or else "luks-UUID". host is where the machine's files are, "/" but
// for tests.
func MappingName(host, device, uuid string) string {
	prefix := "CRYPT-LUKS2-" + strings.ReplaceAll(uuid, "-", "") + "-"
	open, _ := filepath.Glob(filepath.Join(host, "sys/block/dm-*/dm/uuid")) // the pattern is right
	for _, path := range open {
		text, err := os.ReadFile(path)
		if name, ok := strings.CutPrefix(strings.TrimSpace(string(text)), prefix); err == nil && ok {
			return name
		}
	}
	if name, err := crypttab(host, device, uuid); err == nil && name != "" {
		return name
	}
	return "luks-" + uuid
}

// crypttab finds the volume's line (crypttab(5)): a name, and a device by its path, its
// UUID or a link.
func crypttab(host, device, uuid string) (string, error) {
	text, err := os.ReadFile(filepath.Join(host, "etc/crypttab"))
	if err != nil {
		return "", err
	}
	var real os.FileInfo
	if info, err := os.Stat(device); err == nil {
		real = info
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		where := fields[1]
		if strings.EqualFold(strings.TrimPrefix(where, "UUID="), uuid) || where == device || strings.EqualFold(filepath.Base(where), uuid) {
			return fields[0], nil
		}
		if info, err := os.Stat(where); err == nil && real != nil && os.SameFile(info, real) {
			return fields[0], nil
		}
	}
	return "", errors.New("it is not in crypttab")
}
