package unlock

import (
	"context"
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/node/kept"
	"github.com/bootseal/bootseal/node/volumes"
)

// rootEvent is what is extended where the root file system is another one.
const rootEvent = "bootseal: the root file system is not on the enrolled volume"

// ErrOtherRoot: the root file system is not the enrolled one.
var ErrOtherRoot = errors.New("the root file system is not on this machine's own disk")

// root holds the file system that is mounted at the folder against the list. Whoever
// cannot open the volume can still put a disk beside it, or in its place, on which a
// file system or a logical volume has the root's name; it would come up in the boot that
// the right volume is sealed for, and ask the TPM for its secret.
func (c *Config) root(ctx context.Context, dir string, env Env, console *Console) error {
	list, err := volumes.Read(c.List)
	if err != nil {
		return err
	}
	other := new(otherRootError)
	err = checkRoot(list,
		func(uuid string) error { return kept.Allowed(c.Host, dir, uuid) },
		func(uuid string) (*volumes.Note, error) { return volumes.ReadNote(c.Notes, uuid) })
	if !errors.As(err, &other) {
		return err
	}
	console.Say("REFUSED: %v", ErrOtherRoot)
	console.Detail("%s", other.why)
	tpm, openErr := c.openTPM(ctx, env, console)
	if openErr != nil {
		return err
	}
	defer tpm.Close()
	if capErr := capPCRs(tpm, rootEvent); capErr != nil {
		console.Detail("The TPM could not be closed: %v", capErr)
		return err
	}
	console.Detail("The TPM opens nothing until the next boot.")
	return err
}

// checkRoot decides: on says whether the file system is on a volume, and note how that
// was opened. A machine that was enrolled without its root on a volume has nothing to
// compare with.
func checkRoot(list *volumes.List, on func(uuid string) error, note func(uuid string) (*volumes.Note, error)) error {
	for _, v := range list.Volumes {
		if !v.Root {
			continue
		}
		err := on(v.UUID)
		if err != nil && !errors.Is(err, kept.ErrElsewhere) {
			return err
		}
		if err != nil {
			return &otherRootError{err.Error()}
		}
		// A volume of the right UUID is the right volume if it was opened here.
		if n, err := note(v.UUID); err != nil || n.Identity != volumes.FoundSame {
			return &otherRootError{fmt.Sprintf("volume %s was not opened by bootseal in this boot", v.UUID)}
		}
	}
	return nil
}

// otherRootError says why the root file system is another one.
type otherRootError struct{ why string }

func (e *otherRootError) Error() string { return ErrOtherRoot.Error() + ": " + e.why }
func (e *otherRootError) Unwrap() error { return ErrOtherRoot }
