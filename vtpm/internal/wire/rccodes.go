package wire

// Response codes that carry no position (Part 2, "TPM_RC"; format zero).
const (
	RCSuccess         RC = 0x000
	RCBadTag          RC = 0x01E
	RCInitialize      RC = 0x100
	RCFailure         RC = 0x101
	RCSequence        RC = 0x103
	RCPrivate         RC = 0x10B
	RCHMAC            RC = 0x119
	RCDisabled        RC = 0x120
	RCExclusive       RC = 0x121
	RCAuthType        RC = 0x124
	RCAuthMissing     RC = 0x125
	RCPolicy          RC = 0x126
	RCPCR             RC = 0x127
	RCPCRChanged      RC = 0x128
	RCUpgrade         RC = 0x12D
	RCTooManyContexts RC = 0x12E
	RCAuthUnavailable RC = 0x12F
	RCReboot          RC = 0x130
	RCUnbalanced      RC = 0x131
	RCCommandSize     RC = 0x142
	RCCommandCode     RC = 0x143
	RCAuthSize        RC = 0x144
	RCAuthContext     RC = 0x145
	RCNVRange         RC = 0x146
	RCNVSize          RC = 0x147
	RCNVLocked        RC = 0x148
	RCNVAuthorization RC = 0x149
	RCNVUninitialized RC = 0x14A
	RCNVSpace         RC = 0x14B
	RCNVDefined       RC = 0x14C
	RCBadContext      RC = 0x150
	RCCpHash          RC = 0x151
	RCParent          RC = 0x152
	RCNeedsTest       RC = 0x153
	RCNoResult        RC = 0x154
	RCSensitive       RC = 0x155
	RCReadOnly        RC = 0x156
)

// Warnings (Part 2, "TPM_RC"): the command may succeed when it is sent again, or
// after something has been made room for. RCReferenceH0 and RCReferenceS0 start
// runs of seven, one for each handle and session.
const (
	RCContextGap     RC = 0x901
	RCObjectMemory   RC = 0x902
	RCSessionMemory  RC = 0x903
	RCMemory         RC = 0x904
	RCSessionHandles RC = 0x905
	RCObjectHandles  RC = 0x906
	RCLocality       RC = 0x907
	RCYielded        RC = 0x908
	RCCanceled       RC = 0x909
	RCTesting        RC = 0x90A
	RCReferenceH0    RC = 0x910
	RCReferenceH1    RC = 0x911
	RCReferenceH2    RC = 0x912
	RCReferenceH3    RC = 0x913
	RCReferenceH4    RC = 0x914
	RCReferenceH5    RC = 0x915
	RCReferenceH6    RC = 0x916
	RCReferenceS0    RC = 0x918
	RCReferenceS1    RC = 0x919
	RCReferenceS2    RC = 0x91A
	RCReferenceS3    RC = 0x91B
	RCReferenceS4    RC = 0x91C
	RCReferenceS5    RC = 0x91D
	RCReferenceS6    RC = 0x91E
	RCNVRate         RC = 0x920
	RCLockout        RC = 0x921
	RCRetry          RC = 0x922
	RCNVUnavailable  RC = 0x923
	RCNotUsed        RC = 0x97F
)

// Format-one response codes (Part 2, "TPM_RC"), without a position: Handle, Param
// and Session add one.
const (
	RCAsymmetric   RC = 0x081
	RCAttributes   RC = 0x082
	RCHash         RC = 0x083
	RCValue        RC = 0x084
	RCHierarchy    RC = 0x085
	RCKeySize      RC = 0x087
	RCMGF          RC = 0x088
	RCMode         RC = 0x089
	RCType         RC = 0x08A
	RCHandle       RC = 0x08B
	RCKDF          RC = 0x08C
	RCRange        RC = 0x08D
	RCAuthFail     RC = 0x08E
	RCNonce        RC = 0x08F
	RCPP           RC = 0x090
	RCScheme       RC = 0x092
	RCSize         RC = 0x095
	RCSymmetric    RC = 0x096
	RCTag          RC = 0x097
	RCSelector     RC = 0x098
	RCInsufficient RC = 0x09A
	RCSignature    RC = 0x09B
	RCKey          RC = 0x09C
	RCPolicyFail   RC = 0x09D
	RCIntegrity    RC = 0x09F
	RCTicket       RC = 0x0A0
	RCReservedBits RC = 0x0A1
	RCBadAuth      RC = 0x0A2
	RCExpired      RC = 0x0A3
	RCPolicyCC     RC = 0x0A4
	RCBinding      RC = 0x0A5
	RCCurve        RC = 0x0A6
	RCECCPoint     RC = 0x0A7
	RCFWLimited    RC = 0x0A8
	RCSVNLimited   RC = 0x0A9
	RCChannel      RC = 0x0B0
	RCChannelKey   RC = 0x0B1
)

// rcName returns the name that Part 2 gives to a response code without a
// position, or "".
func rcName(rc RC) string {
	switch rc {
	case RCSuccess:
		return "TPM_RC_SUCCESS"
	case RCBadTag:
		return "TPM_RC_BAD_TAG"
	case RCInitialize:
		return "TPM_RC_INITIALIZE"
	case RCFailure:
		return "TPM_RC_FAILURE"
	case RCSequence:
		return "TPM_RC_SEQUENCE"
	case RCPrivate:
		return "TPM_RC_PRIVATE"
	case RCHMAC:
		return "TPM_RC_HMAC"
	case RCDisabled:
		return "TPM_RC_DISABLED"
	case RCExclusive:
		return "TPM_RC_EXCLUSIVE"
	case RCAuthType:
		return "TPM_RC_AUTH_TYPE"
	case RCAuthMissing:
		return "TPM_RC_AUTH_MISSING"
	case RCPolicy:
		return "TPM_RC_POLICY"
	case RCPCR:
		return "TPM_RC_PCR"
	case RCPCRChanged:
		return "TPM_RC_PCR_CHANGED"
	case RCUpgrade:
		return "TPM_RC_UPGRADE"
	case RCTooManyContexts:
		return "TPM_RC_TOO_MANY_CONTEXTS"
	case RCAuthUnavailable:
		return "TPM_RC_AUTH_UNAVAILABLE"
	case RCReboot:
		return "TPM_RC_REBOOT"
	case RCUnbalanced:
		return "TPM_RC_UNBALANCED"
	case RCCommandSize:
		return "TPM_RC_COMMAND_SIZE"
	case RCCommandCode:
		return "TPM_RC_COMMAND_CODE"
	case RCAuthSize:
		return "TPM_RC_AUTHSIZE"
	case RCAuthContext:
		return "TPM_RC_AUTH_CONTEXT"
	case RCNVRange:
		return "TPM_RC_NV_RANGE"
	case RCNVSize:
		return "TPM_RC_NV_SIZE"
	case RCNVLocked:
		return "TPM_RC_NV_LOCKED"
	case RCNVAuthorization:
		return "TPM_RC_NV_AUTHORIZATION"
	case RCNVUninitialized:
		return "TPM_RC_NV_UNINITIALIZED"
	case RCNVSpace:
		return "TPM_RC_NV_SPACE"
	case RCNVDefined:
		return "TPM_RC_NV_DEFINED"
	case RCBadContext:
		return "TPM_RC_BAD_CONTEXT"
	case RCCpHash:
		return "TPM_RC_CPHASH"
	case RCParent:
		return "TPM_RC_PARENT"
	case RCNeedsTest:
		return "TPM_RC_NEEDS_TEST"
	case RCNoResult:
		return "TPM_RC_NO_RESULT"
	case RCSensitive:
		return "TPM_RC_SENSITIVE"
	case RCReadOnly:
		return "TPM_RC_READ_ONLY"
	case RCAsymmetric:
		return "TPM_RC_ASYMMETRIC"
	case RCAttributes:
		return "TPM_RC_ATTRIBUTES"
	case RCHash:
		return "TPM_RC_HASH"
	case RCValue:
		return "TPM_RC_VALUE"
	case RCHierarchy:
		return "TPM_RC_HIERARCHY"
	case RCKeySize:
		return "TPM_RC_KEY_SIZE"
	case RCMGF:
		return "TPM_RC_MGF"
	case RCMode:
		return "TPM_RC_MODE"
	case RCType:
		return "TPM_RC_TYPE"
	case RCHandle:
		return "TPM_RC_HANDLE"
	case RCKDF:
		return "TPM_RC_KDF"
	case RCRange:
		return "TPM_RC_RANGE"
	case RCAuthFail:
		return "TPM_RC_AUTH_FAIL"
	case RCNonce:
		return "TPM_RC_NONCE"
	case RCPP:
		return "TPM_RC_PP"
	case RCScheme:
		return "TPM_RC_SCHEME"
	case RCSize:
		return "TPM_RC_SIZE"
	case RCSymmetric:
		return "TPM_RC_SYMMETRIC"
	case RCTag:
		return "TPM_RC_TAG"
	case RCSelector:
		return "TPM_RC_SELECTOR"
	case RCInsufficient:
		return "TPM_RC_INSUFFICIENT"
	case RCSignature:
		return "TPM_RC_SIGNATURE"
	case RCKey:
		return "TPM_RC_KEY"
	case RCPolicyFail:
		return "TPM_RC_POLICY_FAIL"
	case RCIntegrity:
		return "TPM_RC_INTEGRITY"
	case RCTicket:
		return "TPM_RC_TICKET"
	case RCReservedBits:
		return "TPM_RC_RESERVED_BITS"
	case RCBadAuth:
		return "TPM_RC_BAD_AUTH"
	case RCExpired:
		return "TPM_RC_EXPIRED"
	case RCPolicyCC:
		return "TPM_RC_POLICY_CC"
	case RCBinding:
		return "TPM_RC_BINDING"
	case RCCurve:
		return "TPM_RC_CURVE"
	case RCECCPoint:
		return "TPM_RC_ECC_POINT"
	case RCFWLimited:
		return "TPM_RC_FW_LIMITED"
	case RCSVNLimited:
		return "TPM_RC_SVN_LIMITED"
	case RCChannel:
		return "TPM_RC_CHANNEL"
	case RCChannelKey:
		return "TPM_RC_CHANNEL_KEY"
	case RCContextGap:
		return "TPM_RC_CONTEXT_GAP"
	case RCObjectMemory:
		return "TPM_RC_OBJECT_MEMORY"
	case RCSessionMemory:
		return "TPM_RC_SESSION_MEMORY"
	case RCMemory:
		return "TPM_RC_MEMORY"
	case RCSessionHandles:
		return "TPM_RC_SESSION_HANDLES"
	case RCObjectHandles:
		return "TPM_RC_OBJECT_HANDLES"
	case RCLocality:
		return "TPM_RC_LOCALITY"
	case RCYielded:
		return "TPM_RC_YIELDED"
	case RCCanceled:
		return "TPM_RC_CANCELED"
	case RCTesting:
		return "TPM_RC_TESTING"
	case RCReferenceH0:
		return "TPM_RC_REFERENCE_H0"
	case RCReferenceH1:
		return "TPM_RC_REFERENCE_H1"
	case RCReferenceH2:
		return "TPM_RC_REFERENCE_H2"
	case RCReferenceH3:
		return "TPM_RC_REFERENCE_H3"
	case RCReferenceH4:
		return "TPM_RC_REFERENCE_H4"
	case RCReferenceH5:
		return "TPM_RC_REFERENCE_H5"
	case RCReferenceH6:
		return "TPM_RC_REFERENCE_H6"
	case RCReferenceS0:
		return "TPM_RC_REFERENCE_S0"
	case RCReferenceS1:
		return "TPM_RC_REFERENCE_S1"
	case RCReferenceS2:
		return "TPM_RC_REFERENCE_S2"
	case RCReferenceS3:
		return "TPM_RC_REFERENCE_S3"
	case RCReferenceS4:
		return "TPM_RC_REFERENCE_S4"
	case RCReferenceS5:
		return "TPM_RC_REFERENCE_S5"
	case RCReferenceS6:
		return "TPM_RC_REFERENCE_S6"
	case RCNVRate:
		return "TPM_RC_NV_RATE"
	case RCLockout:
		return "TPM_RC_LOCKOUT"
	case RCRetry:
		return "TPM_RC_RETRY"
	case RCNVUnavailable:
		return "TPM_RC_NV_UNAVAILABLE"
	case RCNotUsed:
		return "TPM_RC_NOT_USED"
	}
	return ""
}
