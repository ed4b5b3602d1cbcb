package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// maxSize is what the program may take of an initial ramdisk, in bytes.
const maxSize = 15 << 20

// The program is small, static, and without what the initial ramdisk has no use for.
func TestProgramIsSmallAndStatic(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bootseal-unlock")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() > maxSize {
		t.Errorf("%d bytes, %v: want at most %d", info.Size(), err, maxSize)
	}
	t.Logf("%d bytes", info.Size())
	program, err := os.ReadFile(path)
	if err != nil || bytes.Contains(program, []byte("/lib64/ld-linux")) {
		t.Errorf("it is not static, %v", err)
	}
	deps, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.Lines(string(deps)) {
		for _, heavy := range []string{"spf13/cobra", "go.etcd.io", "prometheus", "bootseal/predict", "bootseal/vtpm", "net/http", "k8s.io"} {
			if strings.Contains(dep, heavy) {
				t.Errorf("it contains %s", dep)
			}
		}
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args string
		code int
		out  string // on either output
	}{
		{"--version", 0, "bootseal-unlock "},
		{"help", 0, "bootseal-unlock keyscript"},
		{"", 2, "Usage:"},
		{"nonsense", 2, "Usage:"},
		{"test", 2, "test: want a device"},
		{"test --nonsense", 2, "flag provided but not defined"},
		{"test --help", 0, "bootseal-unlock test DEVICE"},
		{"test -o yaml x", 2, "choose text or json"},
		{"open x", 2, "open: want a device, and the name"},
		{"keyscript", 2, "CRYPTTAB_SOURCE"},
		{"test --tpm nonsense x", 2, "--tpm nonsense names no TPM"},
		{"test --tpm embedded: x", 2, "names no TPM"},
	} {
		var out bytes.Buffer
		if code := run(t.Context(), strings.Fields(c.args), strings.NewReader(""), &out, &out); code != c.code || !strings.Contains(out.String(), c.out) {
			t.Errorf("%q: exit code %d: %s", c.args, code, out.String())
		}
	}
}

func TestFlagsComeBeforeAndBehind(t *testing.T) {
	var out bytes.Buffer
	if code := run(t.Context(), strings.Fields("test /nowhere --volumes /nowhere -o json name"), strings.NewReader(""), &out, &out); code != 2 || !strings.Contains(out.String(), "/nowhere") {
		t.Errorf("exit code %d: %s", code, out.String())
	}
}
