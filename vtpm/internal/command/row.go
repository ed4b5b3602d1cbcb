package command

import (
	"strings"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// Row is what the TPM knows of one command, its entry in Part 3.
type Row struct {
	Code    wire.CC
	Name    string // as Part 3 spells it
	Section string // of Part 3
	Flags   Flags
	body    *body
}

// Flags are a command's attributes: the decorations of Part 3's tables.
type Flags uint32

const (
	auth1User   Flags = 1 << iota // handle 1 needs USER role authorization
	auth1Admin                    // handle 1 needs ADMIN role
	auth1Dup                      // handle 1 needs DUP role
	auth2User                     // handle 2 needs USER role
	decryptIn                     // the first parameter may be encrypted
	encryptOut                    // the first response parameter may be encrypted
	noSessions                    // no session of any kind is allowed
	nv                            // may write NV: TPMA_CC nv
	extensive                     // flushes any number of contexts: TPMA_CC extensive
	flushed                       // flushes a handle it is given: TPMA_CC flushed
	writesIndex                   // writes an NV index, as far as its authorization goes
	pp                            // physical presence can be demanded for it (TPM2_PP_Commands)
	ppAlways                      // physical presence is always demanded
	readOnly                      // refused in read-only mode (TPM2_ReadOnlyControl)
)

// Role is the authorization that a handle needs (Part 1, "Authorization roles").
type Role uint8

// The roles.
const (
	RoleNone Role = iota
	RoleUser
	RoleAdmin
	RoleDup
)

// Implemented reports whether the TPM can run the command.
func (r *Row) Implemented() bool { return r.body.run != nil }

// Reason says why a command is not implemented; empty when it is.
func (r *Row) Reason() string { return r.body.reason }

// Role returns the authorization role of the i-th handle, from 0.
func (r *Row) Role(i int) Role {
	switch {
	case i == 0 && r.Flags&auth1User != 0, i == 1 && r.Flags&auth2User != 0:
		return RoleUser
	case i == 0 && r.Flags&auth1Admin != 0:
		return RoleAdmin
	case i == 0 && r.Flags&auth1Dup != 0:
		return RoleDup
	}
	return RoleNone
}

// DecryptIn reports whether a session may encrypt the first parameter.
func (r *Row) DecryptIn() bool { return r.Flags&decryptIn != 0 }

// EncryptOut reports whether a session may encrypt the first response parameter.
func (r *Row) EncryptOut() bool { return r.Flags&encryptOut != 0 }

// NoSessions reports whether the command allows no session at all.
func (r *Row) NoSessions() bool { return r.Flags&noSessions != 0 }

// NVWrite reports whether the command counts as a write when an NV index
// authorizes it.
func (r *Row) NVWrite() bool { return r.Flags&writesIndex != 0 }

// PresenceAlways reports whether the command always needs physical presence with
// platform authorization; PresencePossible, whether it can be made to.
func (r *Row) PresenceAlways() bool { return r.Flags&ppAlways != 0 }

// PresencePossible reports whether TPM2_PP_Commands may list the command.
func (r *Row) PresencePossible() bool { return r.Flags&pp != 0 }

// ReadOnlyRefused reports whether read-only mode refuses the command.
func (r *Row) ReadOnlyRefused() bool { return r.Flags&readOnly != 0 }

// Handles returns the number of handles in the command's handle area.
func (r *Row) Handles() int { return r.body.in.handles }

// ResponseHandle reports whether the response has a handle.
func (r *Row) ResponseHandle() bool { return r.body.out.handles == 1 }

// Attributes returns the command's TPMA_CC, for GetCapability.
func (r *Row) Attributes() wire.TPMACC {
	a := wire.TPMACC(r.Code & 0xFFFF)
	for _, x := range []struct {
		has bool
		bit wire.TPMACC
	}{
		{r.Flags&nv != 0, wire.CCANV},
		{r.Flags&extensive != 0, wire.CCAExtensive},
		{r.Flags&flushed != 0, wire.CCAFlushed},
		{r.ResponseHandle(), wire.CCARHandle},
	} {
		if x.has {
			a |= x.bit
		}
	}
	return a | wire.TPMACC(r.Handles())<<25
}

// File returns the name of the command's file: the name in lower case, without
// "TPM2_".
func (r *Row) File() string {
	return strings.ToLower(strings.TrimPrefix(r.Name, "TPM2_")) + ".go"
}

// Lookup returns the row of the command code, or nil when the specification has
// no such command.
func Lookup(cc wire.CC) *Row {
	if cc < firstCode || cc > lastCode {
		return nil
	}
	return byCode[cc-firstCode]
}

const firstCode, lastCode = wire.CC(0x11F), wire.CC(0x1A1)

// byCode finds a row by its code. Where two commands share one, as TPM2_HMAC and
// TPM2_MAC do, the first speaks for both.
var byCode = func() (rows [lastCode - firstCode + 1]*Row) {
	for i := range table {
		if row := &rows[table[i].Code-firstCode]; *row == nil {
			*row = &table[i]
		}
	}
	return rows
}()

// Rows returns the table, in Part 3's order. It must not be changed.
func Rows() []Row { return table }

// Set is what the engine asks about commands other than the one in flight. The
// bodies cannot ask the table, which is made of them.
type Set struct{}

// Attributes returns the TPMA_CC of every implemented command by ascending code.
func (Set) Attributes() []wire.TPMACC {
	var all []wire.TPMACC
	for _, r := range byCode {
		if r != nil && r.Implemented() {
			all = append(all, r.Attributes())
		}
	}
	return all
}

// Implemented reports whether the TPM can run the command.
func (Set) Implemented(cc wire.CC) bool {
	r := Lookup(cc)
	return r != nil && r.Implemented()
}

// PresencePossible reports whether physical presence can be demanded for it.
func (Set) PresencePossible(cc wire.CC) bool {
	r := Lookup(cc)
	return r != nil && r.Implemented() && r.PresencePossible()
}
