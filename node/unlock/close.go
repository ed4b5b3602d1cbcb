package unlock

import (
	"context"
	"errors"
)

// emergencyEvent is what is extended where the initial ramdisk is about to give a
// shell.
const emergencyEvent = "bootseal: the initial ramdisk gave up"

// close closes the TPM for the rest of this boot. It is for the moment before an initial
// ramdisk gives somebody a root shell because something failed: that the disk is not
// there yet, for one, which whoever stands before the machine can see to. In that shell
// the PCRs would be the right boot's, and the TPM would open the disk when it is plugged
// in again.
//
// Whether the list has an enrolled volume does not matter: this program is in an initial ramdisk
// to open one, and a unified kernel image for many nodes has nobody's list.
func (c *Config) close(ctx context.Context, env Env, console *Console) error {
	tpm, err := c.openTPM(ctx, env, console)
	if errors.Is(err, ErrNoTPM) {
		return nil
	}
	if err != nil {
		return err
	}
	defer tpm.Close()
	if err := capPCRs(tpm, emergencyEvent); err != nil {
		return err
	}
	console.Say("the TPM opens nothing until the next boot: before a shell is given, it is closed")
	return nil
}
