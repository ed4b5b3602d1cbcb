package matrix

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"

	"github.com/bootseal/bootseal/internal/atomicfile"
	"github.com/bootseal/bootseal/internal/bounded"
)

// Ledger is what the lab's boots have come to, in a file of the repository: which PCRs of which
// change came out as predicted, and with which versions. It has no PCR that was wrong, because
// that fails a run; no times and no dates, so that a run which finds nothing new leaves it as it is.
type Ledger struct {
	// Versions are the sets of packages that there were boots of. A set's number, from 1, is
	// what rows name it by, and never changes.
	Versions sets `json:"versions"`
	// Chains are in the order of their programs and names.
	Chains []History `json:"chains"`
}

// History is what is known of a chain.
type History struct {
	Program string `json:"program"` // that boots it, "lab/predict"
	Name    string `json:"name"`
	Chain   string `json:"chain"` // in words
	Rows    []Seen `json:"rows"`
}

// Seen is what came of a change. A change that came out otherwise with other versions has a row
// for each.
type Seen struct {
	Change  string   `json:"change"`
	Right   []int    `json:"right"`             // PCRs that came out as predicted, ascending
	Unknown []int    `json:"unknown,omitempty"` // PCRs that were said to be unknown, ascending
	Doubts  []string `json:"doubts,omitempty"`  // why, in the words of the last boot
	With    []int    `json:"with"`              // the numbers of sets of versions, ascending
}

func (s *Seen) cell(index int) Cell {
	switch {
	case slices.Contains(s.Right, index):
		return Right
	case slices.Contains(s.Unknown, index):
		return Unknown
	}
	return ""
}

// sets are distinct sets of packages: a version by its package.
type sets []map[string]string

// number returns the number of a set, which is added where it is new.
func (s *sets) number(versions []Version) int {
	set := make(map[string]string, len(versions))
	for _, v := range versions {
		set[v.Package] = v.Version
	}
	i := slices.IndexFunc(*s, func(have map[string]string) bool { return maps.Equal(have, set) })
	if i < 0 {
		i = len(*s)
		*s = append(*s, set)
	}
	return i + 1
}

// maxLedger bounds a ledger's file, in bytes.
const maxLedger = 8 << 20

// ReadLedger reads a ledger's file.
func ReadLedger(path string) (*Ledger, error) {
	l, _, err := readLedger(path)
	return l, err
}

func readLedger(path string) (*Ledger, []byte, error) {
	data, err := bounded.ReadFile(path, maxLedger)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("read the ledger of boots: %w; a new one begins as a file with {} in it", err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the ledger of boots: %w", err)
	}
	l := new(Ledger)
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err = d.Decode(l); err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("there is more behind its end")
		}
	}
	if err == nil {
		err = l.check()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the ledger of boots: %s: %w; git restores what was committed", path, err)
	}
	return l, data, nil
}

// check refuses what no run writes.
func (l *Ledger) check() error {
	for i, set := range l.Versions {
		if len(set) == 0 {
			return fmt.Errorf("versions %d have no package", i+1)
		}
	}
	chains := make(map[[2]string]bool)
	for _, h := range l.Chains {
		name := [2]string{h.Program, h.Name}
		if h.Program == "" || h.Name == "" || chains[name] {
			return fmt.Errorf("the chain %q of %q is there twice, or lacks its name", h.Name, h.Program)
		}
		chains[name] = true
		for i, s := range h.Rows {
			if err := s.check(len(l.Versions)); err != nil {
				return fmt.Errorf("%s: %q: %w", h.Name, s.Change, err)
			}
			if slices.ContainsFunc(h.Rows[:i], func(other Seen) bool { return s.sameAs(&other) }) {
				return fmt.Errorf("%s: %q is there twice with the same result", h.Name, s.Change)
			}
		}
	}
	return nil
}

func (s *Seen) check(sets int) error {
	switch pcrs := slices.Sorted(slices.Values(slices.Concat(s.Right, s.Unknown))); {
	case s.Change == "" || len(pcrs) == 0:
		return errors.New("it lacks the change or its PCRs")
	case !ascending(s.Right) || !ascending(s.Unknown) || !ascending(pcrs):
		return errors.New("a PCR is there twice, or out of order")
	case slices.ContainsFunc(pcrs, func(i int) bool { return !slices.Contains(compared[:], i) }):
		return fmt.Errorf("PCRs %d: boots are compared in %d", pcrs, compared)
	case len(s.With) == 0 || !ascending(s.With) || s.With[0] < 1 || s.With[len(s.With)-1] > sets:
		return fmt.Errorf("it is of versions %d, and there are 1 to %d", s.With, sets)
	}
	return nil
}

func ascending(numbers []int) bool {
	for i := range numbers {
		if i > 0 && numbers[i] <= numbers[i-1] {
			return false
		}
	}
	return true
}

// LedgerFile is the file of a ledger that a run adds to, "" for none.
type LedgerFile string

// Check reads the ledger: it is better to know before the boots that it cannot be added to.
func (f LedgerFile) Check() error {
	if f == "" {
		return nil
	}
	_, err := ReadLedger(string(f))
	return err
}

// Record is [Record], also for a run that did not come to its end, and says that the file has grown.
func (f LedgerFile) Record(program string, found *Report, say func(string)) error {
	if f == "" {
		return nil
	}
	grew, err := Record(string(f), program, found)
	if grew {
		say("new boots are in " + string(f))
	}
	return err
}

// Record merges what a run of a program found into the ledger of a file, and reports whether that
// is new. Otherwise the file stays as it is, as it does after an error.
func Record(path, program string, found *Report) (bool, error) {
	l, before, err := readLedger(path)
	if err != nil {
		return false, err
	}
	for _, c := range found.Scenarios {
		l.merge(program, c)
	}
	if err := l.check(); err != nil {
		return false, fmt.Errorf("add to the ledger of boots: %w", err)
	}
	after, err := l.encode()
	if err != nil || bytes.Equal(before, after) {
		return false, err
	}
	return true, atomicfile.Write(path, after, 0o644)
}

// encode is JSON with a line for each set and each row, so that a change of the file can be read.
func (l *Ledger) encode() ([]byte, error) {
	var out bytes.Buffer
	lines := json.NewEncoder(&out)
	lines.SetEscapeHTML(false)
	var errs []error
	// add writes a value, behind a comma if it is not the first.
	add := func(first bool, v any) {
		if !first {
			out.Truncate(out.Len() - 1)
			out.WriteString(",\n")
		}
		errs = append(errs, lines.Encode(v))
	}
	out.WriteString("{\n\"versions\": [\n")
	for i, set := range l.Versions {
		add(i == 0, set)
	}
	out.WriteString("],\n\"chains\": [\n")
	for i, h := range l.Chains {
		rows := h.Rows
		h.Rows = []Seen{}
		add(i == 0, h)
		out.Truncate(out.Len() - len("]}\n"))
		out.WriteString("\n")
		for i, s := range rows {
			add(i == 0, s)
		}
		out.WriteString("]}\n")
	}
	out.WriteString("]\n}\n")
	return out.Bytes(), errors.Join(errs...)
}
