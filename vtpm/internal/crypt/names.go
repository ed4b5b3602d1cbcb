package crypt

import (
	"encoding/binary"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// ObjectName returns the Name of an object: nameAlg || H(TPMT_PUBLIC) (Part 1,
// "Names"). It is nil when nameAlg is TPM_ALG_NULL: such an object has no Name.
func ObjectName(pub *wire.TPMTPublic) []byte {
	return hashName(pub.NameAlg, wire.Marshal(*pub))
}

// NVName returns the Name of an NV index: nameAlg || H(TPMS_NV_PUBLIC) (Part 1,
// "Names"). It changes with the attributes, TPMA_NV_WRITTEN among them.
func NVName(pub *wire.TPMSNVPublic) []byte {
	return hashName(pub.NameAlg, wire.Marshal(*pub))
}

// QualifiedName returns the Qualified Name of an object with the given Name:
// nameAlg || H(QN of the parent || Name) (Part 1, "Qualified Name"). The parent
// of a primary object is its hierarchy, whose Qualified Name is its handle. It
// is nil when nameAlg is TPM_ALG_NULL.
func QualifiedName(parentQN, name []byte, nameAlg wire.Alg) []byte {
	return hashName(nameAlg, parentQN, name)
}

// HandleName returns the Name of an entity that is known by its handle alone: a
// PCR, a session, a permanent handle (Part 1, "Names").
func HandleName(h wire.Handle) []byte {
	return binary.BigEndian.AppendUint32(nil, uint32(h))
}

func hashName(a wire.Alg, parts ...[]byte) []byte {
	digest := Digest(a, parts...)
	if digest == nil {
		return nil
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(a)), digest...)
}
