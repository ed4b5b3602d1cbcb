package main

import (
	"io"
	"regexp"
	"strings"
	"sync"
	"time"
)

// bell wakes who waits for something to change.
type bell struct {
	mu sync.Mutex
	c  chan struct{}
}

// next is closed at the next ring.
func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.c == nil {
		b.c = make(chan struct{})
	}
	return b.c
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.c != nil {
		close(b.c)
		b.c = nil
	}
}

// console is the node's serial console: the firmware, GRUB, the kernel and whoever asks for a
// key speak there, and a person would type there.
type console struct {
	log  io.Writer // gets all, as it came
	port io.Writer // what is typed goes here
	bell *bell

	mu      sync.Mutex
	text    []byte // without escape sequences
	escape  []byte // the one that is not complete yet
	read    int    // how far expect has read
	began   time.Time
	heard   func(line string, at time.Duration) // gets each line, or nil
	lineEnd int                                 // where the line that is not complete begins
}

// Write takes what the node says.
func (c *console) Write(p []byte) (int, error) {
	if _, err := c.log.Write(p); err != nil {
		return 0, err
	}
	c.mu.Lock()
	for _, b := range p {
		c.take(b)
	}
	c.mu.Unlock()
	c.bell.ring()
	return len(p), nil
}

// take drops escape sequences and carriage returns: ESC [ parameters letter, and ESC letter.
func (c *console) take(b byte) {
	switch {
	case len(c.escape) == 1 && b != '[', len(c.escape) > 1 && b >= '@' && b <= '~', len(c.escape) > 40:
		// A cursor that is sent elsewhere begins a new line.
		if b == 'H' {
			c.take('\n')
		}
		c.escape = c.escape[:0]
	case len(c.escape) > 0:
		c.escape = append(c.escape, b)
	case b == 0x1b:
		c.escape = append(c.escape, b)
	case b == '\r' || b == 0:
	case b == '\n' && (len(c.text) == 0 || c.text[len(c.text)-1] == '\n'):
	default:
		c.text = append(c.text, b)
		if b == '\n' {
			if line := strings.TrimRight(string(c.text[c.lineEnd:]), " \n"); c.heard != nil && line != "" {
				c.heard(line, time.Since(c.began))
			}
			c.lineEnd = len(c.text)
		}
	}
}

// find looks for the pattern behind what was found before, and reads on from its end.
func (c *console) find(pattern *regexp.Regexp) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := pattern.FindIndex(c.text[c.read:])
	if at == nil {
		return "", false
	}
	found := string(c.text[c.read+at[0] : c.read+at[1]])
	c.read += at[1]
	return found, true
}

// unread is what no expect has read yet.
func (c *console) unread() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.text[c.read:])
}

func (c *console) all() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.text)
}

// skip reads all.
func (c *console) skip() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = len(c.text)
}

// lastLines are the last lines that have something on them.
func (c *console) lastLines(n int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(c.text)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
