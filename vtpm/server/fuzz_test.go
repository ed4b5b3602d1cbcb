package server

import (
	"bytes"
	"testing"

	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// FuzzMessages sends a connection's bytes to both ports. Every message that is
// processed ends in an acknowledgment, no message reads beyond what was sent, and
// none asks for more memory than was sent.
func FuzzMessages(f *testing.F) {
	startup := []byte("\x80\x01\x00\x00\x00\x0c\x00\x00\x01\x44\x00\x00")
	f.Add(append([]byte("\x00\x00\x00\x01\x00\x00\x00\x08\x00\x00\x00\x00\x0c"), startup...))
	f.Add([]byte("\x00\x00\x00\x05\x00\x00\x00\x06\x00\x00\x00\x03abc\x00\x00\x00\x07"))
	f.Add([]byte("\x00\x00\x00\x0f\x00\x00\x00\x01\x00\x00\x00\x10\x00\x00\x00\x00"))
	f.Add([]byte("\x00\x00\x00\x1a\x40\x00\x01\x10\x00\x00\x00\x19\x00\x00\x00\x14"))
	f.Add([]byte("\x00\x00\x00\x08\x00\x00\x0f\xff\xff"))
	t := vtpmtest.Open(f)
	f.Fuzz(func(tb *testing.T, stream []byte) {
		s := &MSSim{tpm: t.TPM, on: true}
		r := bytes.NewReader(stream)
		for {
			code, err := readU32(r)
			if err != nil {
				return
			}
			message := s.commandMessage
			switch mssimCode(code) {
			case mssimSendCommand, mssimHashStart, mssimHashData, mssimHashEnd, mssimHandshake, mssimAlternative:
			default:
				message = s.platformMessage
			}
			answer, err := message(mssimCode(code), r)
			if err != nil {
				return
			}
			if !bytes.HasSuffix(answer, make([]byte, 4)) {
				tb.Fatalf("message %d: answer %x is not acknowledged", code, answer)
			}
		}
	})
}
