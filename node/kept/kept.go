// Package kept keeps, on a running node, the secret that a volume's TPM tokens give
// out, so that it can be sealed for the next boot when no token opens any more: after
// systemd extended PCR 11, or after a boot by recovery key.
//
// It is sealed by the TPM without PCRs, and so protected by two things: the TPM of
// this machine, and the volume itself, on whose own file system alone the file may
// be. Whoever can read it has the volume open already.
//
//	Allowed   does a folder lie on the volume's own file system?
//	Keep      seals the secret and writes the file
//	Open      reads the file and has the TPM give out the secret
//	Remove    forgets it
package kept

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/state"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/google/go-tpm/tpm2/transport"
)

// ErrNone is returned where no secret is kept.
var ErrNone = errors.New("no secret is kept for this volume")

const (
	fileName = "secret.json"
	version  = 1
	// maxFile bounds the file in bytes: a sealed object has some 700 in JSON.
	maxFile = 64 << 10
)

// file is what the file holds.
type file struct {
	Version int          `json:"version"`
	UUID    string       `json:"uuid"`
	Keyslot int          `json:"keyslot"` // that the secret opens
	Sealed  *seal.Sealed `json:"sealed"`
}

// Keep seals the secret of a keyslot under the SRK and writes it, in the place of
// what was kept before. It does not ask whether it may: see [Allowed]. ownerAuth is
// needed only where the TPM has no SRK yet.
func Keep(tpm transport.TPM, root, uuid string, keyslot int, secret, ownerAuth []byte) error {
	sealed, err := seal.Seal(tpm, seal.Options{
		Secret: secret, Policy: seal.Policy{Bank: pcr.SHA256, Branches: []seal.Branch{{Label: "this machine"}}}, OwnerAuth: ownerAuth,
	})
	if err != nil {
		return fmt.Errorf("keep the secret: %w", err)
	}
	if err := state.Write(root, uuid, fileName, file{version, uuid, keyslot, sealed}); err != nil {
		return fmt.Errorf("keep the secret: %w", err)
	}
	return nil
}

// Open returns the secret and the keyslot that it opened when it was kept. It fails
// with [ErrNone] where there is none, and otherwise as [seal.Unseal]. The caller
// zeroes the secret.
func Open(tpm transport.TPM, root, uuid string) (secret []byte, keyslot int, err error) {
	f, err := read(root, uuid)
	if err != nil {
		return nil, 0, err
	}
	if secret, err = seal.Unseal(tpm, f.Sealed, nil); err != nil {
		return nil, 0, fmt.Errorf("open the kept secret: %w", err)
	}
	return secret, f.Keyslot, nil
}

// Has reports whether a secret is kept, and for which keyslot. Errors are [ErrNone], and
// what is wrong with the file.
func Has(root, uuid string) (keyslot int, err error) {
	f, err := read(root, uuid)
	if err != nil {
		return 0, err
	}
	return f.Keyslot, nil
}

// Remove forgets what is kept, if anything is.
func Remove(root, uuid string) error {
	if err := state.Remove(root, uuid, fileName); err != nil {
		return fmt.Errorf("forget the kept secret: %w", err)
	}
	return nil
}

func read(root, uuid string) (*file, error) {
	text, err := state.Read(root, uuid, fileName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, fmt.Errorf("read the kept secret: %w", err)
	}
	k, err := parse(text)
	if err == nil && k.UUID != uuid {
		err = fmt.Errorf("it is of volume %q", k.UUID)
	}
	if err != nil {
		return nil, fmt.Errorf("read the kept secret: %s of %s: %w", fileName, uuid, err)
	}
	return k, nil
}

func parse(text []byte) (*file, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("more than %d bytes", maxFile)
	}
	k := new(file)
	if err := json.Unmarshal(text, k); err != nil {
		return nil, err
	}
	switch {
	case k.Version != version:
		return nil, fmt.Errorf("version %d: want %d", k.Version, version)
	case k.Sealed == nil:
		return nil, errors.New("the sealed object is missing")
	case k.Keyslot < 0 || k.Keyslot >= luks.MaxKeyslots:
		return nil, fmt.Errorf("keyslot %d: want 0 to %d", k.Keyslot, luks.MaxKeyslots-1)
	}
	return k, k.Sealed.Check()
}
