package pcr

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Digest is a hash value. It prints, and is written in JSON, as lower-case hex.
type Digest []byte

// String returns d as hex.
func (d Digest) String() string { return hex.EncodeToString(d) }

// Equal reports whether d and other are the same bytes. Digests of public data
// need no constant time.
func (d Digest) Equal(other []byte) bool { return bytes.Equal(d, other) }

// MarshalText writes d as hex.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads hex.
func (d *Digest) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil {
		return fmt.Errorf("digest %q is not hex", clip(string(text)))
	}
	*d = b
	return nil
}

// Values are PCR contents by bank and number. In JSON:
// {"sha256":{"0":"27fc...","4":"4d94..."}}.
type Values map[Bank]map[int]Digest

// Get returns the value of one PCR, and whether there is one.
func (v Values) Get(b Bank, index int) (Digest, bool) {
	d, ok := v[b][index]
	return d, ok
}

// Set stores a value; it does not copy d. It does not check sizes: see
// [Values.Check].
func (v Values) Set(b Bank, index int, d []byte) {
	if v[b] == nil {
		v[b] = make(map[int]Digest)
	}
	v[b][index] = d
}

// Banks returns the banks that have values, in the order of their numbers.
func (v Values) Banks() []Bank { return slices.Sorted(maps.Keys(v)) }

// Selection returns the PCRs that have a value in the bank.
func (v Values) Selection(b Bank) Selection {
	var s Selection
	for i := range v[b] {
		if valid(i) {
			s |= 1 << i
		}
	}
	return s
}

// Clone returns a deep copy.
func (v Values) Clone() Values {
	out := make(Values, len(v))
	for b, m := range v {
		for i, d := range m {
			out.Set(b, i, bytes.Clone(d))
		}
	}
	return out
}

// Equal reports whether v and w hold the same PCRs with the same contents.
func (v Values) Equal(w Values) bool {
	return maps.EqualFunc(v, w, func(a, b map[int]Digest) bool {
		return maps.EqualFunc(a, b, func(x, y Digest) bool { return x.Equal(y) })
	})
}

// Check reports the first PCR number out of range and the first digest whose
// size is not its bank's.
func (v Values) Check() error {
	for _, b := range v.Banks() {
		for _, i := range slices.Sorted(maps.Keys(v[b])) {
			if err := checkValue(b, i, v[b][i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkValue(b Bank, index int, d Digest) error {
	switch {
	case b.Size() == 0:
		return fmt.Errorf("bank %s: unknown algorithm", b)
	case !valid(index):
		return fmt.Errorf("%d is not a PCR number from 0 to %d", index, Count-1)
	case len(d) != b.Size():
		return fmt.Errorf("%s PCR %d: want %d bytes, have %d", b, index, b.Size(), len(d))
	}
	return nil
}

// UnmarshalJSON reads what the JSON encoding writes, and checks it.
func (v *Values) UnmarshalJSON(data []byte) error {
	var m map[Bank]map[int]Digest
	if err := json.Unmarshal(data, &m); err != nil {
		return err
	}
	if err := Values(m).Check(); err != nil {
		return err
	}
	*v = m
	return nil
}

// String prints the lines that [ParseValues] reads, by bank and then by PCR.
func (v Values) String() string {
	var sb strings.Builder
	for _, b := range v.Banks() {
		for _, i := range slices.Sorted(maps.Keys(v[b])) {
			fmt.Fprintf(&sb, "%s %d %s\n", b, i, v[b][i])
		}
	}
	return sb.String()
}

// ParseValues reads lines of the form "ALG INDEX HEX", as in
//
//	sha256 4 4d947b1c43646bb786daf32b2e19d8c5437d0171c8116f44b6d8d858109cda78
//
// Empty lines and lines that start with "#" are skipped. A file without values,
// a PCR given twice, and anything else are errors that name the line.
func ParseValues(r io.Reader) (Values, error) {
	v := make(Values)
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 4096) // a line has at most 148 bytes; more is another kind of file
	n := 0
	for sc.Scan() {
		n++
		line := strings.TrimSpace(sc.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := v.parseLine(line); err != nil {
			return nil, fmt.Errorf("PCR values, line %d: %w", n, err)
		}
	}
	if errors.Is(sc.Err(), bufio.ErrTooLong) {
		return nil, fmt.Errorf("PCR values, line %d: too long: want lines ALG INDEX HEX", n+1)
	}
	if sc.Err() != nil {
		return nil, fmt.Errorf("read PCR values: %w", sc.Err())
	}
	if len(v) == 0 {
		return nil, errors.New("PCR values: no line ALG INDEX HEX found")
	}
	return v, nil
}

func (v Values) parseLine(line string) error {
	f := strings.Fields(line)
	if len(f) != 3 {
		return fmt.Errorf("want ALG INDEX HEX, have %q", clip(line))
	}
	b, err := ParseBank(f[0])
	if err != nil {
		return err
	}
	index, err := strconv.Atoi(f[1])
	if err != nil {
		return fmt.Errorf("%q is not a PCR number from 0 to %d", clip(f[1]), Count-1)
	}
	var d Digest
	if err := d.UnmarshalText([]byte(f[2])); err != nil {
		return err
	}
	if err := checkValue(b, index, d); err != nil {
		return err
	}
	if _, dup := v.Get(b, index); dup {
		return fmt.Errorf("%s PCR %d: given twice", b, index)
	}
	v.Set(b, index, d)
	return nil
}

// clip shortens hostile input for an error message.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}
