package seal

import (
	"encoding/binary"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// patient sends a command again while the TPM says that it has not started it:
// TPM_RC_RETRY, which the reference implementation also answers to the first use
// of an object under dictionary attack protection after a boot, TPM_RC_YIELDED
// and TPM_RC_TESTING (Part 1, "Response code"; Linux does the same). No nonce has
// moved then, so that the same bytes are right.
type patient struct{ tpm transport.TPM }

// withPatience returns tpm as a patient one. Patience does not multiply.
func withPatience(tpm transport.TPM) transport.TPM {
	if p, ok := tpm.(patient); ok {
		return p
	}
	return patient{tpm}
}

const (
	firstWait = 2 * time.Millisecond
	lastWait  = time.Second // about two seconds in all
)

// Send implements [transport.TPM].
func (p patient) Send(command []byte) ([]byte, error) {
	for wait := firstWait; ; wait *= 2 {
		response, err := p.tpm.Send(command)
		if err != nil || wait > lastWait || !wantsRetry(response) {
			return response, err
		}
		time.Sleep(wait)
	}
}

func wantsRetry(response []byte) bool {
	const header = 10 // tag, size, response code
	if len(response) < header {
		return false
	}
	switch tpm2.TPMRC(binary.BigEndian.Uint32(response[6:])) {
	case tpm2.TPMRCRetry, tpm2.TPMRCYielded, tpm2.TPMRCTesting:
		return true
	}
	return false
}
