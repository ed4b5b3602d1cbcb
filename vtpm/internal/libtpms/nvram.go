package libtpms

import "github.com/bootseal/bootseal/vtpm/internal/wire"

// NVIndex is an NV index. What an index has not written yet has no meaning.
type NVIndex struct {
	Public wire.TPMSNVPublic
	Auth   []byte
	Data   []byte // Public.DataSize bytes
}

// orderlyIndex is what an orderly NV index has in memory, and the state as of the last
// Shutdown.
type orderlyIndex struct {
	attributes wire.TPMANV
	data       []byte
	used       bool
}

var (
	orderlyRAM = structure{"INDEX_ORDERLY_RAM", 0x5346feab, 2}
	userNVRAM  = structure{"USER_NVRAM", 0x094f22c3, 2}
	nvIndex    = structure{"NV_INDEX", 0x2547265a, 2}
)

// orderlyRAM reads the data of the orderly NV indices. They fill an array in the
// memory of libtpms, whose size tells whether an end follows.
func (r *reader) orderlyRAM() map[wire.Handle]*orderlyIndex {
	const overhead = 12 // bytes that an index takes in the array besides its data
	r.in("orderly NV indices")
	version := r.header(orderlyRAM)
	indices := make(map[wire.Handle]*orderlyIndex)
	for space := int64(r.U32()); r.OK() && space >= overhead; {
		if r.U32() == 0 { // the size in memory of the next one
			break
		}
		handle, x := wire.Handle(r.U32()), &orderlyIndex{attributes: wire.TPMANV(r.U32())}
		x.data = r.Sized(wire.MaxNVIndexSize)
		if indices[handle] != nil {
			r.fail("NV index %v is there twice", handle)
		}
		indices[handle] = x
		space -= overhead + int64(len(x.data))
	}
	r.future(version, 2)
	return indices
}

// readNVRAM reads the NV indices and the persistent objects.
func (s *State) readNVRAM(r *reader, ram map[wire.Handle]*orderlyIndex) {
	r.in("NV memory")
	version := r.header(userNVRAM)
	r.U64() // its size
	seen := make(map[wire.Handle]bool)
	for r.U32() != 0 { // the size in memory of the next entry
		handle := wire.Handle(r.U32())
		if seen[handle] {
			r.fail("%v is there twice", handle)
		}
		seen[handle] = true
		switch handle.Type() {
		case wire.HTNVIndex:
			s.Indices = append(s.Indices, r.nvIndex(handle, ram[handle]))
		case wire.HTPersistent:
			s.Objects = append(s.Objects, r.object(handle))
		default:
			r.fail("handle %v is neither an NV index nor a persistent object", handle)
		}
		if !r.OK() {
			return
		}
		r.in("NV memory")
	}
	s.MaxCount = r.U64()
	r.future(version, 2)
	for handle, x := range ram {
		if !x.used {
			r.fail("orderly data of NV index %v, which is not there", handle)
		}
	}
}

// nvIndex reads an index. ram has the data and the attributes of one that is orderly.
func (r *reader) nvIndex(handle wire.Handle, ram *orderlyIndex) (x NVIndex) {
	r.in("NV index %v", handle)
	version := r.header(nvIndex)
	x.Public.Read(r.Reader)
	x.Auth = r.Sized(wire.MaxDigest)
	r.future(version, 2)
	size := int(r.U32())
	if size > wire.MaxNVIndexSize {
		r.fail("it has %d bytes, more than any index", size)
	}
	x.Data = r.Bytes(size)
	if r.OK() && x.Public.NVIndex != handle {
		r.fail("it calls itself %v", x.Public.NVIndex)
	}
	if r.OK() && x.Public.Attributes.Has(wire.NVOrderly) {
		if ram == nil || size != 0 {
			r.fail("it is orderly, and its data is not with that of the orderly ones")
			return x
		}
		ram.used = true
		x.Data, x.Public.Attributes = ram.data, ram.attributes
	}
	if r.OK() && len(x.Data) != int(x.Public.DataSize) {
		r.fail("it has %d bytes instead of %d", len(x.Data), x.Public.DataSize)
	}
	return x
}
