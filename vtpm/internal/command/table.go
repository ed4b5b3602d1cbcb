package command

// table is Part 3, in its order: every command that the specification has. It is
// the only registration: decoding, authorization, auditing, GetCapability, the
// command line's list and the documentation derive from it.
var table = []Row{
	// 9 Start-up
	{0x144, "TPM2_Startup", "9.3", noSessions | nv, act(startup)},
	{0x145, "TPM2_Shutdown", "9.4", nv, act(shutdown)},

	// 10 Testing
	{0x143, "TPM2_SelfTest", "10.2", nv, act(selfTest)},
	{0x142, "TPM2_IncrementalSelfTest", "10.3", nv, run(incrementalSelfTest)},
	{0x17C, "TPM2_GetTestResult", "10.4", encryptOut, run(getTestResult)},

	// 11 Session commands
	{0x176, "TPM2_StartAuthSession", "11.1", decryptIn | encryptOut, run(startAuthSession)},
	{0x180, "TPM2_PolicyRestart", "11.2", 0, act(policyRestart)},

	// 12 Object commands
	{0x153, "TPM2_Create", "12.1", auth1User | decryptIn | encryptOut | readOnly, run(create)},
	{0x157, "TPM2_Load", "12.2", auth1User | decryptIn | encryptOut, run(load)},
	{0x167, "TPM2_LoadExternal", "12.3", decryptIn | encryptOut, run(loadExternal)},
	{0x173, "TPM2_ReadPublic", "12.4", encryptOut, run(readPublic)},
	{0x147, "TPM2_ActivateCredential", "12.5", auth1Admin | auth2User | decryptIn | encryptOut, run(activateCredential)},
	{0x168, "TPM2_MakeCredential", "12.6", decryptIn | encryptOut, run(makeCredential)},
	{0x15E, "TPM2_Unseal", "12.7", auth1User | encryptOut, run(unseal)},
	{0x150, "TPM2_ObjectChangeAuth", "12.8", auth1Admin | decryptIn | encryptOut | readOnly, run(objectChangeAuth)},
	{0x191, "TPM2_CreateLoaded", "12.9", auth1User | decryptIn | encryptOut | pp | readOnly, run(createLoaded)},

	// 13 Duplication commands
	{0x14B, "TPM2_Duplicate", "13.1", auth1Dup | decryptIn | encryptOut, run(duplicate)},
	{0x152, "TPM2_Rewrap", "13.2", auth1User | decryptIn | encryptOut, run(rewrap)},
	{0x156, "TPM2_Import", "13.3", auth1User | decryptIn | encryptOut, run(importObject)},

	// 14 Asymmetric primitives
	{0x174, "TPM2_RSA_Encrypt", "14.2", decryptIn | encryptOut, run(rsaEncrypt)},
	{0x159, "TPM2_RSA_Decrypt", "14.3", auth1User | decryptIn | encryptOut, run(rsaDecrypt)},
	{0x163, "TPM2_ECDH_KeyGen", "14.4", encryptOut, run(ecdhKeyGen)},
	{0x154, "TPM2_ECDH_ZGen", "14.5", auth1User | decryptIn | encryptOut, run(ecdhZGen)},
	{0x178, "TPM2_ECC_Parameters", "14.6", 0, run(eccParameters)},
	{0x18D, "TPM2_ZGen_2Phase", "14.7", auth1User | decryptIn | encryptOut, run(zGen2Phase)},
	{0x199, "TPM2_ECC_Encrypt", "14.8", decryptIn | encryptOut, run(eccEncrypt)},
	{0x19A, "TPM2_ECC_Decrypt", "14.9", auth1User | decryptIn | encryptOut, run(eccDecrypt)},

	// 15 Symmetric primitives
	{0x164, "TPM2_EncryptDecrypt", "15.2", auth1User | encryptOut, run(encryptDecrypt)},
	{0x193, "TPM2_EncryptDecrypt2", "15.3", auth1User | decryptIn | encryptOut, run(encryptDecrypt2)},
	{0x17D, "TPM2_Hash", "15.4", decryptIn | encryptOut, run(hashData)},
	{0x155, "TPM2_HMAC", "15.5", auth1User | decryptIn | encryptOut, run(hmac)},
	{0x155, "TPM2_MAC", "15.6", auth1User | decryptIn | encryptOut, run(mac)},

	// 16 Random number generator
	{0x17B, "TPM2_GetRandom", "16.1", encryptOut, run(getRandom)},
	{0x146, "TPM2_StirRandom", "16.2", decryptIn | nv, act(stirRandom)},

	// 17 Hash, HMAC and event sequences
	{0x15B, "TPM2_HMAC_Start", "17.2", auth1User | decryptIn, run(hmacStart)},
	{0x15B, "TPM2_MAC_Start", "17.3", auth1User | decryptIn, run(macStart)},
	{0x186, "TPM2_HashSequenceStart", "17.4", decryptIn, run(hashSequenceStart)},
	{0x15C, "TPM2_SequenceUpdate", "17.5", auth1User | decryptIn, act(sequenceUpdate)},
	{0x13E, "TPM2_SequenceComplete", "17.6", auth1User | decryptIn | encryptOut | flushed, run(sequenceComplete)},
	{0x185, "TPM2_EventSequenceComplete", "17.7", auth1User | auth2User | decryptIn | nv | flushed, run(eventSequenceComplete)},

	// 18 Attestation commands
	{0x148, "TPM2_Certify", "18.2", auth1Admin | auth2User | decryptIn | encryptOut, run(certify)},
	{0x14A, "TPM2_CertifyCreation", "18.3", auth1User | decryptIn | encryptOut, run(certifyCreation)},
	{0x158, "TPM2_Quote", "18.4", auth1User | decryptIn | encryptOut, run(quote)},
	{0x14D, "TPM2_GetSessionAuditDigest", "18.5", auth1User | auth2User | decryptIn | encryptOut, run(getSessionAuditDigest)},
	{0x133, "TPM2_GetCommandAuditDigest", "18.6", auth1User | auth2User | decryptIn | encryptOut | nv, run(getCommandAuditDigest)},
	{0x14C, "TPM2_GetTime", "18.7", auth1User | auth2User | decryptIn | encryptOut, run(getTime)},
	{0x197, "TPM2_CertifyX509", "18.8", auth1Admin | auth2User | decryptIn | encryptOut, run(certifyX509)},

	// 19 Ephemeral EC keys
	{0x18B, "TPM2_Commit", "19.2", auth1User | decryptIn | encryptOut, run(commit)},
	{0x18E, "TPM2_EC_Ephemeral", "19.3", encryptOut, run(ecEphemeral)},

	// 20 Signing and signature verification
	{0x177, "TPM2_VerifySignature", "20.1", decryptIn, run(verifySignature)},
	{0x15D, "TPM2_Sign", "20.2", auth1User | decryptIn, run(sign)},

	// 21 Command audit
	{0x140, "TPM2_SetCommandCodeAuditStatus", "21.2", auth1User | nv | pp | readOnly, act(setCommandCodeAuditStatus)},

	// 22 Integrity collection (PCR)
	{0x182, "TPM2_PCR_Extend", "22.2", auth1User | nv, act(pcrExtend)},
	{0x13C, "TPM2_PCR_Event", "22.3", auth1User | decryptIn | nv, run(pcrEvent)},
	{0x17E, "TPM2_PCR_Read", "22.4", 0, run(pcrRead)},
	{0x12B, "TPM2_PCR_Allocate", "22.5", auth1User | nv | pp | readOnly, run(pcrAllocate)},
	{0x12C, "TPM2_PCR_SetAuthPolicy", "22.6", auth1User | decryptIn | nv | pp | readOnly, act(pcrSetAuthPolicy)},
	{0x183, "TPM2_PCR_SetAuthValue", "22.7", auth1User | decryptIn | readOnly, act(pcrSetAuthValue)},
	{0x13D, "TPM2_PCR_Reset", "22.8", auth1User | nv, act(pcrReset)},

	// 23 Enhanced authorization (EA) commands
	{0x160, "TPM2_PolicySigned", "23.3", decryptIn | encryptOut, run(policySigned)},
	{0x151, "TPM2_PolicySecret", "23.4", auth1User | decryptIn | encryptOut, run(policySecret)},
	{0x172, "TPM2_PolicyTicket", "23.5", decryptIn, act(policyTicket)},
	{0x171, "TPM2_PolicyOR", "23.6", 0, act(policyOR)},
	{0x17F, "TPM2_PolicyPCR", "23.7", decryptIn, act(policyPCR)},
	{0x16F, "TPM2_PolicyLocality", "23.8", 0, act(policyLocality)},
	{0x149, "TPM2_PolicyNV", "23.9", auth1User | decryptIn, act(policyNV)},
	{0x16D, "TPM2_PolicyCounterTimer", "23.10", decryptIn, act(policyCounterTimer)},
	{0x16C, "TPM2_PolicyCommandCode", "23.11", 0, act(policyCommandCode)},
	{0x187, "TPM2_PolicyPhysicalPresence", "23.12", 0, act(policyPhysicalPresence)},
	{0x16E, "TPM2_PolicyCpHash", "23.13", decryptIn, act(policyCPHash)},
	{0x170, "TPM2_PolicyNameHash", "23.14", decryptIn, act(policyNameHash)},
	{0x188, "TPM2_PolicyDuplicationSelect", "23.15", decryptIn, act(policyDuplicationSelect)},
	{0x16A, "TPM2_PolicyAuthorize", "23.16", decryptIn, act(policyAuthorize)},
	{0x16B, "TPM2_PolicyAuthValue", "23.17", 0, act(policyAuthValue)},
	{0x18C, "TPM2_PolicyPassword", "23.18", 0, act(policyPassword)},
	{0x189, "TPM2_PolicyGetDigest", "23.19", encryptOut, run(policyGetDigest)},
	{0x18F, "TPM2_PolicyNvWritten", "23.20", 0, act(policyNvWritten)},
	{0x190, "TPM2_PolicyTemplate", "23.21", decryptIn, act(policyTemplate)},
	{0x192, "TPM2_PolicyAuthorizeNV", "23.22", auth1User, act(policyAuthorizeNV)},
	{0x19B, "TPM2_PolicyCapability", "23.23", decryptIn, act(policyCapability)},
	{0x19C, "TPM2_PolicyParameters", "23.24", decryptIn, act(policyParameters)},
	{0x1A1, "TPM2_PolicyTransportSPDM", "23.25", decryptIn, missing("there is no SPDM transport")},

	// 24 Hierarchy commands
	{0x131, "TPM2_CreatePrimary", "24.1", auth1User | decryptIn | encryptOut | pp | readOnly, run(createPrimary)},
	{0x121, "TPM2_HierarchyControl", "24.2", auth1User | nv | extensive | pp | readOnly, act(hierarchyControl)},
	{0x12E, "TPM2_SetPrimaryPolicy", "24.3", auth1User | decryptIn | nv | pp | readOnly, act(setPrimaryPolicy)},
	{0x125, "TPM2_ChangePPS", "24.4", auth1User | nv | extensive | pp | readOnly, act(changePPS)},
	{0x124, "TPM2_ChangeEPS", "24.5", auth1User | nv | extensive | pp | readOnly, act(changeEPS)},
	{0x126, "TPM2_Clear", "24.6", auth1User | nv | extensive | pp | readOnly, act(clearOwner)},
	{0x127, "TPM2_ClearControl", "24.7", auth1User | nv | pp | readOnly, act(clearControl)},
	{0x129, "TPM2_HierarchyChangeAuth", "24.8", auth1User | decryptIn | nv | pp | readOnly, act(hierarchyChangeAuth)},
	{0x1A0, "TPM2_ReadOnlyControl", "24.9", auth1User | nv | pp, act(readOnlyControl)},

	// 25 Dictionary attack functions
	{0x139, "TPM2_DictionaryAttackLockReset", "25.2", auth1User | nv, act(dictionaryAttackLockReset)},
	{0x13A, "TPM2_DictionaryAttackParameters", "25.3", auth1User | nv | readOnly, act(dictionaryAttackParameters)},

	// 26 Miscellaneous management functions
	{0x12D, "TPM2_PP_Commands", "26.2", auth1User | nv | ppAlways | readOnly, act(ppCommands)},
	{0x13F, "TPM2_SetAlgorithmSet", "26.3", auth1User | nv | readOnly, act(setAlgorithmSet)},

	// 27 Field upgrade
	{0x12F, "TPM2_FieldUpgradeStart", "27.2", auth1Admin | decryptIn | pp | readOnly, missing("firmware is upgraded by replacing the program")},
	{0x141, "TPM2_FieldUpgradeData", "27.3", decryptIn | nv | readOnly, missing("firmware is upgraded by replacing the program")},
	{0x179, "TPM2_FirmwareRead", "27.4", encryptOut, missing("firmware is upgraded by replacing the program")},

	// 28 Context management
	{0x162, "TPM2_ContextSave", "28.2", noSessions, run(contextSave)},
	{0x161, "TPM2_ContextLoad", "28.3", noSessions, run(contextLoad)},
	{0x165, "TPM2_FlushContext", "28.4", noSessions, act(flushContext)},
	{0x120, "TPM2_EvictControl", "28.5", auth1User | nv | pp | readOnly, act(evictControl)},

	// 29 Clocks and timers
	{0x181, "TPM2_ReadClock", "29.1", 0, run(readClock)},
	{0x128, "TPM2_ClockSet", "29.2", auth1User | nv | pp | readOnly, act(clockSet)},
	{0x130, "TPM2_ClockRateAdjust", "29.3", auth1User | pp | readOnly, act(clockRateAdjust)},

	// 30 Capability commands
	{0x17A, "TPM2_GetCapability", "30.2", 0, run(getCapability)},
	{0x18A, "TPM2_TestParms", "30.3", 0, act(testParms)},
	{0x19F, "TPM2_SetCapability", "30.4", auth1User | decryptIn | nv | readOnly, act(setCapability)},

	// 31 Non-volatile storage
	{0x12A, "TPM2_NV_DefineSpace", "31.3", auth1User | decryptIn | nv | pp | readOnly, act(nvDefineSpace)},
	{0x122, "TPM2_NV_UndefineSpace", "31.4", auth1User | nv | pp | readOnly, act(nvUndefineSpace)},
	{0x11F, "TPM2_NV_UndefineSpaceSpecial", "31.5", auth1Admin | auth2User | nv | pp | readOnly, act(nvUndefineSpaceSpecial)},
	{0x169, "TPM2_NV_ReadPublic", "31.6", encryptOut, run(nvReadPublic)},
	{0x137, "TPM2_NV_Write", "31.7", auth1User | decryptIn | nv | writesIndex, act(nvWrite)},
	{0x134, "TPM2_NV_Increment", "31.8", auth1User | nv | writesIndex | readOnly, act(nvIncrement)},
	{0x136, "TPM2_NV_Extend", "31.9", auth1User | decryptIn | nv | writesIndex, act(nvExtend)},
	{0x135, "TPM2_NV_SetBits", "31.10", auth1User | nv | writesIndex, act(nvSetBits)},
	{0x138, "TPM2_NV_WriteLock", "31.11", auth1User | nv | writesIndex, act(nvWriteLock)},
	{0x132, "TPM2_NV_GlobalWriteLock", "31.12", auth1User | nv | pp | readOnly, act(nvGlobalWriteLock)},
	{0x14E, "TPM2_NV_Read", "31.13", auth1User | encryptOut, run(nvRead)},
	{0x14F, "TPM2_NV_ReadLock", "31.14", auth1User | nv, act(nvReadLock)},
	{0x13B, "TPM2_NV_ChangeAuth", "31.15", auth1Admin | decryptIn | nv | readOnly, act(nvChangeAuth)},
	{0x184, "TPM2_NV_Certify", "31.16", auth1User | auth2User | decryptIn | encryptOut, run(nvCertify)},
	{0x19D, "TPM2_NV_DefineSpace2", "31.17", auth1User | decryptIn | nv | pp | readOnly, act(nvDefineSpace2)},
	{0x19E, "TPM2_NV_ReadPublic2", "31.18", encryptOut, run(nvReadPublic2)},

	// 32 Attached components
	{0x194, "TPM2_AC_GetCapability", "32.2", 0, missing("there are no attached components")},
	{0x195, "TPM2_AC_Send", "32.3", auth1Dup | auth2User | decryptIn, missing("there are no attached components")},
	{0x196, "TPM2_Policy_AC_SendSelect", "32.4", decryptIn, missing("there are no attached components")},

	// 33 Authenticated countdown timers
	{0x198, "TPM2_ACT_SetTimeout", "33.2", auth1User, act(actSetTimeout)},
}
