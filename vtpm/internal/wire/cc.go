package wire

import "fmt"

// CC is a TPM_CC, a command code (Part 2, "TPM_CC").
type CC uint32

// Command codes. TPM2_MAC and TPM2_MAC_Start replace TPM2_HMAC and
// TPM2_HMAC_Start where a TPM has block cipher MACs: they share their codes.
const (
	CCNVUndefineSpaceSpecial     CC = 0x11F
	CCEvictControl               CC = 0x120
	CCHierarchyControl           CC = 0x121
	CCNVUndefineSpace            CC = 0x122
	CCChangeEPS                  CC = 0x124
	CCChangePPS                  CC = 0x125
	CCClear                      CC = 0x126
	CCClearControl               CC = 0x127
	CCClockSet                   CC = 0x128
	CCHierarchyChangeAuth        CC = 0x129
	CCNVDefineSpace              CC = 0x12A
	CCPCRAllocate                CC = 0x12B
	CCPCRSetAuthPolicy           CC = 0x12C
	CCPPCommands                 CC = 0x12D
	CCSetPrimaryPolicy           CC = 0x12E
	CCFieldUpgradeStart          CC = 0x12F
	CCClockRateAdjust            CC = 0x130
	CCCreatePrimary              CC = 0x131
	CCNVGlobalWriteLock          CC = 0x132
	CCGetCommandAuditDigest      CC = 0x133
	CCNVIncrement                CC = 0x134
	CCNVSetBits                  CC = 0x135
	CCNVExtend                   CC = 0x136
	CCNVWrite                    CC = 0x137
	CCNVWriteLock                CC = 0x138
	CCDictionaryAttackLockReset  CC = 0x139
	CCDictionaryAttackParameters CC = 0x13A
	CCNVChangeAuth               CC = 0x13B
	CCPCREvent                   CC = 0x13C
	CCPCRReset                   CC = 0x13D
	CCSequenceComplete           CC = 0x13E
	CCSetAlgorithmSet            CC = 0x13F
	CCSetCommandCodeAuditStatus  CC = 0x140
	CCFieldUpgradeData           CC = 0x141
	CCIncrementalSelfTest        CC = 0x142
	CCSelfTest                   CC = 0x143
	CCStartup                    CC = 0x144
	CCShutdown                   CC = 0x145
	CCStirRandom                 CC = 0x146
	CCActivateCredential         CC = 0x147
	CCCertify                    CC = 0x148
	CCPolicyNV                   CC = 0x149
	CCCertifyCreation            CC = 0x14A
	CCDuplicate                  CC = 0x14B
	CCGetTime                    CC = 0x14C
	CCGetSessionAuditDigest      CC = 0x14D
	CCNVRead                     CC = 0x14E
	CCNVReadLock                 CC = 0x14F
	CCObjectChangeAuth           CC = 0x150
	CCPolicySecret               CC = 0x151
	CCRewrap                     CC = 0x152
	CCCreate                     CC = 0x153
	CCECDHZGen                   CC = 0x154
	CCHMAC                       CC = 0x155
	CCMAC                        CC = 0x155
	CCImport                     CC = 0x156
	CCLoad                       CC = 0x157
	CCQuote                      CC = 0x158
	CCRSADecrypt                 CC = 0x159
	CCHMACStart                  CC = 0x15B
	CCMACStart                   CC = 0x15B
	CCSequenceUpdate             CC = 0x15C
	CCSign                       CC = 0x15D
	CCUnseal                     CC = 0x15E
	CCPolicySigned               CC = 0x160
	CCContextLoad                CC = 0x161
	CCContextSave                CC = 0x162
	CCECDHKeyGen                 CC = 0x163
	CCEncryptDecrypt             CC = 0x164
	CCFlushContext               CC = 0x165
	CCLoadExternal               CC = 0x167
	CCMakeCredential             CC = 0x168
	CCNVReadPublic               CC = 0x169
	CCPolicyAuthorize            CC = 0x16A
	CCPolicyAuthValue            CC = 0x16B
	CCPolicyCommandCode          CC = 0x16C
	CCPolicyCounterTimer         CC = 0x16D
	CCPolicyCpHash               CC = 0x16E
	CCPolicyLocality             CC = 0x16F
	CCPolicyNameHash             CC = 0x170
	CCPolicyOR                   CC = 0x171
	CCPolicyTicket               CC = 0x172
	CCReadPublic                 CC = 0x173
	CCRSAEncrypt                 CC = 0x174
	CCStartAuthSession           CC = 0x176
	CCVerifySignature            CC = 0x177
	CCECCParameters              CC = 0x178
	CCFirmwareRead               CC = 0x179
	CCGetCapability              CC = 0x17A
	CCGetRandom                  CC = 0x17B
	CCGetTestResult              CC = 0x17C
	CCHash                       CC = 0x17D
	CCPCRRead                    CC = 0x17E
	CCPolicyPCR                  CC = 0x17F
	CCPolicyRestart              CC = 0x180
	CCReadClock                  CC = 0x181
	CCPCRExtend                  CC = 0x182
	CCPCRSetAuthValue            CC = 0x183
	CCNVCertify                  CC = 0x184
	CCEventSequenceComplete      CC = 0x185
	CCHashSequenceStart          CC = 0x186
	CCPolicyPhysicalPresence     CC = 0x187
	CCPolicyDuplicationSelect    CC = 0x188
	CCPolicyGetDigest            CC = 0x189
	CCTestParms                  CC = 0x18A
	CCCommit                     CC = 0x18B
	CCPolicyPassword             CC = 0x18C
	CCZGen2Phase                 CC = 0x18D
	CCECEphemeral                CC = 0x18E
	CCPolicyNvWritten            CC = 0x18F
	CCPolicyTemplate             CC = 0x190
	CCCreateLoaded               CC = 0x191
	CCPolicyAuthorizeNV          CC = 0x192
	CCEncryptDecrypt2            CC = 0x193
	CCACGetCapability            CC = 0x194
	CCACSend                     CC = 0x195
	CCPolicyACSendSelect         CC = 0x196
	CCCertifyX509                CC = 0x197
	CCACTSetTimeout              CC = 0x198
	CCECCEncrypt                 CC = 0x199
	CCECCDecrypt                 CC = 0x19A
	CCPolicyCapability           CC = 0x19B
	CCPolicyParameters           CC = 0x19C
	CCNVDefineSpace2             CC = 0x19D
	CCNVReadPublic2              CC = 0x19E
	CCSetCapability              CC = 0x19F
	CCReadOnlyControl            CC = 0x1A0
	CCPolicyTransportSPDM        CC = 0x1A1
)

// CCFirst and CCLast bound the command codes that the library specification
// assigns.
const (
	CCFirst = CCNVUndefineSpaceSpecial
	CCLast  = CCPolicyTransportSPDM
)

// CCVendor marks the command codes that a vendor assigns (CC_VEND).
const CCVendor CC = 0x20000000

// String returns the specification's name of the command, such as "TPM2_Unseal",
// or the number of an unknown one.
func (cc CC) String() string {
	switch cc {
	case CCNVUndefineSpaceSpecial:
		return "TPM2_NV_UndefineSpaceSpecial"
	case CCEvictControl:
		return "TPM2_EvictControl"
	case CCHierarchyControl:
		return "TPM2_HierarchyControl"
	case CCNVUndefineSpace:
		return "TPM2_NV_UndefineSpace"
	case CCChangeEPS:
		return "TPM2_ChangeEPS"
	case CCChangePPS:
		return "TPM2_ChangePPS"
	case CCClear:
		return "TPM2_Clear"
	case CCClearControl:
		return "TPM2_ClearControl"
	case CCClockSet:
		return "TPM2_ClockSet"
	case CCHierarchyChangeAuth:
		return "TPM2_HierarchyChangeAuth"
	case CCNVDefineSpace:
		return "TPM2_NV_DefineSpace"
	case CCPCRAllocate:
		return "TPM2_PCR_Allocate"
	case CCPCRSetAuthPolicy:
		return "TPM2_PCR_SetAuthPolicy"
	case CCPPCommands:
		return "TPM2_PP_Commands"
	case CCSetPrimaryPolicy:
		return "TPM2_SetPrimaryPolicy"
	case CCFieldUpgradeStart:
		return "TPM2_FieldUpgradeStart"
	case CCClockRateAdjust:
		return "TPM2_ClockRateAdjust"
	case CCCreatePrimary:
		return "TPM2_CreatePrimary"
	case CCNVGlobalWriteLock:
		return "TPM2_NV_GlobalWriteLock"
	case CCGetCommandAuditDigest:
		return "TPM2_GetCommandAuditDigest"
	case CCNVIncrement:
		return "TPM2_NV_Increment"
	case CCNVSetBits:
		return "TPM2_NV_SetBits"
	case CCNVExtend:
		return "TPM2_NV_Extend"
	case CCNVWrite:
		return "TPM2_NV_Write"
	case CCNVWriteLock:
		return "TPM2_NV_WriteLock"
	case CCDictionaryAttackLockReset:
		return "TPM2_DictionaryAttackLockReset"
	case CCDictionaryAttackParameters:
		return "TPM2_DictionaryAttackParameters"
	case CCNVChangeAuth:
		return "TPM2_NV_ChangeAuth"
	case CCPCREvent:
		return "TPM2_PCR_Event"
	case CCPCRReset:
		return "TPM2_PCR_Reset"
	case CCSequenceComplete:
		return "TPM2_SequenceComplete"
	case CCSetAlgorithmSet:
		return "TPM2_SetAlgorithmSet"
	case CCSetCommandCodeAuditStatus:
		return "TPM2_SetCommandCodeAuditStatus"
	case CCFieldUpgradeData:
		return "TPM2_FieldUpgradeData"
	case CCIncrementalSelfTest:
		return "TPM2_IncrementalSelfTest"
	case CCSelfTest:
		return "TPM2_SelfTest"
	case CCStartup:
		return "TPM2_Startup"
	case CCShutdown:
		return "TPM2_Shutdown"
	case CCStirRandom:
		return "TPM2_StirRandom"
	case CCActivateCredential:
		return "TPM2_ActivateCredential"
	case CCCertify:
		return "TPM2_Certify"
	case CCPolicyNV:
		return "TPM2_PolicyNV"
	case CCCertifyCreation:
		return "TPM2_CertifyCreation"
	case CCDuplicate:
		return "TPM2_Duplicate"
	case CCGetTime:
		return "TPM2_GetTime"
	case CCGetSessionAuditDigest:
		return "TPM2_GetSessionAuditDigest"
	case CCNVRead:
		return "TPM2_NV_Read"
	case CCNVReadLock:
		return "TPM2_NV_ReadLock"
	case CCObjectChangeAuth:
		return "TPM2_ObjectChangeAuth"
	case CCPolicySecret:
		return "TPM2_PolicySecret"
	case CCRewrap:
		return "TPM2_Rewrap"
	case CCCreate:
		return "TPM2_Create"
	case CCECDHZGen:
		return "TPM2_ECDH_ZGen"
	case CCHMAC:
		return "TPM2_HMAC"
	case CCImport:
		return "TPM2_Import"
	case CCLoad:
		return "TPM2_Load"
	case CCQuote:
		return "TPM2_Quote"
	case CCRSADecrypt:
		return "TPM2_RSA_Decrypt"
	case CCHMACStart:
		return "TPM2_HMAC_Start"
	case CCSequenceUpdate:
		return "TPM2_SequenceUpdate"
	case CCSign:
		return "TPM2_Sign"
	case CCUnseal:
		return "TPM2_Unseal"
	case CCPolicySigned:
		return "TPM2_PolicySigned"
	case CCContextLoad:
		return "TPM2_ContextLoad"
	case CCContextSave:
		return "TPM2_ContextSave"
	case CCECDHKeyGen:
		return "TPM2_ECDH_KeyGen"
	case CCEncryptDecrypt:
		return "TPM2_EncryptDecrypt"
	case CCFlushContext:
		return "TPM2_FlushContext"
	case CCLoadExternal:
		return "TPM2_LoadExternal"
	case CCMakeCredential:
		return "TPM2_MakeCredential"
	case CCNVReadPublic:
		return "TPM2_NV_ReadPublic"
	case CCPolicyAuthorize:
		return "TPM2_PolicyAuthorize"
	case CCPolicyAuthValue:
		return "TPM2_PolicyAuthValue"
	case CCPolicyCommandCode:
		return "TPM2_PolicyCommandCode"
	case CCPolicyCounterTimer:
		return "TPM2_PolicyCounterTimer"
	case CCPolicyCpHash:
		return "TPM2_PolicyCpHash"
	case CCPolicyLocality:
		return "TPM2_PolicyLocality"
	case CCPolicyNameHash:
		return "TPM2_PolicyNameHash"
	case CCPolicyOR:
		return "TPM2_PolicyOR"
	case CCPolicyTicket:
		return "TPM2_PolicyTicket"
	case CCReadPublic:
		return "TPM2_ReadPublic"
	case CCRSAEncrypt:
		return "TPM2_RSA_Encrypt"
	case CCStartAuthSession:
		return "TPM2_StartAuthSession"
	case CCVerifySignature:
		return "TPM2_VerifySignature"
	case CCECCParameters:
		return "TPM2_ECC_Parameters"
	case CCFirmwareRead:
		return "TPM2_FirmwareRead"
	case CCGetCapability:
		return "TPM2_GetCapability"
	case CCGetRandom:
		return "TPM2_GetRandom"
	case CCGetTestResult:
		return "TPM2_GetTestResult"
	case CCHash:
		return "TPM2_Hash"
	case CCPCRRead:
		return "TPM2_PCR_Read"
	case CCPolicyPCR:
		return "TPM2_PolicyPCR"
	case CCPolicyRestart:
		return "TPM2_PolicyRestart"
	case CCReadClock:
		return "TPM2_ReadClock"
	case CCPCRExtend:
		return "TPM2_PCR_Extend"
	case CCPCRSetAuthValue:
		return "TPM2_PCR_SetAuthValue"
	case CCNVCertify:
		return "TPM2_NV_Certify"
	case CCEventSequenceComplete:
		return "TPM2_EventSequenceComplete"
	case CCHashSequenceStart:
		return "TPM2_HashSequenceStart"
	case CCPolicyPhysicalPresence:
		return "TPM2_PolicyPhysicalPresence"
	case CCPolicyDuplicationSelect:
		return "TPM2_PolicyDuplicationSelect"
	case CCPolicyGetDigest:
		return "TPM2_PolicyGetDigest"
	case CCTestParms:
		return "TPM2_TestParms"
	case CCCommit:
		return "TPM2_Commit"
	case CCPolicyPassword:
		return "TPM2_PolicyPassword"
	case CCZGen2Phase:
		return "TPM2_ZGen_2Phase"
	case CCECEphemeral:
		return "TPM2_EC_Ephemeral"
	case CCPolicyNvWritten:
		return "TPM2_PolicyNvWritten"
	case CCPolicyTemplate:
		return "TPM2_PolicyTemplate"
	case CCCreateLoaded:
		return "TPM2_CreateLoaded"
	case CCPolicyAuthorizeNV:
		return "TPM2_PolicyAuthorizeNV"
	case CCEncryptDecrypt2:
		return "TPM2_EncryptDecrypt2"
	case CCACGetCapability:
		return "TPM2_AC_GetCapability"
	case CCACSend:
		return "TPM2_AC_Send"
	case CCPolicyACSendSelect:
		return "TPM2_Policy_AC_SendSelect"
	case CCCertifyX509:
		return "TPM2_CertifyX509"
	case CCACTSetTimeout:
		return "TPM2_ACT_SetTimeout"
	case CCECCEncrypt:
		return "TPM2_ECC_Encrypt"
	case CCECCDecrypt:
		return "TPM2_ECC_Decrypt"
	case CCPolicyCapability:
		return "TPM2_PolicyCapability"
	case CCPolicyParameters:
		return "TPM2_PolicyParameters"
	case CCNVDefineSpace2:
		return "TPM2_NV_DefineSpace2"
	case CCNVReadPublic2:
		return "TPM2_NV_ReadPublic2"
	case CCSetCapability:
		return "TPM2_SetCapability"
	case CCReadOnlyControl:
		return "TPM2_ReadOnlyControl"
	case CCPolicyTransportSPDM:
		return "TPM2_PolicyTransportSPDM"
	}
	return fmt.Sprintf("TPM_CC(0x%08X)", uint32(cc))
}

// Read reads any command code.
func (cc *CC) Read(r *Reader) { *cc = CC(r.U32()) }

// Write appends the command code.
func (cc CC) Write(w *Writer) { w.U32(uint32(cc)) }
