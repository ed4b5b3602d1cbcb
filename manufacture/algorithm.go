package manufacture

import (
	"fmt"
	"strings"

	"github.com/google/go-tpm/tpm2"
)

// Algorithm is an algorithm of an asymmetric key with its size, by the name that swtpm_setup
// gives the certificate's file.
type Algorithm string

// The algorithms.
const (
	RSA2048 Algorithm = "rsa2048"
	RSA3072 Algorithm = "rsa3072"
	RSA4096 Algorithm = "rsa4096"
	P256    Algorithm = "secp256r1"
	P384    Algorithm = "secp384r1"
	P521    Algorithm = "secp521r1"
)

// Algorithms returns all of them, RSA first, in the order of their size.
func Algorithms() []Algorithm { return []Algorithm{RSA2048, RSA3072, RSA4096, P256, P384, P521} }

// ParseAlgorithm reads a name, or an alias that swtpm_setup has for it: ecc_nist_p384 is
// secp384r1.
func ParseAlgorithm(name string) (Algorithm, error) {
	lower := strings.ToLower(name)
	for _, a := range Algorithms() {
		if lower == string(a) || lower == a.alias() {
			return a, nil
		}
	}
	return "", fmt.Errorf("there is no key algorithm %q: it is rsa2048, rsa3072, rsa4096, secp256r1, secp384r1 or secp521r1", name)
}

func (a Algorithm) alias() string {
	switch a {
	case P256:
		return "ecc_nist_p256"
	case P384:
		return "ecc_nist_p384"
	case P521:
		return "ecc_nist_p521"
	}
	return string(a)
}

// rsaBits returns the size of the modulus in bits; 0 for elliptic curves.
func (a Algorithm) rsaBits() int {
	switch a {
	case RSA2048:
		return 2048
	case RSA3072:
		return 3072
	case RSA4096:
		return 4096
	}
	return 0
}

// curve returns the curve, and the size of a coordinate in bytes; 0 for RSA.
func (a Algorithm) curve() (tpm2.TPMECCCurve, int) {
	switch a {
	case P256:
		return tpm2.TPMECCNistP256, 32
	case P384:
		return tpm2.TPMECCNistP384, 48
	case P521:
		return tpm2.TPMECCNistP521, 66
	}
	return 0, 0
}

// known reports whether there is such an algorithm.
func (a Algorithm) known() bool {
	_, coordinate := a.curve()
	return a.rsaBits() != 0 || coordinate != 0
}

// strength returns the hash and the AES key size in bits that go with the algorithm
// (EK Credential Profile, "EK Templates").
func (a Algorithm) strength() (hash tpm2.TPMAlgID, aesBits int) {
	switch a {
	case RSA2048, P256:
		return tpm2.TPMAlgSHA256, 128
	case P521:
		return tpm2.TPMAlgSHA512, 256
	}
	return tpm2.TPMAlgSHA384, 256
}
