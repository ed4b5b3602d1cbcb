package engine

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// Object is a loaded or persistent object: a key, a sealed data blob, or the
// public part of one; or a hash, HMAC or event sequence.
type Object struct {
	Public    wire.TPMTPublic
	Sensitive wire.TPMTSensitive
	Name      []byte // empty when Public.NameAlg is TPM_ALG_NULL
	Qualified []byte // Qualified Name

	Hierarchy  wire.Handle // TPM_RH_OWNER, _ENDORSEMENT, _PLATFORM or _NULL
	PublicOnly bool        // no sensitive area is loaded
	External   bool        // from LoadExternal: never a parent's child
	Primary    bool        // a primary object
	STClear    bool        // stClear is set in it or in an ancestor: gone at the next Startup(CLEAR)
	Derived    bool        // made by CreateLoaded from a derivation parent

	Sequence Sequence // not nil: a sequence object; Sensitive has its authValue only

	private *crypt.Private
}

// Sequence is the state of a hash, HMAC or event sequence. It is defined by the
// commands that work on sequences.
type Sequence interface {
	// Marshal returns the state for TPM2_ContextSave.
	Marshal() ([]byte, error)
	// Wipe clears the secrets of a sequence that goes away.
	Wipe()
}

// Has reports whether all the attributes are set.
func (o *Object) Has(a wire.TPMAObject) bool { return o.Public.ObjectAttributes.Has(a) }

// IsParent reports whether the object is a storage parent (Part 1, "Parent
// object"): a restricted decryption key whose sensitive area is here.
func (o *Object) IsParent() bool {
	return o.Sequence == nil && !o.PublicOnly && !o.External &&
		o.Has(wire.ObjRestricted|wire.ObjDecrypt) && !o.Has(wire.ObjSign)
}

// IsStorage reports whether the object's public area is that of a storage parent
// as opposed to a derivation parent.
func (o *Object) IsStorage() bool { return o.IsParent() && o.Public.Type != wire.AlgKeyedHash }

// Private returns the object's private part in usable form. It is derived at the
// first use and kept.
func (o *Object) Private() (*crypt.Private, error) {
	if o.private == nil {
		p, err := crypt.NewPrivate(&o.Public, &o.Sensitive)
		if err != nil {
			return nil, err
		}
		o.private = p
	}
	return o.private, nil
}

// Wipe clears the secrets of an object that goes away.
func (o *Object) Wipe() {
	clear(o.Sensitive.AuthValue)
	clear(o.Sensitive.SeedValue)
	clear(o.Sensitive.Sensitive)
	if o.Sequence != nil {
		o.Sequence.Wipe()
	}
	o.private = nil
}

// Objects are the transient and the persistent objects.
type Objects struct {
	slots      []*Object // by transient handle
	persistent map[wire.Handle]*Object
	ContextID  uint64 // of the last object context saved since TPM Reset
	ClearCount uint32 // Startup(CLEAR)s without reset, part of stClear contexts
}

func (x *Objects) manufacture()       { x.persistent = make(map[wire.Handle]*Object) }
func (x *Objects) powerOn(slots int)  { x.wipeTransient(); x.slots = make([]*Object, slots) }
func (x *Objects) transientFree() int { return countNil(x.slots) }

func (x *Objects) wipeTransient() {
	for i, o := range x.slots {
		if o != nil {
			o.Wipe()
			x.slots[i] = nil
		}
	}
}

func countNil(slots []*Object) int {
	n := 0
	for _, o := range slots {
		if o == nil {
			n++
		}
	}
	return n
}

// At returns the transient or persistent object at handle, or nil.
func (x *Objects) At(handle wire.Handle) *Object {
	switch handle.Type() {
	case wire.HTTransient:
		if i := int(handle - wire.TransientFirst); i < len(x.slots) {
			return x.slots[i]
		}
		return nil
	case wire.HTPersistent:
		return x.persistent[handle]
	}
	return nil
}

// HasRoom returns TPM_RC_OBJECT_MEMORY when no transient slot is free.
func (x *Objects) HasRoom() error {
	if x.transientFree() == 0 {
		return wire.RCObjectMemory
	}
	return nil
}

// Add puts the object into the first free slot and returns its handle, or
// TPM_RC_OBJECT_MEMORY.
func (x *Objects) Add(o *Object) (wire.Handle, error) {
	for i, s := range x.slots {
		if s == nil {
			x.slots[i] = o
			return wire.TransientFirst + wire.Handle(i), nil
		}
	}
	return 0, wire.RCObjectMemory
}

// Flush removes a transient object.
func (x *Objects) Flush(handle wire.Handle) {
	i := int(handle - wire.TransientFirst)
	x.slots[i].Wipe()
	x.slots[i] = nil
}

// FlushAfterwards removes the transient object once the command in flight has its
// response, which the object's authValue may still have to authenticate.
func (t *TPM) FlushAfterwards(handle wire.Handle) { t.Command.flush = handle }

// NextContextID returns the number of an object context that is about to be saved.
func (x *Objects) NextContextID() uint64 {
	x.ContextID++
	return x.ContextID
}

// Transient returns the handles of the transient objects, ascending.
func (x *Objects) Transient() []wire.Handle {
	var hs []wire.Handle
	for i, o := range x.slots {
		if o != nil {
			hs = append(hs, wire.TransientFirst+wire.Handle(i))
		}
	}
	return hs
}

// Persistent returns the handles of the persistent objects, ascending.
func (x *Objects) Persistent() []wire.Handle { return sortedKeys(x.persistent) }

// TransientAvailable returns the number of free transient slots.
func (x *Objects) TransientAvailable() int { return x.transientFree() }

// Persist makes a copy of the object persistent at handle, or returns
// TPM_RC_NV_SPACE.
func (t *TPM) Persist(handle wire.Handle, o *Object) error {
	if t.PersistentAvailable() <= 0 {
		return wire.RCNVSpace
	}
	c := *o
	c.Sensitive.AuthValue = append([]byte(nil), o.Sensitive.AuthValue...)
	c.Sensitive.SeedValue = append([]byte(nil), o.Sensitive.SeedValue...)
	c.Sensitive.Sensitive = append([]byte(nil), o.Sensitive.Sensitive...)
	t.Objects.persistent[handle] = &c
	t.MarkObject(handle)
	return nil
}

// Unpersist removes the persistent object at handle.
func (t *TPM) Unpersist(handle wire.Handle) {
	t.Objects.persistent[handle].Wipe()
	delete(t.Objects.persistent, handle)
	t.MarkObject(handle)
}

// FlushHierarchy removes the hierarchy's transient objects, and its persistent
// ones too when persistent is true (TPM2_Clear, TPM2_HierarchyControl, ...).
func (t *TPM) FlushHierarchy(hierarchy wire.Handle, persistent bool) {
	for _, h := range t.Objects.Transient() {
		if t.Objects.At(h).Hierarchy == hierarchy {
			t.Objects.Flush(h)
		}
	}
	if !persistent {
		return
	}
	for _, h := range t.Objects.Persistent() {
		if t.Objects.At(h).Hierarchy == hierarchy {
			t.Unpersist(h)
		}
	}
}

// PersistentAvailable returns how many more objects can be made persistent.
func (t *TPM) PersistentAvailable() int {
	return t.Profile.PersistentObjects - len(t.Objects.persistent)
}

const (
	flagPublicOnly = 1 << iota
	flagExternal
	flagPrimary
	flagSTClear
	flagDerived
)

// Write appends the object for a record or a context. Sequences are not written.
func (o *Object) Write(w *wire.Writer) {
	o.Public.Write(w)
	wire.TPM2BSensitive{SensitiveArea: o.Sensitive}.Write(w)
	w.Sized(o.Name)
	w.Sized(o.Qualified)
	w.U32(uint32(o.Hierarchy))
	var flags uint8
	for i, set := range []bool{o.PublicOnly, o.External, o.Primary, o.STClear, o.Derived} {
		if set {
			flags |= 1 << i
		}
	}
	w.U8(flags)
}

// Read reads what Write wrote, into memory of its own.
func (o *Object) Read(r *wire.Reader) {
	r.Detach()
	o.Public.ReadPlus(r)
	var sens wire.TPM2BSensitive
	sens.Read(r)
	o.Sensitive = sens.SensitiveArea
	o.Name = readBytes(r)
	o.Qualified = readBytes(r)
	o.Hierarchy = wire.Handle(r.U32())
	switch o.Hierarchy {
	case wire.HandleOwner, wire.HandleEndorsement, wire.HandlePlatform, wire.HandleNull:
	default:
		r.Fail(wire.RCHierarchy)
	}
	flags := r.U8()
	if flags >= flagDerived<<1 {
		r.Fail(wire.RCValue)
	}
	o.PublicOnly = flags&flagPublicOnly != 0
	o.External = flags&flagExternal != 0
	o.Primary = flags&flagPrimary != 0
	o.STClear = flags&flagSTClear != 0
	o.Derived = flags&flagDerived != 0
}
