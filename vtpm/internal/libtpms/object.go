package libtpms

import "github.com/bootseal/bootseal/vtpm/internal/wire"

// Object is a persistent object.
type Object struct {
	Handle    wire.Handle
	Public    wire.TPMTPublic
	Sensitive wire.TPMTSensitive
	Name      []byte
	Qualified []byte
	Hierarchy wire.Handle
	Primary   bool
}

// Bits of OBJECT_ATTRIBUTES.
const (
	objectPublicOnly  = 1 << 0
	objectEndorsement = 1 << 1
	objectPlatform    = 1 << 2
	objectOwner       = 1 << 3
	objectPrimary     = 1 << 5
	objectTemporary   = 1 << 6
	objectSTClear     = 1 << 7
	objectSequence    = 1<<8 | 1<<9 | 1<<10
	objectOccupied    = 1 << 15
	objectExternal    = 1 << 17
)

var (
	anyObject = structure{"ANY_OBJECT", 0xfe9a3974, 2}
	object    = structure{"OBJECT", 0x75be73af, 4}
)

// object reads a persistent object.
func (r *reader) object(handle wire.Handle) (o Object) {
	r.in("persistent object %v", handle)
	o.Handle = handle
	version := r.header(anyObject)
	attributes := r.U32()
	switch {
	case !r.OK():
	case attributes&objectOccupied == 0:
		r.fail("there is none")
	case attributes&(objectSequence|objectTemporary|objectSTClear|objectExternal|objectPublicOnly) != 0:
		r.fail("an object with the attributes %#x cannot be persistent", attributes)
	}
	o.Primary = attributes&objectPrimary != 0
	switch attributes & (objectOwner | objectEndorsement | objectPlatform) {
	case objectOwner:
		o.Hierarchy = wire.HandleOwner
	case objectEndorsement:
		o.Hierarchy = wire.HandleEndorsement
	case objectPlatform:
		o.Hierarchy = wire.HandlePlatform
	default:
		r.fail("the attributes %#x are of no hierarchy", attributes)
	}
	o.read(r)
	r.future(version, 2)
	return o
}

// read reads OBJECT. Of an RSA key libtpms keeps one prime in the sensitive area, as
// the specification has it, and derived numbers in a part of their own. These are left
// out: they are derived again.
func (o *Object) read(r *reader) {
	version := r.header(object)
	o.Public.ReadPlus(r.Reader)
	o.Sensitive.Read(r.Reader)
	r.skip()
	o.Qualified = r.Sized(wire.MaxName)
	r.U32() // the handle of an evict object that is in a transient slot
	o.Name = r.Sized(wire.MaxName)
	if version < 2 {
		return
	}
	r.block(func() {
		if version < 3 {
			return
		}
		// Which derivation its children would have. It matters for none: they are not
		// made by a generator with levels.
		r.seedLevel()
		r.block(func() {
			if version < 4 {
				return
			}
			if h := wire.Handle(r.U32()); r.OK() && h != o.Hierarchy {
				r.fail("it is of hierarchy %v and of %v", h, o.Hierarchy)
			}
		})
	})
}
