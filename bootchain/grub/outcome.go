package grub

// Options bound and inform a run; the zero value is fine.
type Options struct {
	// MaxOutcomes is how many outcomes are looked for, 0 for 16.
	MaxOutcomes int
	// MaxSteps is how many commands one outcome may run, 0 for 50,000.
	MaxSteps int
	// Facts answer commands that ask the machine ("smbios --type 1 --get-string 4"):
	// the key is the command's words without --set VARIABLE.
	Facts map[string]Fact
}

// AsksForSetup is the fact whether the firmware can be asked to show its setup.
const AsksForSetup = "fwsetup --is-supported"

// Fact is a command's answer.
type Fact struct {
	Value string            // for --set
	Set   map[string]string // variables that the command sets by itself
	False bool              // it fails
}

// Outcome is a way in which GRUB may go.
type Outcome struct {
	// Titles are those of the menu entries that were run, from the main menu down
	// through submenus. ID is $chosen: their ids, joined by ">".
	Titles []string
	ID     string
	// Because says what sets this outcome apart, one reason a line; empty if
	// everything goes as usual: nobody presses a key and files are as the World says.
	Because []string
	// Cost orders outcomes: 0 is what is expected, higher is less likely.
	Cost int
	// Effects are the measurements in order.
	Effects []Effect
	// Doubts are reasons why a PCR's value cannot be told although the effects are
	// listed.
	Doubts []Doubt
	// End is how it ends, and Boot what it boots.
	End  End
	Boot Boot
	// Environment are the environment blocks as GRUB leaves them, of those that it
	// changed.
	Environment map[File][]byte
	// Output is what GRUB prints, as far as it is modeled: echo, and errors in
	// lines that begin with "error: ".
	Output string
}

// Doubt says what is not known about an outcome.
type Doubt struct {
	From   int // effects[:From] are sure
	PCRs   []int
	Reason string
}

// End is how a run ends.
type End string

// How a run ends.
const (
	Booted   End = "boots"             // GRUB starts what Boot says
	AtMenu   End = "waits in a menu"   // for a human; nothing else happens
	AtPrompt End = "waits at a prompt" // GRUB's command line
	Left     End = "leaves GRUB"       // exit, or a next boot loader of the firmware's
	Off      End = "turns off"         // halt
	Reset    End = "restarts"          // reboot, fwsetup
	Lost     End = "is not known"      // a Doubt says why
)

// Boot is what GRUB starts.
type Boot struct {
	Command string // "linux", "chainloader", ...; "" if nothing was loaded
	Image   File
	Cmdline string // as KernelCmdline
	Initrds []File
}
