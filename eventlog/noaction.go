package eventlog

import (
	"fmt"
	"strings"
)

// SpecHeader is the Spec ID event: the log's header.
type SpecHeader struct {
	Spec
}

// Kind returns "header".
func (SpecHeader) Kind() string { return "header" }

// String names the format.
func (s SpecHeader) String() string {
	if !s.CryptoAgile() {
		return fmt.Sprintf("log header: TCG format %d.%d, digests in sha1", s.VersionMajor, s.VersionMinor)
	}
	names := make([]string, len(s.Algorithms))
	for i, a := range s.Algorithms {
		names[i] = a.Bank.String()
	}
	return fmt.Sprintf("log header: TCG format %d.%d, digests in %s", s.VersionMajor, s.VersionMinor,
		strings.Join(names, ", "))
}

// StartupLocality records who started the TPM, which shows in PCR 0.
type StartupLocality struct {
	Locality byte `json:"locality"`
}

// Kind returns "startup-locality".
func (StartupLocality) Kind() string { return "startup-locality" }

// String names the locality.
func (s StartupLocality) String() string {
	switch s.Locality {
	case 3:
		return "the TPM was started by a trusted first stage (locality 3)"
	case 4:
		return "the TPM was started by the hardware (locality 4)"
	}
	return fmt.Sprintf("the TPM was started at locality %d", s.Locality)
}

// NoActionData is information in the log that is not measured and so can be
// changed by anybody.
type NoActionData struct {
	Signature string `json:"signature"`
	Size      int    `json:"size"`
}

// Kind returns "information".
func (NoActionData) Kind() string { return "information" }

// String names the signature.
func (n NoActionData) String() string {
	if strings.HasPrefix(n.Signature, "SP800-155 Event") {
		return "pointer to the manufacturer's reference values (" + quote(n.Signature) + ")"
	}
	if n.Signature == "" {
		return fmt.Sprintf("information (%s)", bytesText(uint64(n.Size)))
	}
	return "information: " + quote(n.Signature)
}

func decodeNoAction(e *Event) Body {
	if e.Index == 0 {
		if s, ok, err := parseSpec(e.Data); err != nil {
			return malformed(e, err.Error())
		} else if ok {
			return SpecHeader{s}
		}
	}
	if loc, ok := startupLocality(e); ok {
		return StartupLocality{loc}
	}
	n := NoActionData{Size: len(e.Data)}
	// Signatures are 16 bytes, padded with NULs.
	if len(e.Data) >= 16 {
		if s := trimNUL(e.Data[:16]); isText(s) {
			n.Signature = s
		}
	} else if s, ok := printable(e.Data); ok {
		n.Signature = s
	}
	return n
}
