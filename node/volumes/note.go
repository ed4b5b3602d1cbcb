package volumes

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/bootseal/bootseal/internal/atomicfile"
	"github.com/bootseal/bootseal/internal/bounded"
	"github.com/bootseal/bootseal/pcr"
)

// NoteDir is where notes are: in memory, gone with the boot. systemd and
// initramfs-tools hand /run over from the initial ramdisk to the system.
const NoteDir = "/run/bootseal"

// By is what opened a volume.
type By string

// The ways in which a volume is opened.
const (
	ByToken       By = "token"        // the TPM, by one of the header's tokens
	ByRecoveryKey By = "recovery-key" // somebody typed it
	ByPassphrase  By = "passphrase"   // somebody typed another one
)

// Why says why the TPM did not open a volume.
type Why string

// The reasons, from the machine to the boot.
const (
	WhyNoTPM     Why = "no-tpm"     // there is none, or it does not answer
	WhyNoToken   Why = "no-token"   // the header has no token for a TPM
	WhyPCRs      Why = "pcrs"       // no token is for this boot: see Differences
	WhyRetired   Why = "retired"    // the rollback guard has moved beyond this boot
	WhySignature Why = "signature"  // no signature is for this boot
	WhyParent    Why = "parent"     // the storage key is another one, or gone: a cleared TPM
	WhyPIN       Why = "pin"        // no PIN, or a wrong one
	WhyLockout   Why = "lockout"    // too many wrong PINs
	WhyTPM       Why = "tpm"        // the TPM answered with another error
	WhyStale     Why = "stale"      // it gave a secret that opens no keyslot
	WhyNotTested Why = "not-tested" // cryptsetup could not try it
)

// Found is what came of holding a volume against the list.
type Found string

// What was found.
const (
	FoundSame    Found = "same"
	FoundUnknown Found = "unknown" // it is not in the list
)

// Note is how this boot opened a volume, left for `bootseal status`. Nothing in it is
// secret, and nothing in it is authenticated: it explains.
type Note struct {
	UUID   string    `json:"uuid"`
	Name   string    `json:"name,omitempty"` // it was opened as
	Device string    `json:"device"`
	Time   time.Time `json:"time"`
	By     By        `json:"by"`
	// Token is the number of the token that opened it, and Label the boot that it is for
	// where that is known.
	Token *int   `json:"token,omitempty"`
	Label string `json:"label,omitempty"`
	// Why is empty where the TPM opened the volume; Reason is the same in words.
	Why    Why    `json:"why,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Nearest is the label of the expected boot that this one differs least from, and
	// Differences what differs from it, with Why "pcrs".
	Nearest     string       `json:"nearest,omitempty"`
	Differences []Difference `json:"differences,omitempty"`
	// Identity says what came of holding the volume against the list. There is no note of a
	// swapped one.
	Identity Found `json:"identity"`
	// Measured reports whether the identity was extended into PCR 15.
	Measured bool `json:"measured"`
}

// Difference is a PCR that is not as it was expected.
type Difference struct {
	Bank pcr.Bank   `json:"bank"`
	PCR  int        `json:"pcr"`
	Have pcr.Digest `json:"have"`
	Want pcr.Digest `json:"want"`
	// Event is what was measured otherwise, in words; empty where that is not known.
	Event string `json:"event,omitempty"`
}

// Write leaves the note in a folder, which it makes if it is not there, under the
// volume's UUID.
func (n *Note) Write(dir string) error {
	if !IsUUID(n.UUID) {
		return fmt.Errorf("note about volume %.80q: that is no UUID", n.UUID)
	}
	text, err := indented(n)
	if err != nil {
		return fmt.Errorf("note about volume %s: %w", n.UUID, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("note about volume %s: %w", n.UUID, err)
	}
	if err := atomicfile.Write(filepath.Join(dir, n.UUID+".json"), text, 0o644); err != nil {
		return fmt.Errorf("note about volume %s: %w", n.UUID, err)
	}
	return nil
}

// ReadNote reads the note about the volume. It fails with fs.ErrNotExist where there
// is none: the volume was not opened by bootseal in this boot.
func ReadNote(dir, uuid string) (*Note, error) {
	if !IsUUID(uuid) {
		return nil, fmt.Errorf("note about volume %.80q: that is no UUID", uuid)
	}
	path := filepath.Join(dir, uuid+".json")
	text, err := bounded.ReadFile(path, maxSize)
	if err != nil {
		return nil, err
	}
	n, err := ParseNote(text)
	if err == nil && n.UUID != uuid {
		err = errors.New("it is about another volume")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return n, nil
}

// ParseNote reads a note.
func ParseNote(text []byte) (*Note, error) {
	n := new(Note)
	if err := decode(text, n); err != nil {
		return nil, fmt.Errorf("note: %w", err)
	}
	switch n.By {
	case ByToken, ByRecoveryKey, ByPassphrase:
	default:
		return nil, fmt.Errorf("note: field \"by\": %.80q is not known", n.By)
	}
	if n.By == ByToken && n.Token == nil {
		return nil, errors.New("note: field \"token\": it is missing")
	}
	return n, nil
}
