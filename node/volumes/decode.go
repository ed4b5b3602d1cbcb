package volumes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// decode reads one JSON value and nothing behind it, exactly. encoding/json takes names
// in any case and the last of several, so that two programs could read two things.
func decode(text []byte, v any) error {
	if len(text) > maxSize {
		return fmt.Errorf("%d bytes: want at most %d", len(text), maxSize)
	}
	if err := exact(json.NewDecoder(bytes.NewReader(text))); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(v) // what follows, exact has seen
}

// maxDepth is more than any value here has.
const maxDepth = 8

// exact walks through one value, and fails where an object has a name twice, or one
// that encoding/json could take for another.
func exact(d *json.Decoder) error {
	if err := exactValue(d, maxDepth); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON value")
	}
	return nil
}

func exactValue(d *json.Decoder, depth int) error {
	open, err := d.Token()
	if err != nil {
		return notJSON(err)
	}
	delimiter, ok := open.(json.Delim)
	if !ok {
		return nil
	}
	if depth == 0 {
		return errors.New("it is nested too deep")
	}
	seen := map[string]bool{}
	for d.More() {
		if delimiter == '{' {
			token, err := d.Token()
			if err != nil {
				return notJSON(err)
			}
			name := token.(string) // the decoder accepts nothing else here
			if seen[name] {
				return fmt.Errorf("field %.80q comes twice", name)
			}
			if strings.ContainsFunc(name, func(r rune) bool { return r >= 'A' && r <= 'Z' || r >= 0x7F }) {
				return fmt.Errorf("field %.80q: it is not known", name)
			}
			seen[name] = true
		}
		if err := exactValue(d, depth-1); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return notJSON(err)
	}
	return nil
}

func notJSON(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("not JSON: %w", err)
}
