package seal

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal/pcrsig"
	"github.com/google/go-tpm/tpm2"
)

// Remedier is an error that knows what the person in front of the machine can
// do. Every typed error of this package is one.
type Remedier interface {
	error
	// Remedy returns one sentence.
	Remedy() string
}

// ErrPINRequired is returned where a policy asks for a PIN and none was given.
// The TPM has not been asked.
var ErrPINRequired = errors.New("this secret is protected by a PIN, and none was given")

// ParentError says that the storage key is not the one that the secret was
// sealed under. Have is empty where there is no key at all.
type ParentError struct {
	Parent Parent // what was wanted; its Name is empty where no key was expected in particular
	Have   Name
}

func (e *ParentError) Error() string {
	switch {
	case e.Parent.Template != "":
		return fmt.Sprintf("the primary key of %s has Name %s: want %s", e.Parent.where(), e.Have, e.Parent.Name)
	case len(e.Have) == 0 && len(e.Parent.Name) == 0:
		return fmt.Sprintf("there is no key at %s", e.Parent.Handle)
	case len(e.Have) == 0:
		return fmt.Sprintf("there is no key at %s: want the storage key with Name %s", e.Parent.Handle, e.Parent.Name)
	}
	return fmt.Sprintf("the key at %s has Name %s: want %s", e.Parent.Handle, e.Have, e.Parent.Name)
}

// Remedy implements [Remedier].
func (e *ParentError) Remedy() string {
	if len(e.Have) == 0 {
		return "the TPM was cleared or the key was removed: open the disk with the recovery key and enroll again"
	}
	return "this is another TPM, a cleared one, or somebody answers in its place: find out which, then open the disk with the recovery key and enroll again"
}

// MismatchError says that the machine's PCRs match no branch of the policy. The
// sealed object's authorization was not tried, so that this costs none of the
// TPM's dictionary attack tries.
type MismatchError struct {
	Branches []BranchMismatch // one for each branch of the policy, in its order
}

// BranchMismatch is what keeps one branch from being satisfied.
type BranchMismatch struct {
	Branch      int             `json:"branch"` // index in the policy
	Label       string          `json:"label,omitempty"`
	Differences []PCRDifference `json:"differences"` // in ascending order of PCRs
}

// PCRDifference is a PCR whose value is not the one that a branch wants.
type PCRDifference struct {
	Bank pcr.Bank   `json:"bank"`
	PCR  int        `json:"pcr"`
	Have pcr.Digest `json:"have"`
	Want pcr.Digest `json:"want"`
}

func (e *MismatchError) Error() string {
	var sb strings.Builder
	sb.WriteString("this boot is none of those that the secret was sealed for")
	for _, b := range e.Branches {
		fmt.Fprintf(&sb, "; branch %d", b.Branch+1)
		if b.Label != "" {
			fmt.Fprintf(&sb, " (%s)", b.Label)
		}
		for i, d := range b.Differences {
			sep := ", "
			if i == 0 {
				sep = ": "
			}
			fmt.Fprintf(&sb, "%s%s PCR %d is %s, want %s", sep, d.Bank, d.PCR, d.Have, d.Want)
		}
	}
	return sb.String()
}

// Remedy implements [Remedier].
func (e *MismatchError) Remedy() string {
	return "something that was measured at boot has changed: if you know what (an update), open the disk with the recovery key and reseal; if you do not, treat the machine as tampered with"
}

// SignatureError says that no signature approves of the PCRs as they are. Neither the
// sealed object nor its authorization was tried.
type SignatureError struct {
	Bank   pcr.Bank
	PCRs   pcr.Selection
	Key    pcrsig.Fingerprint
	Policy pcr.Digest // that a signature is wanted of
	Others int        // signatures of the key for other values of the same PCRs
	Err    error      // why one that was there does not count, or nil
}

func (e *SignatureError) Error() string {
	what := fmt.Sprintf("%s PCRs %s as they are (policy %s) by the key %s", e.Bank, e.PCRs, e.Policy, e.Key)
	if e.Err != nil {
		return fmt.Sprintf("the signature for %s is wrong: %v", what, e.Err)
	}
	return fmt.Sprintf("there is no signature for %s, and %d for other values", what, e.Others)
}

// Unwrap returns why a signature does not count, or nil.
func (e *SignatureError) Unwrap() error { return e.Err }

// Remedy implements [Remedier].
func (e *SignatureError) Remedy() string {
	return "if this boot is one that you meant, have its values signed (bootseal policy sign) and put the signature where the initial ramdisk finds it; until then open the disk with the recovery key"
}

// UnmetError says that the PCRs as they are do not lead to the policy of an object that
// another program sealed, whose PCR values are not known. No PIN was tried.
type UnmetError struct {
	Bank pcr.Bank
	PCRs pcr.Selection // of the token; empty without
}

func (e *UnmetError) Error() string {
	if e.PCRs == 0 {
		return "the policy of the sealed object is another one than its token says"
	}
	return fmt.Sprintf("the sealed object is for other values of %s PCRs %s, or its policy is another one than its token says", e.Bank, e.PCRs)
}

// Remedy implements [Remedier].
func (e *UnmetError) Remedy() string {
	return "boot what the volume was enrolled for, and try there; or use a passphrase or the recovery key"
}

// GuardError says that a policy's rollback guard does not hold: the counter has moved
// beyond its value, or (with Err) is gone, or another one. The sealed object's
// authorization was not tried.
type GuardError struct {
	Guard Guard
	Count uint64 // at which the counter stands; 0 with Err
	Err   error
}

func (e *GuardError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("the rollback guard at %s is not there: %v", e.Guard.Index, e.Err)
	}
	return fmt.Sprintf("the rollback guard at %s stands at %d: this was sealed for %d at most", e.Guard.Index, e.Count, e.Guard.Value)
}

// Unwrap returns why the counter is not there, or nil.
func (e *GuardError) Unwrap() error { return e.Err }

// Remedy implements [Remedier].
func (e *GuardError) Remedy() string {
	if e.Err != nil {
		return "the TPM was cleared, or somebody removed the counter: open the disk with the recovery key and enroll again"
	}
	return "what was sealed is retired: boot the newest kernel, or open the disk with the recovery key and reseal"
}

// PolicyError says that the TPM refused the policy although the PCRs looked
// right: they changed in between, or the sealed data and its policy do not belong
// together.
type PolicyError struct{ Err error }

func (e *PolicyError) Error() string { return "the TPM refuses the policy: " + e.Err.Error() }

// Unwrap returns the TPM's response code.
func (e *PolicyError) Unwrap() error { return e.Err }

// Remedy implements [Remedier].
func (e *PolicyError) Remedy() string {
	return "try again; if it stays, PCRs are being extended at this moment or the sealed data is damaged: open the disk with the recovery key and enroll again"
}

// PINError says that the PIN is wrong. The TPM has counted the try.
type PINError struct {
	Lockout *Lockout // nil where the TPM did not say
	Err     error
}

func (e *PINError) Error() string {
	if e.Lockout == nil {
		return "the PIN is wrong"
	}
	return fmt.Sprintf("the PIN is wrong: %d of %d tries used", e.Lockout.Failures, e.Lockout.MaxFailures)
}

// Unwrap returns the TPM's response code.
func (e *PINError) Unwrap() error { return e.Err }

// Remedy implements [Remedier].
func (e *PINError) Remedy() string {
	return "enter the right PIN; after too many wrong ones the TPM refuses every PIN for a time"
}

// LockoutError says that the TPM refuses every authorization that dictionary
// attack protection covers, the right PIN included.
type LockoutError struct {
	Lockout *Lockout // nil where the TPM did not say
	Err     error
}

func (e *LockoutError) Error() string {
	if e.Lockout == nil {
		return "the TPM is in lockout after too many wrong tries"
	}
	return fmt.Sprintf("the TPM is in lockout after %d wrong tries of %d", e.Lockout.Failures, e.Lockout.MaxFailures)
}

// Unwrap returns the TPM's response code.
func (e *LockoutError) Unwrap() error { return e.Err }

// Remedy implements [Remedier].
func (e *LockoutError) Remedy() string {
	wait := "wait"
	if e.Lockout != nil && e.Lockout.Interval > 0 {
		wait = fmt.Sprintf("wait %s with the machine switched on", e.Lockout.Interval)
	}
	return wait + ", or reset the lockout with the lockout hierarchy's password, or open the disk with the recovery key"
}

// ForeignError says that the TPM cannot load the sealed object: another TPM or
// another storage key made it, or it is damaged.
type ForeignError struct{ Err error }

func (e *ForeignError) Error() string {
	return "the sealed object was not made by this TPM, or is damaged: " + e.Err.Error()
}

// Unwrap returns the TPM's response code.
func (e *ForeignError) Unwrap() error { return e.Err }

// Remedy implements [Remedier].
func (e *ForeignError) Remedy() string {
	return "if the disk was moved from another machine, or the TPM was cleared, open the disk with the recovery key and enroll again"
}

// explain turns a TPM's response code into a typed error, and any other error
// into one that says what was being done.
func explain(doing string, err error) error {
	switch {
	case errors.Is(err, tpm2.TPMRCLockout):
		return fmt.Errorf("%s: %w", doing, &LockoutError{Err: err})
	case errors.Is(err, tpm2.TPMRCAuthFail):
		return fmt.Errorf("%s: %w", doing, &PINError{Err: err})
	case errors.Is(err, tpm2.TPMRCPolicyFail), errors.Is(err, tpm2.TPMRCPCRChanged):
		return fmt.Errorf("%s: %w", doing, &PolicyError{Err: err})
	case errors.Is(err, tpm2.TPMRCIntegrity), errors.Is(err, tpm2.TPMRCBinding):
		return fmt.Errorf("%s: %w", doing, &ForeignError{Err: err})
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// explainParent is explain where the parent was authorized, which has no PIN.
func explainParent(doing string, err error) error {
	if errors.Is(err, tpm2.TPMRCAuthFail) || errors.Is(err, tpm2.TPMRCBadAuth) {
		return fmt.Errorf("%s: the storage key has a password, which nothing here can give: %w", doing, err)
	}
	return explain(doing, err)
}
