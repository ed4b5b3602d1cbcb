package eventlog

// Body is an event's data, decoded: one of the types below, which are structs
// that encode as JSON.
//
//	SpecHeader, StartupLocality, NoActionData          EV_NO_ACTION
//	Separator, Action                                  EV_SEPARATOR, EV_(EFI_)ACTION
//	Variable, Image, GPT                               EV_EFI_VARIABLE_*, *_APPLICATION and *_DRIVER, EV_EFI_GPT_EVENT
//	Blob, Tables                                       EV_EFI_PLATFORM_FIRMWARE_BLOB, EV_EFI_HANDOFF_TABLES
//	BootString, Tag                                    EV_IPL, EV_EVENT_TAG
//	DeviceSecurity                                     EV_EFI_SPDM_*
//	Text, Opaque, Malformed                            everything else, and what does not have its type's form
type Body interface {
	// Kind names the type of the body, for JSON: "separator", "variable", ...
	Kind() string
	// String tells in one line and plain words what was measured.
	String() string
}

// Decode returns what an event's data says. It never fails: data that does not
// have its type's form is [Malformed].
//
// The words are about the event alone. [Explain] knows the events around it, and
// has better ones.
func Decode(e *Event) Body {
	switch e.Type {
	case NoAction:
		return decodeNoAction(e)
	case SeparatorType:
		return decodeSeparator(e)
	case ActionType, EFIAction:
		return Action{Text: trimNUL(e.Data)}
	case EFIVariableConfig, EFIVariableBoot, EFIVariableBoot2, EFIVariableAuthority:
		return decodeVariable(e)
	case EFIBootApplication, EFIBootDriver, EFIRuntimeDriver:
		return decodeImage(e)
	case EFIGPTEvent, EFIGPTEvent2:
		return decodeGPT(e)
	case EFIFirmwareBlob, EFIFirmwareBlob2, PostCode, PostCode2:
		return decodeBlob(e)
	case EFIHandoffTables, EFIHandoffTables2:
		return decodeTables(e)
	case IPL:
		return decodeIPL(e)
	case EventTag:
		return decodeTag(e)
	case EFISPDMFirmwareBlob, EFISPDMFirmwareConfig, EFISPDMDevicePolicy, EFISPDMDeviceAuth:
		return decodeDeviceSecurity(e)
	}
	return decodeText(e)
}

// Malformed is data that does not have the form that its event type demands.
type Malformed struct {
	Type   Type   `json:"type"`
	Reason string `json:"reason"`
	Size   int    `json:"size"`
}

// Kind returns "malformed".
func (Malformed) Kind() string { return "malformed" }

// String says what is wrong.
func (m Malformed) String() string {
	return "data that cannot be read as " + m.Type.String() + ": " + m.Reason
}

func malformed(e *Event, reason string) Body {
	return Malformed{Type: e.Type, Reason: reason, Size: len(e.Data)}
}
