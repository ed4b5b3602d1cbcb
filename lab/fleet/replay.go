package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/google/go-tpm/tpm2"
)

// Messages of swtpm's control protocol, and what all answers begin with.
const (
	controlInit        = 2
	controlSetLocality = 5
)

// patience is how long a TPM may take to answer.
const patience = 2 * time.Minute

// guest is a machine's connections to its TPM.
type guest struct {
	control, data net.Conn
	locality      uint8
	response      []byte
}

// dial connects to a TPM that serves its channels at two sockets.
func dial(at sockets) (*guest, error) {
	control, err := net.Dial("unix", at.Control)
	if err != nil {
		return nil, err
	}
	data, err := net.Dial("unix", at.Data)
	if err != nil {
		control.Close()
		return nil, err
	}
	return &guest{control: control, data: data, response: make([]byte, 4096)}, nil
}

func (g *guest) close() {
	g.data.Close()
	g.control.Close()
}

// tell sends a message to the control channel.
func (g *guest) tell(code uint32, body ...byte) error {
	if err := g.control.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := g.control.Write(append(binary.BigEndian.AppendUint32(nil, code), body...)); err != nil {
		return err
	}
	var result [4]byte
	if _, err := io.ReadFull(g.control, result[:]); err != nil {
		return err
	}
	if r := binary.BigEndian.Uint32(result[:]); r != 0 {
		return fmt.Errorf("control message %d: result %#x", code, r)
	}
	return nil
}

// Send is go-tpm's transport. The response lives until the next one.
func (g *guest) Send(cmd []byte) ([]byte, error) {
	if _, err := g.data.Write(cmd); err != nil {
		return nil, err
	}
	n := 0
	for n < 10 || n < int(binary.BigEndian.Uint32(g.response[2:])) {
		m, err := g.data.Read(g.response[n:])
		if n += m; err != nil {
			return nil, fmt.Errorf("a response, of which there are %d bytes: %w", n, err)
		}
		if n == len(g.response) {
			break
		}
	}
	return g.response[:n], nil
}

// play switches the TPM on, sends what was recorded, and compares each response code, and the
// PCRs at the end. It returns how long each command took.
func (g *guest) play(r *recording) ([]time.Duration, error) {
	if err := g.tell(controlInit, 0, 0, 0, 0); err != nil {
		return nil, err
	}
	if err := g.data.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	times := make([]time.Duration, 0, len(r.Commands))
	for i, c := range r.Commands {
		if c.Locality != g.locality {
			if err := g.tell(controlSetLocality, c.Locality); err != nil {
				return nil, err
			}
			g.locality = c.Locality
		}
		began := time.Now()
		rsp, err := g.Send(c.Bytes)
		times = append(times, time.Since(began))
		if err != nil {
			return nil, fmt.Errorf("command %d: %w", i+1, err)
		}
		if code := binary.BigEndian.Uint32(rsp[6:]); code != c.Code {
			return nil, fmt.Errorf("command %d, %x: response code %#x, recorded %#x", i+1, c.Bytes[6:10], code, c.Code)
		}
	}
	return times, g.comparePCRs(r)
}

func (g *guest) comparePCRs(r *recording) error {
	for bank, values := range r.PCRs {
		for i, want := range values {
			if want == nil {
				continue
			}
			rsp, err := tpm2.PCRRead{PCRSelectionIn: tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{
				{Hash: tpm2.TPMAlgID(bank), PCRSelect: tpm2.PCClientCompatible.PCRs(uint(i))}}}}.Execute(g)
			if err != nil {
				return fmt.Errorf("read PCR %d: %w", i, err)
			}
			if d := rsp.PCRValues.Digests; len(d) != 1 || !bytes.Equal(d[0].Buffer, want) {
				return fmt.Errorf("PCR %d of %v is not as recorded", i, bank)
			}
		}
	}
	return nil
}
