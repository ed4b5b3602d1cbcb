package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"strconv"
	"strings"
)

// defaultSocketMode is swtpm's: what runs the VM may have another user in the group.
const defaultSocketMode = 0o770

// channel is what --ctrl or --server name: a listener, or a client that is connected.
type channel struct {
	net.Listener
	conn    net.Conn
	options optionList
}

// openChannel opens the channel that the flag's value describes; none for "".
func openChannel(flag, value string, words ...string) (channel, error) {
	known := append([]string{"type", "path", "port", "bindaddr", "ifname", "fd", "mode", "uid", "gid"}, words...)
	o, err := parseOptions(flag, value, known...)
	if err != nil || value == "" {
		return channel{options: o}, err
	}
	c := channel{options: o}
	otherwise := []string{"tcp", "unixio"}
	if o.has("path") {
		otherwise = []string{"unixio", "tcp"}
	}
	kind, err := o.oneOf("type", otherwise...)
	switch {
	case err != nil:
	case o.has("fd") && flag == "server":
		c.conn, err = o.conn("fd") // as in swtpm: commands are read from it
	case o.has("clientfd"):
		c.conn, err = o.conn("clientfd")
	case o.has("fd"):
		c.Listener, err = o.listener("fd")
	case kind == "unixio":
		c.Listener, err = o.listenUnix()
	default:
		c.Listener, err = o.listenTCP()
	}
	return c, err
}

func (o optionList) conn(key string) (net.Conn, error) {
	f, err := o.fd(key)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("--%s: %s is no connected socket: %w", o.flag, key, err)
	}
	return conn, nil
}

func (o optionList) listener(key string) (net.Listener, error) {
	f, err := o.fd(key)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("--%s: %s is no listening socket: %w", o.flag, key, err)
	}
	return l, nil
}

func (o optionList) listenTCP() (net.Listener, error) {
	if !o.has("port") {
		return nil, fmt.Errorf("--%s: type=tcp needs a port", o.flag)
	}
	port, err := o.number("port", 10, 0)
	if err != nil {
		return nil, err
	}
	host := "127.0.0.1"
	if o.has("bindaddr") {
		host = strings.Trim(o.values["bindaddr"], "[]")
	}
	if o.has("ifname") {
		host += "%" + o.values["ifname"]
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.FormatInt(port, 10)))
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", o.flag, err)
	}
	return l, nil
}

// listenUnix listens on a unix socket, in the place of one that another process left
// behind, and of nothing else.
func (o optionList) listenUnix() (net.Listener, error) {
	path := o.values["path"]
	if path == "" {
		return nil, fmt.Errorf("--%s: type=unixio needs a path", o.flag)
	}
	mode, err := o.number("mode", 8, defaultSocketMode)
	if err != nil {
		return nil, err
	}
	uid, err := o.id("uid", func(name string) (string, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	})
	if err != nil {
		return nil, err
	}
	gid, err := o.id("gid", func(name string) (string, error) {
		g, err := user.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	})
	if err != nil {
		return nil, err
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("--%s: %w", o.flag, err)
	case info.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("--%s: %s is there, and no socket", o.flag, path)
	default:
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("--%s: %w", o.flag, err)
		}
	}
	l, err := listenPrivate(path)
	if err == nil && (uid >= 0 || gid >= 0) {
		err = os.Lchown(path, uid, gid)
	}
	if err == nil {
		err = os.Chmod(path, fs.FileMode(mode)&fs.ModePerm)
	}
	if err != nil {
		if l != nil {
			l.Close()
		}
		return nil, fmt.Errorf("--%s: %w", o.flag, err)
	}
	return l, nil
}

// id returns a user's or group's number, which may be given by name, or -1 without the key.
func (o optionList) id(key string, lookup func(string) (string, error)) (int, error) {
	name, ok := o.values[key]
	if !ok {
		return -1, nil
	}
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(n), nil
	}
	number, err := lookup(name)
	if err != nil {
		return 0, fmt.Errorf("--%s: %s=%s: %w", o.flag, key, name, err)
	}
	return strconv.Atoi(number)
}
