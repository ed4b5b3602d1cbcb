// Package trace says in words what commands and responses went by a TPM, and writes them
// as packets that Wireshark's dissector for TPM 2.0 reads.
//
// No secret comes out. What is shown is on a list: numbers, handles, algorithms, PCR
// selections, and the sizes of everything else. What is kept of bytes in a packet is on a
// list, too: public areas, names, digests of policies, signatures. The rest is zeros of
// the same size: authorizations of sessions (a password, or the HMAC from which a weak one
// can be guessed), sensitive areas, data, private areas, contexts, whatever cannot be
// read, and every parameter that was encrypted.
//
// Names and order of the fields come from the engine's table of commands.
package trace
