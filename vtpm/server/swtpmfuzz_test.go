package server

import (
	"io"
	"testing"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// FuzzControl gives the control channel whatever a client can send. What is a message
// has an answer, and none reads beyond what was sent.
func FuzzControl(f *testing.F) {
	for _, m := range []string{
		"\x00\x00\x00\x01", "\x00\x00\x00\x02\x00\x00\x00\x01", "\x00\x00\x00\x05\x03",
		"\x00\x00\x00\x06", "\x00\x00\x00\x07\x00\x00\x00\x03abc", "\x00\x00\x00\x08",
		"\x00\x00\x00\x0a", "\x00\x00\x00\x0b\x03", "\x00\x00\x00\x0e", "\x00\x00\x00\x10",
		"\x00\x00\x00\x0c\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x10",
		"\x00\x00\x00\x0d\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x03abc",
		"\x00\x00\x00\x11\x00\x00\x10\x00", "\x00\x00\x00\x13\x00\x00\x00\x00",
		"\x00\x00\x00\x12\x00\x00\x00\x00\x00\x00\x00\xff\x00\x00\x00\x07\x00\x00\x00\x00",
	} {
		f.Add([]byte(m), []byte("\x80\x01\x00\x00\x00\x0c\x00\x00\x01\x7b\x00\x08"))
	}
	f.Fuzz(func(t *testing.T, b, cmd []byte) {
		s, err := NewSwtpm(SwtpmOptions{
			Open: func() (*vtpm.TPM, io.Closer, error) { return vtpmtest.Open(t).TPM, nil, nil },
			Init: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		size, err := controlSize(b)
		m, parseErr := parseControl(b)
		if (err == nil && size <= len(b)) != (parseErr == nil) {
			t.Fatalf("size %d of %d, %v: %v", size, len(b), err, parseErr)
		}
		if parseErr == nil && m.code != controlLockStorage {
			if len(m.fields) != size-4 {
				t.Fatalf("%d bytes of fields in a message of %d", len(m.fields), size)
			}
			if reply := s.control(m, nil); len(reply) < 4 {
				t.Fatalf("answer %x", reply)
			}
		}
		if dataComplete(cmd) || len(cmd) > 0 {
			if response := s.dataMessage(cmd); len(response) < 4 {
				t.Fatalf("response %x", response)
			}
		}
	})
}
