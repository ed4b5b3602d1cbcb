package wire_test

import (
	"bytes"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// TestAgainstGoTPM holds the codec against the one that clients use, which was
// written by others: the same values have the same bytes.
func TestAgainstGoTPM(t *testing.T) {
	for name, c := range map[string]struct {
		ours   interface{ Write(*wire.Writer) }
		theirs tpm2.Marshallable
	}{
		"ECC storage key": {storageKey(), &tpm2.TPMTPublic{
			Type:    tpm2.TPMAlgECC,
			NameAlg: tpm2.TPMAlgSHA256,
			ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true,
				UserWithAuth: true, NoDA: true, Restricted: true, Decrypt: true},
			AuthPolicy: tpm2.TPM2BDigest{Buffer: fill(32, 0xA0)},
			Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
				Symmetric: tpm2.TPMTSymDefObject{
					Algorithm: tpm2.TPMAlgAES,
					KeyBits:   tpm2.NewTPMUSymKeyBits(tpm2.TPMAlgAES, tpm2.TPMKeyBits(128)),
					Mode:      tpm2.NewTPMUSymMode(tpm2.TPMAlgAES, tpm2.TPMAlgCFB),
				},
				CurveID: tpm2.TPMECCNistP256,
			}),
			Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{
				X: tpm2.TPM2BECCParameter{Buffer: fill(32, 0x58)},
				Y: tpm2.TPM2BECCParameter{Buffer: fill(32, 0x59)},
			}),
		}},
		"RSA signing key": {signingKey(), &tpm2.TPMTPublic{
			Type:             tpm2.TPMAlgRSA,
			NameAlg:          tpm2.TPMAlgSHA384,
			ObjectAttributes: tpm2.TPMAObject{SignEncrypt: true, UserWithAuth: true, STClear: true},
			AuthPolicy:       tpm2.TPM2BDigest{Buffer: fill(48, 0xA1)},
			Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgRSA, &tpm2.TPMSRSAParms{
				Scheme: tpm2.TPMTRSAScheme{
					Scheme: tpm2.TPMAlgRSAPSS,
					Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgRSAPSS,
						&tpm2.TPMSSigSchemeRSAPSS{HashAlg: tpm2.TPMAlgSHA256}),
				},
				KeyBits:  2048,
				Exponent: 3,
			}),
			Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgRSA, &tpm2.TPM2BPublicKeyRSA{Buffer: fill(256, 0xB0)}),
		}},
		"HMAC key": {hmacKey(), &tpm2.TPMTPublic{
			Type:             tpm2.TPMAlgKeyedHash,
			NameAlg:          tpm2.TPMAlgSHA256,
			ObjectAttributes: tpm2.TPMAObject{SignEncrypt: true, UserWithAuth: true},
			AuthPolicy:       tpm2.TPM2BDigest{Buffer: fill(32, 0xA2)},
			Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgKeyedHash, &tpm2.TPMSKeyedHashParms{
				Scheme: tpm2.TPMTKeyedHashScheme{
					Scheme: tpm2.TPMAlgHMAC,
					Details: tpm2.NewTPMUSchemeKeyedHash(tpm2.TPMAlgHMAC,
						&tpm2.TPMSSchemeHMAC{HashAlg: tpm2.TPMAlgSHA512}),
				},
			}),
			Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgKeyedHash, &tpm2.TPM2BDigest{Buffer: fill(32, 0xB1)}),
		}},
		"NV public area": {nvPublic(), &tpm2.TPMSNVPublic{
			NVIndex: 0x01800001,
			NameAlg: tpm2.TPMAlgSHA256,
			Attributes: tpm2.TPMANV{OwnerWrite: true, AuthRead: true, NoDA: true, ReadSTClear: true,
				NT: tpm2.TPMNTPinPass},
			AuthPolicy: tpm2.TPM2BDigest{Buffer: fill(32, 0xA4)},
			DataSize:   8,
		}},
		"creation data": {creationData(), &tpm2.TPMSCreationData{
			PCRSelect:           theirPCRs(),
			PCRDigest:           tpm2.TPM2BDigest{Buffer: fill(32, 0xC0)},
			Locality:            tpm2.TPMALocality{TPMLocThree: true},
			ParentNameAlg:       tpm2.TPMAlgSHA256,
			ParentName:          tpm2.TPM2BName{Buffer: fill(34, 0xC1)},
			ParentQualifiedName: tpm2.TPM2BName{Buffer: fill(34, 0xC2)},
			OutsideInfo:         tpm2.TPM2BData{Buffer: fill(5, 0xC3)},
		}},
		"quote": {
			attest(wire.STAttestQuote, wire.TPMUAttest{Quote: wire.TPMSQuoteInfo{
				PCRSelect: pcrs, PCRDigest: fill(32, 1)}}),
			theirAttest(tpm2.TPMSTAttestQuote, tpm2.NewTPMUAttest(tpm2.TPMSTAttestQuote, &tpm2.TPMSQuoteInfo{
				PCRSelect: theirPCRs(), PCRDigest: tpm2.TPM2BDigest{Buffer: fill(32, 1)}})),
		},
		"certify": {
			attest(wire.STAttestCertify, wire.TPMUAttest{Certify: wire.TPMSCertifyInfo{
				Name: fill(34, 1), QualifiedName: fill(34, 2)}}),
			theirAttest(tpm2.TPMSTAttestCertify, tpm2.NewTPMUAttest(tpm2.TPMSTAttestCertify, &tpm2.TPMSCertifyInfo{
				Name: tpm2.TPM2BName{Buffer: fill(34, 1)}, QualifiedName: tpm2.TPM2BName{Buffer: fill(34, 2)}})),
		},
		"NV certify": {
			attest(wire.STAttestNV, wire.TPMUAttest{NV: wire.TPMSNVCertifyInfo{
				IndexName: fill(34, 1), Offset: 4, NVContents: fill(16, 2)}}),
			theirAttest(tpm2.TPMSTAttestNV, tpm2.NewTPMUAttest(tpm2.TPMSTAttestNV, &tpm2.TPMSNVCertifyInfo{
				IndexName: tpm2.TPM2BName{Buffer: fill(34, 1)}, Offset: 4,
				NVContents: tpm2.TPM2BData{Buffer: fill(16, 2)}})),
		},
		"RSA signature": {
			wire.TPMTSignature{SigAlg: wire.AlgRSASSA, Hash: wire.AlgSHA256, RSA: fill(256, 3)},
			&tpm2.TPMTSignature{SigAlg: tpm2.TPMAlgRSASSA, Signature: tpm2.NewTPMUSignature(tpm2.TPMAlgRSASSA,
				&tpm2.TPMSSignatureRSA{Hash: tpm2.TPMAlgSHA256, Sig: tpm2.TPM2BPublicKeyRSA{Buffer: fill(256, 3)}})},
		},
		"ECC signature": {
			wire.TPMTSignature{SigAlg: wire.AlgECDSA, Hash: wire.AlgSHA256, R: fill(32, 4), S: fill(31, 5)},
			&tpm2.TPMTSignature{SigAlg: tpm2.TPMAlgECDSA, Signature: tpm2.NewTPMUSignature(tpm2.TPMAlgECDSA,
				&tpm2.TPMSSignatureECC{Hash: tpm2.TPMAlgSHA256,
					SignatureR: tpm2.TPM2BECCParameter{Buffer: fill(32, 4)},
					SignatureS: tpm2.TPM2BECCParameter{Buffer: fill(31, 5)}})},
		},
		"HMAC signature": {
			wire.TPMTSignature{SigAlg: wire.AlgHMAC, Hash: wire.AlgSHA1, HMAC: fill(20, 6)},
			&tpm2.TPMTSignature{SigAlg: tpm2.TPMAlgHMAC, Signature: tpm2.NewTPMUSignature(tpm2.TPMAlgHMAC,
				&tpm2.TPMTHA{HashAlg: tpm2.TPMAlgSHA1, Digest: fill(20, 6)})},
		},
		"sensitive area": {
			wire.TPMTSensitive{SensitiveType: wire.AlgKeyedHash, AuthValue: fill(4, 1), SeedValue: fill(32, 2), Sensitive: fill(16, 3)},
			&tpm2.TPMTSensitive{
				SensitiveType: tpm2.TPMAlgKeyedHash,
				AuthValue:     tpm2.TPM2BAuth{Buffer: fill(4, 1)},
				SeedValue:     tpm2.TPM2BDigest{Buffer: fill(32, 2)},
				Sensitive: tpm2.NewTPMUSensitiveComposite(tpm2.TPMAlgKeyedHash,
					&tpm2.TPM2BSensitiveData{Buffer: fill(16, 3)}),
			},
		},
		"capability": {
			wire.TPMSCapabilityData{Capability: wire.CapTPMProperties, Data: wire.TPMUCapabilities{
				TPMProperties: wire.TPMLTaggedTPMProperty{{Property: wire.PTYear, Value: 2025}}}},
			&tpm2.TPMSCapabilityData{Capability: tpm2.TPMCapTPMProperties,
				Data: tpm2.NewTPMUCapabilities(tpm2.TPMCapTPMProperties, &tpm2.TPMLTaggedTPMProperty{
					TPMProperty: []tpm2.TPMSTaggedProperty{{Property: tpm2.TPMPTYear, Value: 2025}}})},
		},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := wire.Marshal(c.ours), tpm2.Marshal(c.theirs)
			if !bytes.Equal(ours, theirs) {
				t.Errorf("wrote\n%x, go-tpm\n%x", ours, theirs)
			}
		})
	}
}

func theirPCRs() tpm2.TPMLPCRSelection {
	return tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{
		{Hash: tpm2.TPMAlgSHA1, PCRSelect: []byte{1, 0, 0}},
		{Hash: tpm2.TPMAlgSHA256, PCRSelect: []byte{0x90, 0x43, 0x80}},
	}}
}

func theirAttest(t tpm2.TPMST, attested tpm2.TPMUAttest) *tpm2.TPMSAttest {
	return &tpm2.TPMSAttest{
		Magic:           tpm2.TPMGeneratedValue,
		Type:            t,
		QualifiedSigner: tpm2.TPM2BName{Buffer: fill(34, 0x51)},
		ExtraData:       tpm2.TPM2BData{Buffer: fill(20, 0x52)},
		ClockInfo:       tpm2.TPMSClockInfo{Clock: 1 << 40, ResetCount: 2, RestartCount: 3, Safe: true},
		FirmwareVersion: 0x0102030405060708,
		Attested:        attested,
	}
}
