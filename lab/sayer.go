package lab

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Sayer writes a line at a time, with the seconds since the beginning.
func Sayer(w io.Writer) func(string) {
	began := time.Now()
	var mu sync.Mutex
	return func(line string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(w, "%5.0f s  %s\n", time.Since(began).Seconds(), line)
	}
}
