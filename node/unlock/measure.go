package unlock

import (
	"fmt"

	"github.com/bootseal/bootseal/node/volumes"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// identityPCR is where systemd measures which volumes were opened (UAPI Group, "Linux
// TPM PCR Registry").
const identityPCR = 15

// measureIdentity extends the volume's identity into PCR 15 of all banks.
func measureIdentity(tpm transport.TPM, volumeKey []byte, name, uuid string) error {
	return extend(tpm, identityPCR, func(b pcr.Bank) (pcr.Digest, error) {
		return volumes.Measurement(b, volumeKey, name, uuid)
	})
}

// swappedEvent is what is extended where the TPM is closed because of a swapped volume.
const swappedEvent = "bootseal: another volume was found in the place of an enrolled one"

// capPCRs changes every PCR that a secret can be sealed to, so that the TPM opens
// nothing until the next boot: whoever has put another disk in the place of this
// machine's could otherwise have the right boot ask for the right disk's secret.
// PCR 10 is left out, which the kernel's integrity measurements (IMA) own. The event
// says why.
func capPCRs(tpm transport.TPM, event string) error {
	for n := range 16 {
		if n == 10 {
			continue
		}
		err := extend(tpm, n, func(b pcr.Bank) (pcr.Digest, error) { return b.Sum([]byte(event)), nil })
		if err != nil {
			return err
		}
	}
	return nil
}

// extend extends a digest for each bank into a PCR, in one command.
func extend(tpm transport.TPM, index int, digest func(pcr.Bank) (pcr.Digest, error)) error {
	banks, err := seal.Banks(tpm)
	if err != nil {
		return err
	}
	var digests tpm2.TPMLDigestValues
	for _, b := range banks {
		d, err := digest(b)
		if err != nil {
			return err
		}
		var v tpm2.TPMTHA
		v.HashAlg, v.Digest = tpm2.TPMIAlgHash(b), d
		digests.Digests = append(digests.Digests, v)
	}
	_, err = tpm2.PCRExtend{
		PCRHandle: tpm2.AuthHandle{Handle: tpm2.TPMHandle(index), Auth: tpm2.PasswordAuth(nil)},
		Digests:   digests,
	}.Execute(tpm)
	if err != nil {
		return fmt.Errorf("extend PCR %d: %w", index, err)
	}
	return nil
}
