package command

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"math/big"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// The DER structures of TPM2_CertifyX509 (RFC 5280; Part 3, "TPM2_CertifyX509").

// partialCertificate is what the caller gives of a TBSCertificate, each field with
// its tag and length.
type partialCertificate struct {
	signature                 []byte // AlgorithmIdentifier; nil: the TPM adds it
	issuer, validity, subject []byte
	extensions                []byte
}

// X.509's tag of the extensions in a TBSCertificate.
const tagExtensions = 3

// readPartialCertificate takes the fields apart. Errors: TPM_RC_SIZE for what is not
// one SEQUENCE, TPM_RC_VALUE for other fields than those.
func readPartialCertificate(der []byte) (*partialCertificate, error) {
	if len(der) == 0 {
		return nil, wire.RCValue
	}
	outer, rest, ok := nextElement(der)
	if !ok || !isSequence(outer) || len(rest) != 0 {
		return nil, wire.RCSize
	}
	p := new(partialCertificate)
	var sequences [][]byte
	for rest = outer.Bytes; len(rest) != 0; {
		var e asn1.RawValue
		if e, rest, ok = nextElement(rest); !ok {
			return nil, wire.RCValue
		}
		switch {
		case isSequence(e):
			sequences = append(sequences, e.FullBytes)
		case e.Class == asn1.ClassContextSpecific && e.Tag == tagExtensions && e.IsCompound && p.extensions == nil:
			p.extensions = e.FullBytes
		default:
			return nil, wire.RCValue
		}
	}
	if n := len(sequences); p.extensions == nil || n < 3 || n > 4 {
		return nil, wire.RCValue
	} else if n == 4 {
		p.signature, sequences = sequences[0], sequences[1:]
	}
	p.issuer, p.validity, p.subject = sequences[0], sequences[1], sequences[2]
	return p, nil
}

func nextElement(der []byte) (e asn1.RawValue, rest []byte, ok bool) {
	rest, err := asn1.Unmarshal(der, &e)
	return e, rest, err == nil
}

func isSequence(e asn1.RawValue) bool {
	return e.Class == asn1.ClassUniversal && e.Tag == asn1.TagSequence && e.IsCompound
}

// The extensions that say what the key is for.
var (
	oidKeyUsage   = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidTPMAObject = asn1.ObjectIdentifier{2, 23, 133, 10, 1, 1, 1} // TCG's
)

// TPMA_X509_KEY_USAGE: the bits of a KeyUsage from the left.
const (
	usageDigitalSignature = 1 << (31 - iota)
	usageNonrepudiation
	usageKeyEncipherment
	usageDataEncipherment
	usageKeyAgreement
	usageKeyCertSign
	usageCRLSign
	usageEncipherOnly
	usageDecipherOnly

	usageSign    = usageDigitalSignature | usageKeyCertSign | usageCRLSign
	usageDecrypt = usageKeyEncipherment | usageDataEncipherment | usageKeyAgreement | usageEncipherOnly | usageDecipherOnly
	usageAll     = usageSign | usageDecrypt | usageNonrepudiation
)

// checkExtensions checks that what the extensions say of a key is true of its
// attributes. Errors: TPM_RC_ATTRIBUTES, TPM_RC_RESERVED_BITS, TPM_RC_VALUE.
func checkExtensions(extensions []byte, a wire.TPMAObject) error {
	var list []pkix.Extension
	e, _, _ := nextElement(extensions)
	if rest, err := asn1.Unmarshal(e.Bytes, &list); err != nil || len(rest) != 0 {
		return wire.RCValue
	}
	attributes, has, ok := extensionBits(list, oidTPMAObject)
	if !ok {
		return wire.RCValue
	}
	if has && attributes != uint32(a) {
		return wire.RCAttributes
	}
	usage, has, ok := extensionBits(list, oidKeyUsage)
	switch {
	case !ok || !has:
		return wire.RCValue
	case usage&^usageAll != 0:
		return wire.RCReservedBits
	case usage&usageSign != 0 && !a.Has(wire.ObjSign),
		usage&usageDecrypt != 0 && !a.Has(wire.ObjDecrypt),
		usage&usageNonrepudiation != 0 && !a.Has(wire.ObjFixedTPM),
		usage&usageKeyEncipherment != 0 && !a.Has(wire.ObjRestricted):
		return wire.RCValue
	}
	return nil
}

// extensionBits returns the BIT STRING of an extension, the first bit of 32 on the
// left, and whether the extension is there; ok is false when it holds something else.
func extensionBits(list []pkix.Extension, id asn1.ObjectIdentifier) (bits uint32, has, ok bool) {
	for _, e := range list {
		if !e.Id.Equal(id) {
			continue
		}
		var b asn1.BitString
		rest, err := asn1.Unmarshal(e.Value, &b)
		if err != nil || len(rest) != 0 || b.BitLength > 32 {
			return 0, true, false
		}
		var word [4]byte
		copy(word[:], b.Bytes)
		return binary.BigEndian.Uint32(word[:]), true, true
	}
	return 0, false, true
}

// subjectPublicKeyInfo returns the public key as a certificate has it, or nil for a
// key that certificates have no form for.
func subjectPublicKeyInfo(pub *wire.TPMTPublic) []byte {
	var algorithm pkix.AlgorithmIdentifier
	var key []byte
	switch pub.Type {
	case wire.AlgRSA:
		exponent := pub.Parameters.RSA.Exponent
		if exponent == 0 {
			exponent = 65537
		}
		algorithm = pkix.AlgorithmIdentifier{Algorithm: pkcs1(1), Parameters: asn1.NullRawValue}
		key = der(struct {
			N *big.Int
			E int64
		}{new(big.Int).SetBytes(pub.Unique.RSA), int64(exponent)})
	case wire.AlgECC:
		curve, ok := oidOfCurve[pub.Parameters.ECC.CurveID]
		if !ok {
			return nil
		}
		algorithm = pkix.AlgorithmIdentifier{
			Algorithm:  asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1},
			Parameters: asn1.RawValue{FullBytes: der(curve)},
		}
		key = bytes.Join([][]byte{{4}, pub.Unique.ECC.X, pub.Unique.ECC.Y}, nil)
	default:
		return nil
	}
	return der(struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}{algorithm, asn1.BitString{Bytes: key, BitLength: 8 * len(key)}})
}

// oidOfCurve are the named curves of RFC 5480.
var oidOfCurve = map[wire.ECCCurve]asn1.ObjectIdentifier{
	wire.CurveNISTP192: {1, 2, 840, 10045, 3, 1, 1},
	wire.CurveNISTP224: {1, 3, 132, 0, 33},
	wire.CurveNISTP256: {1, 2, 840, 10045, 3, 1, 7},
	wire.CurveNISTP384: {1, 3, 132, 0, 34},
	wire.CurveNISTP521: {1, 3, 132, 0, 35},
}

// signatureOIDs are the identifiers that go with a hash algorithm: its own, and
// those of RSASSA and ECDSA with it (RFC 8017, RFC 5758; NIST's for SHA-3).
type signatureOIDs struct {
	hash, rsassa, ecdsa asn1.ObjectIdentifier
}

var oidsOfHash = map[wire.Alg]signatureOIDs{
	wire.AlgSHA1:    {asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}, pkcs1(5), ecdsaWith(1)},
	wire.AlgSHA256:  {nist(2, 1), pkcs1(11), ecdsaWith(3, 2)},
	wire.AlgSHA384:  {nist(2, 2), pkcs1(12), ecdsaWith(3, 3)},
	wire.AlgSHA512:  {nist(2, 3), pkcs1(13), ecdsaWith(3, 4)},
	wire.AlgSHA3256: {nist(2, 8), nist(3, 14), nist(3, 10)},
	wire.AlgSHA3384: {nist(2, 9), nist(3, 15), nist(3, 11)},
	wire.AlgSHA3512: {nist(2, 10), nist(3, 16), nist(3, 12)},
}

// pkcs1 returns an identifier of PKCS #1.
func pkcs1(n int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, n} }

// ecdsaWith returns the identifier of ECDSA with a hash algorithm.
func ecdsaWith(n ...int) asn1.ObjectIdentifier {
	return append(asn1.ObjectIdentifier{1, 2, 840, 10045, 4}, n...)
}

// nist returns an identifier of NIST's: arc 2 are hash algorithms, 3 signatures.
func nist(arc, n int) asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, arc, n}
}

// signatureAlgorithm returns the AlgorithmIdentifier of a signature by a key, or nil
// for a scheme that has none. modulus is the bytes of an RSA key's.
func signatureAlgorithm(scheme wire.TPMTSigScheme, modulus int) []byte {
	oids, ok := oidsOfHash[scheme.HashAlg]
	if !ok {
		return nil
	}
	switch scheme.Scheme {
	case wire.AlgECDSA:
		return der(pkix.AlgorithmIdentifier{Algorithm: oids.ecdsa})
	case wire.AlgRSASSA:
		return der(pkix.AlgorithmIdentifier{Algorithm: oids.rsassa, Parameters: asn1.NullRawValue})
	case wire.AlgRSAPSS:
		return der(pkix.AlgorithmIdentifier{
			Algorithm:  pkcs1(10),
			Parameters: asn1.RawValue{FullBytes: pssParameters(scheme.HashAlg, oids.hash, modulus)},
		})
	}
	return nil
}

// pssParameters returns RSASSA-PSS-params (RFC 8017, A.2.3). DER leaves out what has
// its default value: everything for SHA-1.
func pssParameters(alg wire.Alg, oid asn1.ObjectIdentifier, modulus int) []byte {
	type parameters struct {
		Hash pkix.AlgorithmIdentifier `asn1:"explicit,optional,tag:0"`
		MGF  pkix.AlgorithmIdentifier `asn1:"explicit,optional,tag:1"`
		Salt int                      `asn1:"explicit,optional,default:20,tag:2"`
	}
	p := parameters{Salt: crypt.PSSSaltSize(crypt.Size(alg), modulus)}
	if alg != wire.AlgSHA1 {
		p.Hash = pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: asn1.NullRawValue}
		p.MGF = pkix.AlgorithmIdentifier{
			Algorithm:  pkcs1(8),
			Parameters: asn1.RawValue{FullBytes: der(p.Hash)},
		}
	}
	return der(p)
}

// derSequence returns a SEQUENCE of encoded elements.
func derSequence(elements ...[]byte) []byte {
	return der(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: bytes.Join(elements, nil)})
}

// der encodes a value of this package's own types, which cannot fail.
func der(v any) []byte {
	b, err := asn1.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
