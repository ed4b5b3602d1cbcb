package seal

import (
	"fmt"

	"github.com/google/go-tpm/tpm2/transport"
)

// Takes reports whether the TPM takes the sealed object: whether its parent is there, and
// made the object. It is loaded and flushed; nothing is unsealed, the policy is not
// looked at, and no try is counted. What must be there of s is the parent and the object.
//
// A parent without a Name is taken as it is: what the object says, no other key can
// have made. Errors are those of [Unseal]: a [*ParentError] or a [*ForeignError] means no.
func Takes(tpm transport.TPM, s *Sealed) error {
	tpm = withPatience(tpm)
	k, err := openParent(tpm, s.Parent, nil)
	if err != nil {
		return fmt.Errorf("try the sealed object: %w", err)
	}
	defer k.close(tpm)
	obj, err := s.load(tpm, k)
	if err != nil {
		return fmt.Errorf("try the sealed object: %w", err)
	}
	flush(tpm, obj.handle)
	return nil
}
