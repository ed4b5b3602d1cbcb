package luks

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/pcr"
)

// ESYSKind is what an [ESYSObject] is.
type ESYSKind uint32

// The kinds with a public area (tpm2-tss, src/tss2-esys/esys_types.h, IESYSC_*_RSRC).
const (
	ESYSKey ESYSKind = 1
	ESYSNV  ESYSKind = 2
)

func (k ESYSKind) String() string {
	switch k {
	case ESYSKey:
		return "key"
	case ESYSNV:
		return "NV index"
	}
	return fmt.Sprintf("resource of type %d", uint32(k))
}

// ESYSObject is a TPM object that can be reached again by its handle, and that is
// known again by its Name: what Esys_TR_Serialize of tpm2-tss writes.
type ESYSObject struct {
	Kind   ESYSKind
	Handle uint32 // 0x81000001 for the SRK
	Name   []byte // the algorithm's number in two bytes, and the digest
	// Public is a TPMT_PUBLIC or a TPMS_NV_PUBLIC.
	Public []byte
}

// ParseESYS reads a serialized object. A key's Name must be its public area's; an
// NV index's depends on attributes that change, and is not compared.
func ParseESYS(b []byte) (*ESYSObject, error) {
	r := &parts{rest: b}
	e := &ESYSObject{Handle: r.uint32("handle"), Name: r.sized("Name"), Kind: ESYSKind(r.uint32("type"))}
	if r.err == nil && e.Kind != ESYSKey && e.Kind != ESYSNV {
		return nil, fmt.Errorf("type %d: want 1 (a key) or 2 (an NV index)", uint32(e.Kind))
	}
	e.Public = r.sized("public area")
	if err := r.done(); err != nil {
		return nil, err
	}
	return e, e.check()
}

func (e *ESYSObject) check() error {
	if err := checkName(e.Name); err != nil {
		return err
	}
	bank := pcr.Bank(binary.BigEndian.Uint16(e.Name))
	if e.Kind == ESYSKey && !bank.Sum(e.Public).Equal(e.Name[2:]) {
		return errors.New("the Name is not that of the public area")
	}
	return nil
}

// Bytes returns the serialized object.
func (e *ESYSObject) Bytes() []byte {
	b := binary.BigEndian.AppendUint32(nil, e.Handle)
	b = appendSized(b, e.Name)
	b = binary.BigEndian.AppendUint32(b, uint32(e.Kind))
	return appendSized(b, e.Public)
}
