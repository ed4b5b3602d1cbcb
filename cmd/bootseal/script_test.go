package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"bootseal": func() { os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs testdata/script: each reads like a manual page of a verb.
// $BOOTS has the recorded boots of package eventlog.
func TestScripts(t *testing.T) {
	boots, err := filepath.Abs("../../eventlog/testdata/boots")
	if err != nil {
		t.Fatal(err)
	}
	embedded, err := filepath.Abs("../../internal/boots")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("BOOTS", boots)
			e.Setenv("EMBEDDED", embedded)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"exitcode": exitCode},
	})
}

// exitCode runs bootseal and compares its exit code: exitcode CODE ARGS...
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: exitcode CODE ARGS...")
	}
	err := ts.Exec("bootseal", args[1:]...)
	code := "0"
	if err != nil {
		code = exitCodeOf(err)
	}
	if code != args[0] {
		ts.Fatalf("exit code %s, want %s", code, args[0])
	}
}
