package host

// EventKind says what happened.
type EventKind string

// Kinds of events.
const (
	EventCreated EventKind = "created"
	EventRemoved EventKind = "removed"
	EventStarted EventKind = "started"
	EventStopped EventKind = "stopped"
	EventFailed  EventKind = "failed"  // an instance ended, or did not start
	EventProblem EventKind = "problem" // something went wrong, and the instance goes on
)

// Event is something that happened, for a log. It never has a secret in it.
type Event struct {
	Kind     EventKind
	Instance string // its name; "" is the host
	Err      error  // of EventFailed and EventProblem
}
