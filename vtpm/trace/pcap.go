package trace

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// Pcap writes commands and responses as a pcap file in which Wireshark finds the TPM 2.0
// protocol: each is the payload of a TCP segment between the port that a program has and
// 2321, the port of the TCG's simulator. What could be a secret is zero, as Blank has it.
//
// The packets are on no network: addresses are from the range for documentation (RFC
// 5737), one for each locality. There is no handshake, which Wireshark does not miss.
type Pcap struct {
	w        io.Writer
	sequence [maxLocality + 1][2]uint32 // next sequence numbers of the two sides
}

const (
	maxLocality = 4
	tpmPort     = 2321  // TCP, of the TCG's simulator
	clientPort  = 50000 // Wireshark takes the side with the higher port for the client
	linkTypeRaw = 101   // packets begin with their IP header
	ipHeader    = 20
	tcpHeader   = 20
	maxPayload  = 1<<16 - 1 - ipHeader - tcpHeader
)

// NewPcap writes the header of a pcap file, with times in nanoseconds.
func NewPcap(w io.Writer) (*Pcap, error) {
	h := binary.LittleEndian.AppendUint32(nil, 0xA1B23C4D)
	h = binary.LittleEndian.AppendUint16(h, 2) // version 2.4
	h = binary.LittleEndian.AppendUint16(h, 4)
	h = append(h, make([]byte, 8)...)
	h = binary.LittleEndian.AppendUint32(h, 1<<16)
	h = binary.LittleEndian.AppendUint32(h, linkTypeRaw)
	if _, err := w.Write(h); err != nil {
		return nil, fmt.Errorf("write the header of the pcap file: %w", err)
	}
	return &Pcap{w: w}, nil
}

// Write appends a command that was executed at a locality and its response: when it
// began, and how long it took. A file that ends with what was written is complete.
func (p *Pcap) Write(at time.Time, took time.Duration, locality uint8, cmd, rsp []byte) error {
	cmd, rsp = Blank(cmd, rsp)
	if len(cmd) > maxPayload || len(rsp) > maxPayload {
		return fmt.Errorf("a command of %d bytes with a response of %d is more than a packet", len(cmd), len(rsp))
	}
	locality = min(locality, maxLocality)
	packets := p.packet(nil, at, locality, true, cmd)
	packets = p.packet(packets, at.Add(took), locality, false, rsp)
	if _, err := p.w.Write(packets); err != nil {
		return fmt.Errorf("write to the pcap file: %w", err)
	}
	return nil
}

// packet appends a record with one packet to b.
func (p *Pcap) packet(b []byte, at time.Time, locality uint8, command bool, payload []byte) []byte {
	size := ipHeader + tcpHeader + len(payload)
	for _, n := range []uint32{uint32(at.Unix()), uint32(at.Nanosecond()), uint32(size), uint32(size)} {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	client, tpm := [4]byte{192, 0, 2, 10 + locality}, [4]byte{192, 0, 2, 1}
	mine, other := &p.sequence[locality][0], &p.sequence[locality][1]
	source, destination := client, tpm
	sourcePort, destinationPort := uint16(clientPort), uint16(tpmPort)
	if !command {
		mine, other = other, mine
		source, destination = tpm, client
		sourcePort, destinationPort = tpmPort, clientPort
	}

	ip := len(b)
	b = append(b, 0x45, 0) // version 4, five words
	b = binary.BigEndian.AppendUint16(b, uint16(size))
	b = append(b, 0, 0, 0x40, 0, 64, 6, 0, 0) // not to be fragmented; TTL; TCP
	b = append(append(b, source[:]...), destination[:]...)
	binary.BigEndian.PutUint16(b[ip+10:], ^sum16(0, b[ip:ip+ipHeader]))

	tcp := len(b)
	b = binary.BigEndian.AppendUint16(b, sourcePort)
	b = binary.BigEndian.AppendUint16(b, destinationPort)
	b = binary.BigEndian.AppendUint32(b, *mine)
	b = binary.BigEndian.AppendUint32(b, *other)
	b = append(b, 0x50, 0x18, 0xFF, 0xFF, 0, 0, 0, 0) // five words; PSH and ACK; window
	b = append(b, payload...)
	pseudo := append(append([]byte(nil), b[ip+12:ip+20]...), 0, 6)
	pseudo = binary.BigEndian.AppendUint16(pseudo, uint16(tcpHeader+len(payload)))
	binary.BigEndian.PutUint16(b[tcp+16:], ^sum16(sum16(0, pseudo), b[tcp:]))
	*mine += uint32(len(payload))
	return b
}

// sum16 adds up words of 16 bits with the carry, as the checksums of IP and TCP do (RFC
// 1071).
func sum16(start uint16, b []byte) uint16 {
	sum := uint32(start)
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum > 0xFFFF {
		sum = sum&0xFFFF + sum>>16
	}
	return uint16(sum)
}
