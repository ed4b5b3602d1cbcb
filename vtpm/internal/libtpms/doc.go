// Package libtpms reads the persistent state of libtpms, the TPM 2.0 below swtpm, so
// that it can become a state of bootseal's.
//
// The format is what libtpms writes in its file src/tpm2/NVMarshal.c; there is no
// other description. What matters of it:
//
// All numbers are big-endian; a BOOL is a byte. A structure begins with a header: a
// version (u16), a magic number (u32) and, from version 2 on, the least version that a
// reader must know (u16). Later additions stand in blocks at its end, each in the one
// before it: a BOOL, whether there is anything, a size (u16), and as many bytes. A
// reader that does not know what is in a block can skip it. This one refuses it: what
// is skipped is lost.
//
// The state is a header (PERSISTENT_ALL), from version 4 on the profile in JSON as a
// counted C string, constants of the build, PERSISTENT_DATA, ORDERLY_DATA, after
// TPM2_Shutdown(STATE) or before version 3 also STATE_RESET_DATA and STATE_CLEAR_DATA,
// the data of the orderly NV indices (INDEX_ORDERLY_RAM), the NV indices and persistent
// objects (USER_NVRAM), a block, and the magic number again.
//
// Versions read are those up to libtpms 0.11. The profile's "StateFormatLevel" of
// libtpms 0.10 and later shows in the versions of the structures.
package libtpms
