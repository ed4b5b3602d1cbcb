package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/bootseal/bootseal/pcr"
)

// recording is what a guest sent to its TPM from the firmware's first command to its end, and what
// came of it. In a file it is a line each, in gzip:
//
//	state HEX              swtpm's file of the TPM's state before the boot
//	command LOCALITY CODE HEX   a command and its response code
//	pcr BANK INDEX HEX     the PCRs at the end, as the guest's kernel read them
//
// A recorded command can be sent again because nothing in it depends on the TPM's random numbers:
// its keys follow from the state's seeds, and it has passwords and no HMACs.
type recording struct {
	State    []byte
	Commands []command
	PCRs     pcr.Values
}

type command struct {
	Locality uint8
	Code     uint32 // of the response
	Bytes    []byte
}

// maxRecording bounds a recording that is read, in bytes.
const maxRecording = 16 << 20

// marshal returns the recording as it is in a file.
func (r *recording) marshal() ([]byte, error) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	fmt.Fprintf(z, "state %x\n", r.State)
	for _, c := range r.Commands {
		fmt.Fprintf(z, "command %d %#x %x\n", c.Locality, c.Code, c.Bytes)
	}
	for line := range strings.Lines(r.PCRs.String()) {
		fmt.Fprintf(z, "pcr %s", line)
	}
	err := z.Close()
	return out.Bytes(), err
}

// parse reads a recording.
func parse(data []byte) (*recording, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	r := new(recording)
	var pcrs strings.Builder
	limited := &io.LimitedReader{R: z, N: maxRecording}
	lines := bufio.NewScanner(limited)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "state":
			r.State, err = hex.DecodeString(rest)
		case "pcr":
			fmt.Fprintln(&pcrs, rest)
		case "command":
			var c command
			var text string
			if _, err = fmt.Sscanf(rest, "%d %v %s", &c.Locality, &c.Code, &text); err != nil {
				err = fmt.Errorf("command LOCALITY CODE HEX: %w", err)
			} else {
				c.Bytes, err = hex.DecodeString(text)
			}
			if err == nil && (len(c.Bytes) < 10 || binary.BigEndian.Uint32(c.Bytes[2:]) != uint32(len(c.Bytes))) {
				err = fmt.Errorf("%x is no command", c.Bytes)
			}
			r.Commands = append(r.Commands, c)
		default:
			err = fmt.Errorf("no such word: %.20q", word)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if limited.N <= 0 {
		return nil, fmt.Errorf("a recording of more than %d bytes", maxRecording)
	}
	if len(r.State) == 0 || len(r.Commands) == 0 {
		return nil, errors.New("a recording has a state and commands")
	}
	r.PCRs, err = pcr.ParseValues(strings.NewReader(pcrs.String()))
	return r, err
}

// readRecordings reads files.
func readRecordings(names []string) ([]*recording, error) {
	var out []*recording
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		r, err := parse(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, r)
	}
	if len(out) == 0 {
		return nil, errors.New("no recording")
	}
	return out, nil
}
