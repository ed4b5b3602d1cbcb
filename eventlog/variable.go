package eventlog

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// Variable is a UEFI variable (UEFI_VARIABLE_DATA) or, in an
// EV_EFI_VARIABLE_AUTHORITY event, the entry of one that decided something: the
// certificate in db that a program's signature was accepted for.
type Variable struct {
	Vendor    GUID   `json:"vendor"`
	Name      string `json:"name"`
	Size      int    `json:"size"` // of the data, bytes
	Authority bool   `json:"authority,omitempty"`

	// One of these is set where the data has a known form.
	On         *bool       `json:"on,omitempty"`         // SecureBoot, AuditMode, DeployedMode
	Signatures []Signature `json:"signatures,omitempty"` // PK, KEK, db, dbx, an authority
	BootOrder  []string    `json:"bootOrder,omitempty"`  // "Boot0000", ...
	BootOption *BootOption `json:"bootOption,omitempty"` // Boot####
	Text       string      `json:"text,omitempty"`       // SbatLevel

	data []byte
}

// Kind returns "variable".
func (Variable) Kind() string { return "variable" }

// Data returns the variable's contents.
func (v Variable) Data() []byte { return v.data }

func decodeVariable(e *Event) Body {
	c := cursor{buf: e.Data}
	v := Variable{Vendor: c.guid(), Authority: e.Type == EFIVariableAuthority}
	chars, size := c.u64(), c.u64()
	if chars > uint64(len(e.Data)) { // twice the number must not overflow
		return malformed(e, "the name is longer than the event")
	}
	name, ok := decodeUTF16(c.bytes(2 * chars))
	v.data = c.bytes(size)
	if c.short || !ok {
		return malformed(e, "not a GUID, a name and data")
	}
	if rest := c.rest(); !v.Authority && len(rest) != 0 || v.Authority && !isShimPadding(rest) {
		return malformed(e, fmt.Sprintf("%d bytes after the data", len(rest)))
	}
	v.Name, v.Size = name, len(v.data)
	v.interpret()
	return v
}

// shimPadding is the number of zero bytes that shim before 15.2 hashed after the
// structure, because it took the structure's unpacked size.
const shimPadding = 5

// isShimPadding reports whether b is what that shim logged after the structure:
// nothing, or the padding and perhaps one byte more, which was never set and is
// not hashed.
func isShimPadding(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	return (len(b) == shimPadding || len(b) == shimPadding+1) && string(b[:shimPadding]) == "\x00\x00\x00\x00\x00"
}

// structure returns the encoding of v without what follows its data in e.
func (v Variable) structure(e *Event) []byte {
	c := cursor{buf: e.Data}
	c.guid()
	chars, size := c.u64(), c.u64()
	return e.Data[:32+2*chars+size]
}

// interpret fills in what the variable's name says about its data. Data of
// another form stays opaque: it is measured all the same.
func (v *Variable) interpret() {
	switch {
	case v.Name == "SbatLevel":
		if s := trimNUL(v.data); isText(s) {
			v.Text = s
		}
	case v.Authority:
		v.Signatures = authoritySignature(v.data)
	case isSwitch(v.Name) && len(v.data) == 1:
		on := v.data[0] == 1
		v.On = &on
	case isSignatureDB(v.Name):
		v.Signatures, _ = parseSignatureLists(v.data)
	case v.Name == "BootOrder" && len(v.data)%2 == 0:
		c := cursor{buf: v.data}
		for c.left() > 0 {
			v.BootOrder = append(v.BootOrder, fmt.Sprintf("Boot%04X", c.u16()))
		}
	case isBootOption(v.Name):
		v.BootOption = parseBootOption(v.data)
	}
}

func isSwitch(name string) bool {
	switch name {
	case "SecureBoot", "AuditMode", "DeployedMode", "SetupMode":
		return true
	}
	return false
}

func isSignatureDB(name string) bool {
	switch name {
	case "PK", "KEK", "db", "dbx", "dbt", "dbr", "devdb":
		return true
	}
	return false
}

func isBootOption(name string) bool {
	digits, ok := strings.CutPrefix(name, "Boot")
	if !ok || len(digits) != 4 {
		return false
	}
	_, err := hex.DecodeString(digits)
	return err == nil
}

// String explains the variable and its contents.
func (v Variable) String() string {
	switch {
	case v.Authority:
		return v.authorityText()
	case v.Name == "SecureBoot" && v.On != nil:
		return "Secure Boot is " + v.contents()
	case v.On != nil:
		return v.Name + " is " + v.contents()
	case v.BootOrder != nil:
		return "boot order: " + v.contents()
	case v.BootOption != nil:
		return "boot entry " + v.Name + ": " + v.contents()
	case isSignatureDB(v.Name):
		return v.role() + ": " + v.contents()
	}
	return "firmware variable " + quote(v.Name) + " (" + bytesText(uint64(v.Size)) + ")"
}

func (v Variable) role() string {
	switch v.Name {
	case "PK":
		return "owner of the Secure Boot settings (PK)"
	case "KEK":
		return "keys that may change the lists below (KEK)"
	case "db":
		return "programs and signers that may boot (db)"
	case "dbx":
		return "programs and signers that may not boot (dbx)"
	case "dbt":
		return "time stamp signers (dbt)"
	case "dbr":
		return "recovery signers (dbr)"
	}
	return "signature list " + quote(v.Name)
}

// contents returns the variable's data in words, or "" where their form is not
// known.
func (v Variable) contents() string {
	switch {
	case v.On != nil:
		return onOff(*v.On)
	case v.Text != "":
		return quote(strings.Join(strings.Fields(v.Text), "; "))
	case v.Authority && len(v.Signatures) > 0:
		return v.Signatures[0].String()
	case v.BootOrder != nil:
		return quote(strings.Join(v.BootOrder, ", "))
	case v.BootOption != nil:
		return v.BootOption.String()
	case v.Size == 0:
		return "empty"
	case v.Signatures != nil:
		return signaturesText(v.Signatures)
	case isSignatureDB(v.Name):
		return bytesText(uint64(v.Size)) + " in an unknown form"
	}
	return ""
}

func (v Variable) authorityText() string {
	if v.Name == "SbatLevel" {
		return "shim: oldest generations that may boot (SbatLevel): " + v.contents()
	}
	where := "shim's list " + quote(v.Name)
	switch {
	case v.Name == "Shim" || v.Name == "MokListRT" || v.Name == "vendor_db":
		where = "shim's built-in or enrolled keys (" + v.Name + ")"
	case isMok(v.Name):
		return mokText(v.Name)
	case v.Vendor.String() == guidImageSecurity:
		where = "the firmware's list " + quote(v.Name)
	}
	if len(v.Signatures) == 0 {
		return fmt.Sprintf("a program is allowed by %s (%s)", where, bytesText(uint64(v.Size)))
	}
	return "a program is allowed by " + where + ": " + v.contents()
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
