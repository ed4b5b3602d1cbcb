package wire_test

import (
	"bytes"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// allLimits returns limits in which everything exists that the package can read.
func allLimits() *wire.Limits {
	l := wire.DefaultLimits()
	l.Ciphers = append(l.Ciphers, wire.Cipher{Alg: wire.AlgTDES, KeyBits: []uint16{128, 192}})
	l.Schemes = append(l.Schemes, wire.AlgECMQV)
	l.LimitedHierarchies = true
	return l
}

// fill returns n bytes b.
func fill(n int, b byte) []byte { return bytes.Repeat([]byte{b}, n) }

func ptr[T any](v T) *T { return &v }

var (
	aes128 = wire.TPMTSymDefObject{Algorithm: wire.AlgAES, KeyBits: 128, Mode: wire.AlgCFB}
	noSym  = wire.TPMTSymDefObject{Algorithm: wire.AlgNull}
	pcrs   = wire.TPMLPCRSelection{
		{Hash: wire.AlgSHA1, PCRSelect: []byte{1, 0, 0}},
		{Hash: wire.AlgSHA256, PCRSelect: []byte{0x90, 0x43, 0x80}},
	}
	ticket = wire.TPMTTKCreation{Tag: wire.STCreation, Hierarchy: wire.HandleOwner, Digest: fill(32, 7)}
	point  = wire.TPMSECCPoint{X: fill(32, 0x58), Y: fill(32, 0x59)}
)

func storageKey() wire.TPMTPublic {
	return wire.TPMTPublic{
		Type:    wire.AlgECC,
		NameAlg: wire.AlgSHA256,
		ObjectAttributes: wire.ObjFixedTPM | wire.ObjFixedParent | wire.ObjSensitiveDataOrigin |
			wire.ObjUserWithAuth | wire.ObjNoDA | wire.ObjRestricted | wire.ObjDecrypt,
		AuthPolicy: fill(32, 0xA0),
		Parameters: wire.TPMUPublicParms{ECC: wire.TPMSECCParms{
			Symmetric: aes128,
			Scheme:    wire.TPMTECCScheme{Scheme: wire.AlgNull},
			CurveID:   wire.CurveNISTP256,
			KDF:       wire.TPMTKDFScheme{Scheme: wire.AlgNull},
		}},
		Unique: wire.TPMUPublicID{ECC: point},
	}
}

func signingKey() wire.TPMTPublic {
	return wire.TPMTPublic{
		Type:             wire.AlgRSA,
		NameAlg:          wire.AlgSHA384,
		ObjectAttributes: wire.ObjSign | wire.ObjUserWithAuth | wire.ObjSTClear,
		AuthPolicy:       fill(48, 0xA1),
		Parameters: wire.TPMUPublicParms{RSA: wire.TPMSRSAParms{
			Symmetric: noSym,
			Scheme:    wire.TPMTRSAScheme{Scheme: wire.AlgRSAPSS, HashAlg: wire.AlgSHA256},
			KeyBits:   2048,
			Exponent:  3,
		}},
		Unique: wire.TPMUPublicID{RSA: fill(256, 0xB0)},
	}
}

func hmacKey() wire.TPMTPublic {
	return wire.TPMTPublic{
		Type:             wire.AlgKeyedHash,
		NameAlg:          wire.AlgSHA256,
		ObjectAttributes: wire.ObjSign | wire.ObjUserWithAuth,
		AuthPolicy:       fill(32, 0xA2),
		Parameters: wire.TPMUPublicParms{KeyedHash: wire.TPMSKeyedHashParms{
			Scheme: wire.TPMTKeyedHashScheme{Scheme: wire.AlgHMAC, HashAlg: wire.AlgSHA512},
		}},
		Unique: wire.TPMUPublicID{KeyedHash: fill(32, 0xB1)},
	}
}

func cipherKey() wire.TPMTPublic {
	return wire.TPMTPublic{
		Type:             wire.AlgSymCipher,
		NameAlg:          wire.AlgSHA1,
		ObjectAttributes: wire.ObjDecrypt | wire.ObjSign,
		AuthPolicy:       fill(20, 0xA3),
		Parameters:       wire.TPMUPublicParms{Sym: wire.TPMSSymCipherParms{Sym: aes128}},
		Unique:           wire.TPMUPublicID{Sym: fill(20, 0xB2)},
	}
}

func template() wire.TPMTTemplate {
	t := wire.TPMTTemplate(hmacKey())
	t.Unique = wire.TPMUPublicID{Derive: wire.TPMSDerive{Label: fill(3, 'l'), Context: fill(32, 'c')}}
	return t
}

func attest(t wire.ST, attested wire.TPMUAttest) *wire.TPMSAttest {
	return &wire.TPMSAttest{
		Magic:           wire.GeneratedValue,
		Type:            t,
		QualifiedSigner: fill(34, 0x51),
		ExtraData:       fill(20, 0x52),
		ClockInfo:       wire.TPMSClockInfo{Clock: 1 << 40, ResetCount: 2, RestartCount: 3, Safe: true},
		FirmwareVersion: 0x0102030405060708,
		Attested:        attested,
	}
}

func nvPublic() wire.TPMSNVPublic {
	return wire.TPMSNVPublic{
		NVIndex: 0x01800001,
		NameAlg: wire.AlgSHA256,
		Attributes: (wire.NVOwnerWrite | wire.NVAuthRead | wire.NVNoDA | wire.NVReadSTClear).
			WithType(wire.NTPinPass),
		AuthPolicy: fill(32, 0xA4),
		DataSize:   8,
	}
}

func creationData() wire.TPMSCreationData {
	return wire.TPMSCreationData{
		PCRSelect:           pcrs,
		PCRDigest:           fill(32, 0xC0),
		Locality:            wire.LocThree,
		ParentNameAlg:       wire.AlgSHA256,
		ParentName:          fill(34, 0xC1),
		ParentQualifiedName: fill(34, 0xC2),
		OutsideInfo:         fill(5, 0xC3),
	}
}

// samples returns at least one value of every structure, with all fields set.
func samples() []wire.Value {
	s := constants()
	s = append(s, handles()...)
	s = append(s, buffers()...)
	s = append(s, schemes()...)
	s = append(s, areas()...)
	s = append(s, attestations()...)
	return append(s, lists()...)
}

func constants() []wire.Value {
	return []wire.Value{
		ptr(wire.AlgSHA3256), ptr(wire.CCUnseal), ptr(wire.RCValue.Param(2)), ptr(wire.PTYear),
		ptr(wire.PTPCRAuth), ptr(wire.CurveNISTP384), ptr(wire.STAttestNVDigest), ptr(wire.SUState),
		ptr(wire.SETrial), ptr(wire.EOBitClear), ptr(wire.ClockCoarseSlower), ptr(wire.CapACT),
		ptr(wire.HTPersistent), ptr(wire.AT(2)),
		ptr(wire.AlgAttrObject | wire.AlgAttrMethod), ptr(wire.ObjX509Sign | wire.ObjSVNLimited),
		ptr(wire.SessAudit | wire.SessContinue), ptr(wire.LocalityOf(33)),
		ptr(wire.CCARHandle | 0x157), ptr(wire.ACTSignaled), ptr(wire.NVWritten | wire.NVPPWrite),
		ptr(wire.NVExpAntiRollback | 1),
		ptr(wire.TPMIYesNo(true)), ptr(wire.TPMISTCommandTag(wire.STSessions)),
		ptr(wire.TPMIECCCurve(wire.CurveNISTP521)), ptr(wire.TPMIRSAKeyBits(3072)),
		ptr(wire.TPMIAESKeyBits(256)),
		ptr(wire.TPMIAlgHash(wire.AlgSHA512)), ptr(wire.TPMIAlgSym(wire.AlgXOR)),
		ptr(wire.TPMIAlgSymObject(wire.AlgAES)), ptr(wire.TPMIAlgSymMode(wire.AlgCMAC)),
		ptr(wire.TPMIAlgCipherMode(wire.AlgCTR)), ptr(wire.TPMIAlgMACScheme(wire.AlgCMAC)),
		ptr(wire.TPMIAlgKDF(wire.AlgMGF1)), ptr(wire.TPMIAlgSigScheme(wire.AlgECDAA)),
		ptr(wire.TPMIECCKeyExchange(wire.AlgECMQV)), ptr(wire.TPMIAlgPublic(wire.AlgSymCipher)),
	}
}

func handles() []wire.Value {
	return []wire.Value{
		ptr(wire.HandlePassword), ptr(wire.TPMIDHObject(wire.PersistentFirst)),
		ptr(wire.TPMIDHParent(wire.HandleSVNOwnerBase + 7)), ptr(wire.TPMIDHPersistent(wire.PersistentLast)),
		ptr(wire.TPMIDHEntity(wire.HandleAuthFF)), ptr(wire.TPMIDHPCR(23)),
		ptr(wire.TPMISHAuthSession(wire.PolicySessionFirst)), ptr(wire.TPMISHHMAC(wire.HMACSessionFirst)),
		ptr(wire.TPMISHPolicy(wire.PolicySessionFirst)), ptr(wire.TPMIDHContext(wire.TransientFirst)),
		ptr(wire.TPMIDHSaved(wire.SavedSTClear)), ptr(wire.TPMIRHHierarchy(wire.HandleNull)),
		ptr(wire.TPMIRHEnables(wire.HandlePlatformNV)), ptr(wire.TPMIRHHierarchyAuth(wire.HandleLockout)),
		ptr(wire.TPMIRHHierarchyPolicy(wire.HandleACTF)), ptr(wire.TPMIRHBaseHierarchy(wire.HandlePlatform)),
		ptr(wire.TPMIRHPlatform(wire.HandlePlatform)), ptr(wire.TPMIRHOwner(wire.HandleOwner)),
		ptr(wire.TPMIRHEndorsement(wire.HandleEndorsement)), ptr(wire.TPMIRHProvision(wire.HandleOwner)),
		ptr(wire.TPMIRHClear(wire.HandleLockout)), ptr(wire.TPMIRHNVAuth(wire.NVIndexLast)),
		ptr(wire.TPMIRHLockout(wire.HandleLockout)), ptr(wire.TPMIRHNVIndex(wire.PermanentNVFirst)),
		ptr(wire.TPMIRHNVDefinedIndex(wire.ExternalNVLast)), ptr(wire.TPMIRHNVLegacyIndex(wire.NVIndexFirst)),
		ptr(wire.TPMIRHNVExpIndex(wire.ExternalNVFirst)), ptr(wire.TPMIRHAC(wire.ACLast)),
		ptr(wire.TPMIRHACT(wire.HandleACT0)),
	}
}

func buffers() []wire.Value {
	return []wire.Value{
		ptr(wire.TPM2BDigest(fill(64, 1))), ptr(wire.TPM2BData(fill(66, 1))), ptr(wire.TPM2BEvent(fill(1024, 1))),
		ptr(wire.TPM2BMaxBuffer(fill(1024, 1))), ptr(wire.TPM2BMaxNVBuffer(fill(1024, 1))),
		ptr(wire.TPM2BMaxCapBuffer(fill(1024, 1))), ptr(wire.TPM2BTimeout(fill(8, 1))),
		ptr(wire.TPM2BIV(fill(16, 1))), ptr(wire.TPM2BName(fill(66, 1))), ptr(wire.TPM2BSymKey(fill(32, 1))),
		ptr(wire.TPM2BLabel(fill(32, 1))), ptr(wire.TPM2BDerive(fill(68, 1))),
		ptr(wire.TPM2BSensitiveData(fill(128, 1))), ptr(wire.TPM2BPublicKeyRSA(fill(384, 1))),
		ptr(wire.TPM2BPrivateKeyRSA(fill(960, 1))), ptr(wire.TPM2BECCParameter(fill(66, 1))),
		ptr(wire.TPM2BEncryptedSecret(fill(384, 1))), ptr(wire.TPM2BTemplate(fill(400, 1))),
		ptr(wire.TPM2BPrivate(fill(1200, 1))), ptr(wire.TPM2BPrivateVendorSpecific(fill(960, 1))),
		ptr(wire.TPM2BIDObject(fill(132, 1))), ptr(wire.TPM2BContextSensitive(fill(2680, 1))),
		ptr(wire.TPM2BContextData(fill(2748, 1))), ptr(wire.TPM2BAttest(fill(1500, 1))),
	}
}

func schemes() []wire.Value {
	ecdaa := wire.TPMTAsymScheme{Scheme: wire.AlgECDAA, HashAlg: wire.AlgSHA256, Count: 9}
	oaep := wire.TPMTAsymScheme{Scheme: wire.AlgOAEP, HashAlg: wire.AlgSHA1}
	return []wire.Value{
		&wire.TPMSEmpty{},
		&wire.TPMTSymDef{Algorithm: wire.AlgXOR, Hash: wire.AlgSHA256}, ptr(wire.TPMTSymDef(aes128)),
		ptr(aes128), &wire.TPMTSymDefObject{Algorithm: wire.AlgTDES, KeyBits: 192, Mode: wire.AlgECB}, &wire.TPMTKDFScheme{Scheme: wire.AlgKDF1SP800108, HashAlg: wire.AlgSHA384},
		&wire.TPMTKeyedHashScheme{Scheme: wire.AlgXOR, HashAlg: wire.AlgSHA1, KDF: wire.AlgKDF1SP800108},
		&wire.TPMTKeyedHashScheme{Scheme: wire.AlgHMAC, HashAlg: wire.AlgSHA1},
		&ecdaa, &wire.TPMTAsymScheme{Scheme: wire.AlgRSAES},
		ptr(wire.TPMTSigScheme(ecdaa)), ptr(wire.TPMTECCScheme(ecdaa)),
		ptr(wire.TPMTRSAScheme(oaep)), ptr(wire.TPMTRSADecrypt(oaep)),
		&wire.TPMTHA{HashAlg: wire.AlgSHA384, Digest: fill(48, 2)},
		&wire.TPMTSignature{SigAlg: wire.AlgRSASSA, Hash: wire.AlgSHA256, RSA: fill(256, 3)},
		&wire.TPMTSignature{SigAlg: wire.AlgECDSA, Hash: wire.AlgSHA512, R: fill(66, 4), S: fill(65, 5)},
		&wire.TPMTSignature{SigAlg: wire.AlgHMAC, Hash: wire.AlgSHA1, HMAC: fill(20, 6)},
		&ticket,
		&wire.TPMTTKVerified{Tag: wire.STVerified, Hierarchy: wire.HandleNull, Digest: fill(32, 7)},
		&wire.TPMTTKAuth{Tag: wire.STAuthSecret, Hierarchy: wire.HandleNull, Digest: fill(32, 7)},
		&wire.TPMTTKHashCheck{Tag: wire.STHashCheck, Hierarchy: wire.HandleNull, Digest: fill(32, 7)},
	}
}

func areas() []wire.Value {
	secret := wire.TPMTSensitive{
		SensitiveType: wire.AlgECC, AuthValue: fill(32, 8), SeedValue: fill(32, 9), Sensitive: fill(66, 10),
	}
	create := wire.TPMSSensitiveCreate{UserAuth: fill(4, 11), Data: fill(128, 12)}
	external := wire.TPMSNVPublicExpAttr{
		NVIndex: 0x11000001, NameAlg: wire.AlgSHA256, Attributes: wire.NVExpIntegrity | 2,
		AuthPolicy: fill(32, 0xA5), DataSize: 2048,
	}
	permanent := nvPublic()
	return []wire.Value{
		&point, &wire.TPM2BECCPoint{Point: point}, &wire.TPMSDerive{Label: fill(1, 1), Context: fill(2, 2)},
		ptr(storageKey()), ptr(signingKey()), ptr(hmacKey()), ptr(cipherKey()), ptr(template()),
		&wire.TPM2BPublic{PublicArea: storageKey()},
		&wire.TPMTPublicParms{Type: wire.AlgRSA, Parameters: signingKey().Parameters},
		&secret, &wire.TPM2BSensitive{SensitiveArea: secret}, &wire.TPM2BSensitive{},
		&create, &wire.TPM2BSensitiveCreate{Sensitive: create},
		ptr(nvPublic()), &wire.TPM2BNVPublic{NVPublic: nvPublic()}, &external,
		&wire.TPMTNVPublic2{HandleType: wire.HTExternalNV, ExternalNV: external},
		&wire.TPM2BNVPublic2{NVPublic2: wire.TPMTNVPublic2{HandleType: wire.HTNVIndex, NVIndex: permanent}},
		&wire.TPMSNVPinCounterParameters{PinCount: 1, PinLimit: 5},
		&wire.TPMSIDObject{IntegrityHMAC: fill(32, 1), EncIdentity: fill(34, 2)},
		&wire.TPMSContextData{Integrity: fill(32, 1), Encrypted: fill(900, 2)},
		&wire.TPMSContext{
			Sequence: 1 << 33, SavedHandle: wire.SavedSequence, Hierarchy: wire.HandleNull,
			ContextBlob: fill(900, 3),
		},
		&wire.TPMSAlgorithmDetailECC{
			CurveID: wire.CurveNISTP256, KeySize: 256,
			KDF:  wire.TPMTKDFScheme{Scheme: wire.AlgKDF1SP80056A, HashAlg: wire.AlgSHA256},
			Sign: wire.TPMTECCScheme{Scheme: wire.AlgNull},
			P:    fill(32, 1), A: fill(32, 2), B: fill(32, 3), GX: fill(32, 4), GY: fill(32, 5),
			N: fill(32, 6), H: fill(1, 1),
		},
	}
}

func attestations() []wire.Value {
	return []wire.Value{
		ptr(attest(wire.STAttestNV, wire.TPMUAttest{}).ClockInfo),
		&wire.TPMSTimeInfo{Time: 5, ClockInfo: attest(wire.STAttestNV, wire.TPMUAttest{}).ClockInfo},
		ptr(creationData()), &wire.TPM2BCreationData{CreationData: creationData()},
		attest(wire.STAttestCertify, wire.TPMUAttest{Certify: wire.TPMSCertifyInfo{
			Name: fill(34, 1), QualifiedName: fill(34, 2)}}),
		attest(wire.STAttestCreation, wire.TPMUAttest{Creation: wire.TPMSCreationInfo{
			ObjectName: fill(34, 1), CreationHash: fill(32, 2)}}),
		attest(wire.STAttestQuote, wire.TPMUAttest{Quote: wire.TPMSQuoteInfo{
			PCRSelect: pcrs, PCRDigest: fill(32, 2)}}),
		attest(wire.STAttestCommandAudit, wire.TPMUAttest{CommandAudit: wire.TPMSCommandAuditInfo{
			AuditCounter: 6, DigestAlg: wire.AlgSHA256, AuditDigest: fill(32, 1), CommandDigest: fill(32, 2)}}),
		attest(wire.STAttestSessionAudit, wire.TPMUAttest{SessionAudit: wire.TPMSSessionAuditInfo{
			ExclusiveSession: true, SessionDigest: fill(32, 2)}}),
		attest(wire.STAttestTime, wire.TPMUAttest{Time: wire.TPMSTimeAttestInfo{
			Time: wire.TPMSTimeInfo{Time: 77}, FirmwareVersion: 9}}),
		attest(wire.STAttestNV, wire.TPMUAttest{NV: wire.TPMSNVCertifyInfo{
			IndexName: fill(34, 1), Offset: 4, NVContents: fill(16, 2)}}),
		attest(wire.STAttestNVDigest, wire.TPMUAttest{NVDigest: wire.TPMSNVDigestCertifyInfo{
			IndexName: fill(34, 1), NVDigest: fill(32, 2)}}),
	}
}

func lists() []wire.Value {
	select3 := []byte{0xFF, 0, 1}
	return []wire.Value{
		&wire.TPMSPCRSelection{Hash: wire.AlgSHA512, PCRSelect: select3},
		&wire.TPMSAlgProperty{Alg: wire.AlgRSA, AlgProperties: wire.AlgAttrObject},
		&wire.TPMSTaggedProperty{Property: wire.PTYear, Value: 2025},
		&wire.TPMSTaggedPCRSelect{Tag: wire.PTPCRSave, PCRSelect: select3},
		&wire.TPMSTaggedPolicy{Handle: wire.HandleOwner, PolicyHash: wire.TPMTHA{HashAlg: wire.AlgSHA1, Digest: fill(20, 1)}},
		&wire.TPMSACTData{Handle: wire.HandleACT0, Timeout: 9, Attributes: wire.ACTSignaled},
		&wire.TPMSACOutput{Tag: 2, Data: 3},
		&wire.TPMLCC{wire.CCUnseal, wire.CCLoad}, &wire.TPMLCCA{0x157 | wire.CCANV},
		&wire.TPMLAlg{wire.AlgRSA, wire.AlgECC}, &wire.TPMLHandle{wire.PersistentFirst},
		&wire.TPMLDigest{fill(32, 1), fill(20, 2)},
		&wire.TPMLDigestValues{{HashAlg: wire.AlgSHA1, Digest: fill(20, 1)}},
		&pcrs, &wire.TPMLAlgProperty{{Alg: wire.AlgRSA, AlgProperties: 1}},
		&wire.TPMLTaggedTPMProperty{{Property: 1, Value: 2}},
		&wire.TPMLTaggedPCRProperty{{Tag: 1, PCRSelect: select3}},
		&wire.TPMLECCCurve{wire.CurveNISTP256},
		&wire.TPMLTaggedPolicy{{Handle: wire.HandleOwner, PolicyHash: wire.TPMTHA{HashAlg: wire.AlgSHA1, Digest: fill(20, 1)}}},
		&wire.TPMLACTData{{Handle: wire.HandleACT0}}, &wire.TPMLACCapabilities{{Tag: 1, Data: 2}},
		&wire.TPMSCapabilityData{Capability: wire.CapPCRs, Data: wire.TPMUCapabilities{AssignedPCR: pcrs}},
		&wire.TPMSCapabilityData{Capability: wire.CapAlgs, Data: wire.TPMUCapabilities{
			Algorithms: wire.TPMLAlgProperty{{Alg: wire.AlgRSA, AlgProperties: 1}}}},
		&wire.TPMSCapabilityData{Capability: wire.CapHandles, Data: wire.TPMUCapabilities{
			Handles: wire.TPMLHandle{wire.HandleOwner}}},
		&wire.TPMSCapabilityData{Capability: wire.CapCommands, Data: wire.TPMUCapabilities{
			Command: wire.TPMLCCA{0x157}}},
		&wire.TPMSCapabilityData{Capability: wire.CapPPCommands, Data: wire.TPMUCapabilities{
			PPCommands: wire.TPMLCC{wire.CCClear}}},
		&wire.TPMSCapabilityData{Capability: wire.CapAuditCommands, Data: wire.TPMUCapabilities{
			AuditCommands: wire.TPMLCC{wire.CCClear}}},
		&wire.TPMSCapabilityData{Capability: wire.CapTPMProperties, Data: wire.TPMUCapabilities{
			TPMProperties: wire.TPMLTaggedTPMProperty{{Property: 1, Value: 2}}}},
		&wire.TPMSCapabilityData{Capability: wire.CapPCRProperties, Data: wire.TPMUCapabilities{
			PCRProperties: wire.TPMLTaggedPCRProperty{{Tag: 1, PCRSelect: select3}}}},
		&wire.TPMSCapabilityData{Capability: wire.CapECCCurves, Data: wire.TPMUCapabilities{
			ECCCurves: wire.TPMLECCCurve{wire.CurveNISTP256}}},
		&wire.TPMSCapabilityData{Capability: wire.CapAuthPolicies, Data: wire.TPMUCapabilities{
			AuthPolicies: wire.TPMLTaggedPolicy{}}},
		&wire.TPMSCapabilityData{Capability: wire.CapACT, Data: wire.TPMUCapabilities{
			ACTData: wire.TPMLACTData{{Handle: wire.HandleACT0}}}},
	}
}
