package command_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/command"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// TestEveryCommandHasItsFile: file, row and doc comment of a command agree, and
// no file claims to be a command that the table does not have.
func TestEveryCommandHasItsFile(t *testing.T) {
	for _, row := range command.Rows() {
		if !row.Implemented() {
			if row.Reason() == "" {
				t.Errorf("%s is not implemented, and the table does not say why", row.Name)
			}
			continue
		}
		src, err := os.ReadFile(row.File())
		if err != nil {
			t.Errorf("%s: %v", row.Name, err)
			continue
		}
		if want := "// " + row.Name + ", Part 3, " + row.Section + ": "; !strings.Contains(string(src), want) {
			t.Errorf("%s has no comment that begins with %q", row.File(), want)
		}
	}
}

// TestEveryResponseCodeHasAVector reads the source: every response code that a
// command's file names must be the outcome of one of the command's vectors, and
// so must success.
func TestEveryResponseCodeHasAVector(t *testing.T) {
	for _, row := range command.Rows() {
		if !row.Implemented() {
			continue
		}
		seen := codesSeen(t, &row)
		for code := range codesNamed(t, row.File()) {
			if !seen[code] {
				t.Errorf("%s names wire.%s, but no vector of testdata/%s ends with it", row.File(), code, strings.TrimSuffix(row.File(), ".go"))
			}
		}
		if neverSucceeds[row.Code] == seen["RCSuccess"] {
			t.Errorf("%s: a vector succeeds: %t", row.Name, seen["RCSuccess"])
		}
	}
}

// neverSucceeds are the commands that the TPM has nothing to do for: no capability
// can be set.
var neverSucceeds = map[wire.CC]bool{wire.CCSetCapability: true}

// codesNamed returns the identifiers wire.RC... in a file.
func codesNamed(t *testing.T, file string) map[string]bool {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	codes := make(map[string]bool)
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == "wire" && strings.HasPrefix(s.Sel.Name, "RC") && s.Sel.Name != "RC" {
				codes[s.Sel.Name] = true
			}
		}
		return true
	})
	return codes
}

// codesSeen returns the codes with which the command's own vectors end, by the
// name of their constant.
func codesSeen(t *testing.T, row *command.Row) map[string]bool {
	seen := make(map[string]bool)
	paths, err := filepath.Glob("testdata/" + strings.TrimSuffix(row.File(), ".go") + "/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		v := newVector(t)
		v.runFile(path)
		for _, r := range v.results {
			if r.row != nil && r.row.Code == row.Code {
				seen[constantName(r.rc)] = true
			}
		}
	}
	return seen
}

// constantName turns a code into the name of its constant: TPM_RC_NV_SPACE into
// RCNVSpace. Case is as in this package's source, which codesNamed reads.
func constantName(rc wire.RC) string {
	if rc == wire.RCSuccess {
		return "RCSuccess"
	}
	return constants[strings.ReplaceAll(strings.TrimPrefix(rc.Base().Error(), "TPM_RC_"), "_", "")]
}

// constants maps the specification's names, in capitals without underscores, to
// the constants of package wire.
var constants = func() map[string]string {
	m := make(map[string]string)
	f, err := parser.ParseFile(token.NewFileSet(), "../wire/rccodes.go", nil, parser.SkipObjectResolution)
	if err != nil {
		panic(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.ValueSpec); ok {
			for _, name := range s.Names {
				m[strings.ToUpper(strings.TrimPrefix(name.Name, "RC"))] = name.Name
			}
		}
		return true
	})
	return m
}()

// TestLengths: a command that is cut anywhere, or has a byte too many, fails. The
// commands are those of the vectors that succeed.
func TestLengths(t *testing.T) {
	for _, path := range vectorFiles(t) {
		v := newVector(t)
		v.runFile(path)
		if len(v.results) == 0 {
			continue
		}
		last := v.results[len(v.results)-1]
		if last.row == nil || last.rc != wire.RCSuccess {
			continue
		}
		replayed := newVector(t)
		for _, r := range v.results[:len(v.results)-1] {
			replayed.tpm.Execute(0, r.command)
		}
		for n := 10; n < len(last.command); n++ {
			replayed.send(resize(last.command, n))
			if rc := replayed.rc(); rc == wire.RCSuccess {
				t.Errorf("%s: %s succeeds with %d of its %d bytes", path, last.row.Name, n, len(last.command))
				break
			}
		}
		replayed.send(resize(last.command, len(last.command)+1))
		if rc := replayed.rc(); rc == wire.RCSuccess {
			t.Errorf("%s: %s succeeds with a byte too many", path, last.row.Name)
		}
	}
}

// resize cuts or pads a command to n bytes and corrects its header.
func resize(cmd []byte, n int) []byte {
	c := append([]byte(nil), cmd...)
	for len(c) < n {
		c = append(c, 0)
	}
	c = c[:n]
	c[2], c[3], c[4], c[5] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	return c
}
