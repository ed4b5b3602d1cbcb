//go:build !linux

package server

import "net"

// linger returns the connection: reads wait in the runtime's poller.
func linger(conn net.Conn, _ *Threads) net.Conn { return conn }
