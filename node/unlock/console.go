package unlock

import (
	"fmt"
	"io"
	"strings"
)

// columns is the width of the smallest console: VGA text and serial lines.
const columns = 80

// prefix is before every line, so that they are found in a boot's output.
const prefix = "bootseal: "

// Console is what a person sees of the boot. Lines are ASCII and at most 80 columns
// wide; whatever is put into them is made so.
type Console struct {
	w io.Writer
	// mirror gets the lines without prefix, where a splash screen hides the console.
	mirror func(lines []string)
	shown  []string
}

// NewConsole returns a console that writes to w.
func NewConsole(w io.Writer) *Console { return &Console{w: w} }

// Say writes a sentence, on as many lines as it takes: those after the first are
// indented.
func (c *Console) Say(format string, args ...any) { c.say(0, format, args...) }

// Detail is Say for what explains the line before, and More for what explains that.
func (c *Console) Detail(format string, args ...any) { c.say(2, format, args...) }
func (c *Console) More(format string, args ...any)   { c.say(4, format, args...) }

func (c *Console) say(indent int, format string, args ...any) {
	text := readable(fmt.Sprintf(format, args...))
	for i, line := range wrap(text, columns-len(prefix)-indent) {
		if i > 0 {
			line = "  " + line
		}
		line = strings.Repeat(" ", indent) + line
		// A console that cannot be written to keeps no disk closed.
		_, _ = fmt.Fprintf(c.w, "%s%s\n", prefix, line)
		c.shown = append(c.shown, line)
	}
	if c.mirror != nil {
		c.mirror(c.shown)
	}
}

// readable is the text in printable ASCII. A label or a log may have been written by
// whoever holds the disk, and a console that does not know UTF-8 takes some of its
// bytes for control characters.
func readable(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= ' ' && r < 0x7F {
			return r
		}
		return '?'
	}, text)
}

// wrap breaks a text at its spaces into lines of at most n columns, those after the first
// two less. A longer word is cut.
func wrap(text string, n int) []string {
	var lines []string
	line, room := "", n
	for _, word := range strings.Fields(text) {
		word = cut(word, n-2)
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) <= room:
			line += " " + word
		default:
			lines = append(lines, line)
			line, room = word, n-2
		}
	}
	return append(lines, line)
}

// cut shortens a text to n columns.
func cut(text string, n int) string {
	const dots = "..."
	if len(text) <= n {
		return text
	}
	return text[:max(n-len(dots), 0)] + dots
}
