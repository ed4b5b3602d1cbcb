package pe_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/internal/pe"
)

const (
	optional = 64 + 24 // offset of the optional header
	headers  = 512
)

// build returns a program with two sections, the second first in the file, a
// tail and a certificate table.
func build(plus bool, tail, certs []byte) []byte {
	le := binary.LittleEndian
	b := make([]byte, headers)
	copy(b, "MZ")
	le.PutUint32(b[0x3c:], 64)
	copy(b[64:], "PE\x00\x00")
	le.PutUint16(b[64+6:], 2) // sections
	opt, dirs, magic := 224, 92, uint16(0x10b)
	if plus {
		opt, dirs, magic = 240, 108, 0x20b
	}
	le.PutUint16(b[64+20:], uint16(opt))
	le.PutUint16(b[optional:], magic)
	le.PutUint32(b[optional+60:], headers)
	copy(b[optional+64:], "CSUM")
	le.PutUint32(b[optional+dirs:], 16)
	for i, section := range [][2]uint32{{24, headers + 40}, {40, headers}} {
		at := optional + opt + 40*i
		le.PutUint32(b[at+16:], section[0])
		le.PutUint32(b[at+20:], section[1])
	}
	b = append(b, bytes.Repeat([]byte("A"), 40)...)
	b = append(b, bytes.Repeat([]byte("B"), 24)...)
	b = append(b, tail...)
	if len(certs) > 0 {
		le.PutUint32(b[optional+dirs+4+8*4:], uint32(len(b)))
		le.PutUint32(b[optional+dirs+4+8*4+4:], uint32(len(certs)))
	}
	return append(b, certs...)
}

func hashed(t *testing.T, b []byte) []byte {
	t.Helper()
	f, err := pe.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := f.Hash(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// The digest covers everything but the checksum, the entry of the certificate
// table and the table: checked by cutting those out of the file.
func TestHash(t *testing.T) {
	for _, plus := range []bool{false, true} {
		entry := optional + 92 + 4 + 8*4
		if plus {
			entry += 16
		}
		for _, tail := range []string{"", "unaligned tail"} {
			b := build(plus, []byte(tail), make([]byte, 16))
			want := slices.Concat(b[:optional+64], b[optional+68:entry], b[entry+8:len(b)-16])
			if got := hashed(t, b); !bytes.Equal(got, want) {
				t.Errorf("PE32+ %t, tail %q: hashed %d bytes, want %d", plus, tail, len(got), len(want))
			}
		}
	}
}

// Sections are hashed in the order of the file, not of the table, and one
// without data is left out.
func TestHashOrder(t *testing.T) {
	got := hashed(t, build(true, nil, nil))
	if i, j := bytes.IndexByte(got, 'B'), bytes.LastIndexByte(got, 'A'); i < j {
		t.Errorf("the second section of the file is at %d, before %d", i, j)
	}
	b := build(true, nil, nil)
	binary.LittleEndian.PutUint32(b[optional+240+16:], 0)
	binary.LittleEndian.PutUint32(b[optional+240+20:], 0xffffffff)
	if got := hashed(t, b); bytes.Count(got, []byte("B")) != 24 {
		t.Error("data that no section has is hashed as what follows the sections, once")
	}
}

func TestHostile(t *testing.T) {
	le := binary.LittleEndian
	for _, test := range []struct {
		name   string
		change func(b []byte)
		notPE  bool
		want   string
	}{
		{"another magic", func(b []byte) { b[0] = 'm' }, true, "not a PE"},
		{"a header outside of the file", func(b []byte) { le.PutUint32(b[0x3c:], 0xfffffff0) }, true, "its header would be at"},
		{"no PE signature", func(b []byte) { b[64] = 0 }, true, "no signature"},
		{"too many sections", func(b []byte) { le.PutUint16(b[64+6:], 0xffff) }, false, "65535 sections"},
		{"sections past the end", func(b []byte) { le.PutUint16(b[64+6:], 1000) }, false, "headers of"},
		{"a short optional header", func(b []byte) { le.PutUint16(b[64+20:], 8) }, false, "too short"},
		{"an unknown optional header", func(b []byte) { b[optional] = 7 }, false, "magic 0x207"},
		{"no room for the directories", func(b []byte) { le.PutUint16(b[64+20:], 130) }, false, "no room"},
		{"headers longer than the file", func(b []byte) { le.PutUint32(b[optional+60:], 1<<30) }, false, "SizeOfHeaders"},
		{"headers that end too early", func(b []byte) { le.PutUint32(b[optional+60:], 64) }, false, "SizeOfHeaders"},
		{"a section past the end", func(b []byte) { le.PutUint32(b[optional+240+16:], 1<<31) }, false, "section 0 ends at"},
		{"overlapping sections", func(b []byte) { le.PutUint32(b[optional+240+20:], headers); le.PutUint32(b[optional+240+16:], 64) }, false, "overlap"},
		{"a certificate table in the middle", func(b []byte) { le.PutUint32(b[optional+144:], headers); le.PutUint32(b[optional+148:], 8) }, false, "not at the end"},
	} {
		b := build(true, nil, nil)
		test.change(b)
		_, err := pe.Open(bytes.NewReader(b), int64(len(b)))
		if err == nil || !strings.Contains(err.Error(), test.want) || errors.Is(err, pe.ErrNotPE) != test.notPE {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
}

// signature returns an entry of the certificate table: signed data that names a
// certificate with the given subject.
func signature(t testing.TB, name string) (entry []byte, fingerprint [32]byte) {
	t.Helper()
	// Ed25519 signs without randomness: a fuzzer's seeds have to be the same always.
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	template := &x509.Certificate{SerialNumber: big.NewInt(42), Subject: pkix.Name{CommonName: name}}
	cert, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(cert)
	if err != nil {
		t.Fatal(err)
	}
	marshal := func(v any) asn1.RawValue {
		der, err := asn1.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return asn1.RawValue{FullBytes: der}
	}
	set := func(tag, class int, content []byte) asn1.RawValue {
		return asn1.RawValue{Class: class, Tag: tag, IsCompound: true, Bytes: content}
	}
	oid := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	signer := marshal([]asn1.RawValue{
		marshal(1),
		marshal([]asn1.RawValue{{FullBytes: parsed.RawIssuer}, marshal(42)}),
		marshal([]asn1.RawValue{marshal(oid)}),
	})
	signed := marshal([]asn1.RawValue{
		marshal(1),
		set(asn1.TagSet, asn1.ClassUniversal, nil),
		marshal([]asn1.RawValue{marshal(oid)}),
		set(0, asn1.ClassContextSpecific, cert),
		set(asn1.TagSet, asn1.ClassUniversal, signer.FullBytes),
	})
	der := marshal([]asn1.RawValue{marshal(oid), set(0, asn1.ClassContextSpecific, signed.FullBytes)}).FullBytes
	entry = make([]byte, 8, 8+len(der))
	binary.LittleEndian.PutUint32(entry, uint32(8+len(der)))
	binary.LittleEndian.PutUint16(entry[4:], 0x200)
	binary.LittleEndian.PutUint16(entry[6:], 2)
	entry = append(entry, der...)
	return append(entry, make([]byte, -len(entry)&7)...), sha256.Sum256(cert)
}

func signers(b []byte) ([]pe.Signer, error) {
	f, err := pe.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	return f.Signers()
}

// A program can have several signatures; each names its certificate.
func TestSigners(t *testing.T) {
	one, first := signature(t, "One")
	two, second := signature(t, "Two\n\x1b[2J")
	got, err := signers(build(true, nil, slices.Concat(one, two)))
	want := []pe.Signer{{Subject: "One", SHA256: first}, {Subject: "Two??[2J", SHA256: second}}
	if err != nil || !slices.EqualFunc(got, want, func(a, b pe.Signer) bool { return a.Subject == b.Subject && a.SHA256 == b.SHA256 }) {
		t.Errorf("signers are %v, %v; want %v", got, err, want)
	}
	for _, s := range got {
		if len(s.Chain) == 0 || sha256.Sum256(s.Chain[0]) != s.SHA256 {
			t.Errorf("%s: its chain of %d does not begin with its certificate", s.Subject, len(s.Chain))
		}
	}
	if got, err := signers(build(true, nil, nil)); len(got) > 0 || err != nil {
		t.Errorf("an unsigned program: %v, %v", got, err)
	}
}

func TestHostileSignatures(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(entry []byte)
		want   string
	}{
		{"an entry longer than the table", func(e []byte) { e[2] = 1 }, "are left"},
		{"an entry of no size", func(e []byte) { e[0], e[1] = 0, 0 }, "entry of 0 bytes"},
		{"no DER", func(e []byte) { e[8] = 0xff }, "signature: "},
		{"another serial number", func(e []byte) { e[bytes.LastIndex(e, []byte{2, 1, 42})+2]++ }, "not in it"},
	} {
		entry, _ := signature(t, "One")
		test.change(entry)
		if _, err := signers(build(true, nil, entry)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
}

// Any input is an error, or a program of which no more is hashed than it has.
func FuzzOpen(f *testing.F) {
	entry, _ := signature(f, "One")
	f.Add(build(true, []byte("tail"), entry))
	f.Add(build(false, nil, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := pe.Open(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := file.Hash(&out); err != nil {
			t.Fatal(err)
		}
		if out.Len() > len(data) {
			t.Errorf("hashed %d bytes of %d", out.Len(), len(data))
		}
		_, _ = file.Signers()
	})
}
