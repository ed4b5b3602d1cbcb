// Package swtpmstate opens the files that swtpm keeps the state of a TPM in, and the
// blobs that it moves it in. What is in them is a state of libtpms; package vtpm makes
// one of bootseal's from it.
//
// A file (tpm2-00.permall) begins with a header of ten bytes: version, least version,
// the header's size (u16), flags (u16) and the size of all (u32), big-endian. What
// follows is, since version 2, a list of tag (u16), size (u32) and data: the state, or
// the state encrypted, an HMAC and an IV. Version 1 has the state as it is, or
// encrypted behind a SHA-256 of it.
//
// A blob of the control channel (GET_STATEBLOB) has that list once more inside, which
// a migration key may have encrypted.
//
// The encryption is AES-CBC with PKCS #7 padding to whole keys, then HMAC-SHA256 with
// the same key over what was encrypted and the IV. A password becomes a key by
// PBKDF2-HMAC-SHA512 with 1,000 rounds and the salt "swtpm", or as the first bytes of
// its SHA-512.
//
// A file of swtpm's file:// backend has up to 15 such files, in a frame of its own.
//
// The sources are swtpm's src/swtpm/swtpm_nvstore.c, swtpm_nvstore_linear.h, tlv.h,
// swtpm_aes.c and key.c; there is no other description.
package swtpmstate
