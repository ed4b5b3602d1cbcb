package bootchain

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/bootseal/bootseal/internal/efivars"
)

// sbatOriginal is the revocation level that revokes nothing (shim, SBAT.md).
const sbatOriginal = "sbat,1,2021030218\n"

// Values of the variable SbatPolicy (shim, include/sbat.h).
const (
	policyLatest    = 1
	policyAutomatic = 2
	policyReset     = 3
)

// sbatLevels are the revocation levels in a shim: the section .sbatlevel has a
// version, two offsets that count from behind it, and two texts that end with NUL.
func sbatLevels(p *Program) (automatic, latest string, ok bool) {
	s, found := p.section(".sbatlevel")
	const header, offsets = 4, 12
	if !found || len(s.Data) < offsets {
		return "", "", false
	}
	text := func(at uint32) (string, bool) {
		from := uint64(at) + header
		if from >= uint64(len(s.Data)) {
			return "", false
		}
		t, _, _ := bytes.Cut(s.Data[from:], []byte{0})
		return string(t), strings.HasPrefix(string(t), "sbat,")
	}
	automatic, okA := text(binary.LittleEndian.Uint32(s.Data[4:]))
	latest, okL := text(binary.LittleEndian.Uint32(s.Data[8:]))
	return automatic, latest, okA && okL
}

// sbatLevel returns the revocation level that shim measures: the one in the
// machine's variable, or a newer one that shim brings. "" if it cannot be told.
func (w *walk) sbatLevel(p *Program) (level, reason string) {
	current, known := w.currentSbatLevel()
	automatic, latest, ok := sbatLevels(p)
	if !ok {
		if known {
			return current, "the revocation level stays, as the shim brings none that can be read"
		}
		return "", "the revocation level is neither in the variables nor in the shim"
	}
	candidate, name := automatic, "the level that the shim brings"
	reset := false
	original := func() {
		candidate, name, reset = sbatOriginal, "Secure Boot is off, and so shim resets the level", true
	}
	policy, _ := w.vars.get("SbatPolicy", efivars.Shim)
	off := !w.enforced
	switch {
	case len(policy) == 1 && policy[0] == policyLatest:
		candidate, name = latest, "the latest level that the shim brings, as SbatPolicy demands"
	case len(policy) == 1 && policy[0] == policyReset && off:
		original()
	case len(policy) == 1 && policy[0] == policyAutomatic:
	case off && p.number().atLeast(15, 8):
		original()
	}
	if !reset && known && !newerLevel(candidate, current) {
		return current, "the revocation level stays: what the shim brings is not newer"
	}
	return candidate, name
}

// currentSbatLevel returns the level that the machine has now.
func (w *walk) currentSbatLevel() (string, bool) {
	if data, ok := w.vars.get("SbatLevelRT", efivars.Shim); ok {
		return string(bytes.TrimRight(data, "\x00")), true
	}
	if v, ok := w.shimVariable("SbatLevel", 7); ok {
		return string(v.Data()), true
	}
	return "", false
}

// newerLevel compares the versions and the dates of two levels, as shim does.
func newerLevel(candidate, current string) bool {
	field := func(s string, i int) string {
		first, _, _ := strings.Cut(s, "\n")
		f := strings.Split(first, ",")
		if i >= len(f) {
			return ""
		}
		return f[i]
	}
	if a, b := field(candidate, 1), field(current, 1); a != b {
		return len(a) > len(b) || len(a) == len(b) && a > b
	}
	return field(candidate, 2) > field(current, 2)
}

// revokes returns the first component of a program that a level revokes, "" if
// there is none.
func revokes(level string, p *Program) string {
	minimum := make(map[string]int)
	for _, c := range parseSBAT([]byte(level)) {
		minimum[c.name] = c.generation
	}
	for _, c := range p.sbat() {
		if least, ok := minimum[c.name]; ok && c.name != "sbat" && c.generation < least {
			return fmt.Sprintf("%s has generation %d, the revocation level demands %d", c.name, c.generation, least)
		}
	}
	return ""
}
