//go:build !unix

package main

import (
	"errors"
	"net"
	"os"
)

var errNotUnix = errors.New("this needs a Unix system")

func listenPrivate(path string) (net.Listener, error) { return net.Listen("unix", path) }

func (a *app) daemonize([]string) error { return errNotUnix }

func tellParent(int, error) error { return errNotUnix }

func runAs(string) error { return errNotUnix }

func openAppend(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
}

func chroot(string) error { return errNotUnix }

func mine(dir string) bool { _, err := os.Stat(dir); return err == nil }
