package pcr

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"fmt"
	"hash"
	"strconv"
	"strings"
)

// Bank is a hash algorithm that has PCRs of its own. Its number is the
// TPM_ALG_ID (TCG Algorithm Registry). Every 16-bit number is a valid Bank:
// event logs carry banks that this package cannot compute, see [Bank.Available].
type Bank uint16

// The banks with a name.
const (
	SHA1    Bank = 0x0004 // TPM_ALG_SHA1, 20 bytes
	SHA256  Bank = 0x000B // TPM_ALG_SHA256, 32 bytes
	SHA384  Bank = 0x000C // TPM_ALG_SHA384, 48 bytes
	SHA512  Bank = 0x000D // TPM_ALG_SHA512, 64 bytes
	SM3     Bank = 0x0012 // TPM_ALG_SM3_256, 32 bytes; named but not computed
	SHA3256 Bank = 0x0027 // TPM_ALG_SHA3_256, 32 bytes
	SHA3384 Bank = 0x0028 // TPM_ALG_SHA3_384, 48 bytes
	SHA3512 Bank = 0x0029 // TPM_ALG_SHA3_512, 64 bytes
)

// Banks returns the banks that PC Client TPMs have in practice, in the order
// of their algorithm numbers: SHA-1, SHA-256, SHA-384, SHA-512.
func Banks() []Bank { return []Bank{SHA1, SHA256, SHA384, SHA512} }

// Bank's methods are switches rather than a table so that the package keeps no
// state that could be changed.

// name returns the lower-case name that tpm2-tools and Linux print, or "".
func (b Bank) name() string {
	switch b {
	case SHA1:
		return "sha1"
	case SHA256:
		return "sha256"
	case SHA384:
		return "sha384"
	case SHA512:
		return "sha512"
	case SM3:
		return "sm3_256"
	case SHA3256:
		return "sha3_256"
	case SHA3384:
		return "sha3_384"
	case SHA3512:
		return "sha3_512"
	}
	return ""
}

// Size returns the bank's digest size in bytes, or 0 for a bank without a name.
func (b Bank) Size() int {
	switch b {
	case SHA1:
		return 20
	case SHA256, SM3, SHA3256:
		return 32
	case SHA384, SHA3384:
		return 48
	case SHA512, SHA3512:
		return 64
	}
	return 0
}

// Available reports whether New can compute the bank's hash.
func (b Bank) Available() bool { return b.Size() != 0 && b != SM3 }

// New returns a hash of the bank's algorithm. It panics for a bank that is not
// [Bank.Available].
func (b Bank) New() hash.Hash {
	switch b {
	case SHA1:
		return sha1.New()
	case SHA256:
		return sha256.New()
	case SHA384:
		return sha512.New384()
	case SHA512:
		return sha512.New()
	case SHA3256:
		return sha3.New256()
	case SHA3384:
		return sha3.New384()
	case SHA3512:
		return sha3.New512()
	}
	panic("pcr: no hash for bank " + b.String())
}

// Sum returns the bank's digest of the concatenation of parts. It panics for a
// bank that is not [Bank.Available].
func (b Bank) Sum(parts ...[]byte) Digest {
	h := b.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// ParseBank returns the bank of a name as [Bank.String] prints it, in any case
// and with or without a hyphen ("sha256", "SHA-256"). A number in the form
// "0x000b" names any algorithm.
func ParseBank(s string) (Bank, error) {
	low := strings.ToLower(s)
	plain := strings.ReplaceAll(low, "-", "")
	for _, b := range []Bank{SHA1, SHA256, SHA384, SHA512, SM3, SHA3256, SHA3384, SHA3512} {
		if low == b.name() || plain == b.name() {
			return b, nil
		}
	}
	if hex, ok := strings.CutPrefix(low, "0x"); ok && len(hex) == 4 {
		if n, err := strconv.ParseUint(hex, 16, 16); err == nil {
			return Bank(n), nil
		}
	}
	return 0, fmt.Errorf("unknown PCR bank %q: want sha1, sha256, sha384 or sha512", s)
}

// String returns the bank's name ("sha256"), or its number ("0x0013") where it
// has none.
func (b Bank) String() string {
	if n := b.name(); n != "" {
		return n
	}
	return fmt.Sprintf("0x%04x", uint16(b))
}

// MarshalText writes the bank as [Bank.String] does, also as a JSON object's key.
func (b Bank) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText reads what [ParseBank] reads.
func (b *Bank) UnmarshalText(text []byte) error {
	v, err := ParseBank(string(text))
	if err != nil {
		return err
	}
	*b = v
	return nil
}
