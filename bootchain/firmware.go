package bootchain

import (
	"fmt"
	"slices"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/efivars"
)

// firmware measures its own code and settings (PCRs 0 to 3 and 6), which it alone
// knows: they are copied from the log. What it measures of variables (1 and 7),
// of the partition table (5) and of its tries to boot (4) is computed.
//
// The events end before the first program from the disk.
func (w *walk) firmware(y way) {
	w.enter(eventlog.Firmware, "")
	if w.base == nil {
		w.firmwareWithoutLog(y)
		return
	}
	tail := w.tail()
	try := 0
	bootVariables := false
	for i := range min(w.bootImage, len(w.Log.Events)) {
		switch b := w.base.explained[i].Body.(type) {
		case eventlog.Variable:
			switch {
			case b.Authority:
				w.earlyAuthority(i, b, tail)
			case w.Log.Events[i].PCR == 7:
				w.configVariable(i, b)
			case !bootVariables:
				bootVariables = w.bootVariables(i)
			}
		case eventlog.GPT:
			if i < tail {
				w.partitionTable()
			}
		case eventlog.Action:
			if w.Log.Events[i].PCR == 4 && (b.Text == callingAction || b.Text == returningAction) {
				if b.Text == callingAction {
					try++
				}
				if attempt := try + btoi(b.Text == returningAction); attempt > y.tries {
					continue
				}
			}
			w.copy(i, "the firmware does the same at every boot")
		default:
			w.copy(i, copiedReason(b))
		}
	}
	for ; try > 0 && try < y.tries; try++ {
		w.action(returningAction, y.because())
		w.action(callingAction, y.because())
	}
}

// tail returns the index from which on events belong to loading the boot
// program: after the last try to boot.
func (w *walk) tail() int {
	tail := 0
	for i := range min(w.bootImage, len(w.Log.Events)) {
		switch b := w.base.explained[i].Body.(type) {
		case eventlog.Action:
			if b.Text == callingAction {
				tail = i
			}
		case eventlog.Separator:
			if w.Log.Events[i].PCR == 4 {
				tail = i
			}
		}
	}
	return tail
}

func copiedReason(b eventlog.Body) string {
	switch b.(type) {
	case eventlog.Separator:
		return "the firmware does the same at every boot"
	case eventlog.SpecHeader, eventlog.StartupLocality, eventlog.NoActionData:
		return "information, not measured"
	}
	return "only the firmware knows this; it holds as long as the firmware and its settings stay"
}

// action measures a text about a try to boot, which was made because of the source.
func (w *walk) action(text, source string) {
	w.measure(Event{Stage: eventlog.Firmware, PCR: 4, Type: eventlog.EFIAction, Data: []byte(text),
		Reason: "the firmware's text for this step", Source: source}, []byte(text))
}

// earlyAuthority keeps the entries that were measured for drivers, before the
// boot began. The others are found anew for each program.
func (w *walk) earlyAuthority(i int, v eventlog.Variable, tail int) {
	if i >= tail {
		return
	}
	w.allowed[string(v.Data())] = true
	w.copy(i, "a driver is accepted for it, as long as the firmware stays")
}

// configVariable measures a variable that configures Secure Boot (PCR 7; PFP,
// EV_EFI_VARIABLE_DRIVER_CONFIG): all of UEFI_VARIABLE_DATA, also of one that
// does not exist, with no data.
func (w *walk) configVariable(i int, v eventlog.Variable) {
	data, ok := w.vars.get(v.Name, v.Vendor.String())
	lists := slices.Contains([]string{"PK", "KEK", "db", "dbx", "dbt", "dbr"}, v.Name)
	if !ok && !(w.vars.complete && lists) {
		w.copy(i, "the variable cannot be read; it is taken to stay as it is")
		return
	}
	whole := variableData(v.Name, v.Vendor.String(), data)
	w.measure(Event{Stage: eventlog.Firmware, PCR: 7, Type: w.Log.Events[i].Type, Data: whole,
		Reason: variableReason(v.Name, data, v.Data()), Source: v.Name}, whole)
}

// variableReason says what becomes of a variable that had the data was.
func variableReason(name string, data, was []byte) string {
	if string(data) == string(was) {
		return name + " stays as it is"
	}
	after, err := efivars.Entries(data)
	before, errBefore := efivars.Entries(was)
	if err == nil && errBefore == nil && name != "SecureBoot" {
		return fmt.Sprintf("%s changes from %d to %d entries", name, len(before), len(after))
	}
	return name + " changes"
}

// bootVariables measures BootOrder and the load options in it (PCR 1; PFP,
// EV_EFI_VARIABLE_BOOT), if the log at hand has them in that order. It reports
// whether it did: one call is for all of them.
func (w *walk) bootVariables(i int) bool {
	was := variables{set: make(efivars.Set)}
	var names []string
	for k := range w.base.explained {
		v, ok := w.base.explained[k].Body.(eventlog.Variable)
		if ok && !v.Authority && w.Log.Events[k].PCR == 1 {
			was.set.Put(v.Name, v.Vendor.String(), v.Data())
			names = append(names, v.Name)
		}
	}
	want := []string{"BootOrder"}
	for _, n := range was.numbers("BootOrder") {
		if _, ok := was.get(bootName(n), efivars.Global); ok {
			want = append(want, bootName(n))
		}
	}
	v := w.base.explained[i].Body.(eventlog.Variable)
	if !slices.Equal(names, want) {
		w.bootVariable(i, v.Name, v.Vendor.String(), v.Data())
		return false
	}
	order := w.vars.numbers("BootOrder")
	if len(order) == 0 {
		order = was.numbers("BootOrder")
	}
	w.bootVariable(i, "BootOrder", efivars.Global, v.Data())
	for _, n := range order {
		_, now := w.vars.get(bootName(n), efivars.Global)
		data, before := was.get(bootName(n), efivars.Global)
		if now || before {
			w.bootVariable(i, bootName(n), efivars.Global, data)
		}
	}
	return true
}

func (w *walk) bootVariable(i int, name, vendor string, was []byte) {
	data, ok := w.vars.get(name, vendor)
	if !ok {
		data = was
	}
	whole := variableData(name, vendor, data)
	hashed := data
	if w.quirks.wholeBootVariables {
		hashed = whole
	}
	w.measure(Event{Stage: eventlog.Firmware, PCR: 1, Type: w.bootVariableType(i), Data: whole,
		Reason: variableReason(name, data, was), Source: name}, hashed)
}

func (w *walk) bootVariableType(i int) eventlog.Type {
	if w.base == nil {
		return eventlog.EFIVariableBoot
	}
	return w.Log.Events[i].Type
}

// partitionTable measures the boot disk's partition table (PCR 5), once, when the
// first program is loaded from it.
func (w *walk) partitionTable() {
	if w.gptDone || w.quirks.noGPT {
		return
	}
	w.gptDone = true
	at := -1
	if w.base != nil {
		at = slices.IndexFunc(w.base.explained, func(x eventlog.Explanation) bool { _, ok := x.Body.(eventlog.GPT); return ok })
	}
	typ := eventlog.EFIGPTEvent
	if at >= 0 {
		typ = w.Log.Events[at].Type
	}
	e := Event{Stage: eventlog.Firmware, PCR: 5, Type: typ, Source: "partition table"}
	switch {
	case w.GPT != nil:
		e.Data, e.Reason = w.GPT.Measured(), "the partition table as it is on the disk"
		w.measure(e, e.Data)
	case at >= 0:
		w.copy(at, "the partition table is taken to stay as it is")
	default:
		e.Reason = "the partition table of the boot disk is not known"
		w.unknown(e)
	}
}

// firmwareWithoutLog has the events that the specification demands of every
// firmware. What it measures of itself stays out: PCRs 0 to 3 and 6 are not
// predicted from events.
func (w *walk) firmwareWithoutLog(y way) {
	for _, v := range []struct{ name, vendor string }{
		{"SecureBoot", efivars.Global}, {"PK", efivars.Global}, {"KEK", efivars.Global},
		{"db", efivars.ImageSecurity}, {"dbx", efivars.ImageSecurity},
	} {
		data, _ := w.vars.get(v.name, v.vendor)
		whole := variableData(v.name, v.vendor, data)
		w.measure(Event{Stage: eventlog.Firmware, PCR: 7, Type: eventlog.EFIVariableConfig, Data: whole,
			Reason: v.name + " as it is", Source: v.name}, whole)
	}
	w.separator(7)
	order, _ := w.vars.get("BootOrder", efivars.Global)
	w.bootVariable(0, "BootOrder", efivars.Global, order)
	for _, n := range w.vars.numbers("BootOrder") {
		if data, ok := w.vars.get(bootName(n), efivars.Global); ok {
			w.bootVariable(0, bootName(n), efivars.Global, data)
		}
	}
	for try := range y.tries {
		if try > 0 && !w.quirks.noActions {
			w.action(returningAction, y.because())
		}
		if !w.quirks.noActions {
			w.action(callingAction, y.because())
		}
		if try == 0 {
			for i := range 7 {
				w.separator(i)
			}
		}
	}
}

func (w *walk) separator(index int) {
	w.measure(Event{Stage: eventlog.Firmware, PCR: index, Type: eventlog.SeparatorType, Data: make([]byte, 4),
		Reason: "the firmware does the same at every boot"}, make([]byte, 4))
}
