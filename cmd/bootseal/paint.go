package main

import (
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// color is a terminal's way to show text.
type color string

const (
	bold   color = "1"
	dim    color = "2"
	red    color = "1;31"
	green  color = "32"
	yellow color = "33"
)

// painter colors text, on a terminal only. NO_COLOR (no-color.org) and a dumb
// terminal turn it off.
type painter struct{ on bool }

func newPainter(w io.Writer) painter {
	f, ok := w.(*os.File)
	return painter{ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func (p painter) paint(c color, s string) string {
	if !p.on {
		return s
	}
	return "\x1b[" + string(c) + "m" + s + "\x1b[0m"
}

// wrap breaks text into lines of at most n columns; lines after the first begin
// with indent. A word that is longer than a line stays whole: it is a digest that
// somebody may want to copy.
func wrap(text string, n int, indent string) string {
	var b strings.Builder
	column := 0
	for _, word := range strings.Fields(strings.Map(printable, text)) {
		length := len([]rune(word))
		switch {
		case column == 0:
		case column+1+length > n:
			b.WriteString("\n" + indent)
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += length
	}
	return b.String()
}
