package efivars

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Kind is the type of a signature list's entries (UEFI specification, section
// "Signature Database", EFI_CERT_*_GUID).
type Kind int

// The kinds that decide about programs.
const (
	Other      Kind = iota
	X509            // a certificate
	SHA256          // the Authenticode digest of a program
	X509SHA256      // the digest of what a certificate's signature covers
	SHA1
)

// Entry is one EFI_SIGNATURE_DATA.
type Entry struct {
	Kind Kind
	// Raw is the whole entry: 16 bytes of owner GUID, then the data. It is what
	// firmware measures when the entry decides.
	Raw []byte
}

// Data is the certificate or hash.
func (e Entry) Data() []byte { return e.Raw[ownerSize:] }

const (
	ownerSize      = 16
	listHeaderSize = 28
)

var errNotList = errors.New("not a signature list")

// Entries returns the entries of a sequence of EFI_SIGNATURE_LIST, in order. With
// an error come those before the place where it is.
func Entries(b []byte) ([]Entry, error) {
	var out []Entry
	for at := 0; at < len(b); {
		rest := b[at:]
		if len(rest) < listHeaderSize {
			return out, fmt.Errorf("%w: %d bytes at %d", errNotList, len(rest), at)
		}
		le := binary.LittleEndian
		size, header, each := uint64(le.Uint32(rest[16:])), uint64(le.Uint32(rest[20:])), uint64(le.Uint32(rest[24:]))
		if size > uint64(len(rest)) || size < listHeaderSize+header || each < ownerSize ||
			(size-listHeaderSize-header)%each != 0 {
			return out, fmt.Errorf("%w: sizes %d, %d and %d at %d", errNotList, size, header, each, at)
		}
		kind := kindOf(rest[:16])
		for body := rest[listHeaderSize+header : size]; len(body) > 0; body = body[each:] {
			out = append(out, Entry{kind, body[:each:each]})
		}
		at += int(size)
	}
	return out, nil
}

// The types in their byte order in memory.
const (
	guidX509       = "\xa1\x59\xc0\xa5\xe4\x94\xa7\x4a\x87\xb5\xab\x15\x5c\x2b\xf0\x72"
	guidSHA256     = "\x26\x16\xc4\xc1\x4c\x50\x92\x40\xac\xa9\x41\xf9\x36\x93\x43\x28"
	guidX509SHA256 = "\x92\xa4\xd2\x3b\xc0\x96\x79\x40\xb4\x20\xfc\xf9\x8e\xf1\x03\xed"
	guidSHA1       = "\x12\xa5\x6c\x82\x10\xcf\xc9\x4a\xb1\x87\xbe\x01\x49\x66\x31\xbd"
)

func kindOf(guid []byte) Kind {
	switch string(guid) {
	case guidX509:
		return X509
	case guidSHA256:
		return SHA256
	case guidX509SHA256:
		return X509SHA256
	case guidSHA1:
		return SHA1
	}
	return Other
}

// CertificateList returns an EFI_SIGNATURE_LIST of one certificate.
func CertificateList(owner [16]byte, der []byte) []byte {
	out := []byte(guidX509)
	le := binary.LittleEndian
	out = le.AppendUint32(out, uint32(listHeaderSize+ownerSize+len(der)))
	out = le.AppendUint32(out, 0)
	out = le.AppendUint32(out, uint32(ownerSize+len(der)))
	out = append(out, owner[:]...)
	return append(out, der...)
}

// HashList returns an EFI_SIGNATURE_LIST of one SHA-256 digest.
func HashList(owner, digest []byte) []byte {
	out := []byte(guidSHA256)
	le := binary.LittleEndian
	out = le.AppendUint32(out, uint32(listHeaderSize+ownerSize+len(digest)))
	out = le.AppendUint32(out, 0)
	out = le.AppendUint32(out, uint32(ownerSize+len(digest)))
	return append(append(out, owner...), digest...)
}

// maxList bounds a list with what is appended to it.
const maxList = 1 << 20

// Append returns the signature lists of a variable after an update is appended
// to it, as firmware does it: entries that are there already are left out of the
// update's lists (UEFI specification, EFI_VARIABLE_APPEND_WRITE). The update may
// begin with the header of an authenticated one.
func Append(list, update []byte) ([]byte, error) {
	update, err := withoutHeader(update)
	if err != nil {
		return nil, err
	}
	entries, err := Entries(list)
	if err != nil {
		return nil, fmt.Errorf("the variable: %w", err)
	}
	have := make(map[string]bool)
	for _, e := range entries {
		have[fmt.Sprint(e.Kind)+string(e.Raw)] = true
	}
	if _, err := Entries(update); err != nil {
		return nil, err
	}
	out := append([]byte(nil), list...)
	for len(update) > 0 {
		size := binary.LittleEndian.Uint32(update[16:])
		out = append(out, newEntries(update[:size], have)...)
		update = update[size:]
	}
	if len(out) > maxList {
		return nil, fmt.Errorf("a list of %d bytes", len(out))
	}
	return out, nil
}

// newEntries returns a list without the entries that are there already, nothing
// if there are no others.
func newEntries(list []byte, have map[string]bool) []byte {
	le := binary.LittleEndian
	header, each := le.Uint32(list[20:]), le.Uint32(list[24:])
	kind := kindOf(list[:16])
	out := append([]byte(nil), list[:listHeaderSize+header]...)
	for body := list[listHeaderSize+header:]; len(body) > 0; body = body[each:] {
		if key := fmt.Sprint(kind) + string(body[:each]); !have[key] {
			have[key] = true
			out = append(out, body[:each]...)
		}
	}
	if len(out) == int(listHeaderSize+header) {
		return nil
	}
	le.PutUint32(out[16:], uint32(len(out)))
	return out
}

// EFI_VARIABLE_AUTHENTICATION_2: a time, and a WIN_CERTIFICATE_UEFI_GUID that says
// how long it is.
const (
	timeSize     = 16
	certTypeGUID = 0x0EF1
)

// withoutHeader cuts off the header of an authenticated update.
func withoutHeader(b []byte) ([]byte, error) {
	if len(b) < timeSize+8 || binary.LittleEndian.Uint16(b[timeSize+6:]) != certTypeGUID {
		return b, nil
	}
	size := uint64(binary.LittleEndian.Uint32(b[timeSize:]))
	if size > uint64(len(b)-timeSize) {
		return nil, fmt.Errorf("the update's signature of %d bytes is cut short", size)
	}
	return b[timeSize+size:], nil
}
