package wire_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// TestRCPosition: where a position goes, what has none, and how it reads.
func TestRCPosition(t *testing.T) {
	for _, c := range []struct {
		rc   wire.RC
		want uint32
		text string
	}{
		{wire.RCValue, 0x084, "TPM_RC_VALUE"},
		{wire.RCValue.Param(2), 0x2C4, "TPM_RC_VALUE (parameter 2)"},
		{wire.RCValue.Param(15), 0xFC4, "TPM_RC_VALUE (parameter 15)"},
		{wire.RCHandle.Handle(1), 0x18B, "TPM_RC_HANDLE (handle 1)"},
		{wire.RCAuthFail.Session(1), 0x98E, "TPM_RC_AUTH_FAIL (session 1)"},
		{wire.RCBadAuth.Session(3), 0xBA2, "TPM_RC_BAD_AUTH (session 3)"},
		// The innermost place that found the fault keeps its position.
		{wire.RCSize.Param(1).Handle(2), 0x1D5, "TPM_RC_SIZE (parameter 1)"},
		{wire.RCSize.Handle(2).Param(1), 0x295, "TPM_RC_SIZE (handle 2)"},
		// Codes that are not of format one have no room for a position.
		{wire.RCNVLocked.Param(1), 0x148, "TPM_RC_NV_LOCKED"},
		{wire.RCReferenceH0.Handle(1), 0x910, "TPM_RC_REFERENCE_H0"},
		{wire.RCLockout.Session(1), 0x921, "TPM_RC_LOCKOUT"},
		{wire.RCBadTag.Param(1), 0x01E, "TPM_RC_BAD_TAG"},
		{wire.RCSuccess.Param(1), 0x000, "TPM_RC_SUCCESS"},
		{wire.RC(0x7FF).Base(), 0x0BF, "TPM_RC(0x0BF)"},
	} {
		if uint32(c.rc) != c.want || c.rc.Error() != c.text {
			t.Errorf("0x%03X %q, want 0x%03X %q", uint32(c.rc), c.rc.Error(), c.want, c.text)
		}
	}
}

// TestRCIs: errors.Is asks for a code wherever it is, or for one place.
func TestRCIs(t *testing.T) {
	err := fmt.Errorf("load the key: %w", wire.RCValue.Param(2))
	for target, want := range map[wire.RC]bool{
		wire.RCValue:           true,
		wire.RCValue.Param(2):  true,
		wire.RCValue.Param(1):  false,
		wire.RCValue.Handle(2): false,
		wire.RCSize:            false,
	} {
		if errors.Is(err, target) != want {
			t.Errorf("%v is %v: %v, want %v", err, target, !want, want)
		}
	}
}
