package bootseal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// module is this module's path.
const module = "github.com/bootseal/bootseal"

// goPackage is what `go list -json` says of a package. Imports are the direct
// ones, which is what the policy is about.
type goPackage struct {
	ImportPath                         string
	Standard                           bool
	Imports, TestImports, XTestImports []string
}

// TestImportPolicy states who may import whom. A rule is not relaxed to fix a
// build: the code goes where it belongs instead.
func TestImportPolicy(t *testing.T) {
	for _, p := range listPackages(t, "./...") {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		for _, imported := range p.Imports {
			if why := forbidden(name, imported); why != "" {
				t.Errorf("%s imports %s: %s", p.ImportPath, imported, why)
			}
		}
		for _, imported := range append(p.TestImports, p.XTestImports...) {
			if why := forbiddenAnywhere(imported); why != "" {
				t.Errorf("a test of %s imports %s: %s", p.ImportPath, imported, why)
			}
		}
	}
}

// forbidden says why the package must not import the other one, or "".
func forbidden(name, imported string) string {
	own, isOwn := strings.CutPrefix(imported, module+"/")
	switch {
	case under(name, "vtpm") && isOwn && !under(own, "vtpm"):
		return "the engine never imports the packages above it"
	case under(name, "vtpm") && !isOwn && !engineMayImport(name, imported):
		return "the engine imports the standard library, x/crypto, x/sys, nistec and bigmod only"
	case under(name, "seal") && isOwn && under(own, "luks"), under(name, "luks") && isOwn && under(own, "seal"):
		return "seal and luks do not know each other: a verb joins them"
	case under(imported, "k8s.io") && !under(name, "kube") && !under(name, "cmd"):
		return "k8s.io only in kube and cmd"
	case (imported == "net" || under(imported, "net/http")) && !mayUseNetwork(name):
		return "net only in vtpm/server, kube, lab and cmd"
	case isOwn && (under(own, "vtpm/vtpmtest") || under(own, "lab")) && !under(name, "cmd") && !under(name, "lab"):
		return "only for tests and cmd"
	}
	return forbiddenAnywhere(imported)
}

func forbiddenAnywhere(imported string) string {
	const goTPM = "github.com/google/go-tpm"
	if under(imported, goTPM+"/legacy") || under(imported, goTPM+"/tpm") {
		return "go-tpm's old packages are used nowhere"
	}
	return ""
}

func engineMayImport(name, imported string) bool {
	if !strings.Contains(strings.SplitN(imported, "/", 2)[0], ".") {
		return true // the standard library
	}
	if under(name, "vtpm/store/etcd") && under(imported, "go.etcd.io/etcd") {
		return true
	}
	return slices.ContainsFunc([]string{
		"golang.org/x/crypto", "golang.org/x/sys", "filippo.io/nistec", "filippo.io/bigmod",
	}, func(allowed string) bool { return under(imported, allowed) })
}

func mayUseNetwork(name string) bool {
	return slices.ContainsFunc([]string{"vtpm/server", "kube", "lab", "cmd"}, func(dir string) bool { return under(name, dir) })
}

// under reports whether path is dir or below it.
func under(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// TestEveryPackageIsOnTheMap: doc.go has a line for each package.
func TestEveryPackageIsOnTheMap(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range listPackages(t, "./...") {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if name != "" && !strings.Contains(string(doc), "\n//\t"+name+" ") {
			t.Errorf("doc.go has no line for %s", name)
		}
	}
}

func listPackages(t *testing.T, pattern string) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Standard,Imports,TestImports,XTestImports", pattern).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}
