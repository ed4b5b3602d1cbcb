//go:build !unix

package main

import (
	"errors"
	"net"
)

var errNotUnix = errors.New("this needs a Unix system")

func listenPrivate(path string) (net.Listener, error) { return net.Listen("unix", path) }

func (a *app) daemonize([]string) error { return errNotUnix }

func tellParent(int, error) error { return errNotUnix }

func runAs(string) error { return errNotUnix }
