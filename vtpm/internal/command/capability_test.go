package command_test

import (
	"bytes"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/command"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// capability asks for count elements of a list from first on, and returns them, each
// of size bytes, and whether there are more.
func (v *vector) capability(c wire.Cap, first, count uint32, size int) (elements [][]byte, more bool) {
	v.t.Helper()
	var w wire.Writer
	w.U32(uint32(c))
	w.U32(first)
	w.U32(count)
	v.vars["$parameters"] = w.Data()
	v.runLine("TPM2_GetCapability : $parameters")
	v.runLine("> $more:1 $capability:4 $count:4 $list:*")
	list := v.vars["$list"]
	n := int(wire.NewReader(v.vars["$count"], wire.DefaultLimits()).U32())
	if len(list) != n*size {
		v.t.Fatalf("capability %d from %#x: %d elements in %d bytes", c, first, n, len(list))
	}
	for ; n > 0; n-- {
		elements = append(elements, list[:size])
		list = list[size:]
	}
	return elements, v.vars["$more"][0] == 1
}

// lists are the capabilities that are lists: the bytes of an element and of the
// property in front of it, and where the list starts.
var lists = []struct {
	name      string
	c         wire.Cap
	first     uint32
	size, key int
}{
	{"algorithms", wire.CapAlgs, 0, 6, 2},
	{"PCR handles", wire.CapHandles, 0, 4, 4},
	{"NV handles", wire.CapHandles, 0x01000000, 4, 4},
	{"permanent handles", wire.CapHandles, 0x40000000, 4, 4},
	{"transient handles", wire.CapHandles, 0x80000000, 4, 4},
	{"commands", wire.CapCommands, 0, 4, 4},
	{"PP commands", wire.CapPPCommands, 0, 4, 4},
	{"audit commands", wire.CapAuditCommands, 0, 4, 4},
	{"fixed properties", wire.CapTPMProperties, uint32(wire.PTFixed), 8, 4},
	{"variable properties", wire.CapTPMProperties, uint32(wire.PTVar), 8, 4},
	{"PCR properties", wire.CapPCRProperties, 0, 8, 4},
	{"curves", wire.CapECCCurves, 0, 2, 2},
	{"timers", wire.CapACT, uint32(wire.HandleACT0), 12, 4},
}

// TestCapabilityPages: whoever asks for one element at a time, from the one after the
// last on, gets the same list as who asks for all; moreData ends with the list.
func TestCapabilityPages(t *testing.T) {
	for _, l := range lists {
		v := newVector(t)
		v.runLine("use nv-data")
		v.runLine("use ecc-srk")
		v.runLine("use hmac-key")
		all, more := v.capability(l.c, l.first, 1<<16, l.size)
		if len(all) == 0 || more {
			t.Errorf("%s: %d elements, more: %t", l.name, len(all), more)
		}
		first := l.first
		for i, want := range all {
			one, more := v.capability(l.c, first, 1, l.size)
			if len(one) != 1 || !bytes.Equal(one[0], want) || more != (i < len(all)-1) {
				t.Errorf("%s from %#x: %x, more: %t; want %x", l.name, first, one, more, want)
			}
			first = 1 + property(want[:l.key], l.c)
		}
		if none, more := v.capability(l.c, l.first, 0, l.size); len(none) != 0 || !more {
			t.Errorf("%s: nothing was asked for, %x came, more: %t", l.name, none, more)
		}
	}
}

// property returns an element's key; a command's is in the lower half.
func property(key []byte, c wire.Cap) uint32 {
	n := uint32(0)
	for _, b := range key {
		n = n<<8 | uint32(b)
	}
	if c == wire.CapCommands {
		n &= 0xFFFF
	}
	return n
}

// TestCommandsOfCapability: TPM_CAP_COMMANDS has the commands that the table has, and
// TPM_PT_TOTAL_COMMANDS their number.
func TestCommandsOfCapability(t *testing.T) {
	v := newVector(t)
	list, _ := v.capability(wire.CapCommands, 0, 1<<16, 4)
	listed := make(map[wire.CC]bool)
	for _, e := range list {
		listed[wire.CC(property(e, wire.CapCommands))] = true
	}
	for _, row := range command.Rows() {
		if listed[row.Code] != row.Implemented() {
			t.Errorf("%s is listed: %t", row.Name, listed[row.Code])
		}
	}
	total, _ := v.capability(wire.CapTPMProperties, uint32(wire.PTTotalCommands), 1, 8)
	if n := property(total[0][4:], 0); int(n) != len(list) {
		t.Errorf("%d commands in all, %d listed", n, len(list))
	}
}

// TestContextSizes: no saved context is larger than the TPM says.
func TestContextSizes(t *testing.T) {
	for _, x := range []struct {
		property wire.PT
		setup    string
		handle   string
	}{
		{wire.PTMaxObjectContext, "rsa-signing", "$key"},
		{wire.PTMaxObjectContext, "event-sequence", "$seq"},
		{wire.PTMaxObjectContext, "hmac-sequence", "$seq"},
		{wire.PTMaxSessionContext, "hmac", "$h"},
		{wire.PTMaxSessionContext, "policy", "$s"},
	} {
		v := newVector(t)
		limit, _ := v.capability(wire.CapTPMProperties, uint32(x.property), 1, 8)
		v.runLine("use " + x.setup)
		v.runLine("TPM2_ContextSave " + x.handle)
		v.runLine("> $context:*")
		if n, most := len(v.vars["$context"]), property(limit[0][4:], 0); n > int(most) {
			t.Errorf("%s: a context of %d bytes, at most %d", x.setup, n, most)
		}
	}
}
