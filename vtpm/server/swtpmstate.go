package server

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"

	"github.com/bootseal/bootseal/vtpm"
)

// getBlob answers a part of the state, or what of it is left after the offset. The
// answer is the result, flags, the size of what is left, and that behind its size again.
func (s *Swtpm) getBlob(kind, offset uint32) []byte {
	if offset == 0 || kind != s.blobType {
		clear(s.blob)
		blob, r := s.saveBlob(kind)
		if r != resultOK {
			return answer(r, 0, 0, 0)
		}
		s.blob, s.blobType = blob, kind
	}
	var flags uint32
	if s.o.MigrationKey != nil && len(s.blob) > 0 {
		flags |= blobEncrypted
	}
	rest := s.blob[min(uint64(offset), uint64(len(s.blob))):]
	reply := sized(answer(resultOK, flags, uint32(len(rest))), rest)
	if kind == blobSaveState && s.o.Outgoing {
		// It is the last one that a migration fetches.
		s.report(s.closeState())
	}
	return reply
}

func (s *Swtpm) saveBlob(kind uint32) ([]byte, result) {
	var state vtpm.StateKind
	switch kind {
	case blobPermanent:
		state = vtpm.PermanentState
	case blobVolatile:
		state = vtpm.VolatileState
		s.dirty = false // what is saved goes on elsewhere, and has not ended here
	case blobSaveState:
		return nil, resultOK
	default:
		return nil, resultBadParameter
	}
	blob, err := s.tpm.SaveState(state)
	if err == nil && s.o.MigrationKey != nil {
		blob, err = encryptBlob(s.o.MigrationKey, kind, blob)
	}
	return blob, s.outcome(err)
}

// setBlob takes a part of the state. The permanent one is there from then on, the
// volatile one counts at INIT.
func (s *Swtpm) setBlob(flags, kind uint32, blob []byte) result {
	if err := s.open(); err != nil {
		return s.outcome(err)
	}
	if len(blob) > 0 && (flags&blobEncrypted != 0 || bytes.HasPrefix(blob, []byte(encryptedBlob))) {
		if s.o.MigrationKey == nil {
			return resultKeyNotFound
		}
		var err error
		if blob, err = decryptBlob(s.o.MigrationKey, kind, blob); err != nil {
			s.report(err)
			return resultBadParameter
		}
		defer clear(blob)
	}
	var err error
	switch {
	case kind == blobPermanent:
		err = s.tpm.RestoreState(vtpm.PermanentState, blob)
	case kind == blobVolatile && len(blob) == 0:
		err = s.tpm.DropVolatile()
	case kind == blobVolatile:
		err = s.tpm.PutVolatile(bytes.Clone(blob))
	case kind == blobSaveState && len(blob) == 0:
	default:
		return resultBadParameter
	}
	if err != nil {
		s.report(err)
		return resultBadParameter
	}
	return resultOK
}

// encryptedBlob begins an encrypted blob and says the version of its layout. Tools that
// keep a blob in a file forget the flag that it was fetched with.
const encryptedBlob = "bootseal encrypted vTPM state 1\n"

// encryptBlob encrypts a blob so that it cannot be changed or taken for one of another
// kind: AES-GCM behind a random nonce.
func encryptBlob(key []byte, kind uint32, blob []byte) ([]byte, error) {
	aead, err := blobCipher(key)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	sealed := aead.Seal(append([]byte(encryptedBlob), nonce...), nonce, blob, binary.BigEndian.AppendUint32(nil, kind))
	clear(blob)
	return sealed, nil
}

func decryptBlob(key []byte, kind uint32, blob []byte) ([]byte, error) {
	aead, err := blobCipher(key)
	if err != nil {
		return nil, err
	}
	blob, ok := bytes.CutPrefix(blob, []byte(encryptedBlob))
	if !ok || len(blob) < aead.NonceSize() {
		return nil, errors.New("an encrypted state is none, or cut short")
	}
	nonce, sealed := blob[:aead.NonceSize()], blob[aead.NonceSize():]
	plain, err := aead.Open(nil, nonce, sealed, binary.BigEndian.AppendUint32(nil, kind))
	if err != nil {
		return nil, errors.New("an encrypted state was changed, or the migration key is another one")
	}
	return plain, nil
}

func blobCipher(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
