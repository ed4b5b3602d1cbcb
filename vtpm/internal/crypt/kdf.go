package crypt

import (
	"encoding/binary"
	"hash"
	"strings"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// Labels of the key derivations that this package makes itself (Part 1, "Use of
// labels"). Every label is hashed with its terminating zero.
const (
	labelIntegrity = "INTEGRITY"
	labelStorage   = "STORAGE"
	labelXOR       = "XOR"
)

// KDFa derives bits bits from key with the counter mode KDF of NIST SP 800-108
// over HMAC (Part 1, "KDFa()"). The result has ⌈bits/8⌉ bytes; bits that were
// not asked for are zero, at the left. It is nil if a is not a hash algorithm.
func KDFa(a wire.Alg, key []byte, label string, contextU, contextV []byte, bits int) []byte {
	return kdfa(a, key, label, contextU, contextV, bits, 1)
}

// kdfa is KDFa with a counter from first on.
func kdfa(a wire.Alg, key []byte, label string, contextU, contextV []byte, bits int, first uint32) []byte {
	mac := NewHMAC(a, key)
	if mac == nil {
		return nil
	}
	return expand(mac, bits, first, func(counter []byte) {
		mac.Write(counter)
		mac.Write(terminated(label))
		mac.Write(contextU)
		mac.Write(contextV)
		mac.Write(binary.BigEndian.AppendUint32(nil, uint32(bits)))
	})
}

// KDFe derives bits bits from the shared value z with the one-step KDF of NIST
// SP 800-56A (Part 1, "KDFe for ECDH"). partyU and partyV are the x coordinates
// of the two public points. The shape of the result is KDFa's.
func KDFe(a wire.Alg, z []byte, label string, partyU, partyV []byte, bits int) []byte {
	return KDF1SP80056A(a, z, terminated(label), partyU, partyV, bits)
}

// KDF1SP80056A is the scheme TPM_ALG_KDF1_SP800_56A: KDFe with the label as it
// is, for callers that bring their own terminator or none.
func KDF1SP80056A(a wire.Alg, z, label, partyU, partyV []byte, bits int) []byte {
	h := New(a)
	if h == nil {
		return nil
	}
	return expand(h, bits, 1, func(counter []byte) {
		h.Write(counter)
		h.Write(z)
		h.Write(label)
		h.Write(partyU)
		h.Write(partyV)
	})
}

// KDF2 is the scheme TPM_ALG_KDF2 (IEEE 1363a): n bytes of H(seed || counter)
// for a counter from 1.
func KDF2(a wire.Alg, seed []byte, n int) []byte {
	return seedCounter(a, seed, n, 1)
}

// MGF1 is the mask generation function of PKCS #1 (RFC 8017, appendix B.2.1): n
// bytes of H(seed || counter) for a counter from 0.
func MGF1(a wire.Alg, seed []byte, n int) []byte {
	return seedCounter(a, seed, n, 0)
}

func seedCounter(a wire.Alg, seed []byte, n int, first uint32) []byte {
	h := New(a)
	if h == nil {
		return nil
	}
	return expand(h, 8*n, first, func(counter []byte) {
		h.Write(seed)
		h.Write(counter)
	})
}

// expand concatenates digests of h, each over what write puts into it for the
// next counter, until there are bits bits, and masks the bits that are too many
// in the first byte.
func expand(h hash.Hash, bits int, first uint32, write func(counter []byte)) []byte {
	n := (bits + 7) / 8
	out := make([]byte, 0, n+h.Size())
	for counter := first; len(out) < n; counter++ {
		h.Reset()
		write(binary.BigEndian.AppendUint32(nil, counter))
		out = h.Sum(out)
	}
	clear(out[n:])
	out = out[:n:n]
	if extra := bits % 8; extra != 0 {
		out[0] &= 1<<extra - 1
	}
	return out
}

// terminated returns label with a terminating zero. A label that ends in one
// already, as a derived object's own label may, does not get a second.
func terminated(label string) []byte {
	if strings.HasSuffix(label, "\x00") {
		return []byte(label)
	}
	return append([]byte(label), 0)
}
