package command

import (
	"reflect"
	"unicode"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// Field is a handle or a parameter of a command or of its response, for who looks at
// commands that go by.
type Field struct {
	Name string       // as Part 3 writes it: "inSensitive"
	Type reflect.Type // of package wire, or an integer
	plus bool
}

// Read reads the field's value.
func (f Field) Read(r *wire.Reader) any {
	v := reflect.New(f.Type).Elem()
	read(r, v, f.plus)
	return v.Interface()
}

// Fields returns the handles and the parameters of the command, in their order. There
// are none where it is not implemented.
func (r *Row) Fields() (handles, parameters []Field) { return r.body.in.fields() }

// ResponseFields returns the handle, if there is one, and the parameters of the
// command's response.
func (r *Row) ResponseFields() (handles, parameters []Field) { return r.body.out.fields() }

func (l *layout) fields() (handles, parameters []Field) {
	for i, plus := range l.plus {
		f := l.typ.Field(i)
		field := Field{Name: specName(f.Name), Type: f.Type, plus: plus}
		if i < l.handles {
			handles = append(handles, field)
		} else {
			parameters = append(parameters, field)
		}
	}
	return handles, parameters
}

// specName returns a Go name as Part 3 begins it, in lower case: "pcrDigest" for
// PCRDigest, "cpHashA" for CPHashA.
func specName(name string) string {
	runes := []rune(name)
	for i, c := range runes {
		if !unicode.IsUpper(c) || i > 0 && i+1 < len(runes) && unicode.IsLower(runes[i+1]) {
			break
		}
		runes[i] = unicode.ToLower(c)
	}
	return string(runes)
}
