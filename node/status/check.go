package status

import (
	"fmt"
	"strings"
)

// Fallback says which ways of the next boot may rely on a key that somebody types.
type Fallback string

// The fallbacks.
const (
	// FallbackOthers: the way that the boot goes by itself must be opened by the TPM;
	// the others may rely on it. The default.
	FallbackOthers   Fallback = "others"
	FallbackRecovery Fallback = "recovery" // every way may rely on it
	FallbackNone     Fallback = "none"     // no way may
)

// Fallbacks are all of them, the default first.
func Fallbacks() []Fallback { return []Fallback{FallbackOthers, FallbackRecovery, FallbackNone} }

// ParseFallback reads a fallback.
func ParseFallback(s string) (Fallback, error) {
	var words []string
	for _, f := range Fallbacks() {
		if string(f) == s {
			return f, nil
		}
		words = append(words, string(f))
	}
	return "", fmt.Errorf("%q: choose one of %s", s, strings.Join(words, ", "))
}

// Checked is a way with the verdict on it.
type Checked struct {
	Way
	Verdict Verdict `json:"verdict"`
	// Says is what will happen, in words, and Remedy what to do about it.
	Says   string `json:"says"`
	Remedy string `json:"remedy,omitempty"`
}

// VolumeCheck is what becomes of a volume at the next boot.
type VolumeCheck struct {
	Volume string `json:"volume"` // as it is called: "root"
	UUID   string `json:"uuid"`
	Device string `json:"device"`
	// Fallback says what opens the volume when the TPM does not, "" for nothing.
	Fallback string    `json:"fallback,omitempty"`
	Verdict  Verdict   `json:"verdict"`
	Ways     []Checked `json:"ways"`
}

// Check judges what [Foresee] has found for a volume. The verdict is [OK] or [Warn]
// where the machine may reboot.
func Check(v *Volume, ways []Way, allowed Fallback) VolumeCheck {
	c := VolumeCheck{Volume: v.title(), UUID: v.UUID, Device: v.Path, Fallback: v.Fallback(), Verdict: OK, Ways: []Checked{}}
	if len(ways) == 0 {
		c.Verdict = Unknown
	}
	boots := false
	for _, w := range ways {
		checked := checkWay(w, c.Fallback, allowed)
		boots = boots || w.Outcome != Halts
		c.Ways = append(c.Ways, checked)
		c.Verdict = c.Verdict.Worse(checked.Verdict)
	}
	if !boots && len(c.Ways) > 0 {
		first := &c.Ways[0]
		first.Verdict, first.Remedy = Bad, "mend what the next boot reads; bootseal predict shows what it finds"
		c.Verdict = Bad
	}
	return c
}

func checkWay(w Way, fallback string, allowed Fallback) Checked {
	c := Checked{Way: w, Verdict: OK}
	relies := fallback != "" && (allowed == FallbackRecovery || allowed == FallbackOthers && !w.Default)
	switch w.Outcome {
	case Opens:
		c.Says = "opens by " + tokenWords(w)
	case Halts:
		c.Says = "leads to no system: " + strings.Join(w.Why, "; ")
	case Refuses:
		c.Says = "asks for " + orNothing(fallback)
		c.Verdict, c.Remedy = Bad, "bootseal reseal"
		if w.Unsigned {
			c.Remedy = signOrReseal
		}
		if relies {
			c.Verdict, c.Remedy = Warn, "" // it is meant so
		}
	case Untold:
		c.Says = "cannot tell; if the TPM refuses, it asks for " + orNothing(fallback)
		c.Verdict, c.Remedy = Unknown, "bootseal predict --explain has the reasons"
		if relies {
			c.Verdict, c.Remedy = Warn, ""
		}
	}
	return c
}

// signOrReseal is the remedy for a boot that a key's owner has not signed.
const signOrReseal = "have it signed where the key is (bootseal policy sign), or bootseal reseal"

func orNothing(fallback string) string {
	if fallback == "" {
		return "a key that there is none of"
	}
	return fallback
}

func tokenWords(w Way) string {
	s := fmt.Sprintf("token %d", w.Tokens[0])
	if w.Label != "" {
		s += fmt.Sprintf(" (%s)", short(w.Label))
	}
	if w.PIN {
		s += ", with the PIN"
	}
	return s
}
