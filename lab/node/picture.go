package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
)

// Of the picture, in pixels and characters.
const (
	pictureColumns = 62 // characters of a console
	pictureLines   = 30
	charWidth      = 7.25
	lineHeight     = 15
	consoleWidth   = 470
	consoleGap     = 20
	titleHeight    = 44
)

// picture draws consoles side by side as SVG: the last lines of each, and what came of it.
func picture(columns []*column) []byte {
	width := len(columns)*(consoleWidth+consoleGap) + consoleGap
	height := titleHeight + pictureLines*lineHeight + 2*consoleGap + 24
	var out bytes.Buffer
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="ui-monospace,Menlo,Consolas,monospace" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&out, `<rect width="%d" height="%d" fill="#f6f8fa"/>`+"\n", width, height)
	for i, c := range columns {
		drawConsole(&out, c, consoleGap+i*(consoleWidth+consoleGap), height)
	}
	out.WriteString("</svg>\n")
	return out.Bytes()
}

func drawConsole(out *bytes.Buffer, c *column, x, height int) {
	name, title, _ := strings.Cut(c.title, ": ")
	fmt.Fprintf(out, `<text x="%d" y="22" font-weight="bold" fill="#1f2328">%s</text>`+"\n", x, escape(name))
	fmt.Fprintf(out, `<text x="%d" y="38" font-size="10" fill="#59636e">%s</text>`+"\n", x, escape(shortened(title, 76)))
	fmt.Fprintf(out, `<rect x="%d" y="%d" width="%d" height="%d" rx="6" fill="#0d1117"/>`+"\n", x, titleHeight, consoleWidth, pictureLines*lineHeight+16)
	var lines []string
	for _, l := range c.lines {
		lines = append(lines, fold(l, pictureColumns)...)
	}
	for i, l := range lines[max(0, len(lines)-pictureLines):] {
		color := "#e6edf3"
		switch {
		case strings.HasPrefix(l, "$ "):
			color = "#7ee787"
		case strings.Contains(l, "bootseal"):
			color = "#79c0ff"
		}
		fmt.Fprintf(out, `<text x="%d" y="%d" fill="%s" xml:space="preserve">%s</text>`+"\n", x+10, titleHeight+20+i*lineHeight, color, escape(l))
	}
	fmt.Fprintf(out, `<text x="%d" y="%d" font-weight="bold" fill="#1f2328">%s</text>`+"\n", x, height-14, escape(c.verdict))
}

// shortened is the beginning of a line that is longer.
func shortened(line string, width int) string {
	first := fold(line, width)[0]
	if first == line {
		return line
	}
	return first[:strings.LastIndexByte(first, ' ')+1] + "…"
}

func escape(text string) string {
	var out bytes.Buffer
	_ = xml.EscapeText(&out, []byte(text)) // a Buffer takes all
	return out.String()
}
