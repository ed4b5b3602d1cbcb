package crypt

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"math/bits"
)

// Camellia (RFC 3713), which no package that the engine may use has. It is here for
// a TPM that is to be what libtpms is; nothing chooses it on its own.
//
// The substitution tables are read as a whole for every byte, so that neither key
// nor data shows in the time: it makes the cipher much slower than others'
// code.

const camelliaBlockSize = 16

// camellia is the cipher with an expanded key.
type camellia struct {
	whitening [4]uint64 // kw1 to kw4
	rounds    []uint64  // k1 to k18 or k24
	layers    []uint64  // ke1 to ke4 or ke6
}

// The constants of the key schedule.
const (
	camelliaSigma1 = 0xA09E667F3BCC908B
	camelliaSigma2 = 0xB67AE8584CAA73B2
	camelliaSigma3 = 0xC6EF372FE94F82BE
	camelliaSigma4 = 0x54FF53A5F1D36F1C
	camelliaSigma5 = 0x10E527FADE682D1D
	camelliaSigma6 = 0xB05688C2B3E6C1FD
)

// newCamellia expands a key of 16, 24 or 32 bytes (RFC 3713, 2.2).
func newCamellia(key []byte) (cipher.Block, error) {
	word := func(i int) uint64 { return binary.BigEndian.Uint64(key[8*i:]) }
	var left, right [2]uint64
	switch len(key) {
	case 16:
		left = [2]uint64{word(0), word(1)}
	case 24:
		left, right = [2]uint64{word(0), word(1)}, [2]uint64{word(2), ^word(2)}
	case 32:
		left, right = [2]uint64{word(0), word(1)}, [2]uint64{word(2), word(3)}
	default:
		return nil, errors.New("the key's size is none of Camellia's")
	}
	a := [2]uint64{left[0] ^ right[0], left[1] ^ right[1]}
	a[1] ^= camelliaF(a[0], camelliaSigma1)
	a[0] ^= camelliaF(a[1], camelliaSigma2)
	a[0] ^= left[0]
	a[1] ^= left[1]
	a[1] ^= camelliaF(a[0], camelliaSigma3)
	a[0] ^= camelliaF(a[1], camelliaSigma4)
	if len(key) == 16 {
		return shortCamellia(left, a), nil
	}
	b := [2]uint64{a[0] ^ right[0], a[1] ^ right[1]}
	b[1] ^= camelliaF(b[0], camelliaSigma5)
	b[0] ^= camelliaF(b[1], camelliaSigma6)
	return longCamellia(left, right, a, b), nil
}

// rotate returns the upper and the lower half of k, of 128 bits, rotated to the left.
func rotate(k [2]uint64, n int) (uint64, uint64) {
	if n >= 64 {
		k[0], k[1] = k[1], k[0]
		n -= 64
	}
	if n == 0 {
		return k[0], k[1]
	}
	return k[0]<<n | k[1]>>(64-n), k[1]<<n | k[0]>>(64-n)
}

func shortCamellia(left, a [2]uint64) *camellia {
	c := &camellia{rounds: make([]uint64, 18), layers: make([]uint64, 4)}
	k, ke := c.rounds, c.layers
	c.whitening[0], c.whitening[1] = rotate(left, 0)
	k[0], k[1] = rotate(a, 0)
	k[2], k[3] = rotate(left, 15)
	k[4], k[5] = rotate(a, 15)
	ke[0], ke[1] = rotate(a, 30)
	k[6], k[7] = rotate(left, 45)
	k[8], _ = rotate(a, 45)
	_, k[9] = rotate(left, 60)
	k[10], k[11] = rotate(a, 60)
	ke[2], ke[3] = rotate(left, 77)
	k[12], k[13] = rotate(left, 94)
	k[14], k[15] = rotate(a, 94)
	k[16], k[17] = rotate(left, 111)
	c.whitening[2], c.whitening[3] = rotate(a, 111)
	return c
}

func longCamellia(left, right, a, b [2]uint64) *camellia {
	c := &camellia{rounds: make([]uint64, 24), layers: make([]uint64, 6)}
	k, ke := c.rounds, c.layers
	c.whitening[0], c.whitening[1] = rotate(left, 0)
	k[0], k[1] = rotate(b, 0)
	k[2], k[3] = rotate(right, 15)
	k[4], k[5] = rotate(a, 15)
	ke[0], ke[1] = rotate(right, 30)
	k[6], k[7] = rotate(b, 30)
	k[8], k[9] = rotate(left, 45)
	k[10], k[11] = rotate(a, 45)
	ke[2], ke[3] = rotate(left, 60)
	k[12], k[13] = rotate(right, 60)
	k[14], k[15] = rotate(b, 60)
	k[16], k[17] = rotate(left, 77)
	ke[4], ke[5] = rotate(a, 77)
	k[18], k[19] = rotate(right, 94)
	k[20], k[21] = rotate(a, 94)
	k[22], k[23] = rotate(left, 111)
	c.whitening[2], c.whitening[3] = rotate(b, 111)
	return c
}

func (c *camellia) BlockSize() int { return camelliaBlockSize }

// Encrypt is RFC 3713, 2.3: six rounds, then a layer and six more, and so on.
func (c *camellia) Encrypt(dst, src []byte) {
	d1 := binary.BigEndian.Uint64(src) ^ c.whitening[0]
	d2 := binary.BigEndian.Uint64(src[8:]) ^ c.whitening[1]
	for i, k := range c.rounds {
		if i > 0 && i%6 == 0 {
			d1 = camelliaFL(d1, c.layers[i/3-2])
			d2 = camelliaFLInverse(d2, c.layers[i/3-1])
		}
		d1, d2 = d2^camelliaF(d1, k), d1
	}
	binary.BigEndian.PutUint64(dst, d2^c.whitening[2])
	binary.BigEndian.PutUint64(dst[8:camelliaBlockSize], d1^c.whitening[3])
}

// Decrypt is Encrypt with the subkeys in reverse order.
func (c *camellia) Decrypt(dst, src []byte) {
	d1 := binary.BigEndian.Uint64(src) ^ c.whitening[2]
	d2 := binary.BigEndian.Uint64(src[8:]) ^ c.whitening[3]
	for i := len(c.rounds) - 1; i >= 0; i-- {
		d1, d2 = d2^camelliaF(d1, c.rounds[i]), d1
		if i > 0 && i%6 == 0 {
			d1 = camelliaFL(d1, c.layers[i/3-1])
			d2 = camelliaFLInverse(d2, c.layers[i/3-2])
		}
	}
	binary.BigEndian.PutUint64(dst, d2^c.whitening[0])
	binary.BigEndian.PutUint64(dst[8:camelliaBlockSize], d1^c.whitening[1])
}

// camelliaF is the round function (RFC 3713, 2.4.1).
func camelliaF(in, key uint64) uint64 {
	x := in ^ key
	var t [8]byte
	binary.BigEndian.PutUint64(t[:], x)
	t[1], t[4] = bits.RotateLeft8(camelliaS(t[1]), 1), bits.RotateLeft8(camelliaS(t[4]), 1)
	t[2], t[5] = bits.RotateLeft8(camelliaS(t[2]), -1), bits.RotateLeft8(camelliaS(t[5]), -1)
	t[3], t[6] = camelliaS(bits.RotateLeft8(t[3], 1)), camelliaS(bits.RotateLeft8(t[6], 1))
	t[0], t[7] = camelliaS(t[0]), camelliaS(t[7])
	return binary.BigEndian.Uint64([]byte{
		t[0] ^ t[2] ^ t[3] ^ t[5] ^ t[6] ^ t[7],
		t[0] ^ t[1] ^ t[3] ^ t[4] ^ t[6] ^ t[7],
		t[0] ^ t[1] ^ t[2] ^ t[4] ^ t[5] ^ t[7],
		t[1] ^ t[2] ^ t[3] ^ t[4] ^ t[5] ^ t[6],
		t[0] ^ t[1] ^ t[5] ^ t[6] ^ t[7],
		t[1] ^ t[2] ^ t[4] ^ t[6] ^ t[7],
		t[2] ^ t[3] ^ t[4] ^ t[5] ^ t[7],
		t[0] ^ t[3] ^ t[4] ^ t[5] ^ t[6],
	})
}

func camelliaFL(in, key uint64) uint64 {
	x1, x2, k1, k2 := uint32(in>>32), uint32(in), uint32(key>>32), uint32(key)
	x2 ^= bits.RotateLeft32(x1&k1, 1)
	x1 ^= x2 | k2
	return uint64(x1)<<32 | uint64(x2)
}

func camelliaFLInverse(in, key uint64) uint64 {
	y1, y2, k1, k2 := uint32(in>>32), uint32(in), uint32(key>>32), uint32(key)
	y1 ^= y2 | k2
	y2 ^= bits.RotateLeft32(y1&k1, 1)
	return uint64(y1)<<32 | uint64(y2)
}

// camelliaS is SBOX1, of which the other three are rotations. It takes a row of
// eight bytes out of all of them, then the byte by a shift.
func camelliaS(at byte) byte {
	var row uint64
	for i, r := range camelliaRows {
		row |= r & -uint64(subtle.ConstantTimeByteEq(at>>3, byte(i)))
	}
	return byte(row >> (at & 7 * 8))
}

var camelliaRows = func() (rows [32]uint64) {
	for i := range rows {
		rows[i] = binary.LittleEndian.Uint64(camelliaSBox[8*i:])
	}
	return rows
}()

var camelliaSBox = [256]byte{
	112, 130, 44, 236, 179, 39, 192, 229, 228, 133, 87, 53, 234, 12, 174, 65,
	35, 239, 107, 147, 69, 25, 165, 33, 237, 14, 79, 78, 29, 101, 146, 189,
	134, 184, 175, 143, 124, 235, 31, 206, 62, 48, 220, 95, 94, 197, 11, 26,
	166, 225, 57, 202, 213, 71, 93, 61, 217, 1, 90, 214, 81, 86, 108, 77,
	139, 13, 154, 102, 251, 204, 176, 45, 116, 18, 43, 32, 240, 177, 132, 153,
	223, 76, 203, 194, 52, 126, 118, 5, 109, 183, 169, 49, 209, 23, 4, 215,
	20, 88, 58, 97, 222, 27, 17, 28, 50, 15, 156, 22, 83, 24, 242, 34,
	254, 68, 207, 178, 195, 181, 122, 145, 36, 8, 232, 168, 96, 252, 105, 80,
	170, 208, 160, 125, 161, 137, 98, 151, 84, 91, 30, 149, 224, 255, 100, 210,
	16, 196, 0, 72, 163, 247, 117, 219, 138, 3, 230, 218, 9, 63, 221, 148,
	135, 92, 131, 2, 205, 74, 144, 51, 115, 103, 246, 243, 157, 127, 191, 226,
	82, 155, 216, 38, 200, 55, 198, 59, 129, 150, 111, 75, 19, 190, 99, 46,
	233, 121, 167, 140, 159, 110, 188, 142, 41, 245, 249, 182, 47, 253, 180, 89,
	120, 152, 6, 106, 231, 70, 113, 186, 212, 37, 171, 66, 136, 162, 141, 250,
	114, 7, 185, 85, 248, 238, 172, 10, 54, 73, 42, 104, 60, 56, 241, 164,
	64, 40, 211, 123, 187, 201, 67, 193, 21, 227, 173, 244, 119, 199, 128, 158,
}
