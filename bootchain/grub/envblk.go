package grub

import (
	"bytes"
	"strings"
)

// envSignature is what an environment block begins with. The rest are lines
// NAME=VALUE, and # up to the block's fixed size (GRUB's lib/envblk.c).
const envSignature = "# GRUB Environment Block\n"

// Variable is a variable of an environment block.
type Variable struct{ Name, Value string }

// ParseEnvironment returns a block's variables in order; ok is false if it is no
// environment block.
func ParseEnvironment(b []byte) (vars []Variable, ok bool) {
	if !bytes.HasPrefix(b, []byte(envSignature)) {
		return nil, false
	}
	for p := len(envSignature); p < len(b); {
		if c := b[p]; c == '#' || c == '\n' || c == '\r' {
			p = lineEnd(b, p) + 1
			continue
		}
		eq := bytes.IndexByte(b[p:], '=')
		if eq < 0 {
			break
		}
		start := p + eq + 1
		end := lineEnd(b, start)
		if end >= len(b) {
			break
		}
		vars = append(vars, Variable{cString(b[p : p+eq]), cString([]byte(unescapeValue(b[start:end])))})
		p = end + 1
	}
	return vars, true
}

// cString cuts a name or a value at a NUL, as C does.
func cString(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}

// lineEnd returns the index of the newline that ends the line; a backslash
// protects what follows it.
func lineEnd(b []byte, p int) int {
	for p < len(b) && b[p] != '\n' {
		if b[p] == '\\' {
			p++
		}
		p++
	}
	return p
}

func unescapeValue(b []byte) string {
	var sb strings.Builder
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+1 < len(b) {
			i++
		}
		sb.WriteByte(b[i])
	}
	return sb.String()
}

var valueEscaper = strings.NewReplacer(`\`, `\\`, "\n", "\\\n")

// SetEnvironment returns a block in which a variable has a value, as grub-editenv
// and GRUB's save_env write it. ok is false if there is no room for it.
func SetEnvironment(b []byte, name, value string) (out []byte, ok bool) {
	text := bytes.TrimRight(b, "#")
	if !bytes.HasSuffix(text, []byte("\n")) {
		return nil, false
	}
	line := name + "=" + valueEscaper.Replace(value) + "\n"
	start, end, found := findVariable(b, len(text), name)
	if !found {
		start, end = len(text), len(text)
	}
	out = append(append(append(bytes.Clone(text[:start]), line...), text[end:]...), bytes.Repeat([]byte("#"), max(0, len(b)-len(text)))...)
	if grown := len(line) - (end - start); grown > len(b)-len(text) {
		return nil, false
	}
	return padded(out, len(b)), true
}

// UnsetEnvironment returns a block without a variable.
func UnsetEnvironment(b []byte, name string) []byte {
	start, end, found := findVariable(b, len(b), name)
	if !found {
		return b
	}
	return padded(append(bytes.Clone(b[:start]), b[end:]...), len(b))
}

// padded brings a block to its size with #.
func padded(b []byte, size int) []byte {
	if len(b) >= size {
		return b[:size]
	}
	return append(b, bytes.Repeat([]byte("#"), size-len(b))...)
}

// findVariable returns where a variable's line is.
func findVariable(b []byte, limit int, name string) (start, end int, found bool) {
	for p := min(len(envSignature), len(b)); p+len(name)+1 < limit; {
		end := lineEnd(b, p)
		if bytes.HasPrefix(b[p:], []byte(name+"=")) {
			if end >= len(b) {
				return 0, 0, false
			}
			return p, end + 1, true
		}
		p = end + 1
	}
	return 0, 0, false
}
