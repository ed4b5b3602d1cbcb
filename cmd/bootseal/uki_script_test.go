package main

import (
	"encoding/binary"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// makeUKI writes a program with sections, as a unified kernel image has them, that does
// nothing: uki FILE .NAME=TEXT|.NAME=@FILE ...
func makeUKI(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: uki FILE .NAME=TEXT|.NAME=@FILE ...")
	}
	var names []string
	var contents [][]byte
	for _, arg := range args[1:] {
		name, text, _ := strings.Cut(arg, "=")
		data := []byte(text)
		if path, ok := strings.CutPrefix(text, "@"); ok {
			data = []byte(ts.ReadFile(path))
		}
		names, contents = append(names, name), append(contents, data)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), peOf(names, contents), 0o644))
}

// peOf is a PE32+ program of the sections.
func peOf(names []string, contents [][]byte) []byte {
	const (
		coff, optional, table = 64, 64 + 24, 64 + 24 + 240
		align                 = 512
	)
	le := binary.LittleEndian
	round := func(n int) int { return (n + align - 1) / align * align }
	headers := round(table + 40*len(names))
	b := make([]byte, headers)
	copy(b, "MZ")
	le.PutUint32(b[0x3c:], coff)
	copy(b[coff:], "PE\x00\x00")
	le.PutUint16(b[coff+6:], uint16(len(names)))
	le.PutUint16(b[coff+20:], 240)
	le.PutUint16(b[optional:], 0x20b)
	le.PutUint32(b[optional+60:], uint32(headers)) // SizeOfHeaders
	le.PutUint32(b[optional+108:], 16)             // NumberOfRvaAndSizes
	for i, data := range contents {
		s := b[table+40*i:]
		copy(s[:8], names[i])
		le.PutUint32(s[8:], uint32(len(data)))
		le.PutUint32(s[16:], uint32(round(len(data))))
		le.PutUint32(s[20:], uint32(len(b)))
		b = append(b, data...)
		b = append(b, make([]byte, round(len(data))-len(data))...)
	}
	return b
}
