package seal

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// Lockout is the state of the TPM's dictionary attack protection (Part 1,
// "Dictionary Attack Protection"), which guards PINs.
type Lockout struct {
	Failures    uint32        `json:"failures"`     // wrong tries that count now
	MaxFailures uint32        `json:"max_failures"` // at which the TPM locks
	Interval    time.Duration `json:"interval"`     // after which it forgets one try
	Recovery    time.Duration `json:"recovery"`     // after a wrong lockout password
}

// ReadLockout reads the TPM's dictionary attack parameters.
func ReadLockout(tpm transport.TPM) (Lockout, error) {
	const first, count = tpm2.TPMPTLockoutCounter, 4
	rsp, err := tpm2.GetCapability{
		Capability:    tpm2.TPMCapTPMProperties,
		Property:      uint32(first),
		PropertyCount: count,
	}.Execute(withPatience(tpm))
	if err != nil {
		return Lockout{}, fmt.Errorf("read the lockout parameters: %w", err)
	}
	props, err := rsp.CapabilityData.Data.TPMProperties()
	if err != nil {
		return Lockout{}, fmt.Errorf("read the lockout parameters: %w", err)
	}
	var l Lockout
	found := 0
	for _, p := range props.TPMProperty {
		found++
		switch p.Property {
		case tpm2.TPMPTLockoutCounter:
			l.Failures = p.Value
		case tpm2.TPMPTMaxAuthFail:
			l.MaxFailures = p.Value
		case tpm2.TPMPTLockoutInterval:
			l.Interval = time.Duration(p.Value) * time.Second
		case tpm2.TPMPTLockoutRecovery:
			l.Recovery = time.Duration(p.Value) * time.Second
		default:
			found--
		}
	}
	if found != count {
		return Lockout{}, errors.New("read the lockout parameters: the TPM does not report them")
	}
	return l, nil
}

// withLockout adds the TPM's counters to an error about a PIN, where it can.
func withLockout(tpm transport.TPM, err error) error {
	var pin *PINError
	var locked *LockoutError
	isPIN, isLocked := errors.As(err, &pin), errors.As(err, &locked)
	if !isPIN && !isLocked {
		return err
	}
	l, lerr := ReadLockout(tpm)
	if lerr != nil {
		return err // the error proper is what matters
	}
	if isPIN {
		pin.Lockout = &l
	} else {
		locked.Lockout = &l
	}
	return err
}
