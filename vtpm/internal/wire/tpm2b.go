package wire

// Sized buffers of bytes (Part 2, "TPM2B"). Reading one fails with TPM_RC_SIZE
// where the size is over the type's limit, which has nothing to do with how many
// bytes follow. What was read aliases the Reader's buffer.

// Limits of the sized buffers, in bytes. Those of RSA and ECC values depend on
// the implemented sizes: see Limits.
const (
	MaxDigest        = 64                         // the largest digest, SHA-512's
	MaxData          = 2 + MaxDigest              // TPMT_HA
	MaxName          = 2 + MaxDigest              // TPMT_HA
	MaxEvent         = 1024                       // as Part 2 says
	MaxBuffer        = 1024                       // MAX_DIGEST_BUFFER
	MaxNVBuffer      = 1024                       // MAX_NV_BUFFER_SIZE
	MaxNVIndexSize   = 2048                       // MAX_NV_INDEX_SIZE, the data of an NV Index
	MaxCapBuffer     = 1024                       // MAX_CAP_BUFFER
	MaxTimeout       = 8                          // a UINT64
	MaxSymBlockSize  = 16                         // MAX_SYM_BLOCK_SIZE, AES's
	MaxSymKey        = 32                         // MAX_SYM_KEY_BYTES
	MaxLabel         = 32                         // LABEL_MAX_BUFFER
	MaxDerive        = 2 * (2 + MaxLabel)         // TPMS_DERIVE
	MaxSensitiveData = 128                        // MAX_SYM_DATA
	MaxIDObject      = 2 * (2 + MaxDigest)        // TPMS_ID_OBJECT
	MaxContext       = 2680                       // MAX_CONTEXT_SIZE
	MaxContextData   = 4 + MaxDigest + MaxContext // TPMS_CONTEXT_DATA
	MaxAttest        = 2048                       // above any TPMS_ATTEST: most is TPMS_NV_CERTIFY_INFO's data
)

// encryptedSecretBytes returns the size of TPMU_ENCRYPTED_SECRET.
func (l *Limits) encryptedSecretBytes() int {
	return max(l.rsaBytes(), 2*(2+l.eccBytes()), 2+MaxDigest)
}

// sensitiveBytes returns the size of a TPM2B_SENSITIVE with the largest
// TPMT_SENSITIVE.
func (l *Limits) sensitiveBytes() int {
	composite := 2 + max(l.rsaPrivateBytes(), l.eccBytes(), MaxSensitiveData, MaxSymKey)
	return 2 + 2 + 2*(2+MaxDigest) + composite
}

// privateBytes returns the size of _PRIVATE: two integrity values and a
// TPM2B_SENSITIVE.
func (l *Limits) privateBytes() int { return 2*(2+MaxDigest) + l.sensitiveBytes() }

// templateBytes returns the size of the largest TPMT_PUBLIC.
func (l *Limits) templateBytes() int {
	const head = 2 + 2 + 4 + 2 + MaxDigest // type, nameAlg, objectAttributes, authPolicy
	const parameters = 6 + 6 + 2 + 4       // symmetric, scheme, curve or bits, kdf or exponent
	return head + parameters + max(2+l.rsaBytes(), 2*(2+l.eccBytes()), 2*(2+MaxLabel))
}

// Other names of TPM2B_DIGEST.
type (
	TPM2BNonce   = TPM2BDigest // TPM2B_NONCE, a session's nonce
	TPM2BAuth    = TPM2BDigest // TPM2B_AUTH, an authorization value
	TPM2BOperand = TPM2BDigest // TPM2B_OPERAND, what a policy compares with
)

// TPM2BDigest is TPM2B_DIGEST: a digest, or another value no longer than the
// largest one.
type TPM2BDigest []byte

// Read reads the buffer.
func (b *TPM2BDigest) Read(r *Reader) { *b = r.Sized(MaxDigest) }

// Write appends the buffer.
func (b TPM2BDigest) Write(w *Writer) { w.Sized(b) }

// TPM2BData is TPM2B_DATA: data of the caller's, no longer than a TPMT_HA.
type TPM2BData []byte

// Read reads the buffer.
func (b *TPM2BData) Read(r *Reader) { *b = r.Sized(MaxData) }

// Write appends the buffer.
func (b TPM2BData) Write(w *Writer) { w.Sized(b) }

// TPM2BEvent is TPM2B_EVENT: what TPM2_PCR_Event hashes.
type TPM2BEvent []byte

// Read reads the buffer.
func (b *TPM2BEvent) Read(r *Reader) { *b = r.Sized(MaxEvent) }

// Write appends the buffer.
func (b TPM2BEvent) Write(w *Writer) { w.Sized(b) }

// TPM2BMaxBuffer is TPM2B_MAX_BUFFER: data to hash, encrypt or stir.
type TPM2BMaxBuffer []byte

// Read reads the buffer.
func (b *TPM2BMaxBuffer) Read(r *Reader) { *b = r.Sized(MaxBuffer) }

// Write appends the buffer.
func (b TPM2BMaxBuffer) Write(w *Writer) { w.Sized(b) }

// TPM2BMaxNVBuffer is TPM2B_MAX_NV_BUFFER: what one command moves to or from
// an NV Index.
type TPM2BMaxNVBuffer []byte

// Read reads the buffer.
func (b *TPM2BMaxNVBuffer) Read(r *Reader) { *b = r.Sized(MaxNVBuffer) }

// Write appends the buffer.
func (b TPM2BMaxNVBuffer) Write(w *Writer) { w.Sized(b) }

// TPM2BMaxCapBuffer is TPM2B_MAX_CAP_BUFFER: a marshaled list of capabilities.
type TPM2BMaxCapBuffer []byte

// Read reads the buffer.
func (b *TPM2BMaxCapBuffer) Read(r *Reader) { *b = r.Sized(MaxCapBuffer) }

// Write appends the buffer.
func (b TPM2BMaxCapBuffer) Write(w *Writer) { w.Sized(b) }

// TPM2BTimeout is TPM2B_TIMEOUT: when an authorization ticket expires, opaque
// to its holder.
type TPM2BTimeout []byte

// Read reads the buffer.
func (b *TPM2BTimeout) Read(r *Reader) { *b = r.Sized(MaxTimeout) }

// Write appends the buffer.
func (b TPM2BTimeout) Write(w *Writer) { w.Sized(b) }

// TPM2BIV is TPM2B_IV: the initial value of a block cipher mode.
type TPM2BIV []byte

// Read reads the buffer.
func (b *TPM2BIV) Read(r *Reader) { *b = r.Sized(MaxSymBlockSize) }

// Write appends the buffer.
func (b TPM2BIV) Write(w *Writer) { w.Sized(b) }

// TPM2BName is TPM2B_NAME: a Name: a handle, or an algorithm and a digest.
type TPM2BName []byte

// Read reads the buffer.
func (b *TPM2BName) Read(r *Reader) { *b = r.Sized(MaxName) }

// Write appends the buffer.
func (b TPM2BName) Write(w *Writer) { w.Sized(b) }

// TPM2BSymKey is TPM2B_SYM_KEY: a symmetric key.
type TPM2BSymKey []byte

// Read reads the buffer.
func (b *TPM2BSymKey) Read(r *Reader) { *b = r.Sized(MaxSymKey) }

// Write appends the buffer.
func (b TPM2BSymKey) Write(w *Writer) { w.Sized(b) }

// TPM2BLabel is TPM2B_LABEL: a label or a context of a key derivation.
type TPM2BLabel []byte

// Read reads the buffer.
func (b *TPM2BLabel) Read(r *Reader) { *b = r.Sized(MaxLabel) }

// Write appends the buffer.
func (b TPM2BLabel) Write(w *Writer) { w.Sized(b) }

// TPM2BDerive is TPM2B_DERIVE: a marshaled TPMS_DERIVE.
type TPM2BDerive []byte

// Read reads the buffer.
func (b *TPM2BDerive) Read(r *Reader) { *b = r.Sized(MaxDerive) }

// Write appends the buffer.
func (b TPM2BDerive) Write(w *Writer) { w.Sized(b) }

// TPM2BSensitiveData is TPM2B_SENSITIVE_DATA: the data of a keyed-hash object,
// or a marshaled TPMS_DERIVE.
type TPM2BSensitiveData []byte

// Read reads the buffer.
func (b *TPM2BSensitiveData) Read(r *Reader) { *b = r.Sized(MaxSensitiveData) }

// Write appends the buffer.
func (b TPM2BSensitiveData) Write(w *Writer) { w.Sized(b) }

// TPM2BPublicKeyRSA is TPM2B_PUBLIC_KEY_RSA: an RSA modulus, or a value of its
// size.
type TPM2BPublicKeyRSA []byte

// Read reads the buffer.
func (b *TPM2BPublicKeyRSA) Read(r *Reader) { *b = r.Sized(r.Limits.rsaBytes()) }

// Write appends the buffer.
func (b TPM2BPublicKeyRSA) Write(w *Writer) { w.Sized(b) }

// TPM2BPrivateKeyRSA is TPM2B_PRIVATE_KEY_RSA: an RSA prime, and maybe what is
// derived from it.
type TPM2BPrivateKeyRSA []byte

// Read reads the buffer.
func (b *TPM2BPrivateKeyRSA) Read(r *Reader) { *b = r.Sized(r.Limits.rsaPrivateBytes()) }

// Write appends the buffer.
func (b TPM2BPrivateKeyRSA) Write(w *Writer) { w.Sized(b) }

// TPM2BECCParameter is TPM2B_ECC_PARAMETER: a coordinate or a scalar of a
// curve, big-endian.
type TPM2BECCParameter []byte

// Read reads the buffer.
func (b *TPM2BECCParameter) Read(r *Reader) { *b = r.Sized(r.Limits.eccBytes()) }

// Write appends the buffer.
func (b TPM2BECCParameter) Write(w *Writer) { w.Sized(b) }

// TPM2BEncryptedSecret is TPM2B_ENCRYPTED_SECRET: a secret, encrypted to a key
// or an ECC point to derive it with.
type TPM2BEncryptedSecret []byte

// Read reads the buffer.
func (b *TPM2BEncryptedSecret) Read(r *Reader) { *b = r.Sized(r.Limits.encryptedSecretBytes()) }

// Write appends the buffer.
func (b TPM2BEncryptedSecret) Write(w *Writer) { w.Sized(b) }

// TPM2BTemplate is TPM2B_TEMPLATE: a marshaled TPMT_PUBLIC, or a TPMT_TEMPLATE.
type TPM2BTemplate []byte

// Read reads the buffer.
func (b *TPM2BTemplate) Read(r *Reader) { *b = r.Sized(r.Limits.templateBytes()) }

// Write appends the buffer.
func (b TPM2BTemplate) Write(w *Writer) { w.Sized(b) }

// TPM2BPrivate is TPM2B_PRIVATE: a sensitive area, encrypted and with an
// integrity value.
type TPM2BPrivate []byte

// Read reads the buffer.
func (b *TPM2BPrivate) Read(r *Reader) { *b = r.Sized(r.Limits.privateBytes()) }

// Write appends the buffer.
func (b TPM2BPrivate) Write(w *Writer) { w.Sized(b) }

// TPM2BPrivateVendorSpecific is TPM2B_PRIVATE_VENDOR_SPECIFIC: a sensitive
// area in a form of its own.
type TPM2BPrivateVendorSpecific []byte

// Read reads the buffer.
func (b *TPM2BPrivateVendorSpecific) Read(r *Reader) { *b = r.Sized(r.Limits.rsaPrivateBytes()) }

// Write appends the buffer.
func (b TPM2BPrivateVendorSpecific) Write(w *Writer) { w.Sized(b) }

// TPM2BIDObject is TPM2B_ID_OBJECT: a credential, encrypted and with an
// integrity value.
type TPM2BIDObject []byte

// Read reads the buffer.
func (b *TPM2BIDObject) Read(r *Reader) { *b = r.Sized(MaxIDObject) }

// Write appends the buffer.
func (b TPM2BIDObject) Write(w *Writer) { w.Sized(b) }

// TPM2BContextSensitive is TPM2B_CONTEXT_SENSITIVE: the encrypted part of a
// saved context.
type TPM2BContextSensitive []byte

// Read reads the buffer.
func (b *TPM2BContextSensitive) Read(r *Reader) { *b = r.Sized(MaxContext) }

// Write appends the buffer.
func (b TPM2BContextSensitive) Write(w *Writer) { w.Sized(b) }

// TPM2BContextData is TPM2B_CONTEXT_DATA: a saved context, with its integrity
// value.
type TPM2BContextData []byte

// Read reads the buffer.
func (b *TPM2BContextData) Read(r *Reader) { *b = r.Sized(MaxContextData) }

// Write appends the buffer.
func (b TPM2BContextData) Write(w *Writer) { w.Sized(b) }

// TPM2BAttest is TPM2B_ATTEST: a marshaled TPMS_ATTEST.
type TPM2BAttest []byte

// Read reads the buffer.
func (b *TPM2BAttest) Read(r *Reader) { *b = r.Sized(MaxAttest) }

// Write appends the buffer.
func (b TPM2BAttest) Write(w *Writer) { w.Sized(b) }
