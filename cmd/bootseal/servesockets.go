package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"
)

// inheritedListener returns the socket that systemd passes (sd_listen_fds(3)), or nil.
func inheritedListener() (net.Listener, error) {
	listeners, err := activation.Listeners()
	if err != nil {
		return nil, fmt.Errorf("take the socket from systemd: %w", err)
	}
	if len(listeners) == 0 {
		return nil, nil
	}
	if l, ok := listeners[0].(*net.UnixListener); ok && len(listeners) == 1 {
		l.SetUnlinkOnClose(false) // it is systemd's
		return l, nil
	}
	for _, l := range listeners {
		if l != nil {
			l.Close()
		}
	}
	return nil, fmt.Errorf("systemd passes %d sockets: one unix stream socket is needed", len(listeners))
}

// listenPath listens on a unix socket with the mode, in the place of one that nobody
// serves any more.
func listenPath(path string, mode os.FileMode) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("%s is there, and no socket", path)
	default:
		if conn, err := net.Dial("unix", path); err == nil {
			conn.Close()
			return nil, fmt.Errorf("another process serves at %s", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := listenPrivate(path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// listenMetrics listens where metrics are asked for: a unix socket, or a port of this
// machine only, since whoever reaches it learns what every VM does.
func listenMetrics(where string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(where, "unix:"); ok {
		l, err := listenPath(path, 0o660)
		if err != nil {
			return nil, fmt.Errorf("--metrics: %w", err)
		}
		return l, nil
	}
	name, _, err := net.SplitHostPort(where)
	if err != nil {
		return nil, fmt.Errorf("--metrics %s: choose unix:PATH or HOST:PORT", where)
	}
	if ip := net.ParseIP(name); name != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("--metrics %s: only addresses of this machine, such as 127.0.0.1, are served: there is no authentication", where)
	}
	l, err := net.Listen("tcp", where)
	if err != nil {
		return nil, fmt.Errorf("--metrics: %w", err)
	}
	return l, nil
}
