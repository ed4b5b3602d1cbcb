package command_test

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/big"
	"slices"
	"testing"

	_ "crypto/sha1"
	_ "crypto/sha512"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// loadRSA loads a key of the standard library, for decryption with any scheme: $key.
func loadRSA(v *vector, k *rsa.PrivateKey) {
	v.t.Helper()
	v.sized("$n", k.N.Bytes())
	v.sized("$p", k.Primes[0].Bytes())
	v.run("TPM2_LoadExternal : (TPM_ALG_RSA () () $p) (TPM_ALG_RSA TPM_ALG_SHA256 %s () TPM_ALG_NULL TPM_ALG_NULL u16:%d u32:%d $n) TPM_RH_NULL",
		decrypts, k.N.BitLen(), k.E)
	v.run("> handle:$key")
}

// TestRSAWithStandardLibrary: crypto/rsa reads what the TPM encrypts, and the other way
// round, with every scheme. The label's zero is part of it.
func TestRSAWithStandardLibrary(t *testing.T) {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	v := newVector(t)
	loadRSA(v, k)
	message := []byte("message")
	for _, test := range []struct {
		scheme, label string
		encrypt       func() ([]byte, error)
		decrypt       func(b []byte) ([]byte, error)
	}{
		{
			"TPM_ALG_RSAES", "",
			//lint:ignore SA1019 the specification has the scheme
			func() ([]byte, error) { return rsa.EncryptPKCS1v15(rand.Reader, &k.PublicKey, message) },
			//lint:ignore SA1019 the specification has the scheme
			func(b []byte) ([]byte, error) { return rsa.DecryptPKCS1v15(nil, k, b) },
		},
		oaep(k, message, "TPM_ALG_SHA1", crypto.SHA1, ""),
		oaep(k, message, "TPM_ALG_SHA256", crypto.SHA256, "label\x00"),
		oaep(k, message, "TPM_ALG_SHA384", crypto.SHA384, "\x00"),
		oaep(k, message, "TPM_ALG_SHA512", crypto.SHA512, "two\x00labels\x00"),
	} {
		v.sized("$message", message)
		v.sized("$label", []byte(test.label))
		v.run("TPM2_RSA_Encrypt $key : $message %s $label\n> $encrypted:b .", test.scheme)
		if have, err := test.decrypt(v.vars["$encrypted"]); err != nil || !bytes.Equal(have, message) {
			t.Errorf("%s: the TPM encrypts %q, %v", test.scheme, have, err)
		}
		encrypted, err := test.encrypt()
		if err != nil {
			t.Fatal(err)
		}
		v.sized("$encrypted", encrypted)
		v.run("TPM2_RSA_Decrypt $key ; pw : $encrypted %s $label\n> $message .", test.scheme)
	}
}

func oaep(k *rsa.PrivateKey, message []byte, name string, hash crypto.Hash, label string) (test struct {
	scheme, label string
	encrypt       func() ([]byte, error)
	decrypt       func(b []byte) ([]byte, error)
}) {
	test.scheme, test.label = "TPM_ALG_OAEP "+name, label
	test.encrypt = func() ([]byte, error) {
		return rsa.EncryptOAEP(hash.New(), rand.Reader, &k.PublicKey, message, []byte(label))
	}
	test.decrypt = func(b []byte) ([]byte, error) {
		return rsa.DecryptOAEP(hash.New(), nil, k, b, []byte(label))
	}
	return test
}

// TestRSAWithoutPadding: a message without padding is a number, of which the result is
// a power.
func TestRSAWithoutPadding(t *testing.T) {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	v := newVector(t)
	loadRSA(v, k)
	for _, message := range []*big.Int{big.NewInt(0), big.NewInt(1), big.NewInt(2), new(big.Int).Sub(k.N, big.NewInt(1)), new(big.Int).Rsh(k.N, 1)} {
		power := new(big.Int).Exp(message, big.NewInt(int64(k.E)), k.N)
		v.sized("$message", message.Bytes())
		v.sized("$padded", message.FillBytes(make([]byte, k.Size())))
		v.sized("$power", power.FillBytes(make([]byte, k.Size())))
		v.run("TPM2_RSA_Encrypt $key : $message TPM_ALG_NULL ()\n> $power .")
		v.run("TPM2_RSA_Decrypt $key ; pw : $power TPM_ALG_NULL ()\n> $padded .")
	}
}

// kdf2 is KDF2 of IEEE 1363a with SHA-256.
func kdf2(seed []byte, n int) []byte {
	var out []byte
	for i := uint32(1); len(out) < n; i++ {
		sum := sha256.Sum256(binary.BigEndian.AppendUint32(bytes.Clone(seed), i))
		out = append(out, sum[:]...)
	}
	return out[:n]
}

// eccSecret returns what encryption with a shared point makes of data, which is the
// same there and back, and the digest over the message.
func eccSecret(c *affine, z *point, data, message []byte) (masked, digest []byte) {
	x, y := c.bytes(z.x), c.bytes(z.y)
	masked = kdf2(slices.Concat(x, y), len(data))
	for i := range masked {
		masked[i] ^= data[i]
	}
	sum := sha256.Sum256(slices.Concat(x, message, y))
	return masked, sum[:]
}

// TestECCEncryption: what the TPM encrypts can be read by the formulas of Part 1, and
// the other way round; the empty and the longest message too.
func TestECCEncryption(t *testing.T) {
	eachCurve(t, func(v *vector, c *affine) {
		d := randomScalar(v.t, c)
		q := c.load(v, d, decrypts, "TPM_ALG_NULL")
		for _, n := range []int{0, 1, 32, 33, wire.MaxBuffer} {
			message := bytes.Repeat([]byte{0xA7}, n)
			v.sized("$message", message)
			v.run("TPM2_ECC_Encrypt $key : $message TPM_ALG_KDF2 TPM_ALG_SHA256\n> $c1:2b $c2:b $c3:b .")
			have, digest := eccSecret(c, c.multiply(d, c.bound(v, "$c1")), v.vars["$c2"], message)
			if !bytes.Equal(have, message) || !bytes.Equal(digest, v.vars["$c3"]) {
				v.t.Errorf("%d bytes: another message or digest", n)
			}

			e := randomScalar(v.t, c)
			masked, digest := eccSecret(c, c.multiply(e, q), message, message)
			c.bind(v, "$c1", c.multiply(e, c.g))
			v.sized("$c2", masked)
			v.sized("$c3", digest)
			v.run("TPM2_ECC_Decrypt $key ; pw : $c1 $c2 $c3 TPM_ALG_KDF2 TPM_ALG_SHA256\n> $message .")
		}
	})
}

// TestECCEncryptionChanged: whatever byte of an encrypted message is changed, the
// message does not come out.
func TestECCEncryptionChanged(t *testing.T) {
	v := newVector(t)
	c := readCurve(v, "TPM_ECC_NIST_P256")
	c.load(v, big.NewInt(5), decrypts, "TPM_ALG_NULL")
	v.run("TPM2_ECC_Encrypt $key : (\"message\") TPM_ALG_KDF2 TPM_ALG_SHA256\n> $c1:2b $c2:2b $c3:2b .")
	for name, want := range map[string]wire.RC{"$c1": 0, "$c2": wire.RCValue, "$c3": wire.RCValue} {
		good := v.vars[name]
		for i := 2; i < len(good); i++ {
			v.vars[name] = bytes.Clone(good)
			v.vars[name][i] ^= 1
			v.run("TPM2_ECC_Decrypt $key ; pw : $c1 $c2 $c3 TPM_ALG_KDF2 TPM_ALG_SHA256")
			v.checked = true
			if rc := v.rc(); rc == wire.RCSuccess || want != 0 && rc != want {
				t.Errorf("byte %d of %s: %v", i, name, rc)
			}
		}
		v.vars[name] = good
	}
}

// modes are the modes of a block cipher, as the standard library encrypts.
var modes = map[string]func(b cipher.Block, iv, data []byte){
	"TPM_ALG_CTR": func(b cipher.Block, iv, data []byte) { cipher.NewCTR(b, iv).XORKeyStream(data, data) },
	"TPM_ALG_CBC": func(b cipher.Block, iv, data []byte) { cipher.NewCBCEncrypter(b, iv).CryptBlocks(data, data) },
	//lint:ignore SA1019 the specification has the mode
	"TPM_ALG_CFB": func(b cipher.Block, iv, data []byte) { cipher.NewCFBEncrypter(b, iv).XORKeyStream(data, data) },
	//lint:ignore SA1019 the specification has the mode
	"TPM_ALG_OFB": func(b cipher.Block, iv, data []byte) { cipher.NewOFB(b, iv).XORKeyStream(data, data) },
	"TPM_ALG_ECB": func(b cipher.Block, _, data []byte) {
		for ; len(data) > 0; data = data[b.BlockSize():] {
			b.Encrypt(data, data)
		}
	},
}

// TestContinuedIV: data that is encrypted or decrypted in pieces, each with the IV that
// the command before returned, comes out as it does in one piece. An ivOut that is not
// the mode's was CVE-2021-3446, and CVE-2026-21444 again.
func TestContinuedIV(t *testing.T) {
	ivs := map[string][]byte{
		"random":   []byte("initial value 16"),
		"overflow": slices.Concat(make([]byte, 8), bytes.Repeat([]byte{0xFF}, 8)),
		"all ones": bytes.Repeat([]byte{0xFF}, 16),
	}
	for name, encrypt := range modes {
		for _, size := range []int{16, 24, 32} {
			for reason, iv := range ivs {
				t.Run(fmt.Sprintf("%s/%d/%s", name, 8*size, reason), func(t *testing.T) {
					t.Parallel()
					key := bytes.Repeat([]byte{byte(size)}, size)
					plain := make([]byte, 1024)
					for i := range plain {
						plain[i] = byte(i ^ i>>8)
					}
					b, err := aes.NewCipher(key)
					if err != nil {
						t.Fatal(err)
					}
					encrypted := bytes.Clone(plain)
					encrypt(b, iv, encrypted)
					v := newVector(t)
					loadAES(v, key)
					inPieces(v, name, "00", iv, plain, encrypted)
					inPieces(v, name, "01", iv, encrypted, plain)
				})
			}
		}
	}
}

// loadAES loads an AES key that encrypts and decrypts in any mode: $key.
func loadAES(v *vector, key []byte) {
	v.t.Helper()
	v.sized("$bits", key)
	v.sized("$unique", crypt.Digest(wire.AlgSHA256, make([]byte, 32), key))
	v.run("TPM2_LoadExternal : (TPM_ALG_SYMCIPHER () (zeros:32) $bits) (TPM_ALG_SYMCIPHER TPM_ALG_SHA256 u32:0x00060040 () TPM_ALG_AES u16:%d TPM_ALG_NULL $unique) TPM_RH_NULL",
		8*len(key))
	v.run("> handle:$key")
}

// inPieces sends from in pieces, by both commands, and demands to: a single block,
// none, some blocks, all but an end that is no block where the mode has such.
func inPieces(v *vector, mode, decrypt string, iv, from, to []byte) {
	v.t.Helper()
	if mode == "TPM_ALG_ECB" {
		iv = nil
	}
	for _, line := range []string{
		"TPM2_EncryptDecrypt $key ; pw : %s %s $iv $in",
		"TPM2_EncryptDecrypt2 $key ; pw : $in %s %s $iv",
	} {
		v.sized("$iv", iv)
		at := 0
		for _, n := range []int{16, 0, 48, 512, 16 * 27} {
			v.sized("$in", from[at:at+n])
			v.sized("$out", to[at:at+n])
			v.run(line+"\n> $out $iv:2b .", decrypt, mode)
			at += n
		}
		if mode == "TPM_ALG_CBC" || mode == "TPM_ALG_ECB" {
			continue
		}
		v.sized("$iv", iv)
		v.sized("$in", from[:37])
		v.sized("$out", to[:37])
		v.run(line+"\n> $out $iv:2b .", decrypt, mode)
	}
}

// TestEncryptionLeavesKey: a command does not change the key, the IV or the data that
// the next one uses.
func TestEncryptionLeavesKey(t *testing.T) {
	v := newVector(t)
	loadAES(v, []byte("sixteen byte key"))
	for range 2 {
		v.run("TPM2_EncryptDecrypt2 $key ; pw : (zeros:48) 00 TPM_ALG_CBC (zeros:16)\n> $encrypted:2b $iv:2b .")
		v.run("TPM2_EncryptDecrypt2 $key ; pw : $encrypted 01 TPM_ALG_CBC (zeros:16)\n> (zeros:48) $iv .")
	}
}
