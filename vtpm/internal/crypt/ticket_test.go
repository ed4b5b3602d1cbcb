package crypt_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha512"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// Each ticket's HMAC over the bytes that Part 2 lists, written out.
func TestTickets(t *testing.T) {
	proof := []byte("proof")
	want := func(parts ...string) []byte {
		m := hmac.New(sha512.New, proof)
		for _, p := range parts {
			m.Write([]byte(p))
		}
		return m.Sum(nil)
	}
	check := func(what string, ticket wire.TPMTTKCreation, tag wire.ST, digest []byte) {
		t.Helper()
		if ticket.Tag != tag || ticket.Hierarchy != wire.HandleOwner || !bytes.Equal(ticket.Digest, digest) {
			t.Errorf("%s: %+v, want tag %v and digest %x", what, ticket, tag, digest)
		}
	}
	check("creation", crypt.TicketCreation(proof, wire.HandleOwner, []byte("name"), []byte("hash")),
		wire.STCreation, want("\x80\x21", "name", "hash"))
	check("verified", wire.TPMTTKCreation(crypt.TicketVerified(proof, wire.HandleOwner, []byte("digest"), []byte("key"))),
		wire.STVerified, want("\x80\x22", "digest", "key"))
	check("hash check", wire.TPMTTKCreation(crypt.TicketHashCheck(proof, wire.HandleOwner, wire.AlgSHA256, []byte("digest"))),
		wire.STHashCheck, want("\x80\x24", "\x00\x0b", "digest"))

	a := &crypt.Authorization{
		CPHash: []byte("cp"), PolicyRef: []byte("ref"), EntityName: []byte("entity"),
		Epoch: 0x01020304, TotalResetCount: 0x1112131415161718,
	}
	auth := func(tag wire.ST) wire.TPMTTKCreation {
		return wire.TPMTTKCreation(crypt.TicketAuth(proof, tag, wire.HandleOwner, a))
	}
	check("without an end", auth(wire.STAuthSecret), wire.STAuthSecret,
		want("\x80\x23", "cp", "ref", "entity", "\x00\x00\x00\x00\x00\x00\x00\x00"))
	a.Timeout = 0x2122232425262728
	check("with an end", auth(wire.STAuthSigned), wire.STAuthSigned,
		want("\x80\x25", "cp", "ref", "entity", "\x21\x22\x23\x24\x25\x26\x27\x28", "\x01\x02\x03\x04"))
	a.ExpiresOnReset = true
	check("until the reset", auth(wire.STAuthSigned), wire.STAuthSigned,
		want("\x80\x25", "cp", "ref", "entity", "\x21\x22\x23\x24\x25\x26\x27\x28", "\x01\x02\x03\x04", "\x11\x12\x13\x14\x15\x16\x17\x18"))
}
