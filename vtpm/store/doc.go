// Package store keeps the state of vTPMs: it implements vtpm.Store.
//
//	Directory  a directory of its own on a local file system
//
// A state in memory needs no package: it is the zero value of vtpm.Options.
//
// # The file
//
// A Directory's state is one file, a journal of fixed size in blocks of 512 bytes.
// The first block is the header, then come frames, then zeros. A frame is what one
// Commit changed, in as many blocks as it needs; the first frame is all records. When
// the next frame does not fit, a new file with all records takes the old one's place.
//
//	header.go  the first block: version, size, the file's key
//	block.go   a block: which frame it belongs to, a checksum
//	frame.go   a frame: encryption, order
//	replay.go  the whole file: what was committed, what is torn, what is damaged
//	           its records are encoded by package internal/record
//	journal.go writing: append, replace
//
// A frame is encrypted and authenticated with XChaCha20-Poly1305, under a key that is
// made for the file. Options.Key, when there is one, encrypts that key; otherwise it
// stands in the header for all to read, and encryption is a checksum only.
package store
