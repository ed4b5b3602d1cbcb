package crypt_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

var hashes = []wire.Alg{
	wire.AlgSHA1, wire.AlgSHA256, wire.AlgSHA384, wire.AlgSHA512,
	wire.AlgSHA3256, wire.AlgSHA3384, wire.AlgSHA3512,
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func wantHex(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	if !bytes.Equal(got, unhex(t, want)) {
		t.Errorf("%s\n got %x\nwant %s", what, got, want)
	}
}

// The one-block messages of FIPS 180-4's and FIPS 202's examples: each
// identifier must select the algorithm of its name.
func TestDigest(t *testing.T) {
	for _, tt := range []struct {
		alg         wire.Alg
		size, block int
		abc         string
	}{
		{wire.AlgSHA1, 20, 64, "a9993e364706816aba3e25717850c26c9cd0d89d"},
		{wire.AlgSHA256, 32, 64, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{wire.AlgSHA384, 48, 128, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"},
		{wire.AlgSHA512, 64, 128, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
		{wire.AlgSHA3256, 32, 136, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"},
		{wire.AlgSHA3384, 48, 104, "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b298d88cea927ac7f539f1edf228376d25"},
		{wire.AlgSHA3512, 64, 72, "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0"},
	} {
		wantHex(t, tt.alg.String(), crypt.Digest(tt.alg, []byte("a"), []byte("bc")), tt.abc)
		if n := crypt.Size(tt.alg); n != tt.size {
			t.Errorf("%v: size %d, want %d", tt.alg, n, tt.size)
		}
		if n := crypt.BlockSize(tt.alg); n != tt.block {
			t.Errorf("%v: block size %d, want %d", tt.alg, n, tt.block)
		}
	}
}

// RFC 2202 and RFC 4231, test case 2: a key shorter than the block.
func TestHMAC(t *testing.T) {
	key, data := []byte("Jefe"), []byte("what do ya want for nothing?")
	for alg, want := range map[wire.Alg]string{
		wire.AlgSHA1:   "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
		wire.AlgSHA256: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
		wire.AlgSHA384: "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
		wire.AlgSHA512: "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
	} {
		wantHex(t, alg.String(), crypt.HMAC(alg, key, data[:7], data[7:]), want)
	}
}

// An identifier that is no hash is an answer, not a panic: TPM_ALG_NULL has size
// zero throughout the specification.
func TestNotAHash(t *testing.T) {
	for _, a := range []wire.Alg{wire.AlgNull, wire.AlgAES, wire.AlgSM3256, 0, 0xFFFF} {
		if crypt.New(a) != nil || crypt.NewHMAC(a, nil) != nil {
			t.Errorf("%v: a hash", a)
		}
		if crypt.Size(a) != 0 || crypt.BlockSize(a) != 0 {
			t.Errorf("%v: a size", a)
		}
		if crypt.Digest(a, []byte("x")) != nil || crypt.HMAC(a, nil, []byte("x")) != nil {
			t.Errorf("%v: a digest", a)
		}
		if crypt.KDFa(a, nil, "L", nil, nil, 8) != nil || crypt.KDFe(a, nil, "L", nil, nil, 8) != nil ||
			crypt.MGF1(a, nil, 1) != nil || crypt.KDF2(a, nil, 1) != nil {
			t.Errorf("%v: a key", a)
		}
	}
}
