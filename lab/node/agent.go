package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
)

// answer is how a script ended in the node.
type answer struct {
	code           int
	stdout, stderr string
}

// agent is the lab's end of guest/agent, which runs scripts as root in a node that is up.
type agent struct {
	bell *bell

	mu      sync.Mutex
	conn    net.Conn
	boots   int // how often the agent said that it is ready
	number  int // of the last script
	answers map[int]answer
}

// serve reads what the agent says until QEMU is gone.
func (a *agent) serve(l net.Listener) {
	conn, err := l.Accept()
	if err != nil {
		return
	}
	a.mu.Lock()
	a.conn = conn
	a.mu.Unlock()
	lines := bufio.NewReaderSize(conn, 1<<20)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		a.hear(strings.Fields(line))
		a.bell.ring()
	}
}

func (a *agent) hear(words []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case len(words) > 0 && words[0] == "ready":
		a.boots++
	case len(words) == 5 && words[0] == "done":
		number, err1 := strconv.Atoi(words[1])
		code, err2 := strconv.Atoi(words[2])
		if err1 == nil && err2 == nil {
			a.answers[number] = answer{code, unpacked(words[3]), unpacked(words[4])}
		}
	}
}

func unpacked(word string) string {
	if word == "-" {
		return ""
	}
	data, err := base64.StdEncoding.DecodeString(word)
	if err != nil {
		return fmt.Sprintf("(what the node sent is not base64: %v)", err)
	}
	return string(data)
}

// send sends a script, and returns its number.
func (a *agent) send(script string) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.conn == nil {
		return 0, fmt.Errorf("nobody is there to run a script")
	}
	a.number++
	_, err := io.WriteString(a.conn, fmt.Sprintf("%d %s\n", a.number, base64.StdEncoding.EncodeToString([]byte(script))))
	return a.number, err
}

func (a *agent) answer(number int) (answer, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	got, ok := a.answers[number]
	return got, ok
}

func (a *agent) bootCount() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.boots
}
