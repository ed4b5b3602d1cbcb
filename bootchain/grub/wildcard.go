package grub

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// wildcards expands * and ? in a file name, as GRUB does where it has the module
// regexp (commands/wildcard.c). It returns nil where nothing is found, or nothing
// is to be found: the word then stays as it is.
func (r *run) wildcards(arg string) ([]string, error) {
	if !r.has("regexp") || arg == "" || strings.IndexByte("/(*", arg[0]) < 0 || !hasWildcard(arg) {
		return nil, nil
	}
	var paths []string
	begun, matched := false, false
	for rest := arg; rest != ""; {
		plain, end := splitPattern(rest)
		prefix, pattern := rest[:plain], rest[plain:end]
		rest = rest[end:]
		if pattern == "" { // no wildcard in what is left
			var out []string
			for _, p := range paths {
				full := p + r.unescape(prefix)
				there := true
				if matched {
					var err error
					if there, err = r.exists(full); err != nil {
						return nil, err
					}
				}
				if there {
					out = append(out, full)
				}
			}
			paths = out
			continue
		}
		matched = true
		var found []string
		var err error
		switch {
		case !begun && prefix == "":
			return nil, r.lost(fmt.Sprintf("%q stands for devices, which are not listed", arg), 8)
		case !begun:
			found, err = r.matchFiles(r.unescape(prefix), pattern)
		default:
			for _, p := range paths {
				var more []string
				if more, err = r.matchFiles(p+r.unescape(prefix), pattern); err != nil {
					break
				}
				found = append(found, more...)
			}
		}
		if err != nil {
			return nil, err
		}
		begun, paths = true, found
		if len(paths) == 0 {
			return nil, nil
		}
	}
	if len(paths) == 0 {
		return nil, nil
	}
	return paths, nil
}

func hasWildcard(s string) bool {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '*', '?':
			return true
		}
	}
	return false
}

// splitPattern splits s into folders without a wildcard and one name with one;
// what is behind end comes later.
func splitPattern(s string) (plain, end int) {
	wild := false
	for end < len(s) {
		switch c := s[end]; {
		case c == '\\' && end+1 < len(s):
			end++
		case c == '*', c == '?':
			wild = true
		case c == '/' && wild:
			return plain, end
		case c == '/':
			plain = end + 1
		}
		end++
	}
	if !wild {
		plain = end
	}
	return plain, end
}

// matchFiles returns the files of a folder whose names match, in the order of the
// folder.
func (r *run) matchFiles(dir, pattern string) ([]string, error) {
	f, status := r.resolve(dir)
	if status != ok {
		return nil, nil
	}
	f.Path = clean(f.Path)
	list, ordered, err := r.readDir(f)
	switch {
	case errors.Is(err, ErrUnknown):
		return nil, r.lost(fmt.Sprintf("what the folder %s contains is not known", f), 8)
	case notThere(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("list %s: %w", f, err)
	}
	var out []string
	glob := plainBrackets(pattern)
	for _, i := range list {
		if same, err := path.Match(glob, i.Name); err == nil && same && i.Name != "." && i.Name != ".." {
			out = append(out, dir+i.Name)
		}
	}
	if len(out) > 1 && !ordered {
		r.doubt(fmt.Sprintf("the order in which the file system lists %s is not known", f), 4, 8, 9)
	}
	return out, nil
}

// plainBrackets turns GRUB's pattern into one of path.Match: only * and ? are special.
func plainBrackets(pattern string) string {
	var sb strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '\\':
			sb.WriteByte(c)
			if i++; i < len(pattern) {
				sb.WriteByte(pattern[i])
			}
		case '[', ']':
			sb.WriteByte('\\')
			sb.WriteByte(c)
		default:
			sb.WriteByte(c)
		}
	}
	return sb.String()
}

func (r *run) readDir(f File) (list []Info, ordered bool, err error) {
	if !isMemdisk(f) {
		return r.world.ReadDir(f)
	}
	if r.image.MemdiskUnread != "" {
		return nil, false, ErrUnknown
	}
	names := make(map[string]bool) // and whether it is a folder
	for name := range r.image.Memdisk {
		if rest, below := strings.CutPrefix(name, strings.TrimRight(f.Path, "/")+"/"); below {
			first, _, dir := strings.Cut(rest, "/")
			names[first] = names[first] || dir
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		list = append(list, Info{Name: name, Dir: names[name]})
	}
	return list, len(list) < 2, nil
}

// exists looks up what follows a wildcard; a slash at its end wants a folder.
func (r *run) exists(name string) (bool, error) {
	f, status := r.resolve(name)
	if status != ok {
		return false, nil
	}
	info, there, err := r.stat(f, true)
	if strings.HasSuffix(name, "/") && info.Name != "" {
		there = there && info.Dir
	}
	return there, err
}
