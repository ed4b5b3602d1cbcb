package host

import "fmt"

// maxName is the length of the longest name, in bytes.
const maxName = 63

// CheckName returns an error for what is no instance's name: one to 63 of a-z, 0-9, dot,
// underscore and hyphen, beginning with a letter or digit. Such a name is safe as a file's.
func CheckName(name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("%w: %.70q has %d characters instead of 1 to %d", ErrName, name, len(name), maxName)
	}
	for i, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || c != '.' && c != '_' && c != '-') {
			return fmt.Errorf("%w: %q: a-z and 0-9 are allowed, and after the first character . _ -", ErrName, name)
		}
	}
	return nil
}
