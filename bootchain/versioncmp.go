package bootchain

import (
	"cmp"
	"strings"
)

// compareVersions orders versions as systemd-boot does (UAPI.10, Version Format
// Specification): by parts, numbers by their value, "~" before the end, and
// "-", "^", "." between parts in that order.
func compareVersions(a, b string) int {
	for {
		a, b = strings.TrimLeftFunc(a, ignored), strings.TrimLeftFunc(b, ignored)
		for _, sign := range []string{"~", "", "-", "^", "."} {
			if sign == "" {
				if a == "" || b == "" {
					return cmp.Compare(len(a), len(b))
				}
				continue
			}
			inA, inB := strings.HasPrefix(a, sign), strings.HasPrefix(b, sign)
			if inA != inB {
				// "~" is older than anything; of the others, having the sign means
				// that a part ends here, which is older than one that goes on.
				return btoi(inB) - btoi(inA)
			}
			if inA {
				a, b = a[1:], b[1:]
			}
		}
		if a == "" || b == "" {
			continue
		}
		var c int
		if digit(rune(a[0])) || digit(rune(b[0])) {
			c, a, b = comparePart(a, b, digit, compareNumbers)
		} else {
			c, a, b = comparePart(a, b, letter, strings.Compare)
		}
		if c != 0 {
			return c
		}
	}
}

func digit(r rune) bool  { return r >= '0' && r <= '9' }
func letter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }
func ignored(r rune) bool {
	return !digit(r) && !letter(r) && !strings.ContainsRune("~-^.", r)
}

// comparePart compares what a and b begin with, and returns their rest.
func comparePart(a, b string, in func(rune) bool, compare func(x, y string) int) (int, string, string) {
	cut := func(s string) (part, rest string) {
		rest = strings.TrimLeftFunc(s, in)
		return s[:len(s)-len(rest)], rest
	}
	x, restA := cut(a)
	y, restB := cut(b)
	return compare(x, y), restA, restB
}

// compareNumbers compares numbers of any length. None is older than one.
func compareNumbers(x, y string) int {
	if x == "" || y == "" {
		return cmp.Compare(len(x), len(y))
	}
	x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
	return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y))
}
