package wire

import "fmt"

// Alg is a TPM_ALG_ID (TCG Algorithm Registry, "TPM_ALG_ID").
type Alg uint16

// Algorithm identifiers, with the registry's values. That a constant exists does
// not say that the TPM implements the algorithm: Limits does.
const (
	AlgError        Alg = 0x0000
	AlgRSA          Alg = 0x0001
	AlgTDES         Alg = 0x0003
	AlgSHA1         Alg = 0x0004
	AlgHMAC         Alg = 0x0005
	AlgAES          Alg = 0x0006
	AlgMGF1         Alg = 0x0007
	AlgKeyedHash    Alg = 0x0008
	AlgXOR          Alg = 0x000A
	AlgSHA256       Alg = 0x000B
	AlgSHA384       Alg = 0x000C
	AlgSHA512       Alg = 0x000D
	AlgSHA256192    Alg = 0x000E
	AlgNull         Alg = 0x0010
	AlgSM3256       Alg = 0x0012
	AlgSM4          Alg = 0x0013
	AlgRSASSA       Alg = 0x0014
	AlgRSAES        Alg = 0x0015
	AlgRSAPSS       Alg = 0x0016
	AlgOAEP         Alg = 0x0017
	AlgECDSA        Alg = 0x0018
	AlgECDH         Alg = 0x0019
	AlgECDAA        Alg = 0x001A
	AlgSM2          Alg = 0x001B
	AlgECSchnorr    Alg = 0x001C
	AlgECMQV        Alg = 0x001D
	AlgKDF1SP80056A Alg = 0x0020
	AlgKDF2         Alg = 0x0021
	AlgKDF1SP800108 Alg = 0x0022
	AlgECC          Alg = 0x0023
	AlgSymCipher    Alg = 0x0025
	AlgCamellia     Alg = 0x0026
	AlgSHA3256      Alg = 0x0027
	AlgSHA3384      Alg = 0x0028
	AlgSHA3512      Alg = 0x0029
	AlgSHAKE128     Alg = 0x002A
	AlgSHAKE256     Alg = 0x002B
	AlgSHAKE256192  Alg = 0x002C
	AlgSHAKE256256  Alg = 0x002D
	AlgSHAKE256512  Alg = 0x002E
	AlgCMAC         Alg = 0x003F
	AlgCTR          Alg = 0x0040
	AlgOFB          Alg = 0x0041
	AlgCBC          Alg = 0x0042
	AlgCFB          Alg = 0x0043
	AlgECB          Alg = 0x0044
	AlgCCM          Alg = 0x0050
	AlgGCM          Alg = 0x0051
	AlgKW           Alg = 0x0052
	AlgKWP          Alg = 0x0053
	AlgEAX          Alg = 0x0054
	AlgEdDSA        Alg = 0x0060
	AlgEdDSAPH      Alg = 0x0061
	AlgLMS          Alg = 0x0070
	AlgXMSS         Alg = 0x0071
)

// String returns the registry's name, or the number of an unknown algorithm.
func (a Alg) String() string {
	switch a {
	case AlgError:
		return "TPM_ALG_ERROR"
	case AlgRSA:
		return "TPM_ALG_RSA"
	case AlgTDES:
		return "TPM_ALG_TDES"
	case AlgSHA1:
		return "TPM_ALG_SHA1"
	case AlgHMAC:
		return "TPM_ALG_HMAC"
	case AlgAES:
		return "TPM_ALG_AES"
	case AlgMGF1:
		return "TPM_ALG_MGF1"
	case AlgKeyedHash:
		return "TPM_ALG_KEYEDHASH"
	case AlgXOR:
		return "TPM_ALG_XOR"
	case AlgSHA256:
		return "TPM_ALG_SHA256"
	case AlgSHA384:
		return "TPM_ALG_SHA384"
	case AlgSHA512:
		return "TPM_ALG_SHA512"
	case AlgSHA256192:
		return "TPM_ALG_SHA256_192"
	case AlgNull:
		return "TPM_ALG_NULL"
	case AlgSM3256:
		return "TPM_ALG_SM3_256"
	case AlgSM4:
		return "TPM_ALG_SM4"
	case AlgRSASSA:
		return "TPM_ALG_RSASSA"
	case AlgRSAES:
		return "TPM_ALG_RSAES"
	case AlgRSAPSS:
		return "TPM_ALG_RSAPSS"
	case AlgOAEP:
		return "TPM_ALG_OAEP"
	case AlgECDSA:
		return "TPM_ALG_ECDSA"
	case AlgECDH:
		return "TPM_ALG_ECDH"
	case AlgECDAA:
		return "TPM_ALG_ECDAA"
	case AlgSM2:
		return "TPM_ALG_SM2"
	case AlgECSchnorr:
		return "TPM_ALG_ECSCHNORR"
	case AlgECMQV:
		return "TPM_ALG_ECMQV"
	case AlgKDF1SP80056A:
		return "TPM_ALG_KDF1_SP800_56A"
	case AlgKDF2:
		return "TPM_ALG_KDF2"
	case AlgKDF1SP800108:
		return "TPM_ALG_KDF1_SP800_108"
	case AlgECC:
		return "TPM_ALG_ECC"
	case AlgSymCipher:
		return "TPM_ALG_SYMCIPHER"
	case AlgCamellia:
		return "TPM_ALG_CAMELLIA"
	case AlgSHA3256:
		return "TPM_ALG_SHA3_256"
	case AlgSHA3384:
		return "TPM_ALG_SHA3_384"
	case AlgSHA3512:
		return "TPM_ALG_SHA3_512"
	case AlgSHAKE128:
		return "TPM_ALG_SHAKE128"
	case AlgSHAKE256:
		return "TPM_ALG_SHAKE256"
	case AlgSHAKE256192:
		return "TPM_ALG_SHAKE256_192"
	case AlgSHAKE256256:
		return "TPM_ALG_SHAKE256_256"
	case AlgSHAKE256512:
		return "TPM_ALG_SHAKE256_512"
	case AlgCMAC:
		return "TPM_ALG_CMAC"
	case AlgCTR:
		return "TPM_ALG_CTR"
	case AlgOFB:
		return "TPM_ALG_OFB"
	case AlgCBC:
		return "TPM_ALG_CBC"
	case AlgCFB:
		return "TPM_ALG_CFB"
	case AlgECB:
		return "TPM_ALG_ECB"
	case AlgCCM:
		return "TPM_ALG_CCM"
	case AlgGCM:
		return "TPM_ALG_GCM"
	case AlgKW:
		return "TPM_ALG_KW"
	case AlgKWP:
		return "TPM_ALG_KWP"
	case AlgEAX:
		return "TPM_ALG_EAX"
	case AlgEdDSA:
		return "TPM_ALG_EDDSA"
	case AlgEdDSAPH:
		return "TPM_ALG_EDDSA_PH"
	case AlgLMS:
		return "TPM_ALG_LMS"
	case AlgXMSS:
		return "TPM_ALG_XMSS"
	}
	return fmt.Sprintf("TPM_ALG_ID(0x%04X)", uint16(a))
}

// Read reads any algorithm identifier.
func (a *Alg) Read(r *Reader) { *a = Alg(r.U16()) }

// Write appends the identifier.
func (a Alg) Write(w *Writer) { w.U16(uint16(a)) }
