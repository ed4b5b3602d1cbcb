package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// TestRoundTrip: what Write writes Read reads back, every field of it.
func TestRoundTrip(t *testing.T) {
	for i, v := range samples() {
		t.Run(fmt.Sprintf("%d-%T", i, v), func(t *testing.T) {
			data := wire.Marshal(v)
			got := reflect.New(reflect.TypeOf(v).Elem()).Interface().(wire.Value)
			if err := wire.Unmarshal(data, got, allLimits()); err != nil {
				t.Fatalf("read %x: %v", data, err)
			}
			if !reflect.DeepEqual(got, v) {
				t.Errorf("read %+v, wrote %+v", got, v)
			}
		})
	}
}

// TestTruncated: a structure that ends too early is TPM_RC_INSUFFICIENT wherever
// it ends, and never anything else: no field is judged by bytes that are missing.
func TestTruncated(t *testing.T) {
	for _, v := range samples() {
		data := wire.Marshal(v)
		if len(data) > 300 {
			data = data[:300]
		}
		for n := range data {
			got := reflect.New(reflect.TypeOf(v).Elem()).Interface().(wire.Value)
			err := wire.Unmarshal(data[:n], got, allLimits())
			if !errors.Is(err, wire.RCInsufficient) {
				t.Errorf("%T of %d bytes: %v, want %v", v, n, err, wire.RCInsufficient)
			}
		}
	}
}

// TestSamplesAreComplete: every type of the package that reads itself has a
// sample, so that the tests and the fuzz target see it.
func TestSamplesAreComplete(t *testing.T) {
	sampled := map[string]bool{
		// No capability can be set: these never read.
		"TPMSSetCapabilityData": true, "TPM2BSetCapabilityData": true,
	}
	for _, v := range samples() {
		sampled[reflect.TypeOf(v).Elem().Name()] = true
	}
	for _, name := range readers(t) {
		if !sampled[name] {
			t.Errorf("no sample of %s", name)
		}
	}
}

// readers returns the names of the types with a method Read(*Reader).
func readers(t *testing.T) []string {
	t.Helper()
	var names []string
	entries, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range entries {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv == nil || fn.Name.Name != "Read" {
				continue
			}
			if star, ok := fn.Recv.List[0].Type.(*ast.StarExpr); ok {
				names = append(names, star.X.(*ast.Ident).Name)
			}
		}
	}
	return names
}

// FuzzRead reads hostile bytes as every type. Reading must not panic, and
// whatever reads must be written as the very bytes that were read: there is one
// form of a value.
func FuzzRead(f *testing.F) {
	all := samples()
	for i, v := range all {
		f.Add(uint16(i), false, wire.Marshal(v))
		f.Add(uint16(i), true, wire.Marshal(v))
	}
	limits := allLimits()
	f.Fuzz(func(t *testing.T, kind uint16, plus bool, data []byte) {
		v := reflect.New(reflect.TypeOf(all[int(kind)%len(all)]).Elem()).Interface().(wire.Value)
		r := wire.NewReader(data, limits)
		if n, ok := v.(wire.Nullable); ok && plus {
			n.ReadPlus(r)
		} else {
			v.Read(r)
		}
		if r.OK() && !bytes.Equal(wire.Marshal(v), data[:r.Offset()]) {
			t.Errorf("%T: read %x, wrote %x", v, data[:r.Offset()], wire.Marshal(v))
		}
	})
}
