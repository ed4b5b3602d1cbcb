package unlock_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/luks/cryptsetup"
	"github.com/bootseal/bootseal/node/volumes"
	"github.com/bootseal/bootseal/vtpm/server"
)

// built is the program, built once for all tests.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "bootseal-unlock-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "bootseal-unlock")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "../../cmd/bootseal-unlock")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.New(string(out))
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := built(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// serve makes the machine's TPM reachable at a socket in the folder.
func (m *machine) serve(dir string) string {
	m.Helper()
	path := filepath.Join(dir, "tpm.sock")
	l, err := net.Listen("unix", path)
	m.check(err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- server.ServeRaw(ctx, l, m.tpm.TPM) }()
	m.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			m.Error(err)
		}
	})
	return path
}

// files writes the list of volumes, and the log of this boot.
func (m *machine) files(dir string) {
	m.Helper()
	m.check(m.list.Write(filepath.Join(dir, "volumes.json")))
	log, err := m.log.Bytes()
	m.check(err)
	m.check(os.WriteFile(filepath.Join(dir, "log"), log, 0o600))
}

// keyscript is the program as initramfs-tools runs it.
func (m *machine) keyscript(socket, dir string, more ...string) *exec.Cmd {
	m.Helper()
	path, err := built()
	m.check(err)
	m.files(dir)
	args := append([]string{"keyscript", "none", "--tpm", "swtpm:" + socket, "--volumes", filepath.Join(dir, "volumes.json"),
		"--log", filepath.Join(dir, "log"), "--run", filepath.Join(dir, "run"), "--host", dir}, more...)
	cmd := exec.CommandContext(m.Context(), path, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "CRYPTTAB_NAME=" + name, "CRYPTTAB_SOURCE=" + m.volume.Path(), "CRYPTTAB_TRIED=0"}
	return cmd
}

// Power cuts while a volume is opened: the next boot opens it, and the header is what it was.
func TestPowerCuts(t *testing.T) {
	m := newMachine(t)
	m.register()
	m.enroll("", m.log)
	dir := t.TempDir()
	socket := m.serve(dir)
	before, err := os.ReadFile(m.volume.Path())
	m.check(err)
	took := time.Second
	const cuts = 5
	for i := range cuts {
		m.boot(m.log)
		cmd := m.keyscript(socket, dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		began := time.Now()
		m.check(cmd.Start())
		if i > 0 {
			time.Sleep(took * time.Duration(i) / cuts)
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // and cryptsetup with it
		}
		err := cmd.Wait()
		if i == 0 {
			m.check(err)
			took = time.Since(began)
		}
		m.boot(m.log)
		if out, err := m.keyscript(socket, dir).Output(); err != nil || string(out) != string(luks.Passphrase(m.secret)) {
			t.Fatalf("after a power cut at %d of %d: %d bytes, %v", i, cuts, len(out), err)
		}
	}
	after, err := os.ReadFile(m.volume.Path())
	m.check(err)
	if !bytes.Equal(before, after) {
		t.Error("the volume was changed")
	}
}

// Somebody at the console is asked, and what is asked shows nothing.
func TestSomebodyAtTheConsole(t *testing.T) {
	m := newMachine(t)
	m.register()
	m.enroll("", recorded(t, boots.Upgraded).Log)
	dir := t.TempDir()
	socket := m.serve(dir)
	master, slave := pty(t)
	cmd := m.keyscript(socket, dir, "--console", slave.Name())
	var out bytes.Buffer
	cmd.Stdout = &out
	m.check(cmd.Start())
	shown := readUntil(t, master, "Recovery key for root: ")
	if _, err := master.WriteString("wrong\r"); err != nil {
		t.Fatal(err)
	}
	shown += readUntil(t, master, "2 tries are left\r\n") + readUntil(t, master, "Recovery key for root: ")
	if _, err := master.Write(append(m.key.Passphrase(), '\r')); err != nil {
		t.Fatal(err)
	}
	shown += readUntil(t, master, "(what to do: bootseal status)\r\n")
	m.check(cmd.Wait())
	m.check(m.volume.Test(t.Context(), out.Bytes(), cryptsetup.AnySlot))
	if strings.Contains(shown, string(m.key.Passphrase()[:8])) || strings.Contains(shown, "wrong\r") {
		t.Errorf("an answer is on the console: %q", shown)
	}
	n, err := volumes.ReadNote(filepath.Join(dir, "run"), m.uuid())
	if err != nil || n.By != volumes.ByRecoveryKey || n.Why != volumes.WhyPCRs {
		t.Errorf("note %+v, %v", n, err)
	}

	// The passphrase is not shown on a terminal.
	cmd = m.keyscript(socket, dir)
	cmd.Stdout, cmd.Stdin = slave, slave
	text, err := cmd.StderrPipe()
	m.check(err)
	m.check(cmd.Start())
	said, err := io.ReadAll(text)
	m.check(err)
	if err := cmd.Wait(); err == nil || !strings.Contains(string(said), "the passphrase would be shown") {
		t.Errorf("%v: %s", err, said)
	}
}

// Where initramfs-tools calls again because cryptsetup failed, the identity is not measured twice.
func TestTheIdentityIsMeasuredOnce(t *testing.T) {
	m := newMachine(t)
	m.register()
	m.enroll("", m.log)
	dir := t.TempDir()
	socket := m.serve(dir)
	m.check(m.keyscript(socket, dir).Run())
	once := m.pcr(0x000B, 15)
	m.check(m.keyscript(socket, dir).Run())
	if got := m.pcr(0x000B, 15); !got.Equal(once) {
		t.Error("PCR 15 was extended again")
	}
}

// An initial ramdisk as small as they come: busybox, cryptsetup, its libraries, and the program.
func TestInitialRamdisk(t *testing.T) {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("busybox is not installed: it is in Debian's package busybox-static")
	}
	if os.Getuid() != 0 || exec.Command("unshare", "--mount", "true").Run() != nil {
		t.Skip("root and mount namespaces are needed to enter another root")
	}
	m := newMachine(t)
	m.register()
	m.enroll("", m.log)
	root := t.TempDir()
	for _, dir := range []string{"bin", "sbin", "proc", "sys", "dev", "run", "etc/bootseal", "lib/cryptsetup", "usr/lib/bootseal"} {
		m.check(os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	path, err := built()
	m.check(err)
	install(m, root, busybox, "bin/busybox")
	install(m, root, m.tool.Path, "sbin/cryptsetup")
	install(m, root, path, "usr/lib/bootseal/bootseal-unlock")
	libraries, err := exec.Command("ldd", m.tool.Path).Output()
	if err != nil {
		t.Skipf("ldd does not say what cryptsetup needs: %v", err)
	}
	for _, f := range strings.Fields(string(libraries)) {
		if filepath.IsAbs(f) {
			install(m, root, f, f)
		}
	}
	install(m, root, m.volume.Path(), "disk")
	m.check(m.list.Write(filepath.Join(root, "etc/bootseal/volumes.json")))
	// What initramfs-tools does, and an askpass as Debian's: it gets the prompt, and prints the answer.
	m.check(os.WriteFile(filepath.Join(root, "lib/cryptsetup/askpass"), []byte("#!/bin/busybox sh\necho \"$1\" >&2\nprintf %s \""+passphrase+"\"\n"), 0o755))
	m.check(os.WriteFile(filepath.Join(root, "init"), []byte(`
export PATH=/sbin:/bin CRYPTTAB_NAME=root CRYPTTAB_SOURCE=/disk CRYPTTAB_TRIED=0
/usr/lib/bootseal/bootseal-unlock keyscript none --tpm swtpm:/tpm.sock |
  /sbin/cryptsetup -T1 --type=luks --key-file=- --test-passphrase open -- /disk root && busybox echo opened
`), 0o755))
	m.serve(root)
	boot := func() string {
		cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "sh", "-c", `mount -t proc proc "$1/proc" && mount --bind /dev "$1/dev" && exec chroot "$1" /bin/busybox sh /init`, "sh", root)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Logf("%v", err)
		}
		return string(out)
	}
	if out := boot(); !strings.Contains(out, "bootseal: root: opened by the TPM, token 0") || !strings.Contains(out, "\nopened\n") {
		t.Error(out)
	}
	if n, err := volumes.ReadNote(filepath.Join(root, "run/bootseal"), m.uuid()); err != nil || !n.Measured {
		t.Errorf("note %+v, %v", n, err)
	}
	m.boot(recorded(t, boots.Upgraded).Log)
	if out := boot(); !strings.Contains(out, "Recovery key for root: \n") || !strings.Contains(out, "opened by a passphrase") || !strings.Contains(out, "\nopened\n") {
		t.Error(out)
	}
}

func install(m *machine, root, from, to string) {
	m.Helper()
	data, err := os.ReadFile(from)
	m.check(err)
	to = filepath.Join(root, to)
	m.check(os.MkdirAll(filepath.Dir(to), 0o755))
	m.check(os.WriteFile(to, data, 0o755))
}
