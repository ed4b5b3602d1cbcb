package recoverykey

import (
	"bytes"
	"fmt"

	"rsc.io/qr"
)

// QR draws the key as a QR code for a terminal, 45 columns and 23 lines: two rows of
// modules in a line, with half blocks. With color it is black on white, by escape
// sequences; without, it has the terminal's colors, and phones may want a terminal with
// a light background. The caller clears it.
func (k *Key) QR(color bool) ([]byte, error) {
	// The caller shows it once; redundancy is worth more than size on a screen that is
	// photographed.
	code, err := qr.Encode(string(k[:]), qr.M)
	if err != nil {
		return nil, fmt.Errorf("draw the recovery key as a QR code: %w", err)
	}
	defer clear(code.Bitmap)
	const quiet = 4 // light modules around (ISO/IEC 18004, "Quiet zone")
	var b bytes.Buffer
	for y := -quiet; y < code.Size+quiet; y += 2 {
		if color {
			b.WriteString("\x1b[30;107m")
		}
		for x := -quiet; x < code.Size+quiet; x++ {
			b.WriteString(block(code.Black(x, y), code.Black(x, y+1)))
		}
		if color {
			b.WriteString("\x1b[0m")
		}
		b.WriteByte('\n')
	}
	return b.Bytes(), nil
}

// block draws two modules, one above the other, as foreground where they are dark.
func block(upper, lower bool) string {
	switch {
	case upper && lower:
		return "\u2588"
	case upper:
		return "\u2580"
	case lower:
		return "\u2584"
	}
	return " "
}
