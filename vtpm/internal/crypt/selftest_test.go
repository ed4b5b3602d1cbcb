package crypt_test

import (
	"slices"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// Every algorithm passes on its own, and all together at power-on.
func TestSelfTest(t *testing.T) {
	for _, alg := range crypt.SelfTests() {
		if err := crypt.SelfTest(alg); err != nil {
			t.Error(err)
		}
	}
	if err := crypt.PowerOnTest(); err != nil {
		t.Error(err)
	}
}

// Every algorithm of the default profile has a test.
func TestSelfTestIsComplete(t *testing.T) {
	l := wire.DefaultLimits()
	for _, algs := range [][]wire.Alg{l.Hashes, l.SymModes, l.Schemes, l.KDFs} {
		for _, alg := range algs {
			if !slices.Contains(crypt.SelfTests(), alg) {
				t.Errorf("%v has no self-test", alg)
			}
		}
	}
}

func BenchmarkPowerOnTest(b *testing.B) {
	for b.Loop() {
		if err := crypt.SelfTest(crypt.SelfTests()...); err != nil {
			b.Fatal(err)
		}
	}
}
