package picture

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"strings"
	"unicode"
)

// Sizes in pixels.
const (
	margin     = 32
	cardWidth  = 400
	gap        = 28 // between the cards and the grid
	column     = 44
	headHeight = 116
	rowHeight  = 76
	noteHeight = 18
	rowGap     = 22
	footHeight = 96
	noteChars  = 52
	mostNotes  = 6
)

// svg draws the picture.
func (d *drawing) svg() []byte {
	var b bytes.Buffer
	width := margin*2 + cardWidth + gap + column*max(len(d.pcrs), 8)
	height := headHeight + footHeight
	for i := range d.stages {
		height += d.height(i) + rowGap
	}
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n%s", text(d.title, 200), style)
	fmt.Fprintf(&b, `<rect class="paper" width="%d" height="%d" rx="14"/>`+"\n", width, height)
	titleChars := (width - 2*margin) / 13
	fmt.Fprintf(&b, `<text class="title" x="%d" y="46">%s</text>`+"\n", margin, text(d.title, titleChars))
	fmt.Fprintf(&b, `<text class="sub" x="%d" y="70">%s</text>`+"\n", margin, text(d.subtitle, (width-2*margin)/8))
	d.columns(&b, height)
	y := headHeight
	for i := range d.stages {
		d.row(&b, i, y)
		y += d.height(i) + rowGap
	}
	d.foot(&b, y)
	b.WriteString("</svg>\n")
	return b.Bytes()
}

const style = `<style>
.paper{fill:#fbfbfa}
text{font-family:Inter,"Helvetica Neue",Arial,"Liberation Sans",sans-serif;fill:#1f2933}
.title{font-size:20px;font-weight:700}
.sub{font-size:14px;fill:#697586}
.card{fill:#fff;stroke:#d9dee5;stroke-width:1.2}
.card.moved{stroke:#d9480f;stroke-width:1.8}
.bar{fill:#8a97a8}
.bar.moved{fill:#d9480f}
.name{font-size:16px;font-weight:650}
.file{font-size:12px;fill:#697586;font-family:"JetBrains Mono","DejaVu Sans Mono",monospace}
.note{font-size:12.5px;fill:#a63a08}
.arrow{stroke:#aab4c0;stroke-width:2;fill:none}
.tip{fill:#aab4c0}
.lane{stroke:#e7eaee;stroke-width:1}
.pcr{font-size:13px;font-weight:650;text-anchor:middle;fill:#52606d}
.dot{fill:#3e6fb0}
.dot.moved{fill:#d9480f}
.ring{fill:none;stroke:#d9480f;stroke-width:1.6;opacity:.45}
.n{font-size:11px;font-weight:650;fill:#fff;text-anchor:middle}
.value{font-size:10.5px;fill:#697586;font-family:"JetBrains Mono","DejaVu Sans Mono",monospace}
.value.moved{fill:#d9480f;font-weight:700}
.key{font-size:12px;fill:#697586}
</style>
`

func (d *drawing) height(i int) int {
	return max(rowHeight, d.notesAt(i)+noteHeight*min(len(d.stages[i].notes), mostNotes+1))
}

// notesAt is where a card's notes begin: below its file, if it has one.
func (d *drawing) notesAt(i int) int {
	if d.stages[i].detail == "" {
		return 54
	}
	return 74
}

func (d *drawing) x(k int) int { return margin + cardWidth + gap + column*k + column/2 }

// columns draws the head and the lane of each PCR.
func (d *drawing) columns(b *bytes.Buffer, height int) {
	fmt.Fprintf(b, `<text class="key" x="%d" y="%d" text-anchor="end">PCR</text>`+"\n", margin+cardWidth+gap-2, headHeight-14)
	for k, index := range d.pcrs {
		fmt.Fprintf(b, `<line class="lane" x1="%d" y1="%d" x2="%d" y2="%d"/>`, d.x(k), headHeight-4, d.x(k), height-footHeight+6)
		fmt.Fprintf(b, `<text class="pcr" x="%d" y="%d">%d</text>`+"\n", d.x(k), headHeight-14, index)
	}
}

// row draws a program with the PCRs that it moves.
func (d *drawing) row(b *bytes.Buffer, i, y int) {
	s := &d.stages[i]
	h := d.height(i)
	class := ""
	if len(s.changed)+len(s.notes) > 0 {
		class = " moved"
	}
	fmt.Fprintf(b, `<rect class="card%s" x="%d" y="%d" width="%d" height="%d" rx="10"/>`, class, margin, y, cardWidth, h)
	fmt.Fprintf(b, `<rect class="bar%s" x="%d" y="%d" width="4" height="%d" rx="2"/>`+"\n", class, margin+12, y+16, h-32)
	fmt.Fprintf(b, `<text class="name" x="%d" y="%d">%s</text>`, margin+28, y+32, text(s.title, 44))
	fmt.Fprintf(b, `<text class="file" x="%d" y="%d">%s</text>`+"\n", margin+28, y+54, text(s.detail, 48))
	for k, note := range s.notes {
		if k == mostNotes {
			note = fmt.Sprintf("and %d more", len(s.notes)-mostNotes)
		}
		if k <= mostNotes {
			fmt.Fprintf(b, `<text class="note" x="%d" y="%d">%s</text>`+"\n", margin+28, y+d.notesAt(i)+k*noteHeight, text(note, noteChars))
		}
	}
	if i+1 < len(d.stages) {
		x, from := margin+cardWidth/2, y+h
		fmt.Fprintf(b, `<path class="arrow" d="M%d %dv%d"/><path class="tip" d="M%d %dl-5 -7h10z"/>`+"\n", x, from+2, rowGap-8, x, from+rowGap-1)
	}
	for k, index := range d.pcrs {
		d.dot(b, s, index, d.x(k), y+h/2)
	}
}

// dot draws how many events of a program are in a PCR.
func (d *drawing) dot(b *bytes.Buffer, s *stage, index, x, y int) {
	n, moved := s.events[index], s.changed[index]
	if n == 0 && moved == 0 {
		return
	}
	r := 8 + math.Min(8, 2.2*math.Log2(float64(max(n, 1))))
	class := ""
	if moved > 0 {
		class = " moved"
		fmt.Fprintf(b, `<circle class="ring" cx="%d" cy="%d" r="%.1f"/>`, x, y, r+3.5)
	}
	fmt.Fprintf(b, `<circle class="dot%s" cx="%d" cy="%d" r="%.1f"><title>%s, PCR %d: %d events, %d of them new or others</title></circle>`,
		class, x, y, r, text(s.title, 60), index, n, moved)
	fmt.Fprintf(b, `<text class="n" x="%d" y="%d">%d</text>`+"\n", x, y+4, max(n, moved))
}

// foot draws the values, and a key.
func (d *drawing) foot(b *bytes.Buffer, y int) {
	for k, index := range d.pcrs {
		class, value := "", d.values[index]
		if len(value) > 8 {
			value = value[:8] + "…"
		}
		switch d.states[index] {
		case changed:
			class = " moved"
		case unknown:
			value = "unknown"
		}
		fmt.Fprintf(b, `<text class="value%s" transform="translate(%d %d) rotate(60)">%s</text>`+"\n", class, d.x(k)-2, y+4, text(value, 12))
	}
	fmt.Fprintf(b, `<text class="key" x="%d" y="%d">A dot: events of the program in the PCR; below, the PCR's value.</text>`+"\n", margin, y+18)
	if d.marks {
		fmt.Fprintf(b, `<circle class="dot moved" cx="%d" cy="%d" r="6"/><text class="key" x="%d" y="%d">new, or other than before</text>`+"\n",
			margin+6, y+38, margin+20, y+42)
	}
}

// text escapes s and cuts it to n characters.
func text(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	if r := []rune(s); len(r) > n && n > 0 {
		s = string(r[:n-1]) + "…"
	}
	return html.EscapeString(s)
}
