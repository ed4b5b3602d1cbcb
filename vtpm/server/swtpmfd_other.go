//go:build !unix

package server

import "net"

// receive reads what is there: descriptors are passed on Unix systems only.
func receive(conn net.Conn, buf []byte) (int, net.Conn, error) {
	n, err := conn.Read(buf)
	return n, nil, err
}
