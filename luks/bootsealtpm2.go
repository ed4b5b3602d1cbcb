package luks

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/bootseal/bootseal/pcr"
)

const typeBootsealTPM2 = "bootseal-tpm2"

// bootsealTPM2Version is the version of [BootsealTPM2]'s encoding.
const bootsealTPM2Version = 1

// BootsealTPM2 is a passphrase that a TPM keeps under a policy which no systemd knows: one
// with a rollback guard. As a systemd-tpm2 token it would be tried, in vain, at each boot,
// and systemd-cryptsetup would go on to ask for a PIN or give up; programs leave
// tokens alone whose type they do not know. docs/luks.md has an example.
//
// As with [SystemdTPM2] the keyslot's passphrase is the base64 of what the TPM unseals, see
// [Passphrase], and the values of the PCRs are not in the token.
type BootsealTPM2 struct {
	Keyslots []int
	Object   Blob // of two parts
	PCRs     pcr.Selection
	Bank     pcr.Bank
	Parent   TPM2Parent
	Guard    *TPM2Guard // nil without one
	// PubkeyPCRs and Pubkey are those of a signed policy; Pubkey is PEM.
	PubkeyPCRs pcr.Selection
	Pubkey     []byte
	PIN        bool
	Salt       []byte // what the PIN is stretched with; empty if it is not
}

// TPM2Parent is the storage key that the object is sealed under.
type TPM2Parent struct {
	Handle   uint32 // persistent; 0 with a template
	Template string // "systemd-ecc-sha256": a primary key that is made each time
	Name     []byte // the algorithm's number in two bytes, and the digest
}

// TPM2Guard is an NV counter that must not have moved beyond a value.
type TPM2Guard struct {
	Index uint32
	Name  []byte // of the NV index, written
	Value uint64
}

func (t *BootsealTPM2) Type() string { return typeBootsealTPM2 }
func (t *BootsealTPM2) Slots() []int { return t.Keyslots }

// PolicyHash is the object's authPolicy, 32 bytes: its public area says it (Part 2,
// "TPMT_PUBLIC": type, nameAlg, objectAttributes, then authPolicy). It is nil where Check
// fails.
func (t *BootsealTPM2) PolicyHash() pcr.Digest {
	const keyedHash, at = 0x0008, 2 + 2 + 4
	b := t.Object.Public
	size := pcr.SHA256.Size()
	if len(b) < at+2+size || binary.BigEndian.Uint16(b) != keyedHash || binary.BigEndian.Uint16(b[2:]) != uint16(pcr.SHA256) ||
		int(binary.BigEndian.Uint16(b[at:])) != size {
		return nil
	}
	return b[at+2 : at+2+size]
}

// guardJSON is a TPM2Guard. The value is a string as LUKS2's other numbers of 64 bits are,
// because cryptsetup, which writes the header again, has signed ones.
type guardJSON struct {
	Index string `json:"index"`
	Name  []byte `json:"name"`
	Value string `json:"value"`
}

type parentJSON struct {
	Handle   string `json:"handle,omitempty"`
	Template string `json:"template,omitempty"`
	Name     []byte `json:"name"`
}

func parseBootsealTPM2(o *object, slots []int) (*BootsealTPM2, error) {
	t := &BootsealTPM2{Keyslots: slots}
	var version int
	o.need("version", &version)
	if o.err == nil && version != bootsealTPM2Version {
		o.fail("version", fmt.Errorf("%d: want %d; a newer bootseal wrote it", version, bootsealTPM2Version))
	}
	var err error
	if blob := o.bytes("blob"); o.err == nil {
		t.Object, err = ParseBlob(blob)
		o.fail("blob", err)
	}
	var bank string
	o.need("bank", &bank)
	if o.err == nil {
		t.Bank, err = pcr.ParseBank(bank)
		o.fail("bank", err)
	}
	if raw := o.must("pcrs"); raw != nil {
		t.PCRs = selection(o, "pcrs", raw)
	}
	if raw := o.must("parent"); raw != nil {
		o.fail("parent", t.Parent.parse(raw))
	}
	if raw := o.take("guard"); raw != nil {
		t.Guard = new(TPM2Guard)
		o.fail("guard", t.Guard.parse(raw))
	}
	if raw := o.take("pubkey_pcrs"); raw != nil {
		t.PubkeyPCRs = selection(o, "pubkey_pcrs", raw)
	}
	t.Pubkey = o.bytes("pubkey")
	o.read("pin", &t.PIN)
	t.Salt = o.bytes("salt")
	o.nothingElse()
	if o.err != nil {
		return nil, o.err
	}
	return t, t.Check()
}

func (p *TPM2Parent) parse(raw []byte) error {
	o, err := parseObject(raw)
	if err != nil {
		return err
	}
	var handle string
	if o.read("handle", &handle) {
		p.Handle, err = parseHandle(handle)
		o.fail("handle", err)
	}
	o.read("template", &p.Template)
	p.Name = o.bytes("name")
	o.nothingElse()
	return o.err
}

func (g *TPM2Guard) parse(raw []byte) error {
	o, err := parseObject(raw)
	if err != nil {
		return err
	}
	var index, value string
	o.need("index", &index)
	o.need("value", &value)
	g.Name = o.bytes("name")
	o.nothingElse()
	if o.err != nil {
		return o.err
	}
	g.Index, err = parseHandle(index)
	o.fail("index", err)
	g.Value, err = strconv.ParseUint(value, 10, 64)
	if err == nil && strconv.FormatUint(g.Value, 10) != value {
		err = fmt.Errorf("%q is no number as it is written here", value)
	}
	o.fail("value", err)
	return o.err
}

// parseHandle reads a handle in the form that is written, "0x81000001".
func parseHandle(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 0, 32)
	if err != nil || handleText(uint32(n)) != text {
		return 0, fmt.Errorf("%q is no handle like 0x81000001", text)
	}
	return uint32(n), nil
}

func handleText(h uint32) string { return fmt.Sprintf("0x%08x", h) }

// Check reports what is wrong with the token's fields, as far as that can be seen without a
// TPM.
func (t *BootsealTPM2) Check() error {
	for _, rule := range []struct {
		broken     bool
		field, why string
	}{
		{len(t.Object.Private) == 0 || t.PolicyHash() == nil, "blob", "no sealed object with a policy"},
		{t.Object.Seed != nil, "blob", "an object that has to be imported"},
		{t.Bank.Size() == 0, "bank", "the size of its digests is not known"},
		{(t.Parent.Handle == 0) == (t.Parent.Template == ""), "parent", "want a handle or a template"},
		{len(t.Parent.Template) > maxLabel || !printable(t.Parent.Template), "parent", "the template's name cannot be one"},
		{t.Parent.Handle != 0 && t.Parent.Handle>>24 != 0x81, "parent", "the handle is not that of a key that stays"},
		{checkName(t.Parent.Name) != nil, "parent", "it has no Name"},
		{t.Guard != nil && (t.Guard.Index>>24 != 0x01 || checkName(t.Guard.Name) != nil), "guard", "no NV index with a Name"},
		{len(t.Pubkey) == 0 && t.PubkeyPCRs != 0, "pubkey_pcrs", "PCRs of a public key that is missing"},
		{len(t.Pubkey) > 0 && t.PubkeyPCRs == 0, "pubkey", "a public key without PCRs"},
		{len(t.Salt) > 0 && !t.PIN, "salt", "a salt without a PIN"},
	} {
		if rule.broken {
			return fmt.Errorf("field %q: %s", rule.field, rule.why)
		}
	}
	return nil
}

// MarshalJSON writes the token.
func (t *BootsealTPM2) MarshalJSON() ([]byte, error) {
	if err := t.Check(); err != nil {
		return nil, fmt.Errorf("token (%s): %w", typeBootsealTPM2, err)
	}
	w := begin(t, nil)
	w.add("version", bootsealTPM2Version)
	w.add("blob", t.Object.Bytes())
	w.add("pcrs", indexes(t.PCRs))
	w.add("bank", t.Bank.String())
	parent := parentJSON{Template: t.Parent.Template, Name: t.Parent.Name}
	if t.Parent.Handle != 0 {
		parent.Handle = handleText(t.Parent.Handle)
	}
	w.add("parent", parent)
	if g := t.Guard; g != nil {
		w.add("guard", guardJSON{Index: handleText(g.Index), Name: g.Name, Value: strconv.FormatUint(g.Value, 10)})
	}
	if len(t.Pubkey) > 0 {
		w.add("pubkey_pcrs", indexes(t.PubkeyPCRs))
		w.add("pubkey", t.Pubkey)
	}
	if t.PIN {
		w.add("pin", true)
	}
	if len(t.Salt) > 0 {
		w.add("salt", t.Salt)
	}
	return w.done()
}

// checkName reports whether a TPM's Name is an algorithm's number and a digest of it.
func checkName(name []byte) error {
	if len(name) < 2 {
		return errors.New("the Name is missing")
	}
	bank := pcr.Bank(binary.BigEndian.Uint16(name))
	if !bank.Available() || len(name) != 2+bank.Size() {
		return fmt.Errorf("the Name is %d bytes of algorithm %s, which is no digest", len(name)-2, bank)
	}
	return nil
}
