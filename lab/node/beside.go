package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// column is a scenario as somebody sees who sits before its console.
type column struct {
	title, verdict string
	lines          []string
}

// besides shows the consoles of scenarios side by side: in a terminal they are drawn again and
// again, elsewhere each line is printed with its scenario.
type besides struct {
	w        io.Writer // nil: only the picture at the end is wanted
	terminal bool

	mu      sync.Mutex
	columns []*column
	byName  map[string]*column
	dirty   bool
	drawn   int // lines that the last drawing took
}

func newBesides(w io.Writer, chosen []scenario) *besides {
	b := &besides{w: w, byName: make(map[string]*column)}
	if f, ok := w.(*os.File); ok {
		b.terminal = term.IsTerminal(int(f.Fd()))
	}
	for _, s := range chosen {
		c := &column{title: s.Name + ": " + s.Title}
		b.columns = append(b.columns, c)
		b.byName[s.Name] = c
	}
	return b
}

// add takes a line of a scenario's console. Of those that others begin with it shows nothing.
func (b *besides) add(scenario, line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.byName[scenario]
	if c == nil {
		return
	}
	c.lines = append(c.lines, printable(line))
	b.dirty = true
	if !b.terminal && b.w != nil {
		fmt.Fprintf(b.w, "%-12s| %s\n", scenario, printable(line))
	}
}

// note is what the lab does: of a scenario for its column, or for all.
func (b *besides) note(line string) {
	of, _, _ := strings.Cut(line, ":")
	for name := range b.byName {
		if b.byName[of] == nil || name == of {
			b.add(name, "· "+line)
		}
	}
}

var gaps = regexp.MustCompile(` {4,}`)

// printable keeps a console from drawing in the reader's terminal, and menus from being all gaps.
func printable(line string) string {
	line = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\ufffd' {
			return -1
		}
		return r
	}, line)
	return gaps.ReplaceAllString(line, "   ")
}

// show draws until done is closed.
func (b *besides) show(done <-chan struct{}) {
	if !b.terminal {
		return
	}
	for {
		select {
		case <-done:
			b.draw()
			return
		case <-time.After(200 * time.Millisecond):
			b.draw()
		}
	}
}

func (b *besides) draw() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.dirty {
		return
	}
	b.dirty = false
	width, height, err := term.GetSize(int(b.w.(*os.File).Fd()))
	if err != nil || width < 40 || height < 8 {
		width, height = 100, 30
	}
	rows := sideBySide(b.columns, width, height-3)
	var out strings.Builder
	if b.drawn > 0 {
		fmt.Fprintf(&out, "\x1b[%dA", b.drawn)
	}
	for _, row := range rows {
		fmt.Fprintf(&out, "\x1b[2K%s\n", row)
	}
	b.drawn = len(rows)
	io.WriteString(b.w, out.String())
}

// end says what came of each scenario, and draws the picture that was asked for.
func (b *besides) end(r *report, file string) error {
	for i, res := range r.results {
		verdict := fmt.Sprintf("as told, %.0f s", res.Seconds)
		if res.Failed != "" {
			verdict = "not as told: " + res.Failed
		}
		if res.Skipped != "" {
			verdict = "not told: " + res.Skipped
		}
		b.columns[i].verdict = verdict
		if b.w != nil {
			fmt.Fprintf(b.w, "\n%s: %s\n", res.Name, verdict)
		}
	}
	if file == "" {
		return nil
	}
	return os.WriteFile(file, picture(b.columns), 0o644)
}

// sideBySide lays columns out in a terminal: titles, then the last lines of each.
func sideBySide(columns []*column, width, height int) []string {
	each := (width-3*(len(columns)-1))/len(columns) - 1
	cells := make([][]string, len(columns))
	for i, c := range columns {
		cell := append([]string{shortened(c.title, each)}, strings.Repeat("─", each))
		var body []string
		for _, l := range c.lines {
			body = append(body, fold(l, each)...)
		}
		cells[i] = append(cell, body[max(0, len(body)-height+2):]...)
	}
	out := make([]string, height)
	for y := range out {
		row := make([]string, len(columns))
		for x, cell := range cells {
			text := ""
			if y < len(cell) {
				text = cell[y]
			}
			row[x] = text + strings.Repeat(" ", max(0, each-len([]rune(text))))
		}
		out[y] = strings.TrimRight(strings.Join(row, " │ "), " ")
	}
	return out
}

// fold breaks a line where the column ends.
func fold(line string, width int) []string {
	runes := []rune(line)
	out := []string{string(runes[:min(width, len(runes))])}
	for rest := runes[min(width, len(runes)):]; len(rest) > 0; {
		n := min(width-2, len(rest))
		out = append(out, "  "+string(rest[:n]))
		rest = rest[n:]
	}
	return out
}
