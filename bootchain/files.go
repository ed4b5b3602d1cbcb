package bootchain

import (
	"fmt"
	"maps"
	"slices"

	"github.com/bootseal/bootseal/pcr"
)

// Files are the files of the boot in the log and those of the next one.
type Files struct{ Old, New Manifest }

// finding is what the manifests say about a file that was measured.
type finding struct {
	digests    map[pcr.Bank]pcr.Digest // at the next boot; nil if unknown
	confidence Confidence
	reason     string
	source     string
	changed    bool // the next boot's file is another one, or may be
	resigned   bool // it is a program that others have signed
}

// kind says which of a file's digests was measured.
type kind bool

const (
	contents kind = false // of all bytes
	program  kind = true  // Authenticode
)

func (k kind) of(f File) map[pcr.Bank]pcr.Digest {
	switch {
	case k == contents:
		return f.Digests
	case f.Program != nil:
		return f.Program.Authenticode
	}
	return nil
}

// trace follows a file from the boot in the log, where it had the digests seen,
// to the next. A path is only believed to name the same file for the boot loader
// and in the manifests where a digest bears that out.
func (f Files) trace(path string, k kind, seen map[pcr.Bank]pcr.Digest) finding {
	fold := k == program
	older, _, inOld := f.Old.find(path, fold)
	newer, source, inNew := f.New.find(path, fold)
	unknown := func(reason string) finding {
		return finding{confidence: Unknown, reason: reason, source: path, changed: true, resigned: k == program}
	}
	switch {
	case !inOld && !inNew:
		return finding{digests: seen, confidence: Copied, reason: inNeither(path)}
	case inNew && matches(k.of(newer), seen):
		return finding{digests: k.of(newer), confidence: Computed, reason: path + " stays as it is", source: source}
	case !inNew:
		return unknown(path + " was measured, and is no longer there")
	case !inOld:
		return unknown(path + " is not what was measured, and the manifest of the last boot does not have it")
	case !matches(k.of(older), seen):
		return unknown(path + " in the manifest of the last boot is not what was measured")
	case len(k.of(newer)) == 0:
		return unknown(unreadable(path, newer))
	}
	return finding{digests: k.of(newer), confidence: Computed, reason: path + " changes", source: source,
		changed: true, resigned: k == program && !sameSigners(older, newer)}
}

func inNeither(path string) string {
	return path + " is in neither manifest: taken to stay as it is"
}

func unreadable(path string, f File) string {
	s := path + " is no program that can be read"
	if f.Program != nil && f.Program.Problem != "" {
		s += ": " + f.Program.Problem
	}
	return s
}

// matches reports whether a file's digests are those that were measured, in all
// banks that both have, and that there is one.
func matches(file, seen map[pcr.Bank]pcr.Digest) bool {
	n := 0
	for b, d := range seen {
		if have, ok := file[b]; ok {
			if !slices.Equal(have, d) {
				return false
			}
			n++
		}
	}
	return n > 0
}

// changes returns the paths, sorted, that are not the same in both manifests.
func (f Files) changes() []string {
	var out []string
	for path, newer := range f.New.Files {
		if older, ok := f.Old.Files[path]; !ok || !sameFile(older, newer) {
			out = append(out, path)
		}
	}
	for path := range f.Old.Files {
		if _, ok := f.New.Files[path]; !ok {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out
}

func sameFile(a, b File) bool {
	equal := func(k kind) bool {
		return maps.EqualFunc(k.of(a), k.of(b), func(x, y pcr.Digest) bool { return slices.Equal(x, y) })
	}
	return equal(contents) && equal(program)
}

// changesInWords names the first change.
func changesInWords(paths []string) string {
	if len(paths) == 1 {
		return paths[0] + " changes"
	}
	return fmt.Sprintf("%s and %d more change", paths[0], len(paths)-1)
}
