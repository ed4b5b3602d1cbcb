package eventlog

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/bootseal/bootseal/pcr"
)

// The signatures of the Spec ID event, 16 bytes with the final NUL.
const (
	specBIOS  = "Spec ID Event00\x00" // conventional BIOS, SHA-1
	specEFI12 = "Spec ID Event02\x00" // EFI with TPM 1.2, SHA-1
	specAgile = "Spec ID Event03\x00" // crypto-agile
)

// Spec is the content of the Spec ID event, the log's header (PFP, "Specification
// ID Version Event"). The zero Spec is a SHA-1 log without a header, which old
// firmware writes.
type Spec struct {
	// Signature is "Spec ID Event03" in a crypto-agile log, "Spec ID Event00" or
	// "Spec ID Event02" in a SHA-1 log, "" in a log without a header.
	Signature     string `json:"signature"`
	PlatformClass uint32 `json:"platformClass"` // 0 client, 1 server
	VersionMajor  uint8  `json:"versionMajor"`
	VersionMinor  uint8  `json:"versionMinor"`
	Errata        uint8  `json:"errata"`
	UintnSize     uint8  `json:"uintnSize"` // 1: 32 bits, 2: 64 bits
	// Algorithms are the digests that events carry. Nil in a SHA-1 log.
	Algorithms []Algorithm `json:"algorithms,omitempty"`
	VendorInfo []byte      `json:"vendorInfo,omitempty"`
}

// Algorithm is a digest algorithm of a crypto-agile log and its size in bytes.
type Algorithm struct {
	Bank pcr.Bank `json:"bank"`
	Size int      `json:"size"`
}

// CryptoAgile reports whether events carry one digest for each of Algorithms;
// otherwise they carry one SHA-1 digest.
func (s *Spec) CryptoAgile() bool { return s.Signature+"\x00" == specAgile }

// size returns the digest size of an algorithm in the header, or 0.
func (s *Spec) size(b pcr.Bank) int {
	for _, a := range s.Algorithms {
		if a.Bank == b {
			return a.Size
		}
	}
	return 0
}

// maxAlgorithms bounds the header: the TCG registry has fewer hashes than that.
const maxAlgorithms = 16

// parseSpec reads a Spec ID event's data. ok is false where the data is
// something else.
func parseSpec(data []byte) (s Spec, ok bool, err error) {
	c := cursor{buf: data}
	switch sig := string(c.bytes(16)); sig {
	case specBIOS, specEFI12, specAgile:
		s.Signature = sig[:15]
	default:
		return Spec{}, false, nil
	}
	s.PlatformClass = c.u32()
	s.VersionMinor = c.u8()
	s.VersionMajor = c.u8()
	s.Errata = c.u8()
	s.UintnSize = c.u8() // reserved in Event00
	if s.CryptoAgile() {
		if s.Algorithms, err = parseAlgorithms(&c); err != nil {
			return Spec{}, true, err
		}
	}
	s.VendorInfo = c.bytes(uint64(c.u8()))
	if c.short {
		return Spec{}, true, fmt.Errorf("the header is cut short after %d bytes", len(data))
	}
	return s, true, nil
}

func parseAlgorithms(c *cursor) ([]Algorithm, error) {
	n := c.u32()
	if n == 0 || n > maxAlgorithms {
		return nil, fmt.Errorf("the header lists %d digest algorithms: want 1 to %d", n, maxAlgorithms)
	}
	algs := make([]Algorithm, 0, n)
	for range n {
		a := Algorithm{Bank: pcr.Bank(c.u16()), Size: int(c.u16())}
		if c.short {
			return nil, fmt.Errorf("the header is cut short in its list of %d digest algorithms", n)
		}
		if want := a.Bank.Size(); a.Size == 0 || a.Size > 64 || want != 0 && a.Size != want {
			return nil, fmt.Errorf("the header gives %s a digest of %d bytes", a.Bank, a.Size)
		}
		for _, other := range algs {
			if other.Bank == a.Bank {
				return nil, fmt.Errorf("the header lists %s twice", a.Bank)
			}
		}
		algs = append(algs, a)
	}
	return algs, nil
}

// appendTo writes the event data that parseSpec reads.
func (s *Spec) appendTo(b []byte) []byte {
	sig := make([]byte, 16)
	copy(sig, s.Signature)
	b = append(b, sig...)
	b = binary.LittleEndian.AppendUint32(b, s.PlatformClass)
	b = append(b, s.VersionMinor, s.VersionMajor, s.Errata, s.UintnSize)
	if s.CryptoAgile() {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(s.Algorithms)))
		for _, a := range s.Algorithms {
			b = binary.LittleEndian.AppendUint16(b, uint16(a.Bank))
			b = binary.LittleEndian.AppendUint16(b, uint16(a.Size))
		}
	}
	b = append(b, byte(len(s.VendorInfo)))
	return append(b, s.VendorInfo...)
}

// localitySignature starts the EV_NO_ACTION event that records the locality of
// TPM2_Startup (PFP, "Startup Locality Event"); one byte follows.
var localitySignature = []byte("StartupLocality\x00")

// startupLocality returns the locality that a StartupLocality event records.
func startupLocality(e *Event) (locality byte, ok bool) {
	if e.Measured() || len(e.Data) != len(localitySignature)+1 || !bytes.HasPrefix(e.Data, localitySignature) {
		return 0, false
	}
	return e.Data[len(localitySignature)], true
}
