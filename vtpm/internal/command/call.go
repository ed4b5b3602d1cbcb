package command

import (
	"fmt"
	"reflect"

	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// body is how a command runs: its structures' layouts and its function, or why
// there is none.
type body struct {
	in, out layout
	run     func(t *engine.TPM, in any) (out any, err error)
	reason  string
}

// none is the input or output of a command that has none.
type none struct{}

// run makes a body of a function. The layouts are derived from its types.
func run[In, Out any](f func(*engine.TPM, *In) (*Out, error)) *body {
	return &body{
		in:  layoutOf(reflect.TypeFor[In]()),
		out: layoutOf(reflect.TypeFor[Out]()),
		run: func(t *engine.TPM, in any) (any, error) { return f(t, in.(*In)) },
	}
}

// act makes a body of a function whose response has no handle and no parameters.
func act[In any](f func(*engine.TPM, *In) error) *body {
	return run(func(t *engine.TPM, in *In) (*none, error) { return &none{}, f(t, in) })
}

// missing is the body of a command that the TPM does not implement.
func missing(reason string) *body { return &body{reason: reason} }

// layout is how a struct of handles and parameters is read and written.
type layout struct {
	typ     reflect.Type
	handles int
	plus    []bool // by field: the "+" form
}

func layoutOf(typ reflect.Type) layout {
	l := layout{typ: typ}
	for i := range typ.NumField() {
		f := typ.Field(i)
		if !f.IsExported() {
			panic(fmt.Sprintf("command: field %s of %s is not exported", f.Name, typ))
		}
		handle := f.Type.Implements(reflect.TypeFor[interface{ Handle() wire.Handle }]())
		if handle && f.Tag.Get("tpm") != "parameter" {
			if l.handles != i {
				panic(fmt.Sprintf("command: handle %s of %s comes after a parameter", f.Name, typ))
			}
			l.handles++
		}
		l.plus = append(l.plus, f.Tag.Get("tpm") == "+")
	}
	return l
}

// Call is one command being decoded, run and encoded.
type Call struct {
	row *Row
	in  any // *In
	out any // *Out, after Run
}

// NewCall returns a call of the row's command, which must be implemented.
func (r *Row) NewCall() *Call { return &Call{row: r, in: reflect.New(r.body.in.typ).Interface()} }

// ReadHandles reads the handle area, and appends what it names to handles. An error has
// the handle's number.
func (c *Call) ReadHandles(r *wire.Reader, handles []wire.Handle) ([]wire.Handle, error) {
	l := &c.row.body.in
	v := reflect.ValueOf(c.in).Elem()
	for i := range l.handles {
		read(r, v.Field(i), l.plus[i])
		if err := r.Err(); err != nil {
			return nil, err.(wire.RC).Handle(i + 1)
		}
		named := v.Field(i).Addr().Interface().(interface{ Handle() wire.Handle })
		handles = append(handles, named.Handle())
	}
	return handles, nil
}

// ReadParameters reads the parameter area, which must end with the last
// parameter. An error has the parameter's number.
func (c *Call) ReadParameters(r *wire.Reader) error {
	l := &c.row.body.in
	v := reflect.ValueOf(c.in).Elem()
	for i := l.handles; i < len(l.plus); i++ {
		read(r, v.Field(i), l.plus[i])
		if err := r.Err(); err != nil {
			return err.(wire.RC).Param(i - l.handles + 1)
		}
	}
	if r.Len() != 0 {
		return wire.RCSize
	}
	return nil
}

// Run runs the body.
func (c *Call) Run(t *engine.TPM) (err error) {
	c.out, err = c.row.body.run(t, c.in)
	return err
}

// WriteHandle appends the response's handle, if it has one.
func (c *Call) WriteHandle(w *wire.Writer) { c.write(w, 0, c.row.body.out.handles) }

// WriteParameters appends the response's parameters.
func (c *Call) WriteParameters(w *wire.Writer) {
	c.write(w, c.row.body.out.handles, len(c.row.body.out.plus))
}

func (c *Call) write(w *wire.Writer, from, to int) {
	v := reflect.ValueOf(c.out).Elem()
	for i := from; i < to; i++ {
		write(w, v.Field(i))
	}
}

// read reads one field, which is a wire value or a plain integer.
func read(r *wire.Reader, f reflect.Value, plus bool) {
	switch p := f.Addr().Interface().(type) {
	case wire.Nullable:
		if plus {
			p.ReadPlus(r)
		} else {
			p.Read(r)
		}
	case interface{ Read(*wire.Reader) }:
		p.Read(r)
	case *uint8:
		*p = r.U8()
	case *uint16:
		*p = r.U16()
	case *uint32:
		*p = r.U32()
	case *uint64:
		*p = r.U64()
	case *int32:
		*p = int32(r.U32())
	default:
		panic(fmt.Sprintf("command: %s cannot be read", f.Type()))
	}
}

func write(w *wire.Writer, f reflect.Value) {
	switch p := f.Addr().Interface().(type) {
	case interface{ Write(*wire.Writer) }:
		p.Write(w)
	case *uint8:
		w.U8(*p)
	case *uint16:
		w.U16(*p)
	case *uint32:
		w.U32(*p)
	case *uint64:
		w.U64(*p)
	default:
		panic(fmt.Sprintf("command: %s cannot be written", f.Type()))
	}
}
