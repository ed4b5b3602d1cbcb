//go:build unix

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
)

// listenPrivate listens on a unix socket that nobody else can reach until its mode is
// set.
func listenPrivate(path string) (net.Listener, error) {
	before := syscall.Umask(0o177)
	defer syscall.Umask(before)
	return net.Listen("unix", path)
}

// ready is what a daemon tells the process that started it.
const ready = "ready"

// daemonize starts the same command line in the background, with all open descriptors
// that swtpm's flags can name, and returns when that process serves.
func (a *app) daemonize(args []string) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	files := []*os.File{null, null, null}
	for _, fd := range descriptors(args) {
		for len(files) <= fd {
			files = append(files, nil)
		}
		if fd > 2 {
			files[fd] = os.NewFile(uintptr(fd), "inherited")
		}
	}
	args = append([]string{os.Args[0]}, args...)
	args = append(args, fmt.Sprintf("--%s=%d", daemonFD, len(files)))
	p, err := os.StartProcess(exe, args, &os.ProcAttr{
		Files: append(files, w),
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err := errors.Join(err, w.Close()); err != nil {
		return fmt.Errorf("start the daemon: %w", err)
	}
	said, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if string(said) != ready {
		_, err := p.Wait()
		return errors.Join(errors.New(strings.TrimSpace(string(said))), err)
	}
	return p.Release()
}

// descriptors returns the descriptors that arguments of swtpm's style name.
func descriptors(args []string) []int {
	var fds []int
	for _, arg := range args {
		for part := range strings.FieldsFuncSeq(arg, func(r rune) bool { return r == ',' || r == ' ' }) {
			i := strings.LastIndex(part, "fd=")
			if i < 0 {
				continue
			}
			if fd, err := strconv.Atoi(part[i+3:]); err == nil && fd > 2 && fd < 1<<16 {
				fds = append(fds, fd)
			}
		}
	}
	return fds
}

// tellParent ends the wait of the process that started this daemon: with nil it
// serves, otherwise it does not.
func tellParent(fd int, err error) error {
	f := os.NewFile(uintptr(fd), "parent")
	text := ready
	if err != nil {
		text = err.Error()
	}
	_, writeErr := f.WriteString(text)
	return errors.Join(writeErr, f.Close())
}

// runAs makes the process that of a user, given by name or number, for good.
func runAs(name string) error {
	u, err := user.Lookup(name)
	if err != nil {
		if u, err = user.LookupId(name); err != nil {
			return fmt.Errorf("--runas: %w", err)
		}
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return fmt.Errorf("--runas: %w", err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return fmt.Errorf("--runas: %w", err)
	}
	if err := errors.Join(syscall.Setgroups([]int{gid}), syscall.Setgid(gid), syscall.Setuid(uid)); err != nil {
		return fmt.Errorf("--runas %s: %w", name, err)
	}
	return nil
}

// openAppend opens a log for what comes next. A symbolic link is not followed: it would make
// a log of a file elsewhere.
func openAppend(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NOFOLLOW, 0o640)
}

// chroot makes a directory the file system's root, for good.
func chroot(dir string) error {
	if err := errors.Join(syscall.Chroot(dir), os.Chdir("/")); err != nil {
		return fmt.Errorf("--chroot %s: %w", dir, err)
	}
	return nil
}

// mine reports whether a directory is there and belongs to the user that this process is.
func mine(dir string) bool {
	info, err := os.Stat(dir)
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.IsDir() && int(st.Uid) == os.Geteuid()
}
