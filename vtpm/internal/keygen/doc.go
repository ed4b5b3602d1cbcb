// Package keygen makes keys and secrets from a stream of random bytes.
//
// An object that TPM2_Create makes takes the stream from the operating system.
// A primary object takes it from a DRBG seeded with its hierarchy's primary
// seed and its template, so that the same template gives the same object for
// as long as the seed lives (Part 1, "Primary Seed Properties"). How is left to
// the vendor, and can never change afterwards for the seeds in use: it has a
// number, Version, to be stored beside a seed.
//
// # Version 1
//
// Version 1 gives the primary objects that libtpms gives at its seed compatibility
// level 1, RSA_PRIME_ADJUST_FIX: same seed, same template, same public and
// sensitive area, byte for byte. (RSA keys of 4,096 bits came to libtpms later; they
// are made like the others.) Numbers are big-endian; "generate n" is one
// generate operation of the DRBG for n bytes. A number of bits says so.
//
// 1. Seeding. The concatenation of the seed, "Primary Object Creation" with its
// terminating zero, the Name of the template (unique as the caller gave it) and
// inSensitive.data is condensed to 48 bytes. There are three chaining values
// C0..C2 of 16 bytes, Ci zero but for byte 3, which is i. Taking in a block B of
// 16 bytes with AES-256, key 00 01 .. 1F, is: X = 0; for i = 0, 1, 2:
// X = X ^ Ci ^ B, Ci = E(X). First a block of zeros is taken in. Then the first
// eight bytes of C0 are overwritten with the length of the input and the number
// 48, in four bytes each. Then come four bytes of zeros, the input, a byte 0x80
// and zeros up to a whole block. C0 || C1 || C2 is the result. It resembles
// Block_Cipher_df of SP 800-90A without being it. The DRBG starts with key and V
// zero and one CTR_DRBG_Update with the result.
//
// 2. The DRBG is the CTR_DRBG of SP 800-90A, 10.2.1, with AES-256, without
// additional input; each generate ends with its update.
//
// 3. The secret, by type:
//
//   - RSA: two primes, each found so. Generate a number of half the
//     modulus' bits. Its upper 32 bits t become 0xB5050000 + (t >> 16) * 0x4AFB +
//     ((t & 0xFFFF) * 0x4AFB >> 16), and bit 0 is set. Let g be the low 32 bits
//     with bit 31 set. The field is the 16,384 odd numbers from the base on; the
//     base is the candidate less its remainder mod 105, less another 105 if the
//     remainder is odd. Multiples of the odd primes up to 8,167, 38,891 or 65,521
//     are struck out, for candidates of up to 512, up to 1,024 and more bits.
//     While the field has n > 0 numbers left, its (g mod n)-th, from zero, is
//     taken out; it is the prime if it is neither 0 nor 1 modulo the exponent and
//     passes 5 rounds of Miller-Rabin (4 for 1,536 bits or more; 8 below 511).
//     Each round generates numbers of the candidate's size w until one is in
//     2..w-2, and the first round that fails ends the test. An exhausted field
//     starts over. The second prime is searched again if the two differ by less
//     than 2^100. It, not the first one, is the prime in the sensitive area.
//   - ECC: generate the order's size in bytes plus 8. The scalar is that number
//     modulo order - 1, plus 1 (FIPS 186-4, B.4.1).
//   - SYMCIPHER, KEYEDHASH: the caller's inSensitive.data, or else generate the
//     size of the key; for KEYEDHASH the digest size of the scheme's hash, or of
//     nameAlg without a scheme. A TDES key has the last bit of each byte set for
//     odd parity, and is generated again while one of its parts is weak or is the
//     next part.
//
// 4. In the endorsement hierarchy shProof, then ehProof are condensed as in step 1,
// and used in one CTR_DRBG_Update each.
//
// 5. seedValue: generate the digest size of nameAlg. An asymmetric key that is
// not a storage parent drops it. The unique field of a SYMCIPHER or KEYEDHASH
// object is computed from it (Part 1, "Object Creation").
//
// # Version 0
//
// Version 0 is that of seeds which libtpms before 0.8 made, its seed compatibility
// level 0, on a little-endian machine of 64 bits: version 1 with another step 3 for RSA.
// A candidate is generated as a little-endian number. Of its upper 48 bits the first 16,
// t, become 0xB505 + (t * 0x4AFB >> 16), and the other 32 become zero. On other machines
// libtpms made other keys; a seed does not say on which.
//
// # Timing
//
// Modular exponentiation and reduction of secrets use filippo.io/bigmod, and
// scalar multiplication is package crypt's; both run in constant time. The search
// for primes itself cannot: the number of candidates tried and the accesses to the
// sieve's field follow from the stream. What is tried and rejected is independent of
// the prime that is found, apart from the field they share.
package keygen

// Version is the number of the derivation of primary objects from a seed. It
// changes if any of them changes; what the package documentation says of a
// version then stays, and stays available for the seeds of that version.
const Version = 1

// Version0 is the version of seeds that came from a TPM of libtpms before 0.8.
const Version0 = 0
