package tpmlink

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// peer is a TPM that answers a command with bytes, some at a time.
type peer struct {
	io.Reader
	sent bytes.Buffer
}

func (p *peer) Write(b []byte) (int, error) { return p.sent.Write(b) }
func (p *peer) Close() error                { return nil }

func TestSend(t *testing.T) {
	answer := "\x80\x01\x00\x00\x00\x0cxxxxyy"
	for _, c := range []struct{ bytes, says string }{
		{answer, ""},
		{answer[:8], "unexpected EOF"},
		{answer[:11], "EOF"},
		{"", "EOF"},
		{"\x80\x01\x00\x00\x00\x09xxxx", "its header says 9 bytes"},
		{"\x80\x01\xff\x00\x00\x0cxxxx", "its header says"},
		{answer + "more", "its header says 12 bytes, 16 came"},
	} {
		p := &peer{Reader: strings.NewReader(c.bytes)}
		got, err := Stream{p}.Send([]byte("command"))
		if c.says == "" && (err != nil || string(got) != answer) {
			t.Errorf("%q, %v", got, err)
		}
		if c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%q: %v: want %q", c.bytes, err, c.says)
		}
		if p.sent.String() != "command" {
			t.Errorf("sent %q", p.sent.String())
		}
	}
}

func TestSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if _, err := Socket(path); err == nil || !strings.Contains(err.Error(), "is swtpm running") {
		t.Error(err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tpm, err := Socket(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := tpm.Close(); err != nil {
		t.Error(err)
	}
}

func TestNoDevice(t *testing.T) {
	if _, err := Device(filepath.Join(t.TempDir(), "tpm0")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
