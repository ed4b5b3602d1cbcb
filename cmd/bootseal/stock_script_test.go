package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// missing returns the first of the patterns that no file matches, "" if all are there.
func missing(patterns ...string) string {
	for _, p := range patterns {
		if found, err := filepath.Glob(p); err != nil || len(found) == 0 {
			return p
		}
	}
	return ""
}

// stockMissing says what is missing to have systemd's own plugin open a volume.
func stockMissing() string {
	if _, err := exec.LookPath("gcc"); err != nil {
		return "gcc"
	}
	return missing("/usr/lib/*/cryptsetup/libcryptsetup-token-systemd-tpm2.so", "/usr/lib/*/libtss2-tcti-swtpm.so.0",
		"/usr/lib/*/libtss2-esys.so.0", "/usr/lib/*/libcryptsetup.so.12")
}

// byToken compiles the program that asks libcryptsetup to open a volume by a token.
func byToken(ts *testscript.TestScript) string {
	program := ts.MkAbs("bytoken")
	if _, err := os.Stat(program); err != nil {
		out, err := exec.Command("gcc", "-o", program, "../../luks/cryptsetup/testdata/bytoken.c", "-l:libcryptsetup.so.12").CombinedOutput()
		if err != nil {
			ts.Fatalf("compile bytoken.c: %v: %s", err, out)
		}
	}
	return program
}

// stockOpens has systemd's own libcryptsetup plugin open a volume by a token: stockopens
// FILE SOCKET TOKEN [PIN [SIGNATURES]]. A control channel is at SOCKET.ctrl.
func stockOpens(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 3 || len(args) > 5 {
		ts.Fatalf("usage: stockopens FILE SOCKET TOKEN [PIN [SIGNATURES]]")
	}
	pin, signatures := "", ""
	if len(args) > 3 {
		pin = args[3]
	}
	if len(args) > 4 {
		signatures = ts.MkAbs(args[4])
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, byToken(ts), ts.MkAbs(args[0]), "swtpm:path="+ts.MkAbs(args[1]), args[2], signatures, pin)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	ts.Logf("systemd's plugin: keyslot %s%s", out, complaint.String())
	if (err == nil) == neg {
		ts.Fatalf("systemd's plugin with token %s of %s: %v", args[2], args[0], err)
	}
}
