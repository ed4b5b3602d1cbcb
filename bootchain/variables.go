package bootchain

import (
	"encoding/binary"
	"fmt"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/efivars"
	"github.com/bootseal/bootseal/internal/utf16le"
)

// variables are the UEFI variables that the next boot will see.
type variables struct {
	set efivars.Set
	// complete: the set has all variables of the machine, so that one that is not
	// in it does not exist. A log has only those that were measured.
	complete bool
}

// findVariables takes the machine's variables. Without SecureBoot, which every
// firmware has, they are not all of them, and those in the log fill the gaps.
func (k *known) findVariables() variables {
	if _, ok := k.Vars.Get("SecureBoot", efivars.Global); ok {
		return variables{k.Vars, true}
	}
	v := variables{set: make(efivars.Set)}
	if k.base != nil {
		for i := range k.base.explained {
			if x, ok := k.base.explained[i].Body.(eventlog.Variable); ok && !x.Authority {
				v.set.Put(x.Name, x.Vendor.String(), x.Data())
			}
		}
	}
	for name, data := range k.Vars {
		v.set[name] = data
	}
	return v
}

func (v variables) get(name, vendor string) ([]byte, bool) { return v.set.Get(name, vendor) }

// secureBoot reports whether firmware checks signatures, and whether that is
// known.
func (v variables) secureBoot() (on, known bool) {
	data, ok := v.get("SecureBoot", efivars.Global)
	return len(data) == 1 && data[0] == 1, ok || v.complete
}

// guidOf returns a GUID as it is in memory.
func guidOf(text string) [16]byte {
	g, err := eventlog.ParseGUID(text)
	if err != nil {
		panic(err) // a constant of this package
	}
	return g
}

// variableData returns UEFI_VARIABLE_DATA (TCG PC Client Platform Firmware
// Profile, "UEFI_VARIABLE_DATA"), the form in which variables are measured.
func variableData(name, vendor string, data []byte) []byte {
	g := guidOf(vendor)
	text := utf16le.Encode(name)
	out := binary.LittleEndian.AppendUint64(append([]byte(nil), g[:]...), uint64(len(text)/2))
	out = binary.LittleEndian.AppendUint64(out, uint64(len(data)))
	return append(append(out, text...), data...)
}

// bootOption is a Boot#### variable.
type bootOption struct {
	number uint16
	eventlog.BootOption
	optional []byte // what the firmware passes to the program
}

func bootName(number uint16) string { return fmt.Sprintf("Boot%04X", number) }

// Attributes of a load option (UEFI specification, EFI_LOAD_OPTION).
const (
	loadOptionActive   = 1
	loadOptionCategory = 0x1F00 // 0: for booting, else an application like a setup menu
)

// tried reports whether the firmware tries the option in its turn.
func (o bootOption) tried() bool {
	return o.Attributes&loadOptionActive != 0 && o.Attributes&loadOptionCategory == 0
}

func (o bootOption) name() string { return bootName(o.number) + " " + o.Description }

// bootOption returns a load option, false if there is none that can be read.
func (v variables) bootOption(number uint16) (bootOption, bool) {
	data, ok := v.get(bootName(number), efivars.Global)
	if !ok {
		return bootOption{}, false
	}
	event := eventlog.Event{Type: eventlog.EFIVariableBoot, Data: variableData(bootName(number), efivars.Global, data)}
	x, ok := eventlog.Decode(&event).(eventlog.Variable)
	if !ok || x.BootOption == nil {
		return bootOption{}, false
	}
	return bootOption{number, *x.BootOption, data[len(data)-x.BootOption.Options:]}, true
}

// numbers reads a variable that lists load options: BootOrder, BootNext,
// BootCurrent.
func (v variables) numbers(name string) []uint16 {
	data, _ := v.get(name, efivars.Global)
	var out []uint16
	for ; len(data) >= 2; data = data[2:] {
		out = append(out, binary.LittleEndian.Uint16(data))
	}
	return out
}
