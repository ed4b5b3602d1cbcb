package wire_test

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// plus marks a row of badBytes that reads the "+" form.
type plus struct{ wire.Nullable }

// badBytes are structures with one fault each. The spaces in the bytes separate
// fields.
var badBytes = []struct {
	reason string
	into   interface{ Read(*wire.Reader) }
	data   string
	want   wire.RC
}{
	// Constants.
	{"no such startup type", new(wire.SU), "0002", wire.RCValue},
	{"the gap among session types", new(wire.SE), "02", wire.RCValue},
	{"no such comparison", new(wire.EO), "000c", wire.RCValue},
	{"a rate too far", new(wire.ClockAdjust), "04", wire.RCValue},
	{"a rate too far down", new(wire.ClockAdjust), "fc", wire.RCValue},
	{"a capability of the SPDM transport", new(wire.Cap), "0000000b", wire.RCValue},
	{"the null tag is one", new(wire.ST), "8000", wire.RCSuccess},
	{"the gap among structure tags", new(wire.ST), "801b", wire.RCValue},
	{"not a command's tag", new(wire.TPMISTCommandTag), "8000", wire.RCBadTag},
	{"a TPM 1.2 command's tag", new(wire.TPMISTCommandTag), "00c1", wire.RCBadTag},
	{"neither yes nor no", new(wire.TPMIYesNo), "02", wire.RCValue},

	// Attributes.
	{"reserved bit 0", new(wire.TPMAObject), "00000001", wire.RCReservedBits},
	{"reserved bit 3", new(wire.TPMAObject), "00000008", wire.RCReservedBits},
	{"firmwareLimited without such hierarchies", new(wire.TPMAObject), "00000100", wire.RCReservedBits},
	{"svnLimited without such hierarchies", new(wire.TPMAObject), "00000200", wire.RCReservedBits},
	{"reserved bit 20", new(wire.TPMAObject), "00100000", wire.RCReservedBits},
	{"reserved bit 3", new(wire.TPMASession), "08", wire.RCReservedBits},
	{"reserved bit 8", new(wire.TPMANV), "00000100", wire.RCReservedBits},
	{"reserved bit 24", new(wire.TPMANV), "01000000", wire.RCReservedBits},
	{"a type that does not exist, which defining refuses", new(wire.TPMANV), "000000f0", wire.RCSuccess},
	{"reserved bit 35", new(wire.TPMANVExp), "0000000800000000", wire.RCReservedBits},

	// Handles.
	{"the null handle without +", new(wire.TPMIDHObject), "40000007", wire.RCValue},
	{"the null handle with +", plus{new(wire.TPMIDHObject)}, "40000007", wire.RCSuccess},
	{"a session as an object", new(wire.TPMIDHObject), "02000000", wire.RCValue},
	{"a transient object that no slot can have", new(wire.TPMIDHObject), "80000040", wire.RCValue},
	{"the last transient object", new(wire.TPMIDHObject), "8000003f", wire.RCSuccess},
	{"the null hierarchy, always part of the type", new(wire.TPMIRHHierarchy), "40000007", wire.RCSuccess},
	{"lockout is no hierarchy", new(wire.TPMIRHHierarchy), "4000000a", wire.RCValue},
	{"a firmware-limited hierarchy without such", new(wire.TPMIRHHierarchy), "40000140", wire.RCValue},
	{"PCR 24 of 24", new(wire.TPMIDHPCR), "00000018", wire.RCValue},
	{"PCR 23", new(wire.TPMIDHPCR), "00000017", wire.RCSuccess},
	{"the null PCR without +", new(wire.TPMIDHPCR), "40000007", wire.RCValue},
	{"the password as a session without +", new(wire.TPMISHAuthSession), "40000009", wire.RCValue},
	{"the password as a session with +", plus{new(wire.TPMISHAuthSession)}, "40000009", wire.RCSuccess},
	{"the null handle is no session", plus{new(wire.TPMISHAuthSession)}, "40000007", wire.RCValue},
	{"an HMAC session for a policy", new(wire.TPMISHPolicy), "02000000", wire.RCValue},
	{"a persistent object has no context", new(wire.TPMIDHContext), "81000000", wire.RCValue},
	{"a saved object has one of three handles", new(wire.TPMIDHSaved), "80000003", wire.RCValue},
	{"endorsement cannot provision", new(wire.TPMIRHProvision), "4000000b", wire.RCValue},
	{"owner cannot clear", new(wire.TPMIRHClear), "40000001", wire.RCValue},
	{"an object does not authorize NV", new(wire.TPMIRHNVAuth), "80000000", wire.RCValue},

	// Algorithms: each type has its own code.
	{"no such hash", new(wire.TPMIAlgHash), "0012", wire.RCHash},
	{"no hash without +", new(wire.TPMIAlgHash), "0010", wire.RCHash},
	{"no hash with +", plus{new(wire.TPMIAlgHash)}, "0010", wire.RCSuccess},
	{"no such cipher", new(wire.TPMIAlgSym), "0026", wire.RCSymmetric},
	{"XOR is no object's cipher", new(wire.TPMIAlgSymObject), "000a", wire.RCSymmetric},
	{"no such mode", new(wire.TPMIAlgSymMode), "0050", wire.RCMode},
	{"CMAC does not encrypt", new(wire.TPMIAlgCipherMode), "003f", wire.RCMode},
	{"RSA is no MAC", new(wire.TPMIAlgMACScheme), "0001", wire.RCSymmetric},
	{"no such KDF", new(wire.TPMIAlgKDF), "000b", wire.RCKDF},
	{"RSAES does not sign", new(wire.TPMIAlgSigScheme), "0015", wire.RCScheme},
	{"ECDSA is no key exchange", new(wire.TPMIECCKeyExchange), "0018", wire.RCScheme},
	{"AES is no type of object", new(wire.TPMIAlgPublic), "0006", wire.RCType},
	{"no such curve", new(wire.TPMIECCCurve), "0001", wire.RCCurve},
	{"no curve without +", new(wire.TPMIECCCurve), "0000", wire.RCCurve},
	{"a size that is not implemented", new(wire.TPMIRSAKeyBits), "0200", wire.RCValue},
	{"a size that is not implemented", new(wire.TPMIAESKeyBits), "0040", wire.RCValue},

	// Sized buffers: the size is judged before the bytes are looked for.
	{"one over", new(wire.TPM2BDigest), "0041", wire.RCSize},
	{"fewer bytes than said", new(wire.TPM2BDigest), "0003 0102", wire.RCInsufficient},
	{"one left over", new(wire.TPM2BDigest), "0001 0102", wire.RCSize},
	{"one over", new(wire.TPM2BMaxNVBuffer), "0401", wire.RCSize},
	{"one over 4,096 bits", new(wire.TPM2BPublicKeyRSA), "0201", wire.RCSize},
	{"one over P-521", new(wire.TPM2BECCParameter), "0043", wire.RCSize},
	{"one over", new(wire.TPM2BSensitiveData), "0081", wire.RCSize},
	{"one over", new(wire.TPM2BLabel), "0021", wire.RCSize},
	{"one over", new(wire.TPM2BIDObject), "0085", wire.RCSize},

	// Sized structures.
	{"an empty public area", new(wire.TPM2BPublic), "0000", wire.RCSize},
	{"an empty sensitive creation", new(wire.TPM2BSensitiveCreate), "0000", wire.RCSize},
	{"an empty sensitive area", new(wire.TPM2BSensitive), "0000", wire.RCSuccess},
	{"an empty NV public area", new(wire.TPM2BNVPublic), "0000", wire.RCSize},
	{"an empty point", new(wire.TPM2BECCPoint), "0000", wire.RCSize},
	{"an empty creation data", new(wire.TPM2BCreationData), "0000", wire.RCSize},
	{"a size over the structure", new(wire.TPM2BSensitiveCreate), "0005 0000 0000 00", wire.RCSize},
	{"a size under the structure", new(wire.TPM2BSensitiveCreate), "0003 0000 0000", wire.RCSize},
	{"a fault inside comes before the size", new(wire.TPM2BSensitiveCreate), "0003 0041", wire.RCSize},
	{"a fault inside comes before the size", new(wire.TPM2BPublic), "0003 0006", wire.RCType},

	// Lists.
	{"nine digests for PolicyOR", new(wire.TPMLDigest), "00000009", wire.RCSize},
	{"more selections than hashes", new(wire.TPMLPCRSelection), "00000008", wire.RCSize},
	{"more digests than hashes", new(wire.TPMLDigestValues), "00000008", wire.RCSize},
	{"a count that wraps around", new(wire.TPMLAlg), "ffffffff", wire.RCSize},
	{"a count without elements", new(wire.TPMLAlg), "00000001", wire.RCInsufficient},
	{"a bank that is not implemented", new(wire.TPMLPCRSelection), "00000001 0012 03 000000", wire.RCHash},
	{"a select too short", new(wire.TPMLPCRSelection), "00000001 000b 02 0000", wire.RCValue},
	{"a select too long", new(wire.TPMLPCRSelection), "00000001 000b 04 00000000", wire.RCValue},

	// Schemes.
	{"a cipher without +", new(wire.TPMTSymDef), "0010", wire.RCSymmetric},
	{"XOR with no hash", new(wire.TPMTSymDef), "000a 0010", wire.RCHash},
	{"a key size", new(wire.TPMTSymDef), "0006 00c1 0043", wire.RCValue},
	{"a mode", new(wire.TPMTSymDef), "0006 0080 0006", wire.RCMode},
	{"no mode", new(wire.TPMTSymDef), "0006 0080 0010", wire.RCSuccess},
	{"a keyed-hash scheme", new(wire.TPMTKeyedHashScheme), "0014", wire.RCValue},
	{"XOR with a bad KDF", new(wire.TPMTKeyedHashScheme), "000a 000b 000b", wire.RCKDF},
	{"a signature scheme", new(wire.TPMTSigScheme), "0017", wire.RCScheme},
	{"a scheme's hash", new(wire.TPMTSigScheme), "0014 0010", wire.RCHash},
	{"an ECC scheme for RSA", new(wire.TPMTRSAScheme), "0018", wire.RCValue},
	{"a signature scheme to decrypt with", new(wire.TPMTRSADecrypt), "0014", wire.RCValue},
	{"an RSA scheme for ECC", new(wire.TPMTECCScheme), "0014", wire.RCScheme},
	{"a scheme that is not implemented", new(wire.TPMTECCScheme), "001d", wire.RCScheme},
	{"a KDF scheme without +", new(wire.TPMTKDFScheme), "0010", wire.RCKDF},

	// Tickets, signatures, areas.
	{"another ticket's tag", new(wire.TPMTTKCreation), "8022 40000001 0000", wire.RCTag},
	{"no tag at all", new(wire.TPMTTKCreation), "1234 40000001 0000", wire.RCValue},
	{"an authorization ticket", new(wire.TPMTTKAuth), "8024 40000001 0000", wire.RCTag},
	{"a ticket's hierarchy", new(wire.TPMTTKHashCheck), "8024 4000000a 0000", wire.RCValue},
	{"no signature without +", new(wire.TPMTSignature), "0010", wire.RCScheme},
	{"a signature's hash", new(wire.TPMTSignature), "0014 0010", wire.RCHash},
	{"a signature's size", new(wire.TPMTSignature), "0014 000b 0201", wire.RCSize},
	{"an HMAC too short", new(wire.TPMTSignature), "0005 0004 00", wire.RCInsufficient},
	{"a public area's nameAlg", new(wire.TPMTPublic), "0008 0010", wire.RCHash},
	{"no nameAlg with +", plus{new(wire.TPMTPublic)}, "0008 0010 00000000 0000 0010 0000", wire.RCSuccess},
	{"a cipher key needs a cipher", new(wire.TPMTPublic), "0025 000b 00000000 0000 0010", wire.RCSymmetric},
	{"an RSA size", new(wire.TPMTPublic), "0001 000b 00000000 0000 0010 0010 2000 00000000 0000", wire.RCValue},
	{"an ECC key needs a curve", new(wire.TPMTPublic), "0023 000b 00000000 0000 0010 0010 0000 0010", wire.RCCurve},
	{"a template's label", new(wire.TPMTTemplate), "0008 000b 00000000 0000 0010 0021", wire.RCSize},
	{"a sensitive type", new(wire.TPMTSensitive), "0010 0000 0000 0000", wire.RCType},
	{"a symmetric key too long", new(wire.TPMTSensitive), "0025 0000 0000 0021", wire.RCSize},

	// NV and contexts.
	{"an index that is none", new(wire.TPMSNVPublic), "02000000", wire.RCValue},
	{"an external index with 32 bits of attributes", new(wire.TPMSNVPublic), "11000000", wire.RCValue},
	{"data over the largest index", new(wire.TPMSNVPublic), "01000000 000b 00000000 0000 0801", wire.RCSize},
	{"a handle type that is no index", new(wire.TPMTNVPublic2), "80", wire.RCSelector},
	{"a saved handle", new(wire.TPMSContext), "0000000000000001 81000000", wire.RCValue},
	{"a context over the largest", new(wire.TPMSContext), "0000000000000001 80000000 40000007 0abd", wire.RCSize},
	{"nothing can be set", new(wire.TPM2BSetCapabilityData), "0004 00000000", wire.RCSelector},
	{"not generated by a TPM", new(wire.TPMSAttest), "ff544348", wire.RCValue},
	{"a tag that attests nothing", new(wire.TPMSAttest), "ff544347 8021", wire.RCSelector},
}

// TestBadBytes: the exact response code for each fault, under the default limits.
func TestBadBytes(t *testing.T) {
	for _, c := range badBytes {
		name := fmt.Sprintf("%T/%s", c.into, c.reason)
		data, err := hex.DecodeString(strings.ReplaceAll(c.data, " ", ""))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r := wire.NewReader(data, wire.DefaultLimits())
		if p, ok := c.into.(plus); ok {
			name = fmt.Sprintf("%s+/%s", reflect.TypeOf(p.Nullable), c.reason)
			p.ReadPlus(r)
		} else {
			c.into.Read(r)
		}
		if r.OK() && r.Len() != 0 {
			r.Fail(wire.RCSize)
		}
		got := wire.RCSuccess
		if r.Err() != nil {
			got = r.Err().(wire.RC)
		}
		if got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestLocality: one locality as attributes, a bit or itself.
func TestLocality(t *testing.T) {
	for locality, want := range map[uint8]wire.TPMALocality{0: 1, 4: 16, 5: 0, 31: 0, 32: 32, 255: 255} {
		if got := wire.LocalityOf(locality); got != want {
			t.Errorf("locality %d: %#x, want %#x", locality, got, want)
		}
	}
}
