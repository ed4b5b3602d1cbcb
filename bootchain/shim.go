package bootchain

import "github.com/bootseal/bootseal/eventlog"

// shim measures its own state (PCRs 7 and 14), which depends on what is built
// into it, and the program that it loads (PCR 4). Another shim may measure
// other things, in another order, and decides how often a kernel is measured.
func (f *follower) shim(c Component) {
	if r, ok := f.changed(c); ok {
		f.doubt(r.reason+", and another shim may measure other events", 4, 7, 14)
	}
	for _, i := range c.Events {
		switch b := f.body(i).(type) {
		case eventlog.Image:
			f.image(i, b.Path.File)
		case eventlog.Variable:
			f.copied(i, shimVariable(b))
		default:
			f.copied(i, "shim's lists are taken to stay as they are")
		}
	}
}

func shimVariable(v eventlog.Variable) string {
	if v.Name == "SbatLevel" {
		return "the revocation level (SbatLevel) is taken to stay as it is"
	}
	return variableReason(v)
}
