package pcr

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// Count is the number of PCRs in a bank of a PC Client TPM: 0 to 23.
const Count = 24

// Selection is a set of PCR numbers below [Count]: bit n stands for PCR n. The
// zero value is the empty set; selections compare with ==.
type Selection uint32

// AllPCRs selects every PCR.
const AllPCRs Selection = 1<<Count - 1

// Select returns the set of the given PCRs. It panics for a number outside 0 to
// 23: use [ParseSelection] for input.
func Select(pcrs ...int) Selection {
	var s Selection
	for _, i := range pcrs {
		if !valid(i) {
			panic(fmt.Sprintf("pcr: no PCR %d", i))
		}
		s |= 1 << i
	}
	return s
}

func valid(index int) bool { return index >= 0 && index < Count }

// ParseSelection reads a list of PCRs and ranges: "4,7,8-9". Spaces around a
// number are allowed, and so is "+" for ",", which systemd uses. An empty list
// is an error: no verb has a use for it.
func ParseSelection(s string) (Selection, error) {
	var sel Selection
	for field := range strings.SplitSeq(strings.ReplaceAll(s, "+", ","), ",") {
		first, last, isRange := strings.Cut(field, "-")
		lo, err := parseIndex(first)
		if err != nil {
			return 0, fmt.Errorf("PCR selection %q: %w", s, err)
		}
		hi := lo
		if isRange {
			if hi, err = parseIndex(last); err != nil {
				return 0, fmt.Errorf("PCR selection %q: %w", s, err)
			}
		}
		if hi < lo {
			return 0, fmt.Errorf("PCR selection %q: the range %d-%d runs backwards", s, lo, hi)
		}
		for i := lo; i <= hi; i++ {
			sel |= 1 << i
		}
	}
	return sel, nil
}

func parseIndex(s string) (int, error) {
	s = strings.TrimSpace(s)
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil || !valid(int(n)) {
		return 0, fmt.Errorf("%q is not a PCR number from 0 to %d", s, Count-1)
	}
	return int(n), nil
}

// Has reports whether PCR index is in the set.
func (s Selection) Has(index int) bool { return valid(index) && s>>index&1 != 0 }

// With returns the set with PCR index added. It panics as [Select] does.
func (s Selection) With(index int) Selection { return s | Select(index) }

// Union returns the PCRs in s or t.
func (s Selection) Union(t Selection) Selection { return s | t }

// Without returns the PCRs in s that are not in t.
func (s Selection) Without(t Selection) Selection { return s &^ t }

// Len returns the number of PCRs in the set.
func (s Selection) Len() int { return bits.OnesCount32(uint32(s)) }

// Indexes returns the PCRs in ascending order.
func (s Selection) Indexes() []int {
	out := make([]int, 0, s.Len())
	for i := range Count {
		if s.Has(i) {
			out = append(out, i)
		}
	}
	return out
}

// Octets returns the pcrSelect field of a TPMS_PCR_SELECTION (Part 2,
// "TPMS_PCR_SELECTION"): three bytes, PCR 0 in the lowest bit of the first.
func (s Selection) Octets() []byte {
	return []byte{byte(s), byte(s >> 8), byte(s >> 16)}
}

// FromOctets is the inverse of [Selection.Octets]. It accepts any number of
// bytes as long as no PCR from 24 on is selected.
func FromOctets(b []byte) (Selection, error) {
	var s Selection
	for i, octet := range b {
		if i >= Count/8 {
			if octet != 0 {
				return 0, fmt.Errorf("PCR selection % x: selects a PCR above %d", b, Count-1)
			}
			continue
		}
		s |= Selection(octet) << (8 * i)
	}
	return s, nil
}

// String prints the set in ascending order, runs of three or more as a range:
// "0,1,4-7". The empty set is "none".
func (s Selection) String() string {
	var parts []string
	idx := s.Indexes()
	for i := 0; i < len(idx); {
		j := i
		for j+1 < len(idx) && idx[j+1] == idx[j]+1 {
			j++
		}
		if j-i >= 2 {
			parts = append(parts, fmt.Sprintf("%d-%d", idx[i], idx[j]))
			i = j + 1
			continue
		}
		parts = append(parts, strconv.Itoa(idx[i]))
		i++
	}
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, ",")
}

// MarshalText writes the set as [Selection.String] does.
func (s Selection) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what [Selection.String] writes.
func (s *Selection) UnmarshalText(text []byte) error {
	if string(text) == "none" {
		*s = 0
		return nil
	}
	v, err := ParseSelection(string(text))
	if err != nil {
		return err
	}
	*s = v
	return nil
}

// BankSelection is a selection in one bank: one entry of a TPML_PCR_SELECTION.
type BankSelection struct {
	Bank Bank      `json:"bank"`
	PCRs Selection `json:"pcrs"`
}

// String prints "sha256:4,7-9".
func (s BankSelection) String() string { return s.Bank.String() + ":" + s.PCRs.String() }
