package recoverykey

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestQRFitsATerminal(t *testing.T) {
	for _, color := range []bool{false, true} {
		text, err := New().QR(color)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		if len(lines) != 23 {
			t.Errorf("%d lines", len(lines))
		}
		for _, line := range lines {
			if got := strings.HasPrefix(line, "\x1b[30;107m") && strings.HasSuffix(line, "\x1b[0m"); got != color {
				t.Errorf("escape sequences %v, want %v: %q", got, color, line)
			}
			if n := utf8.RuneCountInString(plain(line)); n != 45 {
				t.Errorf("%d columns", n)
			}
		}
	}
}

func plain(line string) string {
	return strings.TrimSuffix(strings.TrimPrefix(line, "\x1b[30;107m"), "\x1b[0m")
}

// Another program reads the key from the picture that a terminal would show.
func TestQRIsRead(t *testing.T) {
	reader, err := exec.LookPath("zbarimg")
	if err != nil {
		t.Skip("zbarimg is not installed: it is in Debian's package zbar-tools")
	}
	k := New()
	text, err := k.QR(true)
	if err != nil {
		t.Fatal(err)
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, screen(string(text))); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(reader, "--quiet", "--raw", "png:-")
	cmd.Stdin = &picture
	out, err := cmd.Output()
	if err != nil || strings.TrimSpace(string(out)) != string(k.Passphrase()) {
		t.Errorf("it reads %q, %v", out, err)
	}
}

// screen draws what the terminal shows, a module as 6 by 6 pixels.
func screen(text string) image.Image {
	const size = 6
	lines := strings.Split(text, "\n")
	img := image.NewGray(image.Rect(0, 0, 45*size, 2*len(lines)*size))
	for i := range img.Pix {
		img.Pix[i] = 255
	}
	for y, line := range lines {
		x := 0
		for _, r := range plain(line) {
			for _, half := range []struct {
				dark bool
				row  int
			}{{r == '\u2588' || r == '\u2580', 2 * y}, {r == '\u2588' || r == '\u2584', 2*y + 1}} {
				for i := 0; half.dark && i < size*size; i++ {
					img.SetGray(x*size+i%size, half.row*size+i/size, color.Gray{})
				}
			}
			x++
		}
	}
	return img
}
