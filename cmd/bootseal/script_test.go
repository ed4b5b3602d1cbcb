package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"testing"
	"time"

	"github.com/bootseal/bootseal/luks/cryptsetup"
	"github.com/bootseal/bootseal/vtpm/server/host/api"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"bootseal": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
			defer stop()
			os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		},
	})
}

// TestScripts runs testdata/script: each reads like a manual page of a verb.
// A script that needs the program cryptsetup begins with [!cryptsetup] skip.
// $BOOTS has the recorded boots of package eventlog, $CHAINS what else these
// machines had: variables, and manifests of their files. $HOOK is the package's hook. $SWTPM has states of swtpm,
// $PCRSIG keys and signatures of systemd-measure.
func TestScripts(t *testing.T) {
	boots, err := filepath.Abs("../../eventlog/testdata/boots")
	if err != nil {
		t.Fatal(err)
	}
	embedded, err := filepath.Abs("../../internal/boots")
	if err != nil {
		t.Fatal(err)
	}
	chains, err := filepath.Abs("../../bootchain/testdata/chains")
	if err != nil {
		t.Fatal(err)
	}
	swtpm, err := filepath.Abs("../../vtpm/swtpmstate/testdata")
	if err != nil {
		t.Fatal(err)
	}
	pcrsig, err := filepath.Abs("../../seal/pcrsig/testdata")
	if err != nil {
		t.Fatal(err)
	}
	hook, err := filepath.Abs("../../packaging/root/usr/lib/bootseal/hook")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("BOOTS", boots)
			e.Setenv("EMBEDDED", embedded)
			e.Setenv("CHAINS", chains)
			e.Setenv("SWTPM", swtpm)
			e.Setenv("PCRSIG", pcrsig)
			e.Setenv("HOOK", hook)
			e.Defer(func() { endTPMs(e.WorkDir) })
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exitcode": exitCode, "waitsocket": waitSocket, "waittrace": waitTrace,
			"boottpm": bootTPM, "luksfile": luksFile, "luksopens": luksOpens, "enrolled": enrolledHeader, "efivarfs": efivarfsFolder,
			"stockopens": stockOpens, "lockout": lockOut, "uki": makeUKI, "withfiles": withFiles,
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "cryptsetup":
				_, err := cryptsetup.Find(context.Background())
				return err == nil, nil
			case "notpm":
				return missing(defaultDevice) != "", nil
			case "noefi":
				return missing(runningVariables) != "", nil
			case "tcti-swtpm":
				return missing("/usr/lib/*/libtss2-tcti-swtpm.so.0") == "", nil
			case "stocksystemd":
				return stockMissing() == "", nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
	})
}

// endTPMs ends what a script left serving with "vtpm socket --daemon", also one that failed.
func endTPMs(dir string) {
	controls, _ := filepath.Glob(filepath.Join(dir, "*.ctrl")) // the pattern is right
	for _, path := range controls {
		if conn, err := net.Dial("unix", path); err == nil {
			conn.Write([]byte{0, 0, 0, 3}) // SHUTDOWN
			conn.Close()
		}
	}
}

// waitSocket waits until somebody serves at a unix socket: waitsocket PATH.
func waitSocket(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitsocket PATH")
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("unix", ts.MkAbs(args[0]))
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("nobody serves at %s: %v", args[0], err)
		}
	}
}

// waitTrace waits until somebody traces one of the daemon's vTPMs: waittrace NAME.
func waitTrace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waittrace NAME")
	}
	c := api.NewClient(ts.Getenv("BOOTSEAL_VTPM_SOCKET"))
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		info, err := c.Show(context.Background(), args[0])
		if err == nil && info.Watchers > 0 {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("nobody traces %s: %v", args[0], err)
		}
	}
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
