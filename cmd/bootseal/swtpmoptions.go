package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Options in swtpm's style: --flag key=value,word,... of which each flag has its own.

// optionList is the value of one such flag.
type optionList struct {
	flag   string
	values map[string]string // "" for a word
}

// parseOptions parses the value of a flag; only the known keys and words are accepted.
func parseOptions(flag, value string, known ...string) (optionList, error) {
	o := optionList{flag, make(map[string]string)}
	if value == "" {
		return o, nil
	}
	for part := range strings.SplitSeq(value, ",") {
		key, v, _ := strings.Cut(part, "=")
		if !slices.Contains(known, key) {
			return o, fmt.Errorf("--%s: unknown option %q; there are %s", flag, key, strings.Join(known, ", "))
		}
		if _, twice := o.values[key]; twice {
			return o, fmt.Errorf("--%s: %s is there twice", flag, key)
		}
		o.values[key] = v
	}
	return o, nil
}

func (o optionList) has(key string) bool { _, ok := o.values[key]; return ok }

// yes returns what a word says: alone it is true, and it can have a value.
func (o optionList) yes(key string) (bool, error) {
	v, ok := o.values[key]
	switch {
	case !ok:
		return false, nil
	case v == "" || v == "true" || v == "1":
		return true, nil
	case v == "false" || v == "0":
		return false, nil
	}
	return false, fmt.Errorf("--%s: %s=%s: choose true or false", o.flag, key, v)
}

// all sets each word's target to what it says.
func (o optionList) all(words map[string]*bool) (err error) {
	for key, to := range words {
		if *to, err = o.yes(key); err != nil {
			return err
		}
	}
	return nil
}

// number returns a number in the base, or the default where the key is not there.
func (o optionList) number(key string, base int, otherwise int64) (int64, error) {
	if !o.has(key) {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(o.values[key], base, 32)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("--%s: %s=%s is no number", o.flag, key, o.values[key])
	}
	return n, nil
}

// oneOf returns the value of the key, which must be one of the words. Without the key
// it is the first of them.
func (o optionList) oneOf(key string, words ...string) (string, error) {
	if !o.has(key) {
		return words[0], nil
	}
	if v := o.values[key]; slices.Contains(words, v) {
		return v, nil
	}
	return "", fmt.Errorf("--%s: %s=%s: choose %s", o.flag, key, o.values[key], strings.Join(words, " or "))
}

// fd returns the open descriptor that the key names as a file, or nil without the key.
func (o optionList) fd(key string) (*os.File, error) {
	n, err := o.number(key, 10, -1)
	if err != nil || n < 0 {
		return nil, err
	}
	f := os.NewFile(uintptr(n), fmt.Sprintf("descriptor %d", n))
	if _, err := f.Stat(); err != nil {
		return nil, fmt.Errorf("--%s: %s=%d is not open: %w", o.flag, key, n, err)
	}
	return f, nil
}

// content returns what is in the file that fileKey names or behind the descriptor that
// fdKey names, at most limit bytes.
func (o optionList) content(fileKey, fdKey string, limit int) ([]byte, error) {
	f, err := o.fd(fdKey)
	if err == nil && f == nil {
		f, err = os.Open(o.values[fileKey])
	}
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", o.flag, err)
	}
	defer f.Close()
	buf := make([]byte, limit+1)
	n := 0
	for n < len(buf) {
		m, err := f.Read(buf[n:])
		if n += m; err != nil || m == 0 {
			break
		}
	}
	if n > limit {
		return nil, fmt.Errorf("--%s: more than %d bytes", o.flag, limit)
	}
	return buf[:n], nil
}
