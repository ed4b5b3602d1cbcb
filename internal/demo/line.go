package demo

// Kind says what a Line is.
type Kind string

// The kinds of lines.
const (
	Step  Kind = "step"  // a step begins; Text is its title
	Say   Kind = "say"   // an explanation
	Event Kind = "event" // one measurement; Data is an eventlog.Explanation
	Check Kind = "check" // something was checked; OK is the outcome
	Fact  Kind = "fact"  // a value that was made or found
)

// Line is one line of the story.
type Line struct {
	Step int    `json:"step"`
	Kind Kind   `json:"kind"`
	Text string `json:"text"`
	OK   *bool  `json:"ok,omitempty"` // of a Check
	Data any    `json:"data,omitempty"`
}
