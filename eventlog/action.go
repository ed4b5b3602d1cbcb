package eventlog

import "strings"

// Action is something that the firmware did, as a string of the PFP (section
// "EV_EFI_ACTION Event Types").
type Action struct {
	Text string `json:"text"`
}

// The action strings that have meaning beyond their words.
const (
	actionCalling       = "Calling EFI Application from Boot Option"
	actionReturning     = "Returning from EFI Application from Boot Option"
	actionExitInvoked   = "Exit Boot Services Invocation"
	actionExitSucceeded = "Exit Boot Services Returned with Success"
	actionExitFailed    = "Exit Boot Services Returned with Failure"
)

// Kind returns "action".
func (Action) Kind() string { return "action" }

// String explains the action.
func (a Action) String() string {
	switch {
	case a.Text == actionCalling:
		return "the firmware tries to start a boot entry"
	case a.Text == actionReturning:
		return "the boot entry returned to the firmware"
	case a.Text == actionExitInvoked:
		return "the firmware is asked to hand over the machine"
	case a.Text == actionExitSucceeded:
		return "the firmware handed over the machine"
	case a.Text == actionExitFailed:
		return "the firmware did not hand over the machine and will be asked again"
	case strings.HasPrefix(a.Text, "Booting to ") && strings.HasSuffix(a.Text, " Option"):
		return "the firmware starts boot entry " +
			quote(strings.TrimSuffix(strings.TrimPrefix(a.Text, "Booting to "), " Option"))
	case a.Text == "Entering ROM Based Setup":
		return "somebody entered the firmware setup"
	case a.Text == "Calling INT 19h":
		return "the BIOS tries to start a boot device"
	case a.Text == "Returned INT 19h" || a.Text == "Return via INT 18h":
		return "the boot device returned to the BIOS"
	case a.Text == "UEFI Debug Mode" || a.Text == "EFI Debug Mode":
		return "the firmware has a debugger enabled"
	}
	return "action: " + quote(a.Text)
}
