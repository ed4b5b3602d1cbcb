package wire

import "fmt"

// ECCCurve is a TPM_ECC_CURVE (TCG Algorithm Registry, "ECC Curve ID Values").
type ECCCurve uint16

// Curves, with the registry's values. Limits says which of them exist.
const (
	CurveNone     ECCCurve = 0x0000
	CurveNISTP192 ECCCurve = 0x0001
	CurveNISTP224 ECCCurve = 0x0002
	CurveNISTP256 ECCCurve = 0x0003
	CurveNISTP384 ECCCurve = 0x0004
	CurveNISTP521 ECCCurve = 0x0005
	CurveBNP256   ECCCurve = 0x0010
	CurveBNP638   ECCCurve = 0x0011
	CurveSM2P256  ECCCurve = 0x0020
	CurveBPP256R1 ECCCurve = 0x0030
	CurveBPP384R1 ECCCurve = 0x0031
	CurveBPP512R1 ECCCurve = 0x0032
	Curve25519    ECCCurve = 0x0040
	Curve448      ECCCurve = 0x0041
)

// String returns the registry's name, or the number of an unknown curve.
func (c ECCCurve) String() string {
	switch c {
	case CurveNone:
		return "TPM_ECC_NONE"
	case CurveNISTP192:
		return "TPM_ECC_NIST_P192"
	case CurveNISTP224:
		return "TPM_ECC_NIST_P224"
	case CurveNISTP256:
		return "TPM_ECC_NIST_P256"
	case CurveNISTP384:
		return "TPM_ECC_NIST_P384"
	case CurveNISTP521:
		return "TPM_ECC_NIST_P521"
	case CurveBNP256:
		return "TPM_ECC_BN_P256"
	case CurveBNP638:
		return "TPM_ECC_BN_P638"
	case CurveSM2P256:
		return "TPM_ECC_SM2_P256"
	case CurveBPP256R1:
		return "TPM_ECC_BP_P256_R1"
	case CurveBPP384R1:
		return "TPM_ECC_BP_P384_R1"
	case CurveBPP512R1:
		return "TPM_ECC_BP_P512_R1"
	case Curve25519:
		return "TPM_ECC_CURVE_25519"
	case Curve448:
		return "TPM_ECC_CURVE_448"
	}
	return fmt.Sprintf("TPM_ECC_CURVE(0x%04X)", uint16(c))
}

// Bytes returns the size of a coordinate in bytes, or 0 for an unknown curve.
func (c ECCCurve) Bytes() int {
	switch c {
	case CurveNISTP192:
		return 24
	case CurveNISTP224:
		return 28
	case CurveNISTP256, CurveBNP256, CurveSM2P256, CurveBPP256R1, Curve25519:
		return 32
	case CurveNISTP384, CurveBPP384R1:
		return 48
	case Curve448:
		return 56
	case CurveBPP512R1:
		return 64
	case CurveNISTP521:
		return 66
	case CurveBNP638:
		return 80
	}
	return 0
}

// Read reads the identifier of an implemented curve or TPM_ECC_NONE;
// TPM_RC_CURVE otherwise.
func (c *ECCCurve) Read(r *Reader) { *c = r.curve(true) }

// Write appends the identifier.
func (c ECCCurve) Write(w *Writer) { w.U16(uint16(c)) }
