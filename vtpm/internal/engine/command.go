package engine

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// Command is what is known of the command in flight.
type Command struct {
	Code       wire.CC
	Locality   uint8
	Handles    []wire.Handle // the handle area
	Sessions   []SessionUse  // the authorization area, in order
	Parameters []byte        // the parameter area, decrypted once authorized

	Extensive bool // the pipeline ends: reserved for commands that flush sessions

	flush   wire.Handle // see TPM.FlushAfterwards; 0: nothing
	names   [][]byte
	cpAlgs  []wire.Alg
	cpValue [][]byte
}

// SessionUse is one session of the authorization area.
type SessionUse struct {
	Session     *Session // nil: a password authorization
	NonceCaller []byte
	Attributes  wire.TPMASession
	Auth        []byte // the password or HMAC that was sent
	// Entity is the handle that the session authorizes, TPM_RH_UNASSIGNED when none
	// (audit or parameter encryption only), TPM_RH_NULL when the command deleted it.
	Entity      wire.Handle
	IncludeAuth bool // the entity's authValue is part of the HMAC key
}

// forget ends the association of sessions with an entity that the command
// deletes; the response then authenticates with an empty authValue.
func (c *Command) forget(handle wire.Handle) {
	for i := range c.Sessions {
		if c.Sessions[i].Entity == handle {
			c.Sessions[i].Entity = wire.HandleNull
		}
	}
}

// SetNames records the Names of the handles before anything changes them.
func (c *Command) SetNames(names [][]byte) { c.names = names }

// Name returns the Name of the i-th handle as it was when the command came in.
func (c *Command) Name(i int) []byte { return c.names[i] }

// CpHash returns the command parameter hash (Part 1, "Command Parameter Hash").
// It must first be asked for before the parameters are decrypted; it is kept.
func (c *Command) CpHash(alg wire.Alg) []byte {
	for i, a := range c.cpAlgs {
		if a == alg {
			return c.cpValue[i]
		}
	}
	parts := make([][]byte, 0, 5)
	parts = append(parts, wire.Marshal(c.Code))
	parts = append(parts, c.names...)
	parts = append(parts, c.Parameters)
	v := crypt.Digest(alg, parts...)
	c.cpAlgs, c.cpValue = append(c.cpAlgs, alg), append(c.cpValue, v)
	return v
}

// NameHash returns the hash of the handles' Names (Part 3, "TPM2_PolicyNameHash").
func (c *Command) NameHash(alg wire.Alg) []byte { return crypt.Digest(alg, c.names...) }

// ParametersHash returns the hash of code and parameters (Part 3,
// "TPM2_PolicyParameters").
func (c *Command) ParametersHash(alg wire.Alg) []byte {
	return crypt.Digest(alg, wire.Marshal(c.Code), c.Parameters)
}
