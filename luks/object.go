package luks

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

var errMissing = errors.New("it is missing")

// Field is a member of a JSON object.
type Field struct {
	Name  string
	Value json.RawMessage
}

// object is a JSON object that is taken apart field by field, exactly: a field
// comes once and in its own spelling. encoding/json's structs take any case and
// the last of several, so that two programs could read two things.
type object struct {
	fields []Field
	err    error // the first
}

// parseObject takes apart a JSON object and nothing behind it.
func parseObject(text []byte) (*object, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil {
		return nil, fmt.Errorf("not JSON: %w", noEOF(err))
	} else if open != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	o, seen := &object{}, map[string]bool{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("not JSON: %w", noEOF(err))
		}
		f := Field{Name: name.(string)} // the decoder accepts nothing else here
		if seen[f.Name] {
			return nil, fmt.Errorf("field %q comes twice", f.Name)
		}
		seen[f.Name] = true
		if err := d.Decode(&f.Value); err != nil {
			return nil, fmt.Errorf("field %q: not JSON: %w", f.Name, noEOF(err))
		}
		o.fields = append(o.fields, f)
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("not JSON: %w", noEOF(err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	return o, nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// take removes the field and returns its value, or nil.
func (o *object) take(name string) json.RawMessage {
	for i, f := range o.fields {
		if f.Name == name {
			o.fields = append(o.fields[:i], o.fields[i+1:]...)
			return f.Value
		}
	}
	return nil
}

func (o *object) fail(name string, err error) {
	if o.err == nil && err != nil {
		o.err = fmt.Errorf("field %q: %w", name, err)
	}
}

// must takes a field that has to be there.
func (o *object) must(name string) json.RawMessage {
	raw := o.take(name)
	if raw == nil {
		o.fail(name, errMissing)
	}
	return raw
}

// read decodes a field into v and reports whether it was there. v is left as it is
// where it was not, and where it is no v.
func (o *object) read(name string, v any) bool {
	raw := o.take(name)
	if raw == nil {
		return false
	}
	if string(raw) == "null" {
		o.fail(name, errors.New("null: want a value"))
		return false
	}
	o.fail(name, json.Unmarshal(raw, v))
	return true
}

// need is read for a field that has to be there.
func (o *object) need(name string, v any) {
	if !o.read(name, v) {
		o.fail(name, errMissing)
	}
}

// nothingElse fails for a field that nobody took.
func (o *object) nothingElse() {
	if len(o.fields) > 0 {
		o.fail(o.fields[0].Name, errors.New("it is not known"))
	}
}

// bytes decodes a field of standard base64, as systemd writes it; nil if absent.
func (o *object) bytes(name string) []byte {
	var text string
	if !o.read(name, &text) {
		return nil
	}
	b, err := unbase64(text)
	o.fail(name, err)
	return b
}

func unbase64(text string) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("not base64: %w", err)
	}
	return b, nil
}

// list decodes a field that is one string, or an array of them.
func (o *object) list(name string) []string {
	raw := o.must(name)
	if raw == nil {
		return nil
	}
	var one string
	if json.Unmarshal(raw, &one) == nil && string(raw) != "null" {
		return []string{one}
	}
	var many []*string
	if err := json.Unmarshal(raw, &many); err != nil || len(many) == 0 {
		o.fail(name, errors.New("want a string, or an array of strings"))
		return nil
	}
	all := make([]string, len(many))
	for i, s := range many {
		if s == nil {
			o.fail(name, errors.New("null: want a string"))
			return nil
		}
		all[i] = *s
	}
	return all
}

// numberList decodes an array of numbers.
func numberList(raw []byte) ([]int, error) {
	var list []*int
	if err := json.Unmarshal(raw, &list); err != nil || list == nil {
		return nil, errors.New("want an array of numbers")
	}
	all := make([]int, len(list))
	for i, n := range list {
		if n == nil {
			return nil, errors.New("null: want a number")
		}
		all[i] = *n
	}
	return all, nil
}

// ids decodes an array of decimal numbers in strings, as LUKS2 writes references
// to keyslots and segments.
func (o *object) ids(name string) []int {
	raw := o.must(name)
	if raw == nil {
		return nil
	}
	var texts []string
	if err := json.Unmarshal(raw, &texts); err != nil || string(raw) == "null" {
		o.fail(name, errors.New(`want an array like ["0","1"]`))
		return nil
	}
	list := make([]int, 0, len(texts))
	seen := map[int]bool{}
	for _, text := range texts {
		n, err := parseID(text)
		if err == nil && seen[n] {
			err = fmt.Errorf("%d comes twice", n)
		}
		if err != nil {
			o.fail(name, err)
			return nil
		}
		seen[n] = true
		list = append(list, n)
	}
	return list
}

// parseID reads an object's number. There are at most 32 of a kind.
func parseID(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || strconv.Itoa(n) != text || n < 0 || n >= MaxTokens {
		return 0, fmt.Errorf("%q: want a number from 0 to %d", text, MaxTokens-1)
	}
	return n, nil
}

// builder writes a JSON object in the order of its fields, in the form that
// cryptsetup stores: compact, and with nothing escaped that need not be.
type builder struct {
	b   bytes.Buffer
	err error
}

func (w *builder) add(name string, value any) {
	if w.err != nil {
		return
	}
	sep := byte(',')
	if w.b.Len() == 0 {
		sep = '{'
	}
	w.b.WriteByte(sep)
	w.encode(name)
	w.b.WriteByte(':')
	w.encode(value)
}

func (w *builder) encode(value any) {
	e := json.NewEncoder(&w.b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil && w.err == nil {
		w.err = err
	}
	w.b.Truncate(len(bytes.TrimSuffix(w.b.Bytes(), []byte("\n"))))
}

func (w *builder) done() ([]byte, error) {
	if w.err != nil {
		return nil, w.err
	}
	w.b.WriteByte('}')
	return w.b.Bytes(), nil
}

func idTexts(ids []int) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = strconv.Itoa(id)
	}
	return texts
}
