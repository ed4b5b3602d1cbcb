package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var errOn = errors.New("the node is on: only what is off can be tampered with")

// forget drops the memory of a node that was frozen: it is as after a power cut.
func (n *node) forget() error {
	if n.running != nil {
		return errOn
	}
	err := os.Remove(filepath.Join(n.dir, memoryFile))
	if os.IsNotExist(err) {
		return nil
	}
	return err
}

// newTPM is the disk in another machine of the same kind.
func (s *story) newTPM(*testscript.TestScript, []string) error {
	if err := s.node.forget(); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(s.node.dir, tpmFolder))
}

// useSwtpm gives the node a new TPM, swtpm's.
func (s *story) useSwtpm(ts *testscript.TestScript, args []string) error {
	s.node.swtpm = true
	return s.newTPM(ts, args)
}

// swapRoot replaces the root file system by somebody else's in a volume of the same UUID, which
// their passphrase opens.
func (s *story) swapRoot(_ *testscript.TestScript, args []string) error {
	if err := s.node.forget(); err != nil {
		return err
	}
	return swapRoot(s.ctx, s.node.dir, args[0])
}

func swapRoot(ctx context.Context, dir, passphrase string) error {
	folder, image, disk := filepath.Join(dir, "theirs"), filepath.Join(dir, "theirs.img"), filepath.Join(dir, "disk.raw")
	for _, name := range []string{"sbin", "bin", "dev", "proc", "sys", "run", "etc"} {
		if err := os.MkdirAll(filepath.Join(folder, name), 0o755); err != nil {
			return err
		}
	}
	if err := copyFile("/bin/busybox", filepath.Join(folder, "bin/busybox")); err != nil {
		return fmt.Errorf("their root's shell (install busybox-static): %w", err)
	}
	init := "#!/bin/busybox sh\n/bin/busybox echo their root has the machine >/dev/console\nexec /bin/busybox sleep 1000\n"
	if err := os.WriteFile(filepath.Join(folder, "sbin/init"), []byte(init), 0o755); err != nil {
		return err
	}
	if err := os.Chmod(filepath.Join(folder, "bin/busybox"), 0o755); err != nil {
		return err
	}
	if _, err := run(ctx, "mke2fs", "-q", "-t", "ext4", "-U", rootUUID, "-d", folder, image, "64M"); err != nil {
		return err
	}
	if err := encrypt(ctx, image, luksUUID, passphrase); err != nil {
		return err
	}
	if _, err := run(ctx, "qemu-img", "convert", "-O", "raw", filepath.Join(dir, diskFile), disk); err != nil {
		return err
	}
	if err := copyInto(disk, rootAt*mib, image); err != nil {
		return err
	}
	return overlay(ctx, disk, "raw", dir)
}

// cuts has a power cut at so many points of a command, the same node each time: at each it has to
// be up again without a key. The points are by time, from the start of the command to its end.
func cutsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: cuts NUMBER PROGRAM ARGUMENT...")
	}
	number, err := strconv.Atoi(args[0])
	ts.Check(err)
	quoted := make([]string, len(args)-1)
	for i, a := range args[1:] {
		quoted[i] = quote(a)
	}
	ts.Check(storyOf(ts).cuts(ts, number, strings.Join(quoted, " ")))
}

func (s *story) cuts(ts *testscript.TestScript, number int, script string) error {
	if err := s.node.freeze(s.ctx); err != nil {
		return err
	}
	whole := s.node
	length, err := s.lasts(whole, script)
	if err != nil {
		return err
	}
	ts.Logf("[cuts] %s takes %.1f s", script, length.Seconds())
	for i := range number {
		// The last cut is when it has just said that it is done.
		at := length * time.Duration(i+1) / time.Duration(number)
		if err := s.cutAt(whole, script, at); err != nil {
			return fmt.Errorf("after a power cut %.1f s into %s, which takes %.1f s: %w", at.Seconds(), script, length.Seconds(), err)
		}
		ts.Logf("[cuts] at %.1f s: the node came up without a key", at.Seconds())
		s.l.say(fmt.Sprintf("%s: power cut %d of %d, after %.1f s: the node came up without a key", s.name, i+1, number, at.Seconds()))
	}
	return nil
}

// again is a node like the frozen one.
func (s *story) again(frozen *node) error {
	s.node = &node{dir: filepath.Join(s.dir, "again"), payload: frozen.payload, patience: frozen.patience, swtpm: frozen.swtpm, heard: s.heard}
	if err := os.RemoveAll(s.node.dir); err != nil {
		return err
	}
	if err := fork(s.ctx, frozen.dir, s.node.dir); err != nil {
		return err
	}
	return s.boot(nil, nil)
}

// lasts is how long the script takes in the node.
func (s *story) lasts(frozen *node, script string) (time.Duration, error) {
	if err := s.again(frozen); err != nil {
		return 0, err
	}
	defer s.node.cut()
	began := time.Now()
	a, err := s.node.do(s.ctx, script)
	if err == nil && a.code != 0 {
		err = fmt.Errorf("%s, without a power cut: exit code %d: %s", script, a.code, a.stderr)
	}
	return time.Since(began), err
}

func (s *story) cutAt(frozen *node, script string, at time.Duration) error {
	if err := s.again(frozen); err != nil {
		return err
	}
	if _, err := s.node.agent.send(script); err != nil {
		return err
	}
	select {
	case <-time.After(at):
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
	s.node.cut()
	if err := s.boot(nil, nil); err != nil {
		return err
	}
	err := s.opened(nil, nil)
	if err == nil {
		s.node.cut()
	}
	return errors.Join(err, s.keepConsole())
}
