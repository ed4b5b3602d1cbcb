package cryptsetup

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/bootseal/bootseal/luks"
)

// Volume is a LUKS2 volume: a device, or a file.
type Volume struct {
	tool *Tool
	path string // absolute, so that it is never taken for an option
}

// Volume returns the volume at the path. Nothing is opened yet.
func (t *Tool) Volume(path string) (*Volume, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("volume %s: %w", path, err)
	}
	return &Volume{tool: t, path: abs}, nil
}

// Path is the device's or file's.
func (v *Volume) Path() string { return v.path }

// Header reads the volume's header, without cryptsetup.
func (v *Volume) Header() (*luks.Header, error) {
	f, err := os.Open(v.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h, err := luks.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.path, err)
	}
	return h, nil
}

// Dump asks cryptsetup for the volume's metadata.
func (v *Volume) Dump(ctx context.Context) (*luks.Metadata, error) {
	out, err := v.run(ctx, "dump the header of", call{args: []string{"luksDump", "--dump-json-metadata"}})
	if err != nil {
		return nil, err
	}
	return luks.ParseMetadata(out)
}

// Describe is cryptsetup's own account of the volume, for people: it has the fields of
// tokens whose plugins are installed.
func (v *Volume) Describe(ctx context.Context) (string, error) {
	out, err := v.run(ctx, "dump the header of", call{args: []string{"luksDump"}})
	return string(out), err
}

// run runs cryptsetup on the volume. The call's arguments are a command and options.
func (v *Volume) run(ctx context.Context, doing string, c call, rest ...string) ([]byte, error) {
	c.action = doing + " " + v.path
	c.args = append(append(c.args, "--batch-mode", v.path), rest...)
	return v.tool.run(ctx, c)
}

// KDF is how a keyslot's passphrase is stretched.
type KDF int

const (
	// Stretched is cryptsetup's default, argon2id: for what people choose. It takes
	// a second or more and up to 1 GiB, each time the volume is opened.
	Stretched KDF = iota
	// Quick is PBKDF2 with 1000 iterations: for passphrases that have 256 random bits,
	// as systemd-cryptenroll makes such keyslots.
	Quick
)

func (k KDF) args() []string {
	if k == Quick {
		return []string{"--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--hash", "sha512"}
	}
	return nil
}

// Format makes a new volume with one keyslot, and loses what was there.
func (v *Volume) Format(ctx context.Context, passphrase []byte, kdf KDF) error {
	args := append([]string{"luksFormat", "--type", "luks2", "--key-file", secretFile(0)}, kdf.args()...)
	if _, err := v.run(ctx, "format", call{args: args, secrets: [][]byte{passphrase}}); err != nil {
		return err
	}
	_, err := v.Header()
	return err
}

// AnySlot stands for all keyslots.
const AnySlot = -1

// Test reports whether the passphrase opens the keyslot, or any with [AnySlot]. The
// passphrase is used to the last byte, a newline included.
func (v *Volume) Test(ctx context.Context, passphrase []byte, slot int) error {
	args := []string{"open", "--test-passphrase", "--type", "luks2", "--key-file", secretFile(0)}
	if slot != AnySlot {
		args = append(args, "--key-slot", strconv.Itoa(slot))
	}
	_, err := v.run(ctx, "open", call{args: args, secrets: [][]byte{passphrase}})
	return err
}

// OpenOptions say how a volume is opened.
type OpenOptions struct {
	ReadOnly bool
	Discards bool // pass TRIM requests through: an onlooker learns which sectors are in use
}

// Open opens the volume as /dev/mapper/NAME with the passphrase of the keyslot, or of
// any with [AnySlot]. It needs device-mapper.
func (v *Volume) Open(ctx context.Context, passphrase []byte, slot int, name string, o OpenOptions) error {
	args := []string{"open", "--type", "luks2", "--key-file", secretFile(0)}
	if slot != AnySlot {
		args = append(args, "--key-slot", strconv.Itoa(slot))
	}
	if o.ReadOnly {
		args = append(args, "--readonly")
	}
	if o.Discards {
		args = append(args, "--allow-discards")
	}
	// A name that begins with a dash would be an option.
	_, err := v.run(ctx, fmt.Sprintf("open as %s", name), call{args: args, secrets: [][]byte{passphrase}}, "--", name)
	return err
}

// Prefer makes the keyslot the first that is tried where none is named. Otherwise
// whoever opens the volume without a number, as initramfs-tools does, waits for the
// key derivation of every keyslot before it: a second or more each.
func (v *Volume) Prefer(ctx context.Context, slot int) error {
	args := []string{"config", "--priority", "prefer", "--key-slot", strconv.Itoa(slot)}
	_, err := v.run(ctx, fmt.Sprintf("prefer keyslot %d of", slot), call{args: args})
	return err
}

// AddKey adds a passphrase in the lowest free keyslot, and returns the keyslot's
// number. It needs a passphrase that opens the volume now.
func (v *Volume) AddKey(ctx context.Context, existing, added []byte, kdf KDF) (int, error) {
	h, err := v.Header()
	if err != nil {
		return 0, err
	}
	slot, err := h.Metadata.FreeKeyslot()
	if err != nil {
		return 0, fmt.Errorf("add a key to %s: %w", v.path, err)
	}
	args := append([]string{"luksAddKey", "--key-slot", strconv.Itoa(slot), "--key-file", secretFile(0)}, kdf.args()...)
	if _, err := v.run(ctx, "add a key to", call{args: args, secrets: [][]byte{existing, added}}, secretFile(1)); err != nil {
		return 0, err
	}
	return slot, v.Test(ctx, added, slot)
}

// KillSlot destroys a keyslot. It needs a passphrase of another keyslot that stays, so
// that nobody is locked out: without one cryptsetup would destroy the last.
func (v *Volume) KillSlot(ctx context.Context, slot int, remaining []byte) error {
	h, err := v.Header()
	if err != nil {
		return err
	}
	doing := fmt.Sprintf("destroy keyslot %d of", slot)
	if _, ok := h.Metadata.Keyslots[slot]; !ok {
		return fmt.Errorf("%s %s: there is none", doing, v.path)
	}
	// Batch mode would ask for nothing and could destroy the last keyslot, so that the
	// passphrase is tried here, on the others.
	if err := v.opensAnother(ctx, h, slot, remaining); err != nil {
		return fmt.Errorf("%s %s: %w", doing, v.path, err)
	}
	args := []string{"luksKillSlot", "--key-file", secretFile(0)}
	if _, err = v.run(ctx, doing, call{args: args, secrets: [][]byte{remaining}}, strconv.Itoa(slot)); err != nil {
		return err
	}
	if h, err = v.Header(); err != nil {
		return err
	}
	// It ends with 0 in some cases in which it did nothing (2.6.1).
	if _, ok := h.Metadata.Keyslots[slot]; ok {
		return fmt.Errorf("%s %s: cryptsetup says that it did, and the keyslot is still there", doing, v.path)
	}
	return nil
}

func (v *Volume) opensAnother(ctx context.Context, h *luks.Header, slot int, passphrase []byte) error {
	for id := range luks.MaxKeyslots {
		if _, ok := h.Metadata.Keyslots[id]; !ok || id == slot {
			continue
		}
		if v.Test(ctx, passphrase, id) == nil {
			return nil
		}
	}
	return fmt.Errorf("it takes the passphrase of a keyslot that stays: %w", ErrPassphrase)
}
